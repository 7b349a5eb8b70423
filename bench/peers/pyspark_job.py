"""The same job by PySpark local[*], without a row in Python: pyspark_job.py <folder> <output> <ranges> [formulation].

What the formulations gave stands in ../README.md. Equal ids of generated logs are equal rows, so that any may win.
"""
import sys

from pyspark.sql import functions as F
from pyspark.sql import Window
from spark_plan import PARTITIONS, end, scan, session, sums, sums_one_shuffle, unique, with_region, write


def row_number(logs):
    number = F.row_number().over(Window.partitionBy('log_id').orderBy('log_id'))
    return logs.withColumn('number', number).where('number = 1').drop('number', 'log_id')


def max_struct(logs):
    kept = [column for column in logs.columns if column != 'log_id']
    return logs.groupBy('log_id').agg(F.max(F.struct(*kept)).alias('kept')).selectExpr(*(f'kept.{column}' for column in kept))


FORMULATIONS = {
    'region, then dropDuplicates, one shuffle by region': lambda logs, ranges: sums_one_shuffle(unique(with_region(logs, ranges))),
    'dropDuplicates, then region, one shuffle by region': lambda logs, ranges: sums_one_shuffle(with_region(unique(logs), ranges)),
    'row_number(), then region, one shuffle by region': lambda logs, ranges: sums_one_shuffle(with_region(row_number(logs), ranges)),
    'max(struct), then region, one shuffle by region': lambda logs, ranges: sums_one_shuffle(with_region(max_struct(logs), ranges)),
    'dropDuplicates, then region': lambda logs, ranges: sums(with_region(unique(logs), ranges)),
    'dropDuplicates, then region, sum, then shuffle by region': lambda logs, ranges: (
        sums(with_region(unique(logs), ranges)).repartition(PARTITIONS, 'geo_region')),
}


def main():
    if sys.argv[1] == '--list':
        print('\n'.join(FORMULATIONS))
        return
    folder, output, ranges, name = (sys.argv[1:] + [''])[:4]
    spark = session(f'{output}.tmp')
    write(FORMULATIONS[name or next(iter(FORMULATIONS))](scan(spark, folder), ranges), output)
    end(spark)


if __name__ == "__main__":
    main()
