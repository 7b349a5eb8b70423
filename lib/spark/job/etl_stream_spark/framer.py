"""One record after the other, by the rules of lib/parse/README.md: what arrays cannot decide (clean_records.py), a few records of a file
at most. It is lib/parse/framer.ts in Python, without escapes, which this engine does not take, and has the same names in it; bytes
between two marks are jumped over instead of looked at.

    frame = framer.next(text, at, last)     a record; at = frame.next for the one after it
    None                                    no whole one is left: call again with what stands at `resume`, and more behind it

Unless it is the last, a text ends with a line feed: so no mark and no line end is ever cut in two.
"""
from __future__ import annotations

import re
from typing import NamedTuple

from .settings import STATUS, Dialect

BAD_QUOTE, UNTERMINATED_QUOTE, RECORD_TOO_LONG = STATUS['bad_quote'], STATUS['unterminated_quote'], STATUS['record_too_long']

_LINE_ENDS = b'\r\n'
_START, _UNQUOTED, _QUOTED, _CLOSED = range(4)
_NONE = -1
# Enough to tell, few enough to cost nothing.
_PROOF_RECORDS = 16


class Frame(NamedTuple):
    """A record stands in [start, end) of the text, without its line end; `line` is the physical line of its first byte."""
    start: int
    end: int
    next: int
    line: int
    fields: int
    status: int


