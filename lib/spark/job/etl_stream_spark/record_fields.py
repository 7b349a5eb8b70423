"""Where the fields of one record are: lib/parse/record-fields.ts in Python, for rejects, which are looked at one at a time."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator

from .settings import Dialect

# Longest field of the four, in bytes, whose doubled quotes are made single by the parse kernel (lib/kernels/layout.ts).
MAX_FOLDED_BYTES = 16_384
_LINE_ENDS = re.compile(rb'\r\n|\r|\n')


@dataclass(frozen=True)
class Field:
    """Places in the record: of its first byte, a quote included, and behind it. `quoted`: it has quotes to take off. `bad`: they are malformed."""
    start: int
    end: int
    quoted: bool
    bad: bool


def is_kernel_dialect(dialect: Dialect) -> bool:
    """Whether the local engine reads it by its kernel, and so tells where in a record a field is (lib/core/dialect.ts)."""
    def is_byte(text: str) -> bool:
        return len(text) == 1 and text < '\x80' and text not in '\r\n'
    return is_byte(dialect.delimiter) and (dialect.quote == '' or is_byte(dialect.quote)) and dialect.comment == ''


def fields_of(record: bytes, dialect: Dialect) -> Iterator[Field]:
    """The fields of a record without a line end; doubled quotes count as they stand."""
    delimiter, quote = dialect.delimiter.encode(), dialect.quote.encode()
    start = 0
    while True:
        at, bad, closed = start, False, False
        if quote and record.startswith(quote, at):
            at += len(quote)
            while True:
                at = record.find(quote, at)
                if at < 0:
                    at = len(record)
                    break
                at += len(quote)
                if not record.startswith(quote, at):
                    closed = True
                    break
                at += len(quote)
            bad = not closed
        end = record.find(delimiter, at)
        if end < 0:
            end = len(record)
        bad = bad or (closed and end > at) or (quote != b'' and record.find(quote, at, end) >= 0)
        yield Field(start, end, closed and not bad, bad)
        if end >= len(record):
            return
        start = end + len(delimiter)


def content_of(record: bytes, field: Field, dialect: Dialect, most_folded: int | None = None) -> bytes:
    """What a field holds: its quotes taken off, doubled ones made single, unless it is longer than `most_folded`."""
    if not field.quoted:
        return record[field.start:field.end]
    quote = dialect.quote.encode()
    inside = record[field.start + len(quote):field.end - len(quote)]
    return inside if most_folded is not None and len(inside) > most_folded else inside.replace(quote * 2, quote)


def count_line_ends(content: bytes) -> int:
    return len(_LINE_ENDS.findall(content))
