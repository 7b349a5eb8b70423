"""
Records -> rows: the fields of each, which reject it is, its value as an exact integer. Spark SQL alone, evaluated for every row: each step is
a projection of its own, so that nothing is worked out twice, and all of them are one piece of generated code.

Which reject, when several apply: lib/parse/README.md. The framing has decided on its own part (too long, quotes); then number of fields,
invalid UTF-8, missing and too long fields, the value, its bounds (rules 0 and 1), all other rules in their order.
"""
from __future__ import annotations

from typing import Any, Sequence

from pyspark.sql import Column, DataFrame, functions as F

from .address import is_ip
from .fields import content, fields, has_quote, per_file
from .rules import broken, column_of, needs_number
from .settings import FIRST_RULE, MAX_ID_BYTES, MAX_USER_BYTES, ROLES, STATUS, Settings
from .values import LEAST, MOST, SMALL_DIGITS, scaled, scaled_bound, with_numbers

KEPT = ('file', 'line', 'byte', 'n', 'record', 'length')


def checked(records: DataFrame, settings: Settings, inputs: Sequence[Any], scale: int) -> DataFrame:
    """
    `records`: as frame.py gives them; `inputs`: all that the records are of. Gives `file, line, byte, status` (0: good, -1: the totals of a file, else
    STATUS or FIRST_RULE + rule), `id, user, ip` (string) and `value` (bigint, x 10^scale), which are NULL where the status is not 0, and
    `n, record, length` as they came.
    """
    rows = _with_fields(records, settings, inputs)
    small = {'value': max(0, SMALL_DIGITS - scale)}
    for rule in settings.rules[2:]:
        if needs_number(rule):
            small.setdefault(column_of(rule, settings.columns, settings.ruled), SMALL_DIGITS)
    rows = with_numbers(rows, small)
    value, digits = scaled('value', scale)
    rows = rows.select('*', digits.alias('digits_value'))
    rows = rows.select('*', value.alias('scaled'))
    status = _status(settings, inputs, scale)
    rows = rows.select(*KEPT, *ROLES[:3], 'scaled', status.alias('status'))
    good = F.col('status') == 0
    return rows.select(
        'file', 'line', 'byte', 'status', *[F.when(good, F.col(name)).alias(name) for name in ROLES[:3]], F.when(good, F.col('scaled')).alias('value'),
        'n', 'record', 'length',
    )


def _with_fields(records: DataFrame, settings: Settings, inputs: Sequence[Any]) -> DataFrame:
    """Adds `fields` (an array), the four, and `ruled_N` of the columns that rules name besides."""
    known = _known(inputs)
    dialects = [each.dialect for each in known]
    quotes = [dialect.quote for dialect in dialects]
    framed = F.col('status') == 0
    rows = records.select(*KEPT, 'valid', F.col('status').alias('framing'), F.when(framed, F.col('record').cast('string')).alias('text'))
    rows = rows.select('*', has_quote(F.col('text'), quotes).alias('quoted'))
    rows = rows.select(*KEPT, 'valid', 'framing', 'quoted', fields(F.col('text'), F.col('quoted'), dialects).alias('fields'))
    places = {role: per_file([each.places[role] for each in known]) for role in ROLES}
    places |= {f'ruled_{at}': per_file([each.ruled[at] for each in known]) for at in range(len(settings.ruled))}
    rows = rows.select('*', *[F.get('fields', place).alias(f'raw_{name}') for name, place in places.items()])
    rows = rows.select(*KEPT, 'valid', 'framing', F.size('fields').alias('width'), *[
        content(F.col(f'raw_{name}'), F.col('quoted'), quotes).alias(name) for name in places
    ])
    return rows


def _known(inputs: Sequence[Any]) -> list[Any]:
    """By their numbers, which are not all there. An input that is empty has no header, and no records: any other stands for it."""
    known = {each.number: each for each in inputs if each.width > 0}
    first = next(iter(known.values()))
    return [known.get(number, first) for number in range(max(known) + 1)]


def _status(settings: Settings, inputs: Sequence[Any], scale: int) -> Column:
    least, most = (scaled_bound(rule['check'].get('bound'), at == 0, scale) for at, rule in enumerate(settings.rules[:2]))
    number, digits = F.col('whole_value'), F.col('digits_value')
    is_small = F.col('small_value').isNotNull()
    status = (
        F.when(F.col('framing') != 0, F.col('framing'))
        .when(F.col('width') != per_file([each.width for each in _known(inputs)]), STATUS['field_count'])
        .when(~F.col('valid'), STATUS['invalid_utf8'])
        .when(F.col('id') == '', STATUS['missing_id'])
        .when(F.octet_length('id') > MAX_ID_BYTES, STATUS['id_too_long'])
        .when(F.col('user') == '', STATUS['missing_user'])
        .when(F.octet_length('user') > MAX_USER_BYTES, STATUS['user_too_long'])
        .when(F.col('value') == '', STATUS['missing_value'])
        .when(~is_small & number.isNull(), STATUS['bad_value'])
        .when(~is_small & digits.isNull(), STATUS['value_precision'])
        .when(F.col('scaled').isNull(), STATUS['value_range'])
    )
    if least > LEAST:
        status = status.when(F.col('scaled') < F.lit(least).cast('bigint'), FIRST_RULE)
    if most < MOST:
        status = status.when(F.col('scaled') > F.lit(most).cast('bigint'), FIRST_RULE + 1)
    for rule, condition in broken(settings.rules, settings.columns, settings.ruled, is_ip):
        status = status.when(condition, FIRST_RULE + rule)
    # Something that is no function of the row: filters on the status are not moved below it, where it would be worked out once more.
    return F.when(F.spark_partition_id() >= 0, status.otherwise(0))
