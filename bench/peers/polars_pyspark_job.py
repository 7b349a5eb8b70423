"""The two-phase job that etl-stream replaces: polars_pyspark_job.py <folder> <output> <ranges>.

Phase 1, Polars: file after file, dedup and region, to Parquet. Phase 2, Spark: dedup over all files and sum, to
partitioned Parquet. One process, so that Python starts once; the second phase begins when the first has ended.
"""
import os
import shutil
import sys

import usage
from polars_plan import Ranges, by_asof, log_files, pl, scan, with_region


def clean(file, ranges, into):
    logs = with_region(scan(file), ranges, by_asof).unique('log_id', keep='any')
    logs.with_columns(pl.col('region').cast(pl.String)).sink_parquet(into, compression='zstd', maintain_order=False, engine='streaming')


def total(cleaned, output):
    import spark_plan
    spark = spark_plan.session(f'{output}.tmp/spark')
    logs = spark.read.schema('log_id STRING, user_id STRING, watch BIGINT, region STRING').parquet(cleaned)
    spark_plan.write(spark_plan.sums_one_shuffle(spark_plan.unique(logs)), output)
    spark_plan.end(spark)


def main():
    folder, output, ranges_folder = sys.argv[1:4]
    cleaned = f'{output}.tmp/cleaned'
    os.makedirs(cleaned)
    ranges = Ranges(ranges_folder)
    for file in log_files(folder):
        clean(file, ranges, os.path.join(cleaned, os.path.basename(file) + '.parquet'))
    del ranges
    usage.end_phase()
    total(cleaned, output)
    shutil.rmtree(f'{output}.tmp')


main()
