"""The plan: lines of the inputs -> one total for each region and user, with two shuffles.

    lines -> records -> checked rows -> regions
      shuffle 1   by log_id           the first of equal ids, in order of input and line, and how many there were
      shuffle 2   by ranges of        exact sums; each task has some whole users of a region, or some whole regions, in order, and
                  (region, user)      so writes few files, each sorted by user, none overlapping another

Rows that are rejected, and the totals that the framer gives of each file, travel along as groups of their own (`part` = counts). So all
counts come from the result itself: they are exact however often Spark repeats a stage. What must not be rounded is not: values are BIGINT,
sums two of them (of the high and the low 32 bits), put together as DECIMAL(38, 0).
"""
from __future__ import annotations

import re
from typing import Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from .address import Ranges, with_region
from .checks import checked
from .errors import JobError
from .frame import SCHEMA as RECORDS, frames
from .hive import stored
from .inputs import Input
from .settings import UNKNOWN_REGION, Settings

TOTALS, COUNTS = 'totals', 'counts'
# A status of rows that the framer makes of a file, see frame.py.
FILE = -1
_LOW = 0xFFFFFFFF


def lines(spark: SparkSession, inputs: Sequence[Input]) -> DataFrame:
    """`file int, value string`: the lines of the inputs, each file in one partition, in its order. session.py sees to that."""
    # Paths are names here, whatever characters they have; a line end is "\n" alone, so that nothing is lost of a line.
    reader = spark.read.option('lineSep', '\n').option('__globPaths__', 'false').option('recursiveFileLookup', 'true')
    # The raw local files: what Hadoop puts around them takes no colon in a name, and a checksum that lies beside a file for one of its content.
    reader = reader.option('fs.file.impl', 'org.apache.hadoop.fs.RawLocalFileSystem').option('fs.file.impl.disable.cache', 'true')
    text = reader.text([each.path for each in inputs])
    seen = {_without_slashes(url): url for url in text.inputFiles()}
    hidden = next((each.name for each in inputs if _without_slashes(each.url) not in seen), None)
    if hidden is not None:
        raise JobError('ETL_INPUT_READ', f'Spark does not see the input {hidden}.', 'Look at its name, and whether it is there for Spark, too.')
    numbers = spark.createDataFrame([(url, each.number) for each in inputs for url in _spellings(seen[_without_slashes(each.url)])], 'path string, file int')
    unknown = F.raise_error(F.concat(F.lit('a file that is no input: '), F.col('path'))).cast('int')
    lines = text.select('value', F.col('_metadata.file_path').alias('path')).join(F.broadcast(numbers), 'path', 'left')
    return lines.select(F.coalesce('file', unknown).alias('file'), 'value')


def _without_slashes(url: str) -> str:
    """`file:/a` and `file:///a` are the same."""
    return re.sub(r'^file:/+', 'file:/', url)


def _spellings(url: str) -> set[str]:
    """Spark's list of files and its rows spell that differently, and not in each version alike."""
    short = _without_slashes(url)
    return {url, short, short.replace('file:/', 'file:///', 1) if short.startswith('file:/') else url}


def checked_rows(spark: SparkSession, settings: Settings, inputs: Sequence[Input], scale: int) -> DataFrame:
    """Columns as checks.py has them: of each record what it is, or why it is rejected."""
    records = lines(spark, inputs).mapInArrow(frames(settings, inputs), RECORDS)
    return checked(records, settings, inputs, scale)


def unique(rows: DataFrame) -> DataFrame:
    """`status, key, file, line, user, region, value, n`: of equal ids the first; of all else, the rows of a file with one status as one."""
    is_good = F.col('status') == 0
    # What has no id is known by its file; a file's totals have their numbers in other columns: empty lines in `line`, bytes in `value`.
    key = F.when(is_good, F.col('id')).otherwise(F.col('file').cast('string'))
    value = F.when(F.col('status') == FILE, F.col('byte')).otherwise(F.col('value'))
    row = F.struct('file', 'line', F.col('user'), F.col('region'), value.alias('value'))
    grouped = rows.select('status', key.alias('key'), row.alias('first'), 'n').groupBy('status', 'key').agg(F.min('first').alias('first'), F.sum('n').alias('n'))
    return grouped.select('status', 'key', 'first.*', 'n')


