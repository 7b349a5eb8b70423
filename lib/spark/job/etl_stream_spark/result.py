"""
What Spark wrote, by Spark: of each file its rows, bytes and SHA-256, and of all of them what a report tells. Only a line a file, region and
bucket comes to the driver, and the rows with the most.
"""
from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Sequence

from pyspark.sql import Column, DataFrame, SparkSession, functions as F

from .hive import PARTITION_COLUMN, StoredRegions
from .settings import UNKNOWN_REGION, Settings
from .staging import Staging

TOP_ROWS = 20
# A task has all of such a file in memory to make its SHA-256; larger ones have none.
MOST_HASHED_BYTES = 256 << 20
# Folders whose names Spark is told for the order of equal rows.
_MOST_ODD_FOLDERS = 1000
_PART = re.compile(r'part-(\d+)-.*?(?:[.-]c(\d+))?(\.[a-z0-9]+)*\.parquet\Z')


@dataclass(frozen=True)
class WrittenFile:
    """`path`: below `Staging.data`; `region`: None by user."""
    path: str
    region: str | None
    rows: int
    bytes: int
    sha256: str | None


@dataclass(frozen=True)
class Sums:
    """`total`: in units of the last decimal place."""
    rows: int
    logs: int
    total: int


@dataclass(frozen=True)
class Result:
    #: In order of regions, then of users; each with rows.
    files: Sequence[WrittenFile]
    regions: dict[str, Sums]
    #: Rows by bucket, as `buckets_of` of decimals.py has them.
    buckets: dict[int, int]
    #: (user, region, total, logs): the most first, of equal ones in order of region and user.
    top: Sequence[tuple[str, str, int, int]]
    users: int

    @property
    def logs(self) -> int:
        return sum(sums.logs for sums in self.regions.values())


def read_result(spark: SparkSession, settings: Settings, staging: Staging, scale: int) -> Result:
    """Goes over the files in `staging.data`."""
    by_user = settings.groupBy == 'user'
    written = [(entry.path, entry.size) for entry in staging.files.walk(staging.data) if _PART.search(entry.path)]
    if not written:
        return Result([], {}, {}, [], 0)
    stored = StoredRegions([*settings.geo['regions'], UNKNOWN_REGION])
    folders = {} if by_user else {folder: stored.of(folder) for folder in sorted({path.split('/')[0] for path, _ in written})}
    files = _Written(_session(spark), staging.data, scale, by_user, folders)
    with ThreadPoolExecutor(4) as pool:  # jobs that wait for each other's last tasks
        sums, top, users, hashes = (pool.submit(work) for work in (files.sums, files.top, files.users, files.hashes))
        by_file, regions, buckets = sums.result()
        described = [
            WrittenFile(path, folders.get(path.split('/')[0]), by_file[path].rows, size, hashes.result().get(path))
            for path, size in written if path in by_file
        ]
        described.sort(key=lambda file: ((file.region or '').encode(), _place(file.path)))
        if not by_user:
            regions = _by_region(described, by_file)
        rows = sum(file.rows for file in described)
        distinct = rows if by_user or len(regions) < 2 else users.result()
        return Result(described, regions, buckets, top.result(), distinct)


def _session(spark: SparkSession) -> SparkSession:
    """Reads many small files in one task, unlike the job, whose inputs are each one task."""
    session = spark.newSession()
    session.conf.set('spark.sql.shuffle.partitions', str(spark.conf.get('spark.sql.shuffle.partitions')))
    session.conf.set('spark.sql.files.maxPartitionBytes', str(128 << 20))
    session.conf.set('spark.sql.files.openCostInBytes', str(1 << 20))
    # Folders of regions are listed by the driver, not by a task each.
    session.conf.set('spark.sql.sources.parallelPartitionDiscovery.threshold', '1000')
    return session


