"""One file's lines -> batches of its records, and their totals at its end (frame.py says what is in them).

Records that are well-formed are found by operations on whole arrays (clean_records.py), all others one by one (framer.py): from the first
of them on, up to where the text can be read as if nothing had been before.

Memory: two pieces of the file, and the record that is not ended, at most as many bytes as the limit.
"""
from __future__ import annotations

import codecs
from typing import Any, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from .clean_records import CleanRecords, Marks
from .errors import JobError
from .framer import RECORD_TOO_LONG, Framer, after_line, line_end
from .record_batch import RecordBatch, totals

_MARK = b'\xef\xbb\xbf'
# Windows-1252 from 0x80 to 0x9f, as the WHATWG Encoding Standard has it: what Microsoft left open is a control character.
_WINDOWS_1252 = ''.join(bytes([byte]).decode('cp1252', 'ignore') or chr(byte) for byte in range(256))


class FileReader:
    """It is a piece behind with what it gives: only the last line of a file may have no line feed behind it."""

    def __init__(self, input: Any, limit: int, encoding: str) -> None:
        """`input`: inputs.Input; `limit`: most bytes of a record."""
        self.number: int = input.number
        self._input, self._limit, self._encoding = input, limit, encoding
        self._marks = Marks(input.dialect)
        self._is_header = input.dialect.header
        self._framer = Framer(input.dialect, limit)
        self._framer.width = 0 if self._is_header else input.width
        self._lines: pa.Array | None = None
        # Lines to be passed over before the first record; None: the file is begun.
        self._skip: int | None = input.dialect.skip_lines
        self._rest = b''
        # Of text, and of the file as it stands on the disk.
        self._bytes = self._stored = 0
        self._records = 0
        # Where the last record began that was too long.
        self._long = (0, 0)

    def take(self, lines: pa.Array) -> Iterator[pa.RecordBatch]:
        """Some lines, binary or large_binary, at least one; gives the records of those before them."""
        if self._lines is not None:
            yield from self._read(self._lines, False)
        self._lines = lines

    def end(self) -> Iterator[pa.RecordBatch]:
        """There are no more lines: gives the rest, and the totals."""
        yield from self._read(self._lines, True)
        if self._framer.is_lost:
            line, byte = self._long
            raise JobError(
                'ETL_INPUT_READ',
                f'The record of {self._input.name} that begins in line {line} (byte {byte}) opens a quote that is never closed: '
                f'all {self._bytes - byte} bytes from there to the end would be lost.',
                'Mend that quote and run again. Nothing was published.',
            )
        yield totals(self.number, self._records, self._framer.empty_lines, self._bytes)

    def _read(self, lines: pa.Array, last: bool) -> Iterator[pa.RecordBatch]:
        new = self._text_of(lines, last)
        base = self._bytes - len(self._rest)
        text = self._rest + new if self._rest else new
        self._bytes += len(new)
        found = RecordBatch(self.number, text, base, self._limit)
        self._find(text, base, last, found)
        self._rest = text[self._framer.resume:]
        self._records += found.count
        if found.count > 0:
            yield found.batch()

    def _find(self, text: bytes, base: int, last: bool, found: RecordBatch) -> None:
        """All records that end in the text; the framer's `resume` is where the rest begins."""
        framer = self._framer
        at = 0 if self._skip is None else self._begin(text, self._skip)
        # From which line on; and the same of what is read line by line.
        clean: dict[bool, tuple[CleanRecords, int]] = {}
        while True:
            # At the first byte of a text nothing stands before a quote: that record is the framer's.
            if framer.is_between and not self._is_header and 0 < at < len(text):
                by_line = framer.is_by_line
                if by_line not in clean:
                    clean[by_line] = CleanRecords(text, at, self._marks, self._limit, by_line), framer.line
                records, first_line = clean[by_line]
                if not records.is_for_framer(at):
                    run = records.run(at)
                    found.add_run(run.start, run.end, run.line + first_line)
                    framer.go_on(run.next - at, first_line + run.next_line, run.empty_lines)
                    at = run.next
            frame = framer.next(text, at, last)
            if frame is None:
                return
            at = frame.next
            if self._is_header:
                self._is_header = False
                framer.width = self._input.width
                continue
            if frame.status == RECORD_TOO_LONG:
                self._long = frame.line, base + frame.start
            found.add(frame)

    def _begin(self, text: bytes, skip: int) -> int:
        """Past a byte order mark and the lines that are no CSV, some of which may come with the next text."""
        to = len(text)
        at = len(_MARK) if self._bytes == to and text.startswith(_MARK) else 0
        while skip > 0 and at < to:
            at = after_line(text, line_end(text, at, to), to)
            self._framer.line += 1
            skip -= 1
        self._skip = skip or None
        return at

    def _text_of(self, lines: pa.Array, last: bool) -> bytes:
        """What the file holds with these lines, in UTF-8."""
        joined = (lines if len(lines) == 1 else _joined(lines))[0].as_buffer() or b''
        mark = _MARK if self._stored == 0 and self._input.mark else b''
        self._stored += len(mark) + len(joined)
        end = b'' if last and self._stored == self._input.size else b'\n'
        self._stored += len(end)
        text = b''.join([mark, joined, end])
        if self._encoding == 'latin1':
            return text.decode('latin-1').encode()
        if self._encoding == 'windows-1252':
            return codecs.charmap_decode(text, 'strict', _WINDOWS_1252)[0].encode()
        return text


def _joined(lines: pa.Array) -> pa.Array:
    several = pa.LargeListArray if pa.types.is_large_binary(lines.type) else pa.ListArray
    return pc.binary_join(several.from_arrays([0, len(lines)], lines), pa.scalar(b'\n', lines.type))