class Framer:
    """`limit`: most bytes of a record, line end excluded."""

    def __init__(self, dialect: Dialect, limit: int) -> None:
        self.line = 1
        self.empty_lines = 0
        # Fields that records should have; 0 = not known, so nothing can be proved.
        self.width = 0
        # Where the unfinished record, or whatever was not looked at, begins.
        self.resume = 0
        self._dialect, self._limit = dialect, limit
        self._delimiter, self._quote, self._comment = (text.encode() for text in (dialect.delimiter, dialect.quote, dialect.comment))
        self._outside = re.compile(b'[\n\r' + re.escape(self._delimiter[:1] + self._quote[:1]) + b']')
        # So many bytes from `resume` on are read line by line.
        self._line_bytes = 0
        self._reset()

    @property
    def is_between(self) -> bool:
        """Whether a record begins with what comes next."""
        return self._scanned == 0 and not self._skipping

    @property
    def is_by_line(self) -> bool:
        """Whether what comes next is read line by line."""
        return self._line_bytes > 0

    def go_on(self, length: int, line: int, empty_lines: int) -> None:
        """So many bytes, of whole records, were read by another, up to where `line` begins."""
        self._line_bytes = max(self._line_bytes - length, 0)
        self.line = line
        self.empty_lines += empty_lines

    @property
    def is_lost(self) -> bool:
        """Whether the rest of a record that was too long is being passed over, and it is inside quotes."""
        return self._skipping and self._place == _QUOTED

    def next(self, text: bytes, at: int, last: bool) -> Frame | None:
        """The next whole record from `at` on; the input ends with the text when `last`. Empty lines and comments are passed over."""
        to, start = len(text), at
        if self._scanned == 0 and not self._skipping:
            start = self._pass_over(text, at)
        self._line_bytes = max(self._line_bytes - (start - at), 0)
        self.resume = start
        if start == to and not (last and self._skipping):
            return None
        # One more byte tells whether the record ends at the limit.
        limit = start + self._limit
        stop = to if self._skipping else min(to, limit)
        end = self._scan(text, start, stop, last and stop == to)
        if not self._skipping and stop == limit and end == _NONE:
            self._limit_line_end = self._line_end if self._place == _QUOTED else _NONE
            if to > limit:
                end = self._scan(text, start, limit + 1, last and limit + 1 == to)
        if self._skipping:
            return self._skip(text, end, last)
        if end != _NONE and end - start <= self._limit:
            return self._frame(text, start, end)
        return self._too_long(text, start) if to > limit else None

    def _pass_over(self, text: bytes, start: int) -> int:
        """Past empty lines and comments."""
        to = len(text)
        while start < to:
            if self._comment and text.startswith(self._comment, start):
                start = line_end(text, start, to)
                if start == to:
                    break
            elif text[start] in _LINE_ENDS:
                self.empty_lines += 1
            else:
                break
            start = after_line(text, start, to)
            self.line += 1
        return start

    def _scan(self, text: bytes, start: int, to: int, last: bool) -> int:
        """Goes on to the end of the record; _NONE when it is not there."""
        delimiter, quote = self._delimiter, self._quote
        lines = start + self._line_bytes
        at, end = start + self._scanned, _NONE
        while at < to:
            if self._place == _QUOTED:
                mark = text.find(quote[:1], at, to)
                mark = to if mark < 0 else mark
                if at < lines:
                    stop = line_end(text, at, min(lines, mark))
                    if stop < min(lines, mark):
                        at = end = stop
                        break
                self._quoted(text, start, at, mark)
                at = mark
                if at == to:
                    break
                quotes = _matching(quote, text, at, to)
                if quotes == len(quote):
                    self._place = _CLOSED
                    at += quotes
                elif not last and at + quotes == to:
                    break
                else:
                    at += 1
                continue
            found = self._outside.search(text, at, to)
            mark = found.start() if found else to
            if mark > at:
                self._unquoted()
                at = mark
                continue
            if text[at] in _LINE_ENDS:
                end = at
                break
            quotes = _matching(quote, text, at, to)
            if 0 < quotes == len(quote):
                if self._place == _START:
                    self._place, self._line_end = _QUOTED, _NONE
                elif self._place == _CLOSED:
                    self._place = _QUOTED
                else:
                    self._spoil()
                at += quotes
                continue
            matches = _matching(delimiter, text, at, to)
            if matches == len(delimiter):
                self._place = _START
                self._fields += 1
                at += matches
                continue
            if not last and (at + matches == to or 0 < quotes == to - at):
                break
            self._unquoted()
            at += 1
        if end == _NONE and at >= to and last:
            end = to
        self._scanned = at - start
        return end

    def _quoted(self, text: bytes, start: int, at: int, to: int) -> None:
        """Counts the line ends of what is inside quotes."""
        # The LF of a CRLF whose CR was counted before.
        if at < to and at > 0 and text[at] == 10 and text[at - 1] == 13:
            at += 1
        first = line_end(text, at, to)
        if first == to:
            return
        self._lines += line_ends(text, first, to)
        if self._line_end == _NONE:
            self._line_end = first - start

    def _unquoted(self) -> None:
        if self._place == _CLOSED:
            self._spoil()
        self._place = _UNQUOTED

    def _spoil(self) -> None:
        if not self._bad:
            self._bad_line_end = self._line_end if self._place == _CLOSED else _NONE
            self._bad_field = self._fields - 1
        self._bad = True
        self._place = _UNQUOTED

    def _skip(self, text: bytes, end: int, last: bool) -> Frame | None:
        """Goes on in a record that is too long; what comes next, if it ends here."""
        self._let_go(self.resume)
        if end == _NONE or self.is_lost:
            return None
        self.line += end < len(text)
        self._reset()
        return self.next(text, after_line(text, end, len(text)), last)

    def _too_long(self, text: bytes, start: int) -> Frame:
        problem = BAD_QUOTE if self._bad else UNTERMINATED_QUOTE
        cut = self._cut(text, start, start + self._limit, self._limit_line_end, self._fields - 1, False, problem)
        if cut:
            return cut
        frame = Frame(start, start + self._limit, start + self._scanned, self.line, self._fields, RECORD_TOO_LONG)
        self._skipping = True
        self._let_go(start)
        return frame

    def _let_go(self, start: int) -> None:
        """What was scanned of a record that is too long is not needed any more."""
        self.resume = start + self._scanned
        self._line_bytes = self._scanned = 0
        self.line += self._lines
        self._lines = 0

    def _frame(self, text: bytes, start: int, end: int) -> Frame:
        is_open = self._place == _QUOTED
        problem = BAD_QUOTE if self._bad else UNTERMINATED_QUOTE if is_open else 0
        if problem:
            first, field = (self._bad_line_end, self._bad_field) if self._bad else (self._line_end, self._fields - 1)
            cut = self._cut(text, start, end, first, field, True, UNTERMINATED_QUOTE)
            if cut:
                return cut
        frame = Frame(start, end, after_line(text, end, len(text)), self.line, self._fields, problem)
        self.line += self._lines + (end < len(text))
        self._reset()
        self._line_bytes = max(self._line_bytes - (frame.next - start), 0)
        self.resume = frame.next
        return frame

    def _cut(self, text: bytes, start: int, to: int, first: int, field: int, ends: bool, problem: int) -> Frame | None:
        """Ends the record at the `first` line end in a field whose quote was never closed: if what follows, up to `to`, are records.
        `ends`: the last line of them needs no line end."""
        if first == _NONE or field >= self.width:
            return None
        end = start + first
        behind = after_line(text, end, to)
        if not self._are_records(text, behind, to, ends):
            return None
        frame = Frame(start, end, behind, self.line, field + 1, problem)
        self._reset()
        self.line += line_ends(text, start, end) + 1
        self._line_bytes = to - behind + ends  # the line end of the last line is one, too
        self.resume = behind
        return frame

    def _are_records(self, text: bytes, at: int, to: int, ends: bool) -> bool:
        """Whether at least half of the first lines there, and at least one, are well-formed records, with the right number of fields."""
        good = lines = 0
        while at < to and lines < _PROOF_RECORDS:
            end = line_end(text, at, to)
            if end == to and not ends:
                break
            frame = Framer(self._dialect, self._limit).next(text[at:end], 0, True)
            if frame:
                lines += 1
                good += frame.status == 0 and frame.fields == self.width
            at = after_line(text, end, to)
        return good > 0 and 2 * good >= lines

    def _reset(self) -> None:
        # Whether the unfinished record's bytes are gone.
        self._skipping = False
        # Of the unfinished record, places counted from its first byte.
        self._scanned = 0
        self._place = _START
        self._fields = 1
        self._lines = 0
        self._bad = False
        # The first line end in the quoted field that was last begun, and in the first one that turned out to be malformed, whose place is this.
        self._line_end = self._bad_line_end = _NONE
        self._bad_field = 0
        # What it had come to at the limit: inside quotes, with this first line end in them.
        self._limit_line_end = _NONE


def line_end(text: bytes, at: int, to: int) -> int:
    """The first line end in [at, to), or `to`."""
    lf = text.find(b'\n', at, to)
    cr = text.find(b'\r', at, to if lf < 0 else lf)
    return cr if cr >= 0 else lf if lf >= 0 else to


def after_line(text: bytes, end: int, to: int) -> int:
    """Where the line after the one that ends at `end` begins; at most `to`."""
    if end >= to:
        return to
    return end + 2 if end + 1 < to and text[end] == 13 and text[end + 1] == 10 else end + 1


def line_ends(text: bytes, at: int, to: int) -> int:
    """LF, CR and CRLF in [at, to)."""
    return text.count(b'\n', at, to) + text.count(b'\r', at, to) - text.count(b'\r\n', at, to)


def _matching(mark: bytes, text: bytes, at: int, to: int) -> int:
    """How many bytes of `mark` are at this place before one differs or the text ends."""
    matches = 0
    while matches < len(mark) and at + matches < to and text[at + matches] == mark[matches]:
        matches += 1
    return matches
