"""IP address -> region, by the range table that lib/spark/range-files.ts writes.

One broadcast join, by equality, on the first 16 bits of an address, brings the ranges of its bucket; a search by halving, unrolled, finds
the one that it is in. So a row costs the same however many ranges there are, and there is nothing to explode or to compare with.
The places of IPv6 that lead to IPv4 (the mapped addresses in any case) are changed into IPv4 addresses before.
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from .address_text import is_ip, opaque, with_address
from .settings import UNKNOWN_REGION

__all__ = ['Ranges', 'is_ip', 'with_region']

FORMAT = 1
# Of more steps Spark would make a method that Java does not compile.
_STEPS_TOGETHER = 8
_SCHEMA = 'bucket BIGINT, first ARRAY<BIGINT>, low ARRAY<BIGINT>, region ARRAY<STRING>'
_TOP_BIT = 'shiftleft(1L, 63)'


@dataclass(frozen=True)
class Ranges:
    """`buckets` as lib/spark/range-buckets.ts says; `steps`: halvings for the largest of them; `aliases`: `first`, `last`, `bits`."""
    buckets: DataFrame
    steps: int
    aliases: Sequence[Mapping[str, Any]]

    @staticmethod
    def read(spark: SparkSession, url: str) -> 'Ranges':
        """Those in a folder that all workers can read."""
        about = spark.read.text(f'{url}/ranges.json', wholetext=True).head()
        return Ranges._of(json.loads(about[0]), spark.read.schema(_SCHEMA).parquet(f'{url}/buckets'))

    @staticmethod
    def local(spark: SparkSession, path: str) -> 'Ranges':
        """Those in a folder of the driver's own disk, which sends them to the workers."""
        import pyarrow.parquet

        about = json.loads((Path(path) / 'ranges.json').read_text('utf-8'))
        return Ranges._of(about, spark.createDataFrame(pyarrow.parquet.read_table(Path(path) / 'buckets'), _SCHEMA))

    @staticmethod
    def _of(about: Mapping[str, Any], buckets: DataFrame) -> 'Ranges':
        if about.get('format') != FORMAT:
            raise ValueError(f'ranges of format {about.get("format")}, and this job reads format {FORMAT}')
        return Ranges(buckets, about['steps'], about['aliases'])


def with_region(rows: DataFrame, ranges: Ranges) -> DataFrame:
    """`region`, a text that is never NULL, in the place of `ip`: at the end of the columns. All rows stay as they are, where they are."""
    kept = [name for name in rows.columns if name != 'ip']
    rows = opaque(with_address(opaque(rows, ['ip']), 'ip'), ['ip4', 'high', 'low'])
    rows = rows.withColumn('ip4', F.expr(f'CASE WHEN high IS NULL THEN ip4 ELSE {_aliased(ranges.aliases)} END'))
    rows = rows.select(*kept, F.col('low').alias('_ip_low'), F.expr('coalesce(ip4, high) AS _ip_place'), F.expr(
        f'CASE WHEN ip4 IS NOT NULL THEN shiftright(ip4, 16) ELSE 65536 + shiftrightunsigned(high ^ {_TOP_BIT}, 48) END AS _ip_bucket'))
    rows = opaque(rows, ['_ip_low', '_ip_place', '_ip_bucket'])
    buckets = ranges.buckets.select(
        F.col('bucket').alias('_ip_key'), F.col('first').alias('_ip_first'), F.col('low').alias('_ip_lows'), F.col('region').alias('_ip_regions'))
    rows = rows.join(F.broadcast(buckets), F.col('_ip_bucket') == F.col('_ip_key'), 'left').withColumn('_ip_at', F.lit(0))
    for step in reversed(range(ranges.steps)):
        rows = rows.withColumn('_ip_at', F.expr(_step(1 << step)))
        if step % _STEPS_TOGETHER == 0 and step > 0:
            rows = opaque(rows, ['_ip_at'])
    region = F.coalesce(F.get('_ip_regions', F.col('_ip_at')), F.lit(UNKNOWN_REGION))
    return opaque(rows.select(*kept, region.alias('region')), ['region'])


def _step(size: int) -> str:
    """Goes on by so many ranges if the one there begins at the address or before it; behind the last one there is NULL."""
    first, low = (f'get({column}, _ip_at + {size})' for column in ('_ip_first', '_ip_lows'))
    begins = f'{first} < _ip_place OR ({first} = _ip_place AND coalesce({low} <= _ip_low, true))'
    return f'_ip_at + CASE WHEN {begins} THEN {size} ELSE 0 END'


def _aliased(aliases: Sequence[Mapping[str, Any]]) -> str:
    """The IPv4 address that one of IPv6 stands for, or NULL."""
    cases = [
        f'WHEN {_compared(alias["first"], ">")} AND {_compared(alias["last"], "<")} THEN {_bits_from(alias["bits"])} & 4294967295'
        for alias in aliases
    ]
    return f'CASE {" ".join(cases)} END' if cases else 'CAST(NULL AS BIGINT)'


def _compared(bound: Sequence[str], sign: str) -> str:
    high, low = (_bigint(half) for half in bound)
    return f'(high {sign} {high} OR (high = {high} AND low {sign}= {low}))'


def _bits_from(bits: int) -> str:
    """The address moved so that its bits `bits` ... `bits` + 31 are the last ones."""
    high, low = f'(high ^ {_TOP_BIT})', f'(low ^ {_TOP_BIT})'
    if bits <= 32:
        return f'shiftrightunsigned({high}, {32 - bits})'
    if bits >= 64:
        return f'shiftrightunsigned({low}, {96 - bits})'
    return f'(shiftleft({high}, {bits - 32}) | shiftrightunsigned({low}, {96 - bits}))'


def _bigint(text: str) -> str:
    """A literal; that of the least number would be out of range before its sign is looked at."""
    return _TOP_BIT if int(text) == -(1 << 63) else f'({int(text)}L)'
