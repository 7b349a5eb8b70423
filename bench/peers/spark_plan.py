"""The session, address ranges and totals as Spark plans: what both peers with PySpark share."""
import functools
import os
import sys

import usage
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

LOG = 'log_id STRING, user_id STRING, timestamp STRING, ip_address STRING, watch BIGINT'
UNKNOWN = 'ZZ'
PARTITIONS = 4


def local_files() -> dict[str, str]:
    """Hadoop as it is on PyPI starts some 1,500 `chmod` to write 230 regions, 12 s of waiting: LocalFiles.java spares them."""
    classes = os.path.join(sys.prefix, 'classes')
    if not os.path.exists(os.path.join(classes, 'LocalFiles.class')):
        return {'spark.hadoop.fs.file.impl': 'org.apache.hadoop.fs.RawLocalFileSystem'}
    return {'spark.driver.extraClassPath': classes, 'spark.hadoop.fs.file.impl': 'LocalFiles'}


def session(local: str) -> SparkSession:
    settings = {
        'spark.master': 'local[*]',
        'spark.driver.memory': '8g',
        'spark.driver.extraJavaOptions': '-XX:+UseParallelGC',
        'spark.sql.shuffle.partitions': PARTITIONS,
        'spark.sql.adaptive.enabled': 'true',
        'spark.sql.parquet.compression.codec': 'zstd',
        'spark.sql.ansi.enabled': 'false',
        'spark.ui.enabled': 'false',
        'spark.ui.showConsoleProgress': 'false',
        'spark.local.dir': local,
        'spark.log.level': 'ERROR',
        'spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version': '2',
        'spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs': 'false',
        **local_files(),
        'spark.driver.host': '127.0.0.1',
        'spark.driver.bindAddress': '127.0.0.1',
    }
    return functools.reduce(lambda builder, setting: builder.config(*setting), settings.items(), SparkSession.builder).getOrCreate()


def end(spark: SparkSession) -> None:
    """Stops the JVM, waits for it, and reports both processes."""
    gateway = spark.sparkContext._gateway
    jvm_peak = usage.peak(gateway.proc.pid)
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
    usage.report(jvm_peak)


def scan(spark: SparkSession, folder: str) -> DataFrame:
    return spark.read.csv(f'{folder}/*.csv', schema=LOG, header=True, enforceSchema=True).drop('timestamp')


def unique(logs: DataFrame) -> DataFrame:
    return logs.dropDuplicates(['log_id']).drop('log_id')


def with_region(logs: DataFrame, ranges: str) -> DataFrame:
    """`region` instead of `ip_address`, by broadcast joins on buckets that the ranges are cut at (see ../ranges.ts)."""
    spark = logs.sparkSession
    read = lambda name: spark.read.parquet(f'{ranges}/{name}.parquet')
    ip4_ranges = read('ip4-buckets').selectExpr('bucket AS bucket4', 'first AS first4', 'last AS last4', 'region AS region4')
    # Spark has no unsigned 64-bit integers: 2^63 is taken off both halves, which keeps their order.
    signed = lambda column: f'CAST({column} - 9223372036854775808 AS BIGINT) AS {column}'
    ip6_ranges = read('ip6-buckets').selectExpr('bucket AS bucket6', *map(signed, ('first_high', 'first_low', 'last_high', 'last_low')), 'region AS region6')
    fine = ', '.join(str(row.prefix) for row in read('ip6-fine-prefixes').collect())

    ip = "CASE WHEN NOT contains(ip_address, ':') THEN split(ip_address, '[.]') END AS q"
    missing = "8 - (length(ip_address) - length(replace(ip_address, ':', ''))) + CAST(startswith(ip_address, '::') AS INT) + CAST(endswith(ip_address, '::') AS INT)"
    filled = f"trim(BOTH ':' FROM replace(ip_address, '::', concat(':', repeat('0:', {missing}))))"
    ip6 = f"CASE WHEN contains(ip_address, ':') THEN transform(split({filled}, ':'), x -> CAST(conv(x, 16, 10) AS BIGINT)) END AS g"
    half = lambda at: f'((shiftleft(g[{at}], 48) + shiftleft(g[{at + 1}], 32) + shiftleft(g[{at + 2}], 16) + g[{at + 3}]) ^ shiftleft(1L, 63))'
    numbers = logs.selectExpr('*', ip, ip6).selectExpr(
        '*', 'shiftleft(CAST(q[0] AS BIGINT), 24) + shiftleft(CAST(q[1] AS BIGINT), 16) + shiftleft(CAST(q[2] AS BIGINT), 8) + CAST(q[3] AS BIGINT) AS ip4',
        f'{half(0)} AS high', f'{half(4)} AS low',
        f'CASE WHEN g[0] IN ({fine}) THEN 268435456 + shiftleft(g[0], 12) + shiftright(g[1], 4) ELSE g[0] END AS bucket6',
    ).drop('ip_address', 'q', 'g').withColumn('bucket4', F.expr('shiftright(ip4, 13)'))
    below = '(first_high < high OR first_high = high AND first_low <= low)'
    above = '(last_high > high OR last_high = high AND last_low >= low)'
    numbers = numbers.alias('log')
    joined = numbers.join(F.broadcast(ip4_ranges.alias('range4')), F.expr('log.bucket4 = range4.bucket4 AND ip4 BETWEEN first4 AND last4'), 'left')
    joined = joined.join(F.broadcast(ip6_ranges.alias('range6')), F.expr(f'log.bucket6 = range6.bucket6 AND {below} AND {above}'), 'left')
    kept = [f'log.{column}' for column in logs.columns if column != 'ip_address']
    return joined.selectExpr(*kept, f"coalesce(region4, region6, '{UNKNOWN}') AS region")


def sums(logs: DataFrame) -> DataFrame:
    return logs.groupBy(F.col('region').alias('geo_region'), 'user_id').agg(
        F.sum('watch').alias('total_watch_time'), F.count('*').alias('log_count'))


def sums_one_shuffle(logs: DataFrame) -> DataFrame:
    """One file a region: a shuffle by region will do for both, and each file costs Hadoop some processes (`chmod`)."""
    return sums(logs.repartition(PARTITIONS, 'region'))


def write(totals: DataFrame, output: str) -> None:
    totals.write.partitionBy('geo_region').parquet(output)
