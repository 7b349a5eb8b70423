"""The well-formed records of a text, by operations on whole arrays: nothing here is done once a record in Python.

Quotes are numbered from where a record begins. As long as all is well-formed, those with an even number open a field or stand second in a
doubled one, and the others close it or stand first; so a line begins inside quotes where an odd number of quotes stands before it:

    1,"a\\n       two quotes stand before the last line, so it begins a record
    b",2\\n
    3,"c",4\\n

and whether a quote is where it may be is told by what is next to it. What is not well-formed, too long, or not ended is left to the
framer (framer.py), and once that is done, the text goes on here: by the other half of the lines if an odd number of quotes was passed.
Both halves are made once a text, however many records of it are malformed.
"""
from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from .settings import Dialect

LF, CR = 10, 13


class Marks:
    """What a dialect's records are divided by, as bytes."""

    def __init__(self, dialect: Dialect) -> None:
        self.delimiter, self.quote, self.comment = (text.encode() for text in (dialect.delimiter, dialect.quote, dialect.comment))
        # Of any other quote it is only told whether a line has one: the framer has those lines.
        self.is_simple = len(self.quote) == 1 and self.quote not in self.delimiter
        delimiter = self.delimiter
        # By how much a delimiter may overlap with itself: `||` by 1. In `|||` only the framer sees which one is meant.
        self.overlaps = [shift for shift in range(1, len(delimiter)) if delimiter[shift:] == delimiter[:-shift]]
        self.beside_quote = np.zeros(256, bool)
        self.beside_quote[[LF, CR, *self.quote, *(delimiter if len(delimiter) == 1 else b'')]] = True


class Run(NamedTuple):
    """Records one behind the other: first byte, end without the line end, line counted from that of the text's records."""
    start: np.ndarray
    end: np.ndarray
    line: np.ndarray
    empty_lines: int
    # Where the next record begins, and in which line.
    next: int
    next_line: int


class _Half:
    """What the records are if those lines begin one that have `lines` in them."""

    def __init__(self, text: 'CleanRecords', lines: np.ndarray, faults: np.ndarray, is_open: bool, limit: int) -> None:
        self.lines = lines
        self.start = text.start[lines]
        last = np.append(lines[1:], len(text.start)) - 1
        self.end = text.end[last]
        length = self.end - self.start
        unclean = length > limit
        unclean[np.searchsorted(self.start, faults[np.searchsorted(faults, self.start[0]):], 'right') - 1] = True
        if is_open:
            unclean[-1] = True
        self.is_empty = length == 0
        self.is_comment = None
        if text.marks.comment:
            self.is_comment = _stands(text.bytes, text.marks.comment, self.start)
            # A comment ends with its line, whatever quotes are in it.
            unclean |= self.is_comment & (last > lines)
        self.unclean = np.flatnonzero(unclean)
        # Where they begin.
        self.for_framer = frozenset(self.start[self.unclean].tolist())


