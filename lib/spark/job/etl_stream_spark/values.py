"""
Decimal numbers in text, exact whatever the number of their digits: no DOUBLE, no DECIMAL that may overflow. The grammar is that of
lib/parse/README.md: blanks, sign, digits, `.`, digits, blanks; at least one digit.

A number is read in three steps, each a projection, so that nothing is worked out twice:
    small     bigint: a whole number as people write it (`42`, `-7`), which nearly all are; else NULL, and the rest is looked at
    whole     string: digits before the point without zeros at the start, NULL if it is no number
    decimals  string: digits behind it without zeros at the end
"""
from __future__ import annotations

import re

from pyspark.sql import Column, DataFrame, functions as F

# Any whole number of so many digits fits 64 bits.
SMALL_DIGITS = 18
_BLANKS = ' \t'
NUMBER = r'\A[ \t]*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[ \t]*\z'
INTEGER = r'\A[ \t]*[+-]?[0-9]+[ \t]*\z'
_LONG_DIGITS = 19
_DECIMAL = re.compile(r'([+-]?)([0-9]*)(?:\.([0-9]*))?')
LEAST, MOST = -(1 << 63), (1 << 63) - 1


def with_numbers(rows: DataFrame, names: dict[str, int]) -> DataFrame:
    """
    Adds `small_X`, `trimmed_X`, `whole_X` and `decimals_X` of each column X of strings. `names`: the most digits of a small one.
    What is NULL or empty has none of them.
    """
    def text(name: str) -> Column:
        return F.col(name)

    def small(name: str) -> Column:
        # A cast that fails costs an exception, even as try_cast: what it is given is a number.
        return F.when(F.rlike(text(name), F.lit(f'\\A-?[0-9]{{1,{names[name]}}}\\z')), text(name).cast('bigint'))

    rows = rows.select('*', *[(small(name) if names[name] > 0 else F.lit(None).cast('bigint')).alias(f'small_{name}') for name in names])
    rows = rows.select('*', *[
        F.when(F.col(f'small_{name}').isNull() & F.rlike(text(name), F.lit(NUMBER)), F.btrim(text(name), F.lit(_BLANKS))).alias(f'trimmed_{name}')
        for name in names
    ])
    return rows.select('*', *[part for name in names for part in (
        F.ltrim(F.substring_index(F.col(f'trimmed_{name}'), '.', 1), F.lit('+-0')).alias(f'whole_{name}'),
        F.when(F.contains(F.col(f'trimmed_{name}'), F.lit('.')), F.rtrim(F.substring_index(F.col(f'trimmed_{name}'), '.', -1), F.lit('0')))
        .otherwise(F.lit('')).alias(f'decimals_{name}'),
    )])


def is_number(name: str) -> Column:
    return F.col(f'small_{name}').isNotNull() | F.col(f'whole_{name}').isNotNull()


def _is_negative(name: str) -> Column:
    return F.startswith(F.col(f'trimmed_{name}'), F.lit('-'))


def scaled(name: str, scale: int) -> tuple[Column, Column]:
    """
    A number x 10^scale: bigint, NULL when it is no number, has more decimals or does not fit. And its digits, which are NULL when it has
    more decimals. The second is to be a column `digits_X` before the first is worked out.
    """
    whole, decimals = F.col(f'whole_{name}'), F.col(f'decimals_{name}')
    digits = F.when(F.length(decimals) <= scale, F.ltrim(F.concat(whole, F.rpad(decimals, scale, '0')) if scale else whole, F.lit('0')))
    own = F.col(f'digits_{name}')
    negative = _is_negative(name)
    most = F.when(negative, F.lit(str(-LEAST))).otherwise(F.lit(str(MOST)))
    fits = (F.length(own) < _LONG_DIGITS) | ((F.length(own) == _LONG_DIGITS) & (own <= most))
    large = F.when(fits, F.concat(F.when(negative, F.lit('-0')).otherwise(F.lit('0')), own).cast('bigint'))
    small = F.col(f'small_{name}') * F.lit(10 ** scale).cast('bigint') if scale else F.col(f'small_{name}')
    return F.when(F.col(f'small_{name}').isNotNull(), small).otherwise(large), digits


def parts(bound: str) -> tuple[bool, str, str]:
    """A decimal number: whether it is negative, its digits before and behind the point without zeros that do not count."""
    sign, whole, decimals = _DECIMAL.fullmatch(bound).groups()
    return sign == '-', whole.lstrip('0'), (decimals or '').rstrip('0')


def scaled_bound(bound: str | None, is_min: bool, scale: int) -> int:
    """The least or the most x 10^scale that a bound lets through, within 64 bits as every value is."""
    if bound is None:
        return LEAST if is_min else MOST
    negative, whole, decimals = parts(bound)
    least = int(whole + decimals[:scale].ljust(scale, '0') or '0')
    cut = len(decimals) > scale
    result = -least if negative else least
    if cut and is_min and not negative:
        result += 1
    if cut and not is_min and negative:
        result -= 1
    return max(LEAST, min(MOST, result))


def _size(whole: str, decimals: str) -> str:
    """Numbers without a sign are in the order of these texts."""
    return f'{len(whole):05d}{whole}{decimals}'


def within(name: str, bound: str, is_min: bool) -> Column:
    """Whether a number is at least, or at most, the bound. Exact. False when it is no number. Texts are of 99,999 characters at most."""
    negative, whole, decimals = parts(bound)
    zero = whole + decimals == ''
    negative = negative and not zero
    limit = 10 ** SMALL_DIGITS
    # The whole number nearest to the bound that it lets through.
    integer = max(-limit, min(limit, scaled_bound(bound, is_min, 0)))
    small = F.col(f'small_{name}') >= F.lit(integer) if is_min else F.col(f'small_{name}') <= F.lit(integer)
    size = F.concat(F.lpad(F.length(F.col(f'whole_{name}')).cast('string'), 5, '0'), F.col(f'whole_{name}'), F.col(f'decimals_{name}'))
    same_sign = _is_negative(name) if negative else ~_is_negative(name)
    is_zero = size == F.lit('00000')
    if zero:
        large = is_zero | (same_sign if is_min else ~same_sign)
    elif is_min != negative:
        large = same_sign & (size >= F.lit(_size(whole, decimals)))
    else:
        large = ~same_sign | is_zero | (size <= F.lit(_size(whole, decimals)))
    return F.when(F.col(f'small_{name}').isNotNull(), small).otherwise(F.coalesce(large, F.lit(False)))
