"""The Spark session of a job, what of it must be so for the plan to hold, and what Spark measured of it."""
from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pyspark.sql import SparkSession

from .errors import JobError

LEAST_SPARK = (4, 0)
# One file, one partition: neither is one divided, nor are two put together. More than any file has.
_NO_FILE_HAS = 1 << 42
# Text for each task of a shuffle: some 100 MB of rows as Spark writes them.
_BYTES_OF_TASK = 128 << 20
_MOST_TASKS = 20000
ROWS_OF_ROW_GROUP = 65536
# Some 128 MiB of rows with short ids, a part of a local dataset.
_ROWS_OF_FILE = 16_000_000


@dataclass(frozen=True)
class Measured:
    """
    Of all stages so far, in bytes: read (and how many lines), spilled, shuffled; tasks, and those of them that failed. `heap` and `resident`
    are those of the driver's JVM: the most that it may take, and took.
    """
    read: int
    records: int
    spilled: int
    shuffled: int
    tasks: int
    failed: int
    heap: int
    resident: int


def open_session(name: str) -> SparkSession:
    """Of what spark-submit was told. Raises ETL_SPARK_MISSING for a Spark that is too old."""
    spark = SparkSession.builder.appName(name).getOrCreate()
    version = tuple(int(part) for part in re.findall(r'\d+', spark.version)[:2])
    if version < LEAST_SPARK:
        raise JobError('ETL_SPARK_MISSING', f'This is Spark {spark.version}; the job needs Spark {LEAST_SPARK[0]}.{LEAST_SPARK[1]}.', 'Name another one by --spark-submit.')
    return spark


def prepare(spark: SparkSession, text_bytes: int, compression: str, encoding: str) -> None:
    """Settings of the session that are the job's own; how many tasks a shuffle has, unless the user says so."""
    settings = {
        'spark.sql.files.maxPartitionBytes': _NO_FILE_HAS,
        'spark.sql.files.openCostInBytes': _NO_FILE_HAS,
        'spark.sql.files.maxRecordsPerFile': _ROWS_OF_FILE,
        'spark.sql.adaptive.enabled': 'true',
        # A file that vanishes or is damaged is an error, never fewer rows.
        'spark.sql.files.ignoreMissingFiles': 'false',
        'spark.sql.files.ignoreCorruptFiles': 'false',
        'spark.sql.ansi.enabled': 'true',
        'spark.sql.session.timeZone': 'UTC',
        'spark.sql.caseSensitive': 'true',
        'spark.sql.parquet.compression.codec': {'none': 'uncompressed'}.get(compression, compression),
        # Records have up to megabytes: a batch for Python is bounded by them, not by rows alone.
        'spark.sql.execution.arrow.maxBytesPerBatch': 16 << 20,
        'spark.sql.execution.arrow.maxRecordsPerBatch': 20000,
        'mapreduce.fileoutputcommitter.marksuccessfuljobs': 'false',
        'parquet.block.row.count.limit': ROWS_OF_ROW_GROUP,
        'parquet.page.row.count.limit': 20000,
        **_encodings(encoding, compression),
    }
    for key, value in settings.items():
        spark.conf.set(key, str(value))
    if not _is_set(spark, 'spark.sql.shuffle.partitions'):
        tasks = max(2 * spark.sparkContext.defaultParallelism, -(-text_bytes // _BYTES_OF_TASK))
        spark.conf.set('spark.sql.shuffle.partitions', str(min(tasks, _MOST_TASKS)))


def _encodings(encoding: str, compression: str) -> dict[str, str]:
    # Of pages of version 2 come DELTA_BYTE_ARRAY and DELTA_BINARY_PACKED, the smallest for sorted names and small numbers. Without compression
    # Spark's own reader (4.3, vectorised) takes other texts out of such pages; those of others do not.
    version = 'PARQUET_1_0' if encoding == 'plain' or compression == 'none' else 'PARQUET_2_0'
    return {'parquet.writer.version': version, 'parquet.enable.dictionary': 'false'}


def _is_set(spark: SparkSession, key: str) -> bool:
    return spark.sparkContext.getConf().contains(key)


def measured(spark: SparkSession) -> Measured:
    """Also where Spark has no web page: its store of events is there in any case."""
    stages = _stages(spark)
    sums = [sum(figure(stage) for stage in stages) for figure in (
        lambda stage: stage.inputBytes(), lambda stage: stage.inputRecords(), lambda stage: stage.diskBytesSpilled(),
        lambda stage: stage.shuffleWriteBytes(), lambda stage: stage.numTasks(), lambda stage: stage.numFailedTasks(),
    )]
    return Measured(*sums, spark._jvm.java.lang.Runtime.getRuntime().maxMemory(), _most_resident(spark._jvm.java.lang.ProcessHandle.current().pid()))


def reading_ended(spark: SparkSession) -> float | None:
    """When the last stage ended that reads files and not what other stages left, in seconds of the epoch; None: there was none."""
    ended = [
        stage.completionTime().get().getTime() / 1000 for stage in _stages(spark)
        if stage.shuffleReadBytes() == 0 and stage.shuffleWriteBytes() > 0 and stage.completionTime().isDefined()
    ]
    return max(ended, default=None)


def _stages(spark: SparkSession) -> list:
    jvm = spark._jvm
    quantiles = spark.sparkContext._gateway.new_array(jvm.double, 0)
    stages = spark._jsc.sc().statusStore().stageList(None, False, False, quantiles, jvm.java.util.ArrayList())
    return [stages.apply(at) for at in range(stages.size())]


def _most_resident(pid: int) -> int:
    """0 where the system does not tell."""
    try:
        with open(f'/proc/{pid}/status', encoding='ascii', errors='replace') as status:
            return int(re.search(r'^VmHWM:\s*(\d+) kB', status.read(), re.MULTILINE)[1]) * 1024
    except (OSError, TypeError):
        return 0


def cores(spark: SparkSession) -> int:
    return spark.sparkContext.defaultParallelism


def local_path(url: str) -> str | None:
    """The path on this machine that a path, or a URL with its escapes, says; None: it is elsewhere."""
    parts = urlsplit(url)
    if parts.scheme == '':
        return os.path.abspath(url)
    return unquote(parts.path) if parts.scheme == 'file' and parts.netloc in ('', 'localhost') else None


def read_bytes(spark: SparkSession, path: str, limit: int | None = None) -> bytes:
    """The first bytes of a file, or all. A path without a scheme is one of this machine; all others are as Hadoop has them, without escapes."""
    if path.startswith('/'):
        with open(path, 'rb') as file:
            return file.read() if limit is None else file.read(limit)
    file = spark._jvm.org.apache.hadoop.fs.Path(path)
    stream = file.getFileSystem(spark._jsc.hadoopConfiguration()).open(file)
    try:
        return bytes(stream.readAllBytes() if limit is None else stream.readNBytes(limit))
    finally:
        stream.close()
