"""
Publishes hand-made totals as a job does. What a case may say stands in publish.ts.
"""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, SparkSession, functions as F
from pyspark.sql.types import DecimalType, LongType, StringType, StructField, StructType

from etl_stream_spark.errors import JobError
from etl_stream_spark.facts import Facts
from etl_stream_spark.hive import partition_folder, stored
from etl_stream_spark.publish import publish
from etl_stream_spark.settings import Settings
from etl_stream_spark.staging import Staging

DEFAULTS: dict[str, Any] = {
    'format': 1, 'version': '1.2.3', 'run': '20261130T045026123Z-3f2a9c', 'inputs': ['logs'], 'names': ['logs'], 'overwrite': False, 'glob': None,
    'columns': {'id': 'log_id', 'user': 'user_id', 'ip': 'ip_address', 'value': 'watch, "time"'}, 'encoding': 'auto', 'dialect': {}, 'onError': 'reject',
    'maxRejects': {'share': 1}, 'ruled': [], 'rejectsFormat': 'jsonl', 'maxRecord': 16000000, 'valueScale': None, 'groupBy': 'region',
    'rules': [{'column': 'w', 'name': 'min=0', 'check': {}}, {'column': 'w', 'name': 'max=1440', 'check': {}}], 'compression': 'zstd',
    'parquetEncoding': 'auto', 'report': True, 'geo': {'type': 'test', 'buildDate': '2026-11-01T00:00:00Z', 'regions': []},
    'options': {'groupBy': 'region'}, 'node': '20.12.0',
}


@dataclass(frozen=True)
class Input:
    """What a report tells of one."""
    number: int
    name: str
    url: str
    size: int
    content: str


def answer(spark: SparkSession, told: dict[str, Any]) -> dict[str, Any]:
    for key, value in {
        'parquet.block.row.count.limit': 50, 'parquet.writer.version': 'PARQUET_2_0', 'parquet.enable.dictionary': 'false',
        'spark.sql.files.maxPartitionBytes': 1 << 42, 'spark.sql.files.openCostInBytes': 1 << 42,
    }.items():
        spark.conf.set(key, str(value))
    spark._jsc.hadoopConfiguration().set('fs.viewfs.mounttable.test.link./mounted', told['mounted'])
    return {'folders': [partition_folder(region) for region in told['folders']], 'cases': [result_of(spark, case) for case in told['cases']]}


def result_of(spark: SparkSession, case: dict[str, Any]) -> dict[str, Any]:
    settings = Settings.of({**DEFAULTS, **case['settings']})
    try:
        with Staging(spark, settings, case.get('renames')) as staging:
            staging.check()
            staging.make()
            write(spark, case, settings, staging)
            if case.get('damage'):
                raise ValueError('the job fails')
            return {'summary': publish(spark, settings, staging, facts_of(case)), 'leftBehind': staging.left_behind}
    except JobError as error:
        return {'error': {'code': error.code, 'message': error.message, 'hint': error.hint}}
    except ValueError as error:
        return {'error': {'code': '', 'message': str(error), 'hint': ''}}


def write(spark: SparkSession, case: dict[str, Any], settings: Settings, staging: Staging) -> None:
    rows = table(spark, case)
    if settings.groupBy == 'user':
        rows.repartitionByRange(case['tasks'], 'user_id').sortWithinPartitions('user_id').write.parquet(staging.data)
    else:
        region = F.col('geo_region') if case.get('asTheyAre') else stored(F.col('geo_region'))
        rows.withColumn('geo_region', region).repartitionByRange(case['tasks'], 'geo_region', 'user_id').sortWithinPartitions(
            'geo_region', 'user_id').write.partitionBy('geo_region').parquet(staging.data)
    if case['rejects']:
        lines = [(number, line) for number, those in enumerate(case['rejects']) for line in those]
        spark.createDataFrame(lines, 'file int, value string').coalesce(1).write.partitionBy('file').text(staging.rejects)


def table(spark: SparkSession, case: dict[str, Any]) -> DataFrame:
    scale = case['scale']
    total = LongType() if scale == 0 else DecimalType(18, scale)
    schema = StructType([
        StructField('user_id', StringType(), False), StructField('total_watch_time', total, False),
        StructField('log_count', LongType(), False), StructField('geo_region', StringType(), False),
    ])
    rows = [(user, int(units) if scale == 0 else Decimal(units).scaleb(-scale), logs, region) for region, user, units, logs in case['rows']]
    return spark.createDataFrame(rows, schema)


def facts_of(case: dict[str, Any]) -> Facts:
    counted = sum(row[3] for row in case['rows']) + case.get('lost', 0)
    rejected = {(0, 9): len(case['rejects'][0]), (1, 33): len(case['rejects'][1])} if case['rejects'] else {}
    read = counted + 7 + sum(rejected.values())
    first = min(read, 10 + rejected.get((0, 9), 0))
    return Facts(
        inputs=[Input(0, 'logs/a.csv', 'file:/logs/a.csv', 1000, 'text'), Input(1, 'logs/b.csv.gz', 'file:/logs/b.csv.gz', 500, 'gzip')],
        read_by={0: first, 1: read - first}, rejected_in=rejected, counted=counted, duplicates=7, empty_lines=3, bytes=4000, unknown_region=1 if case['rows'] else 0,
        scale=case['scale'], started=datetime.now(timezone.utc), phases={'plan': 0, 'scatter': 0.001, 'reduce': 0.001}, cores=2,
    )
