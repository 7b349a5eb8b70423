"""Address texts in Spark SQL: what lib/kernels/twins/geo-text.ts `parseAddress` takes, and nothing else.

Spaces and tabs around an address do not count. IPv4 is four decimal numbers up to 255 without leading zeros. IPv6 is eight groups of up to
four hexadecimal digits, `::` once for one group or more, the last two groups maybe as IPv4, and maybe a zone behind `%`, which is only
checked. Whatever the text is, nothing fails: what is no address is NULL, in ANSI mode, too.

No Python, and for IPv4, nearly all of what there is, no regular expression and no array. What is used twice is a column of a projection of its
own: Spark then evaluates it once, and what is in a CASE only for rows that need it. Such columns of columns would be as large as all they
are made of, each time they are named, where Spark puts definitions in the place of names: see `opaque`.
"""
from __future__ import annotations

from typing import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_BLANKS = ' \t'
_NUMBER = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])'
_IPV4 = rf'(?:{_NUMBER}\.){{3}}{_NUMBER}'
_GROUP = '[0-9a-fA-F]{1,4}'
# By how many groups stand in front of the `::`, if there is one; then what may stand behind it.
_IPV6 = '(?:' + '|'.join([
    rf'(?:{_GROUP}:){{7}}(?:{_GROUP}|:)',
    rf'(?:{_GROUP}:){{6}}(?:{_IPV4}|:{_GROUP}|:)',
    *(rf'(?:{_GROUP}:){{{n}}}(?:(?::{_GROUP}){{0,{5 - n}}}:{_IPV4}|(?::{_GROUP}){{1,{7 - n}}}|:)' for n in range(5, 0, -1)),
    rf':(?:(?::{_GROUP}){{0,5}}:{_IPV4}|(?::{_GROUP}){{1,7}}|:)',
]) + ')(?:%[0-9a-zA-Z.:-]+)?'
# All of a text: `$` would let a line end follow.
_IS_IPV6 = rf'^{_IPV6}\z'
_IS_ADDRESS = rf'^[ \t]*+(?:{_IPV4}|{_IPV6})[ \t]*+\z'


def is_ip(column: Column) -> Column:
    """Whether a text is an address: the rule type=ip. NULL where the text is."""
    return F.rlike(column, F.lit(_IS_ADDRESS))


def with_address(rows: DataFrame, ip: str) -> DataFrame:
    """Puts what the text in column `ip` stands for into its place: `ip4` bigint, or `high` and `low`, the halves of an IPv6 address as
    bigints whose order is that of addresses (the top bit of each is turned over). All are NULL where it stands for none."""
    kept = [name for name in rows.columns if name != ip]
    for columns in _stages(F.col(ip)):
        rows = rows.withColumns({_named(name): F.expr(column) if isinstance(column, str) else column for name, column in columns.items()})
    return rows.select(*kept, *(F.col(_named(name)).alias(name) for name in ('ip4', 'high', 'low')))


def opaque(rows: DataFrame, columns: Sequence[str]) -> DataFrame:
    """The same rows, the columns at their end, and no rule of Spark's looks behind these: it would put in what they are made of, over and
    over, and have no end of it where it follows a join's key to its source or pushes a filter down."""
    kept = [name for name in rows.columns if name not in columns]
    return rows.select(*kept, F.inline(F.array(F.struct(*columns))))


def _named(name: str) -> str:
    return f'_ip_{name}'


def _stages(ip: Column) -> list[Mapping[str, Column | str]]:
    """Columns that are made one after the other, without `_ip_` in front of their names on the left."""
    text = F.col('_ip_text')
    blank = F.contains(ip, F.lit(' ')) | F.contains(ip, F.lit('\t'))
    return [
        {'text': F.when(blank, F.btrim(ip, F.lit(_BLANKS))).otherwise(ip)},
        # NULL: no IPv6; '': no address, either.
        {'body': F.when(F.contains(text, F.lit(':')),
                        F.when(F.rlike(text, F.lit(_IS_IPV6)), F.substring_index(text, '%', 1)).otherwise(F.lit('')))},
        {'four': "CASE WHEN _ip_body IS NULL THEN _ip_text WHEN contains(_ip_body, '.') THEN substring_index(_ip_body, ':', -1) END"},
        {'dot1': "instr(_ip_four, '.')"},
        {'dot2': "locate('.', _ip_four, _ip_dot1 + 1)"},
        {'dot3': "locate('.', _ip_four, _ip_dot2 + 1)"},
        # Where a dot is missing, one of these is empty.
        {
            'part1': 'substring(_ip_four, 1, _ip_dot1 - 1)',
            'part2': 'substring(_ip_four, _ip_dot1 + 1, _ip_dot2 - _ip_dot1 - 1)',
            'part3': 'substring(_ip_four, _ip_dot2 + 1, _ip_dot3 - _ip_dot2 - 1)',
            'part4': 'substring(_ip_four, _ip_dot3 + 1, 4)',
        },
        {f'number{n}': f'try_cast(_ip_part{n} AS INT)' for n in range(1, 5)},
        {'bits': f'CASE WHEN {" AND ".join(map(_is_decimal, range(1, 5)))} THEN CAST('
                 'shiftleft(_ip_number1, 24) | shiftleft(_ip_number2, 16) | shiftleft(_ip_number3, 8) | _ip_number4 AS BIGINT) & 4294967295 END'},
        {'hex': "CASE WHEN _ip_body <> '' THEN CASE WHEN _ip_four IS NULL THEN _ip_body ELSE concat("
                "left(_ip_body, length(_ip_body) - length(_ip_four)), hex(shiftright(_ip_bits, 16)), ':', hex(_ip_bits & 65535)) END END"},
        {'missing': "CASE WHEN _ip_hex IS NOT NULL THEN 8 - length(_ip_hex) + length(replace(_ip_hex, ':', ''))"
                    " + CAST(startswith(_ip_hex, '::') AS INT) + CAST(endswith(_ip_hex, '::') AS INT) END"},
        {'groups': "CASE WHEN _ip_hex IS NOT NULL THEN"
                   " split(trim(BOTH ':' FROM replace(_ip_hex, '::', concat(':', repeat('0:', _ip_missing)))), ':') END"},
        {'ip4': 'CASE WHEN _ip_body IS NULL THEN _ip_bits END', 'high': _half(range(0, 4)), 'low': _half(range(4, 8))},
    ]


def _is_decimal(n: int) -> str:
    """A sign, a zero or a blank in front makes a text longer than its number."""
    number = f'_ip_number{n}'
    return f'{number} >= 0 AND octet_length(_ip_part{n}) = CASE WHEN {number} < 10 THEN 1 WHEN {number} < 100 THEN 2 WHEN {number} <= 255 THEN 3 ELSE -1 END'


def _half(groups: range) -> str:
    digits = ', '.join(f"lpad(get(_ip_groups, {i}), 4, '0')" for i in groups)
    return f'CASE WHEN _ip_groups IS NOT NULL THEN try_cast(conv(concat({digits}), 16, -10) AS BIGINT) ^ shiftleft(1L, 63) END'
