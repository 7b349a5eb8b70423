"""
Asked [{"ranges": folder, "local": whether the driver alone reads it, "texts": [...], "inspect": ...}], of which texts that begin with `hex:` are bytes.
Answers for each the region of every text, and whether it is an address by the rule of fields; its plan; and where it is to be inspected, the
sizes of its code and the plan of who makes use of it.
"""
import re

import pyarrow
from pyspark.sql import functions as F

from etl_stream_spark.address import Ranges, is_ip, with_region


def rows_of(spark, texts):
    """Not a local relation, of which Spark would make the result before there is a plan: texts in hexadecimal can be any bytes."""
    table = pyarrow.table({'number': range(len(texts)), 'text': texts})
    rows = spark.createDataFrame(table).repartition(2)
    return rows.select('number', F.expr("CASE WHEN startswith(text, 'hex:') THEN CAST(unhex(substring(text, 5)) AS STRING) ELSE text END AS ip"))


def code_sizes(spark, frame):
    """Bytes of the largest method of each stage."""
    spark.conf.set('spark.sql.adaptive.enabled', 'false')
    debug = getattr(getattr(spark._jvm.org.apache.spark.sql.execution.debug, 'package$'), 'MODULE$')
    code = debug.codegenString(frame._jdf.queryExecution().executedPlan())
    spark.conf.set('spark.sql.adaptive.enabled', 'true')
    return [int(size) for size in re.findall(r'maxMethodCodeSize:(\d+)', code)]


def told_of(spark, case):
    ranges = Ranges.local(spark, case['ranges']) if case['local'] else Ranges.read(spark, f'file://{case["ranges"]}')
    rows = rows_of(spark, case['texts']).withColumn('is_ip', is_ip(F.col('ip')))
    frame = with_region(rows, ranges)
    assert frame.columns == ['number', 'is_ip', 'region'], frame.columns
    spark.conf.set('spark.sql.ansi.enabled', case['local'])
    found = frame.toArrow().sort_by('number')
    told = {'regions': found['region'].to_pylist(), 'addresses': found['is_ip'].to_pylist(), 'plan': frame._jdf.queryExecution().toString()}
    if case['inspect']:
        told['sizes'] = code_sizes(spark, frame)
        # A region is looked for by its name, and a join follows: nothing of it may become larger than it is.
        told['use'] = frame.where("region = 'DE' OR number > 5").join(frame.select('region'), 'region')._jdf.queryExecution().toString()
    return told


def answer(spark, cases):
    # What cannot be compiled is to fail, not to be interpreted.
    spark.conf.set('spark.sql.codegen.fallback', 'false')
    spark.conf.set('spark.sql.codegen.factoryMode', 'CODEGEN_ONLY')
    return [told_of(spark, case) for case in cases]