class CleanRecords:
    """Of `text` from `at` on, where a record begins, not at its first byte. `limit`: most bytes of a record. `by_line`: a line end ends a
    record inside quotes, too, in some of the text: so only lines without quotes are surely records."""

    def __init__(self, text: bytes, at: int, marks: Marks, limit: int, by_line: bool) -> None:
        self.marks, self._limit = marks, limit
        self.bytes = np.frombuffer(text, np.uint8)
        rest = self.bytes[at:]
        starts = [np.array([at]), np.flatnonzero(rest == LF) + (at + 1)]
        has_cr = text.find(b'\r', at) >= 0
        if has_cr:
            crs = np.flatnonzero(rest == CR) + at
            alone = crs[self.bytes.take(crs + 1, mode='clip') != LF] + 1
            starts.append(alone)
        start = np.concatenate(starts)
        if has_cr and len(alone):
            start.sort(kind='stable')
        # The end of the text begins no line.
        self.start = start[:np.searchsorted(start, len(text))]
        end = np.append(self.start[1:], len(text))
        end = end - (self.bytes[end - 1] == LF)
        if has_cr:
            end -= (end > self.start) & (self.bytes[end - 1] == CR)
        self.end = end
        self._text = text
        self._halves: list[_Half | None] = [None, None]
        self._has_quotes = marks.quote != b'' and text.find(marks.quote, at) >= 0
        self._has_halves = self._has_quotes and marks.is_simple and not by_line

    def is_for_framer(self, at: int) -> bool:
        """Whether it is known already that the record which begins there is none of these."""
        return any(half is not None and at in half.for_framer for half in self._halves)

    def run(self, at: int) -> Run:
        """From `at` on, where a record begins, up to the first one that is none of these. It may have no records."""
        half = self._half(int(np.searchsorted(self._quotes, at)) & 1 if self._has_halves else 0)
        first = int(np.searchsorted(half.start, at))
        stop = int(np.searchsorted(half.unclean, first))
        to = int(half.unclean[stop]) if stop < len(half.unclean) else len(half.start)
        start, end, line = half.start[first:to], half.end[first:to], half.lines[first:to]
        none = half.is_empty[first:to]
        empty_lines = int(np.count_nonzero(none))
        if half.is_comment is not None:
            none = none | half.is_comment[first:to]
        if empty_lines or half.is_comment is not None:
            start, end, line = start[~none], end[~none], line[~none]
        is_all = to == len(half.start)
        next_at, next_line = (len(self._text), len(self.start)) if is_all else (int(half.start[to]), int(half.lines[to]))
        return Run(start, end, line, empty_lines, next_at, next_line)

    def _half(self, odd: int) -> _Half:
        half = self._halves[odd]
        if half is None:
            half = self._halves[odd] = self._made(odd)
        return half

    def _made(self, odd: int) -> _Half:
        every = np.arange(len(self.start))
        if not self._has_quotes:
            return _Half(self, every, np.empty(0, np.int64), False, self._limit)
        if not self._has_halves:
            return _Half(self, every, self._quotes, False, self._limit)
        before = np.searchsorted(self._quotes, self.start)
        opens, closes = self._may_stand
        wrong = np.empty(len(self._quotes), bool)
        wrong[odd::2] = ~opens[odd::2]
        wrong[1 - odd::2] = ~closes[1 - odd::2]
        return _Half(self, every[(before & 1) == odd], self._quotes[wrong], (len(wrong) & 1) != odd, self._limit)

    @cached_property
    def _quotes(self) -> np.ndarray:
        first = int(self.start[0])
        if len(self.marks.quote) == 1:
            return np.flatnonzero(self.bytes[first:] == self.marks.quote[0]) + first
        found, at = [], self._text.find(self.marks.quote, first)
        while at >= 0:
            found.append(at)
            at = self._text.find(self.marks.quote, at + 1)
        return np.array(found, np.int64)

    @cached_property
    def _may_stand(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each quote, whether what stands before it is right for one that opens, and what stands behind it for one that closes."""
        quotes, text, delimiter = self._quotes, self.bytes, self.marks.delimiter
        opens = self.marks.beside_quote[text[quotes - 1]]
        closes = self.marks.beside_quote[text.take(quotes + 1, mode='clip')]
        if len(delimiter) > 1:
            before = quotes - len(delimiter)
            is_delimited = _stands(text, delimiter, before)
            for shift in self.marks.overlaps:
                is_delimited &= ~_stands(text, delimiter[:shift], before - shift)
            opens |= is_delimited
            closes |= _stands(text, delimiter, quotes + 1)
        return opens, closes


def _stands(text: np.ndarray, what: bytes, at: np.ndarray) -> np.ndarray:
    """Whether `what` stands at these places; some may be outside of the text."""
    stands = (at >= 0) & (at + len(what) <= len(text))
    for place, byte in enumerate(what):
        stands &= text.take(at + place, mode='clip') == byte
    return stands
