"""
Runs cases of checks.ts. Asked the first, it answers the second:

    {"cases": [{"settings", "inputs": [{"name", "text" (latin1)}], "scale"}], "patterns": [[java, [text, ...]], ...]}
    {"cases": [{"rows": [[file, line, id, user, ip, value], ...], "rejects": [line, ...], "statuses": {status: rows}, "plan"}], "patterns": [[bool, ...], ...]}
"""
from dataclasses import fields

import pyarrow as pa
from pyspark.sql import SparkSession, functions as F

from etl_stream_spark import checks, rejects
from etl_stream_spark.frame import SCHEMA, frames
from etl_stream_spark.inputs import look_into
from etl_stream_spark.listing import Listed
from etl_stream_spark.settings import Settings

MARK = b'\xef\xbb\xbf'


def settings_of(said: dict) -> Settings:
    """Those that the case says; nothing here looks at others."""
    blank = {field.name: None for field in fields(Settings)}
    return Settings(**{**blank, 'encoding': 'utf-8', **said})


def records_of(settings: Settings, inputs: list, texts: list[bytes]) -> list[tuple]:
    """By the framer, as a worker runs it."""
    batches = []
    for each, text in zip(inputs, texts):
        lines = text.removeprefix(MARK).split(b'\n')
        lines = lines if lines[-1] else lines[:-1]
        if lines:
            batches.append(pa.record_batch([pa.array([each.number] * len(lines), pa.int32()), pa.array(lines, pa.binary())], ['file', 'value']))
    return [tuple(row.values()) for batch in frames(settings, inputs)(iter(batches)) for row in batch.to_pylist()]


def run(spark: SparkSession, case: dict) -> dict:
    settings = settings_of(case['settings'])
    texts = [each['text'].encode('latin-1') for each in case['inputs']]
    listed = [Listed(each['name'], each['name'], each['name'], len(text)) for each, text in zip(case['inputs'], texts)]
    by_name = dict(zip((each.name for each in listed), texts))
    inputs, _ = look_into(listed, settings, lambda file, limit: by_name[file.name][:limit])
    records = spark.createDataFrame(records_of(settings, inputs, texts), SCHEMA).coalesce(1)
    rows = checks.checked(records, settings, inputs, case['scale'])
    if case.get('explain'):
        return {'plan': rows._jdf.queryExecution().explainString(rows._sc._jvm.org.apache.spark.sql.execution.ExplainMode.fromString('codegen'))}
    kept = rows.collect()
    told = spark.createDataFrame([row for row in kept if row.status > 0], rows.schema).coalesce(1)
    statuses: dict[int, int] = {}
    for row in kept:
        statuses[row.status] = statuses.get(row.status, 0) + 1
        assert row.n == 1 or row.status == -1
        assert row.status == 0 or (row.id, row.user, row.ip, row.value) == (None, None, None, None)
    return {
        'rows': [[row.file, row.line, row.id, row.user, row.ip, str(row.value)] for row in kept if row.status == 0],
        'rejects': [row.value for row in rejects.lines(told, settings, inputs, case['scale']).collect()],
        'statuses': statuses,
    }


def matches(spark: SparkSession, patterns: list) -> list[list[bool]]:
    rows = [(number, at, java, text) for number, (java, texts) in enumerate(patterns) for at, text in enumerate(texts)]
    table = spark.createDataFrame(rows, 'number int, at int, java string, text string').coalesce(1)
    found = {(row.number, row.at): row.matches for row in table.select('number', 'at', F.rlike('text', F.col('java')).alias('matches')).collect()}
    return [[found[number, at] for at in range(len(texts))] for number, (_, texts) in enumerate(patterns)]


def answer(spark: SparkSession, asked: dict) -> dict:
    spark.conf.set('spark.sql.session.timeZone', 'UTC')
    return {'cases': [run(spark, case) for case in asked['cases']], 'patterns': matches(spark, asked['patterns'])}
