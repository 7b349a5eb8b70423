"""The run's rules (lib/core/rules.ts, lib/parse/field-checks.ts) as expressions of Spark SQL, on columns of strings."""
from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from pyspark.sql import Column, functions as F

from .settings import ROLES
from .values import INTEGER, is_number, within

# Longest field, in bytes, that a type, a bound or a pattern is tried on; a longer one breaks the rule.
MAX_CHECKED_BYTES = 10_000

_YEAR = '[0-9]{4}'
_LEAP_YEAR = '(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)'
_DATE = (
    f'(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))'
    f'|{_LEAP_YEAR}-02-29)'
)
_HOUR, _SIXTY = '(?:[01][0-9]|2[0-3])', '[0-5][0-9]'
_ZONE = f'(?:[Zz]|[+-]{_HOUR}(?::?{_SIXTY})?)'
# ISO 8601, the extended format of a date, or of date and time; 24:00 and leap seconds are no times of it. Blanks around do not count.
TIMESTAMP = f'\\A[ \\t]*{_DATE}(?:[Tt ]{_HOUR}:{_SIXTY}(?::{_SIXTY}(?:[.,][0-9]+)?)?{_ZONE}?)?[ \\t]*\\z'


def column_of(rule: Mapping[str, Any], columns: Mapping[str, str], ruled: Sequence[str]) -> str:
    """The column of checked rows that a rule is about: one of the four, or `ruled_N`."""
    column = rule['column']
    return role_of(column, columns) or f'ruled_{list(ruled).index(column)}'


def role_of(column: str, columns: Mapping[str, str]) -> str | None:
    """None: it is none of the four."""
    return next((role for role in ROLES if columns[role] == column), None)


def needs_number(rule: Mapping[str, Any]) -> bool:
    check = rule['check']
    return check['kind'] in ('min', 'max') and check.get('bound') is not None or check.get('type') == 'number'


def _is_text(value: str) -> bool:
    """A field, which is valid UTF-8, may be so."""
    try:
        value.encode()
        return True
    except UnicodeEncodeError:
        return False


def _holds(rule: Mapping[str, Any], name: str, is_ip: Callable[[Column], Column]) -> Column | None:
    """Whether a field fulfils a rule; None when all do."""
    field, check = F.col(name), rule['check']
    kind = check['kind']

    def short(test: Column) -> Column:
        return (F.octet_length(field) <= MAX_CHECKED_BYTES) & test

    if kind == 'required':
        return field != ''
    if kind in ('min', 'max'):
        bound = check.get('bound')
        return None if bound is None else short(within(name, bound, kind == 'min'))
    if kind == 'pattern':
        return short(F.rlike(field, F.lit(check['java'])))
    if kind == 'one-of':
        values = [value for value in dict.fromkeys(check['values']) if _is_text(value)]
        return field.isin(values) if values else F.lit(False)
    if kind == 'type':
        by_type = {'integer': lambda: F.rlike(field, F.lit(INTEGER)), 'number': lambda: is_number(name),
                   'timestamp': lambda: F.rlike(field, F.lit(TIMESTAMP)), 'ip': lambda: is_ip(field)}
        return short(by_type[check['type']]())
    return None


def broken(rules: Sequence[Mapping[str, Any]], columns: Mapping[str, str], ruled: Sequence[str], is_ip: Callable[[Column], Column]) -> list[tuple[int, Column]]:
    """
    Number and condition of each rule that a field may break, in the order in which they are tried; not those of the value's bounds, which
    are rules 0 and 1. A field that is NULL breaks none.
    """
    optional = {rule['column'] for rule in rules if rule['check']['kind'] == 'optional'}
    result = []
    for number, rule in list(enumerate(rules))[2:]:
        name = column_of(rule, columns, ruled)
        holds = _holds(rule, name, is_ip)
        if holds is None:
            continue
        is_broken = F.col(name).isNotNull() & ~holds
        result.append((number, (F.col(name) != '') & is_broken if rule['column'] in optional else is_broken))
    return result
