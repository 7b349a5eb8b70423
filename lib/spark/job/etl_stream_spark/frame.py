"""Lines of Spark's text source -> records, as lib/parse/README.md has it: the first thing the job does with a file.

A partition is one file, whole and in order; a line is what stands before a line feed, so it may end with a carriage return, or have some
in it, which are line ends, too. What is given does not depend on how the lines come in batches (file_reader.py).

    file int, line bigint, byte bigint   where the record begins: places are those of the text, in UTF-8, its byte order mark counted
    record binary                        without its line end; of one that is too long, min(65536, limit) + 1 bytes
    status int                           0, bad_quote, unterminated_quote, record_too_long (STATUS); -1: the totals of a file
    valid boolean                        whether it is UTF-8
    n bigint                             1
    length int                           bytes of the record; of one that is too long, whose end may not be known, limit + 1

The totals stand behind the records of their file: n = records, the header not counted; line = empty lines; byte = bytes of text. A file
without a line has none: the text source gives nothing of it (nor of one that is a byte order mark).

Three things a line does not tell. Whether a byte order mark stood before the first one, which Hadoop's reader takes away: `Input.mark`
says so. Whether a line feed stands behind the last one, which matters for the bytes of the text, and of a record whose quote is never
closed: the size of the input tells, and it is taken for granted where that fits neither, of a file that is compressed. What the header's
fields are: the driver has read it (`Input.width`, `Input.places`), and it is passed over.
"""
from __future__ import annotations

from typing import Any, Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from .file_reader import FileReader
from .settings import Settings

SCHEMA = 'file int, line bigint, byte bigint, record binary, status int, valid boolean, n bigint, length int'
# Of a batch that are looked at together; a line may have more.
PIECE_BYTES = 4 << 20


def frames(settings: Settings, inputs: Sequence[Any]) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """For mapInArrow over (file int, value string or binary) -> SCHEMA. `inputs`: inputs.Input, found by their numbers.

    Raises JobError ETL_INPUT_READ where a file ends inside a quote of a record that is too long."""
    by_number = {each.number: each for each in inputs}

    def framed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        reader: FileReader | None = None
        for number, lines in _pieces(batches):
            if reader is None or reader.number != number:
                if reader:
                    yield from reader.end()
                reader = FileReader(by_number[number], settings.maxRecord, settings.encoding)
            yield from reader.take(lines)
        if reader:
            yield from reader.end()

    return framed


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.Array]]:
    """Lines of one file at a time, PIECE_BYTES of them if a line has no more."""
    for batch in batches:
        if batch.num_rows == 0:
            continue
        files, lines = batch.column(0).to_numpy(), batch.column(1)
        is_wide = pa.types.is_large_string(lines.type) or pa.types.is_large_binary(lines.type)
        lines = lines.view(pa.large_binary() if is_wide else pa.binary())
        offsets = np.frombuffer(lines.buffers()[1], np.int64 if is_wide else np.int32)[lines.offset:lines.offset + len(lines) + 1]
        at = 0
        for stop in [*(np.flatnonzero(files[1:] != files[:-1]) + 1).tolist(), len(files)]:
            while at < stop:
                whole = int(np.searchsorted(offsets, int(offsets[at]) + PIECE_BYTES, 'right')) - 1
                to = min(max(whole, at + 1), stop)
                yield int(files[at]), lines.slice(at, to - at)
                at = to