class _Written:
    def __init__(self, spark: SparkSession, folder: str, scale: int, by_user: bool, folders: dict[str, str]) -> None:
        self._spark, self._folder, self._by_user, self._folders = spark, folder, by_user, folders
        self._marker = f'/{folder.rsplit("/", 2)[1]}/data/'
        # Without partitions: their values would be taken for numbers and dates.
        total = 'BIGINT' if scale == 0 else f'DECIMAL(18, {scale})'
        schema = f'user_id STRING, total_watch_time {total}, log_count BIGINT' + (f', {PARTITION_COLUMN} STRING' if by_user else '')
        rows = self._reader('parquet', schema)
        units = F.expr(f'CAST(total_watch_time * {10 ** scale} AS BIGINT)')
        file = F.url_decode(F.replace(F.col('_metadata.file_path'), F.lit('+'), F.lit('%2B')))
        region = F.col(PARTITION_COLUMN) if by_user else self._region_of(F.element_at(F.split(file, '/'), -2))
        self._rows = rows.select(file.alias('file'), 'user_id', units.alias('units'), F.col('log_count').alias('logs'), region.alias('region'))

    def sums(self) -> tuple[dict[str, Sums], dict[str, Sums], dict[int, int]]:
        """By file; by region if it is a column of the files; rows by bucket."""
        keys = ['file', 'bucket', *(['region'] if self._by_user else [])]
        rows = self._rows.select('file', 'units', 'logs', 'region', _bucket(F.col('units')).alias('bucket'))
        sums = rows.groupingSets([[F.col(key)] for key in keys], *keys).agg(
            F.grouping_id().alias('set'), F.count(F.lit(1)).alias('rows'), F.sum('logs').alias('logs'),
            F.sum(F.col('units').cast('decimal(19,0)')).alias('total'))
        sets = {((1 << len(keys)) - 1) ^ (1 << (len(keys) - 1 - at)): key for at, key in enumerate(keys)}
        by_key: dict[str, dict[Any, Sums]] = {'file': {}, 'bucket': {}, 'region': {}}
        for row in sums.toLocalIterator():
            key = sets[row['set']]
            by_key[key][row[key]] = Sums(row['rows'], row['logs'], int(row['total'] if row['total'] is not None else Decimal(0)))
        files = {self._below(url): of for url, of in by_key['file'].items()}
        return files, by_key['region'], {bucket: of.rows for bucket, of in by_key['bucket'].items()}

    def top(self) -> list[tuple[str, str, int, int]]:
        ordered = self._rows.select('user_id', 'region', 'units', 'logs').orderBy(F.desc('units'), 'region', 'user_id').limit(TOP_ROWS)
        return [
            (row['user_id'], self._folders.get(f'{PARTITION_COLUMN}={row["region"]}', row['region']), row['units'], row['logs'])
            for row in ordered.collect()
        ]

    def users(self) -> int:
        """Different ones; nothing is asked where each has one row."""
        return 0 if self._by_user or len(self._folders) < 2 else self._rows.select('user_id').distinct().count()

    def hashes(self) -> dict[str, str]:
        files = self._reader('binaryFile', None).where(F.col('length') <= MOST_HASHED_BYTES)
        return {self._below(row['path']): row['hash'] for row in files.select('path', F.sha2('content', 256).alias('hash')).toLocalIterator()}

    def _reader(self, source: str, schema: str | None) -> DataFrame:
        reader = self._spark.read.format(source)
        return (reader.schema(schema) if schema else reader).option('recursiveFileLookup', 'true').option('pathGlobFilter', '*.parquet').option(
            '__globPaths__', 'false').load(self._folder)

    def _region_of(self, folder: Column) -> Column:
        """The folder's name as a region where it is one, or is to be looked up afterwards."""
        odd = [(name, region) for name, region in self._folders.items() if name != f'{PARTITION_COLUMN}={region}'][:_MOST_ODD_FOLDERS]
        plain = F.substring(folder, len(PARTITION_COLUMN) + 2, 1 << 16)
        if not odd:
            return plain
        names = F.create_map(*[F.lit(text) for pair in odd for text in pair])
        return F.coalesce(names[folder], plain)

    def _below(self, path: str) -> str:
        """The path of a file in the folder."""
        return path[path.index(self._marker) + len(self._marker):]


def _bucket(units: Column) -> Column:
    """By the number of digits, and the first one."""
    digits = F.ltrim(units.cast('string'), F.lit('-'))
    step = F.when(digits == '0', 0).when(digits.startswith('1'), 1).when(digits.substr(1, 1) < '5', 2).otherwise(3)
    place = F.when(digits == '0', 0).otherwise((F.length(digits) - 1) * 3 + step)
    return F.when(units < 0, -place).otherwise(place)


def _place(path: str) -> tuple[int, int]:
    """Of a file among those that Spark wrote: its task, and which of the task's it is."""
    found = _PART.search(path)
    assert found is not None
    return int(found[1]), int(found[2] or 0)


def _by_region(files: Sequence[WrittenFile], by_file: dict[str, Sums]) -> dict[str, Sums]:
    regions: dict[str, Sums] = {}
    for file in files:
        of, before = by_file[file.path], regions.get(str(file.region), Sums(0, 0, 0))
        regions[str(file.region)] = Sums(before.rows + of.rows, before.logs + of.logs, before.total + of.total)
    return regions
