"""Records of a text, by their places in it -> a batch of them (frame.py says what is in it)."""
from __future__ import annotations

import numpy as np
import pyarrow as pa

from .framer import RECORD_TOO_LONG, Frame

TOTALS = -1
# Of a record that is too long, so many bytes are shown (RAW_TEXT_BYTES of lib/core/rejects.ts).
_RAW_BYTES = 1 << 16

_COLUMNS = pa.schema([
    ('file', pa.int32()), ('line', pa.int64()), ('byte', pa.int64()), ('record', pa.binary()), ('status', pa.int32()), ('valid', pa.bool_()),
    ('n', pa.int64()), ('length', pa.int32()),
])


class RecordBatch:
    """Records are added in order; `base` is where the text begins in the file."""

    def __init__(self, file: int, text: bytes, base: int, limit: int) -> None:
        self._file, self._text, self._base, self._limit = file, text, base, limit
        # First byte, end and line.
        self._runs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._single: list[tuple[int, int, int]] = []
        # Place among the records, and status.
        self._malformed: list[tuple[int, int]] = []
        self.count = 0

    def add_run(self, start: np.ndarray, end: np.ndarray, line: np.ndarray) -> None:
        if len(start) == 0:
            return
        self._close_single()
        self._runs.append((start, end, line))
        self.count += len(start)

    def add(self, frame: Frame) -> None:
        end = frame.end
        if frame.status:
            self._malformed.append((self.count, frame.status))
            if frame.status == RECORD_TOO_LONG:
                end = frame.start + min(self._limit, _RAW_BYTES) + 1
        self._single.append((frame.start, end, frame.line))
        self.count += 1

    def _close_single(self) -> None:
        if self._single:
            self._runs.append(tuple(np.array(self._single).T))
            self._single = []

    def batch(self) -> pa.RecordBatch:
        """At least one record must have been added."""
        self._close_single()
        start, end, line = self._runs[0] if len(self._runs) == 1 else (np.concatenate(each) for each in zip(*self._runs))
        records = self._records(start, end)
        status = np.zeros(len(start), np.int32)
        length = (end - start).astype(np.int32)
        for place, code in self._malformed:
            status[place] = code
            if code == RECORD_TOO_LONG:
                length[place] = self._limit + 1
        file = np.full(len(start), self._file, np.int32)
        columns = [file, line, start + self._base, records, status, self._valid(records), np.ones(len(start), np.int64), length]
        return pa.RecordBatch.from_arrays([each if each is records else pa.array(each) for each in columns], schema=_COLUMNS)

    def _records(self, start: np.ndarray, end: np.ndarray) -> pa.Array:
        """Arrow's texts have nothing in between: so every other one is what stands between two records."""
        offsets = np.empty(2 * len(start), np.int32)
        offsets[0::2], offsets[1::2] = start, end
        both = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(self._text)])
        return both.take(pa.array(np.arange(0, len(offsets), 2)))

    def _valid(self, records: pa.Array) -> np.ndarray:
        if not self._text.isascii():
            try:
                records.cast(pa.utf8())
            except pa.ArrowInvalid:
                return np.fromiter((_is_utf8(each) for each in records.to_pylist()), bool, len(records))
        return np.ones(len(records), bool)


def totals(file: int, records: int, empty_lines: int, size: int) -> pa.RecordBatch:
    """The row behind a file's records."""
    return pa.record_batch([[file], [empty_lines], [size], [b''], [TOTALS], [True], [records], [0]], schema=_COLUMNS)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