def totals(rows: DataFrame, settings: Settings, scale: int) -> DataFrame:
    """
    `part, geo_region, user_id, total_watch_time, log_count, copies, fits, unknown, total, region`, in order of the first three (grouped by user:
    without the region) inside each partition, and of partitions. `copies`: logs, duplicates included. `fits`: the total fits its type; one
    that does not is 0. `unknown`: logs without a region. `geo_region` is `region`, grouped by region as Spark
    can make folders of it (hive.py). In the part `counts`, `user_id` says what is counted (counts.py), `log_count` how much.
    """
    is_good = F.col('status') == 0
    part = F.when(is_good, F.lit(TOTALS)).otherwise(F.lit(COUNTS)).alias('part')
    what = F.concat_ws(':', 'status', 'key', 'line', 'value')
    keyed = rows.select(
        part, F.when(is_good, F.coalesce('region', F.lit(UNKNOWN_REGION))).otherwise(F.lit('')).alias('geo_region'),
        F.when(is_good, F.col('user')).otherwise(what).alias('user_id'),
        F.when(is_good, F.col('value')).otherwise(F.lit(0).cast('bigint')).alias('value'),
        F.when(is_good, F.lit(1).cast('bigint')).otherwise(F.col('n')).alias('logs'), 'n',
    )
    by = ['part', 'geo_region', 'user_id']
    order = ['part', 'user_id'] if settings.groupBy == 'user' else by
    # Ranges serve the sum, which needs no other shuffle then, and the files.
    summed = keyed.repartitionByRange(*order).groupBy(*by).agg(
        F.sum(F.shiftright('value', 32)).alias('high'), F.sum(F.col('value').bitwiseAND(_LOW)).alias('low'),
        F.sum('logs').alias('logs'), F.sum('n').alias('copies'),
    )
    unknown = F.when(F.col('geo_region') == UNKNOWN_REGION, F.col('logs')).otherwise(F.lit(0))
    summed = summed.select(*by, _whole('high', 'low').alias('total'), 'logs', 'copies', unknown.alias('unknown'))
    if settings.groupBy == 'user':
        summed = _of_users(summed)
    fits = _fits(F.col('total'), scale)
    published = _scaled(F.when(fits, F.col('total')).otherwise(F.lit(0).cast('decimal(38,0)')), scale)
    # Folders are made of it: it is sorted by, so that Spark does not sort once more, and forgets the order of users.
    region = F.col('geo_region') if settings.groupBy == 'user' else stored(F.col('geo_region'))
    return summed.select(
        # Columns that may not be NULL are written as REQUIRED, as those of a local dataset are.
        'part', region.alias('geo_region'), F.coalesce('user_id', F.lit('')).alias('user_id'),
        F.coalesce(published, F.lit(0).cast(_type(scale))).alias('total_watch_time'),
        F.coalesce('logs', F.lit(0)).cast('bigint').alias('log_count'), 'copies', fits.alias('fits'), 'unknown', 'total', F.col('geo_region').alias('region'),
    ).sortWithinPartitions(*order)


def _of_users(summed: DataFrame) -> DataFrame:
    """One row a user, with the region that has the most: of several, the first by its name. What `summed` is divided by stays."""
    most = F.min(F.struct((-F.col('total')).alias('order'), F.col('geo_region').alias('region')))
    sums = [F.sum(name).alias(name) for name in ('logs', 'copies', 'unknown')]
    users = summed.groupBy('part', 'user_id').agg(F.sum('total').cast('decimal(38,0)').alias('total'), most.alias('most'), *sums)
    return users.withColumn('geo_region', F.coalesce(F.col('most.region'), F.lit('')))


def _whole(high: str, low: str) -> Column:
    return (F.col(high).cast('decimal(28,0)') * F.lit(1 << 32).cast('decimal(10,0)') + F.col(low).cast('decimal(28,0)')).cast('decimal(38,0)')


def _type(scale: int) -> str:
    return 'bigint' if scale == 0 else f'decimal(18,{scale})'


def _fits(total: Column, scale: int) -> Column:
    least, most = (-(1 << 63), (1 << 63) - 1) if scale == 0 else (1 - 10 ** 18, 10 ** 18 - 1)
    return total.between(F.lit(str(least)).cast('decimal(38,0)'), F.lit(str(most)).cast('decimal(38,0)'))


def _scaled(total: Column, scale: int) -> Column:
    if scale == 0:
        return total.cast('bigint')
    return (total.cast('decimal(18,0)') * F.lit(f'0.{"0" * (scale - 1)}1').cast(f'decimal({scale},{scale})')).cast(f'decimal(18,{scale})')


def result(rows: DataFrame, settings: Settings, ranges: Ranges, scale: int) -> DataFrame:
    """All of it: `totals` of checked rows."""
    return totals(unique(with_region(rows, ranges)), settings, scale)
