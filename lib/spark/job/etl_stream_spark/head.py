"""The beginning of an input, as the driver reads it: what stands in it, the names of its columns, its first records."""
from __future__ import annotations

import bz2
import re
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Iterator

import pyarrow as pa

from .errors import JobError
from .frame import frames
from .listing import Listed
from .record_fields import content_of, fields_of, is_kernel_dialect
from .settings import STATUS, Dialect, Settings

if TYPE_CHECKING:
    from .inputs import Input

# Bytes of text that a sample is made of, as in lib/core/stage.ts; a header may be longer.
SAMPLE_BYTES = 1 << 20
_HEADER_BYTES = 64 << 10
_UTF_16 = (b'\xff\xfe', b'\xfe\xff')
_MARK = b'\xef\xbb\xbf'


class Head:
    """`read`: the first bytes of the file as they stand. Raises ETL_INPUT_READ for what Spark could not read."""

    def __init__(self, file: Listed, dialect: Dialect, settings: Settings, read: Callable[[int], bytes]) -> None:
        self._file, self.dialect, self._settings, self._read = file, dialect, settings, read
        self._stored = read(_HEADER_BYTES)
        self.content = compression_of(self._stored)
        if self.content == 'zstd':
            raise JobError('ETL_INPUT_READ', f'The input {file.name} is compressed by Zstandard, which Spark does not read as text.', (
                'Decompress it, or compress it by gzip; a run without --engine spark reads it.'
            ))
        if self.content == 'text' and settings.encoding == 'auto' and self._stored[:2] in _UTF_16:
            raise JobError('ETL_INPUT_READ', f'The input {file.name} is text in UTF-16, which Spark cannot divide into lines.', (
                'Turn it into UTF-8 first, by iconv -f UTF-16 -t UTF-8, or run without --engine spark.'
            ))

    @property
    def name(self) -> str:
        return self._file.name

    @property
    def mark(self) -> bool:
        """Whether it begins with a byte order mark of UTF-8."""
        return self._text(len(_MARK)) == _MARK

    @property
    def is_empty(self) -> bool:
        start = self._text(len(_MARK) + 1)
        return start == b'' or (start == _MARK and self._settings.encoding in ('auto', 'utf-8'))

    def names(self) -> list[str] | None:
        """Of the columns; None: the input is empty. Raises ETL_HEADER when the header cannot be read."""
        if not self.dialect.header:
            return list(self.dialect.names)
        if self.is_empty:
            return None
        limit = _HEADER_BYTES
        while True:
            text = self._text(limit)
            whole = len(text) < limit
            for record, status in self._records(text, whole, replace(self.dialect, header=False), 0):
                if status == STATUS['record_too_long']:
                    raise JobError('ETL_HEADER', f'The header of {self.name} is longer than {self._settings.maxRecord} bytes.', 'Is it a CSV file?')
                if status != 0:
                    raise JobError('ETL_HEADER', f'The header of {self.name} has a misplaced quote.', 'A name with quotes in it must be quoted as a whole, its quotes doubled.')
                return [content_of(record, field, self.dialect).decode(errors='replace') for field in fields_of(record, self.dialect)]
            if whole:
                return []
            limit *= 4

    def fields(self, width: int, place: int) -> Iterator[bytes]:
        """What the field at `place` holds, of each record of the sample that has so many: of a malformed one, too, if that field is not."""
        text = self._text(SAMPLE_BYTES)
        for record, status in self._records(text, len(text) < SAMPLE_BYTES, self.dialect, width):
            if status == STATUS['record_too_long'] or (status != 0 and not is_kernel_dialect(self.dialect)):
                continue
            fields = list(fields_of(record, self.dialect))
            if len(fields) == width and not fields[place].bad:
                yield content_of(record, fields[place], self.dialect)

    def _records(self, text: bytes, whole: bool, dialect: Dialect, width: int) -> Iterator[tuple[bytes, int]]:
        """The framer's, which says the same in the job. What may not be whole is left out."""
        from .inputs import Input  # which needs this module
        lines = text.removeprefix(_MARK).split(b'\n')
        if whole and lines[-1] == b'':
            lines.pop()
        batch = pa.record_batch({'file': pa.array([0] * len(lines), pa.int32()), 'value': pa.array(lines, pa.binary())})
        framed = Input(0, self.name, '', '', len(text), dialect, width, {}, (), 'text', self.mark)
        last = None
        try:
            for out in frames(self._settings, [framed])(iter([batch])):
                for record, status in zip(out.column('record').to_pylist(), out.column('status').to_pylist()):
                    if status < 0:
                        continue
                    if last is not None:
                        yield last
                    last = (record, status)
        except JobError:
            pass  # This beginning ends inside a quote: whether the input does, the job tells.
        if whole and last is not None:
            yield last

    def _text(self, limit: int) -> bytes:
        """The first bytes, decompressed."""
        if self.content == 'text':
            if len(self._stored) < limit and len(self._stored) == _HEADER_BYTES:
                self._stored = self._read(limit)
            return self._stored[:limit]
        # How much text is in some bytes, nobody knows: a block of bzip2 gives nothing before its end.
        wanted, stored = _HEADER_BYTES, self._stored
        while True:
            text = _decompressed(stored, self.content, limit, self.name)
            if len(text) >= limit or len(stored) < wanted:
                return text
            wanted *= 4
            stored = self._read(wanted)


def _decompressed(stored: bytes, content: str, limit: int, name: str) -> bytes:
    text = b''
    try:
        while stored and len(text) < limit:
            decoder = zlib.decompressobj(31) if content == 'gzip' else bz2.BZ2Decompressor()
            text += decoder.decompress(stored, limit - len(text))
            stored = decoder.unused_data if decoder.eof else b''
    except (zlib.error, OSError) as error:
        raise JobError('ETL_INPUT_READ', f'The input {name} cannot be decompressed: {error}.', 'Nothing of the input counts. Get it again from where it came, or leave it out.') from error
    return text


def compression_of(start: bytes) -> str:
    """What stands in a file, by its first bytes: lib/source/content.ts. text, gzip, zstd or bzip2."""
    if start[:2] == b'\x1f\x8b':
        return 'gzip'
    if start[:4] == b'\x28\xb5\x2f\xfd' or (start[1:4] == b'\x2a\x4d\x18' and 0x50 <= start[0] <= 0x5f):
        return 'zstd'
    return 'bzip2' if re.match(rb'BZh[1-9](1AY&SY|\x17rE8P\x90)', start) else 'text'
