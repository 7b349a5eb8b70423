"""A job from its inputs to a published dataset: what is read, written and checked, in which order. Nothing of it is published unless all is right."""
from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Sequence

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from . import limits, rejects
from .address import Ranges
from .counts import Counts
from .errors import JobError
from .facts import Facts
from .inputs import Input, look_into
from .listing import Listing, is_inside
from .plan import COUNTS, TOTALS, checked_rows, result
from .progress import Progress
from .publish import publish
from .session import cores, local_path, prepare, read_bytes, reading_ended
from .settings import Settings
from .staging import Staging

# Text that compressed logs were seen to expand to, as in lib/source/look-into.ts.
_EXPANDS_TO = 5


def run(spark: SparkSession, settings: Settings, ranges: str, progress: Progress) -> dict[str, Any]:
    """Gives the summary. `ranges`: folder of the range table. Raises JobError, and whatever Spark does."""
    started = datetime.now(timezone.utc)
    with Staging(spark, settings) as staging:
        staging.check()
        inputs, scale, table = _planned(spark, settings, ranges)
        staging.make()
        progress.enter('scatter')
        written = _write(table, settings, staging, scale, len(inputs))
        _divide(progress, reading_ended(spark))
        facts = Facts(
            inputs=inputs, read_by=written.counts.read_by, rejected_in=written.counts.rejected_in, counted=written.counted,
            duplicates=written.copies - written.counted, empty_lines=written.counts.empty_lines, bytes=written.counts.bytes,
            unknown_region=written.unknown, scale=scale, started=started, phases=progress.seconds, samples=progress.samples, cores=cores(spark),
        )
        _write_rejects(spark, settings, facts, staging)
        return publish(spark, settings, staging, facts)


def explain(spark: SparkSession, settings: Settings, ranges: str) -> str:
    """The physical plan of what is written, as Spark tells it; nothing is read but beginnings."""
    _, _, table = _planned(spark, settings, ranges)
    return table._jdf.queryExecution().explainString(spark._jvm.org.apache.spark.sql.execution.ExplainMode.fromString('formatted'))


def _planned(spark: SparkSession, settings: Settings, ranges: str) -> tuple[list[Input], int, DataFrame]:
    """Inputs, decimal places, and the result as a plan."""
    listed = Listing(spark, settings.glob).of(settings.inputs, settings.names)
    inside = next((file.name for file in listed if is_inside(file.path, settings.output)), None)
    if inside is not None:
        raise JobError('ETL_USAGE', f'The input {inside} lies in the output folder {settings.outputName}.')
    inputs, scale = look_into(listed, settings, lambda file, limit: read_bytes(spark, file.path, limit))
    prepare(spark, _text_bytes(inputs), settings.compression, settings.parquetEncoding)
    local = local_path(ranges)
    # What stands on the driver's disk is nowhere else: it goes with the plan.
    table_of_ranges = Ranges.read(spark, ranges) if local is None else Ranges.local(spark, local)
    return inputs, scale, result(checked_rows(spark, settings, inputs, scale), settings, table_of_ranges, scale)


@dataclass(frozen=True)
class _Written:
    counts: Counts
    copies: int
    counted: int
    unknown: int


def _write(table: DataFrame, settings: Settings, staging: Staging, scale: int, inputs: int) -> _Written:
    """Writes totals, and what was counted besides. Raises ETL_VALUE_OVERFLOW."""
    observed = Observation()
    is_total = F.col('part') == TOTALS
    total = lambda column: F.coalesce(F.sum(F.when(is_total, F.col(column))), F.lit(0))  # noqa: E731
    # It stands in the stage that writes: Spark adds what a task of it observed once, when it is done.
    watched = table.observe(
        observed, total('copies').alias('copies'), total('log_count').alias('counted'), total('unknown').alias('unknown'),
        F.count_if(~F.col('fits')).alias('misfits'),
    )
    columns = ['part', 'geo_region'] if settings.groupBy == 'region' else ['part']
    names = [*columns, 'user_id', 'total_watch_time', 'log_count', *(['geo_region'] if settings.groupBy == 'user' else [])]
    output = f'{staging.folder}/written'
    watched.select(*names).write.partitionBy(*columns).parquet(output)
    seen = observed.get
    if seen['misfits'] > 0:
        raise limits.overflow(table, settings.groupBy, scale)
    files = staging.files
    counts = f'{output}/part={COUNTS}'
    rows = [] if not files.is_there(counts) else [(row.user_id, row.log_count) for row in table.sparkSession.read.parquet(counts).select('user_id', 'log_count').collect()]
    if files.is_there(f'{output}/part={TOTALS}'):
        files.rename(f'{output}/part={TOTALS}', staging.data)
    files.remove(output)
    return _Written(Counts.of(rows, inputs), seen['copies'], seen['counted'], seen['unknown'])


def _write_rejects(spark: SparkSession, settings: Settings, facts: Facts, staging: Staging) -> None:
    """A second look at the files that have some. Raises ETL_REJECTED when they are too many."""
    numbers = sorted({number for number, _ in facts.rejected_in})
    if not numbers:
        return
    if limits.is_over(settings, facts):
        raise limits.over(settings, facts, _first_rejects(spark, settings, facts, numbers))
    inputs = [facts.inputs[number] for number in numbers]
    # Sorted by both: Spark would sort by the file alone, and what it spills meanwhile need not keep its order.
    told = _rejects_of(spark, settings, inputs, facts.scale).sortWithinPartitions('file', 'line')
    told.select('value', 'file').write.partitionBy('file').text(staging.rejects)


def _first_rejects(spark: SparkSession, settings: Settings, facts: Facts, numbers: Sequence[int]) -> list[dict[str, Any]]:
    wanted = 1 if settings.onError == 'fail' else limits.SHOWN
    first: list[dict[str, Any]] = []
    as_json = replace(settings, rejectsFormat='jsonl')
    for number in numbers:
        lines = _rejects_of(spark, as_json, [facts.inputs[number]], facts.scale).limit(wanted - len(first)).collect()
        first += [json.loads(row.value) for row in lines]
        if len(first) == wanted:
            break
    return first


def _rejects_of(spark: SparkSession, settings: Settings, inputs: Sequence[Input], scale: int) -> DataFrame:
    """`value string, file int, line bigint`: lines of the file of rejects, those of each input in its order."""
    rows = checked_rows(spark, settings, inputs, scale).where('status > 0')
    return rejects.lines(rows, settings, inputs, scale)


def _divide(progress: Progress, reading: float | None) -> None:
    """What Spark did in one go is told as two phases: up to the end of the last task that read files, and from there."""
    progress.enter('publish')
    if reading is not None:
        after = max(0.0, min(time.time() - reading, progress.seconds['scatter']))
        progress.seconds['scatter'] -= after
        progress.seconds['reduce'] += after


def _text_bytes(inputs: Sequence[Input]) -> int:
    return sum(each.size * (1 if each.content == 'text' else _EXPANDS_TO) for each in inputs)
