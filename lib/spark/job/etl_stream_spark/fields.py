"""
The fields of a record, by Spark SQL alone. A record without a quote is split at its delimiters. One with quotes is divided by a regular
expression, which needs not to be lenient: the framing (frame.py) lets well-formed records through only, so that a quote closes what it
opens. Not by Spark's own reader of CSV, which is lenient and has limits of its own.
"""
from __future__ import annotations

from typing import Sequence

from pyspark.sql import Column, functions as F

from .settings import Dialect

_META = frozenset('.$|()[]{}^?*+\\-&')


def literal(text: str) -> str:
    """A regular expression of Java for exactly this text. One character is split at by Java's fast path, with or without its backslash."""
    return ''.join(f'\\{character}' if character in _META else character for character in text)


def per_file(values: Sequence[int]) -> Column:
    """That of the row's file (column `file`, a place in `values`): a constant where all files have the same."""
    if len(set(values)) == 1:
        return F.lit(values[0])
    # One literal, whatever the number of files.
    texts = F.split(F.lit(','.join(map(str, values))), ',')
    return F.get(texts.cast('array<int>'), F.col('file'))


def has_quote(record: Column, quotes: Sequence[str]) -> Column:
    """Whether one of these may stand in the record."""
    found = F.lit(False)
    for quote in sorted(set(quotes) - {''}):
        found = found | F.contains(record, F.lit(quote))
    return found


def _divided(record: Column, quoted: Column, dialect: Dialect) -> Column:
    delimiter, quote = literal(dialect.delimiter), literal(dialect.quote)
    plain = F.split(record, delimiter)
    if dialect.quote == '':
        return plain
    # Possessive: nothing of it is tried twice, and Java needs no stack.
    unquoted = f'[^{delimiter}{quote}]*+' if len(dialect.delimiter) == 1 else f'(?:(?!{delimiter})[^{quote}])*+'
    field = f'({quote}(?:[^{quote}]++|{quote}{quote})*+{quote}|{unquoted}){delimiter}'
    ended = F.concat(record, F.lit(dialect.delimiter))
    return F.when(quoted, F.regexp_extract_all(ended, F.lit(field), F.lit(1))).otherwise(plain)


def fields(record: Column, quoted: Column, dialects: Sequence[Dialect]) -> Column:
    """
    Fields of a well-formed record as they stand in it: array of strings. `dialects`: of each file, in order; `quoted`: whether the record
    has a quote.
    """
    kinds = list(dict.fromkeys((dialect.delimiter, dialect.quote) for dialect in dialects))
    ways = [_divided(record, quoted, next(each for each in dialects if (each.delimiter, each.quote) == kind)) for kind in kinds]
    if len(ways) == 1:
        return ways[0]
    number = per_file([kinds.index((dialect.delimiter, dialect.quote)) for dialect in dialects])
    way = F.when(number == 0, ways[0])
    for at, each in enumerate(ways[1:-1], 1):
        way = way.when(number == at, each)
    return way.otherwise(ways[-1])


def content(field: Column, quoted: Column, quotes: Sequence[str]) -> Column:
    """What a field holds: its quotes taken off, doubled ones made single. `quotes`: of each file, in order."""
    kinds = list(dict.fromkeys(quotes))
    number = per_file([kinds.index(quote) for quote in quotes])
    result = field
    for at, quote in enumerate(kinds):
        if quote == '':
            continue
        inside = F.substring(field, F.lit(2), F.length(field) - 2)
        has = quoted & F.startswith(field, F.lit(quote))
        result = F.when(has if len(kinds) == 1 else has & (number == at), F.replace(inside, F.lit(quote * 2), F.lit(quote))).otherwise(result)
    return result
