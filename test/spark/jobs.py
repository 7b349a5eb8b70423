"""
Runs jobs one after the other in one session: a line on stdin is the JSON arguments of one, {"settings": path, "output"?: path, "explain"?: true}.
Answers on stdout as a job does; instead of a result, {"event": "plan", "text"} where a plan was asked for.
"""
import argparse
import json
import sys

from local_session import open_session

from etl_stream_spark import main, run
from etl_stream_spark.progress import tell

spark = open_session({'spark.sql.shuffle.partitions': '3', 'spark.sql.adaptive.enabled': 'true', 'spark.sql.ui.explainMode': 'simple'})

# Jobs of a few rows would be one task after the shuffles: an order over several is to be seen.
spark.conf.set('spark.sql.adaptive.coalescePartitions.enabled', 'false')
for line in sys.stdin:
    job = json.loads(line)
    arguments = argparse.Namespace(settings=job['settings'], input=None, output=job.get('output'), overwrite=False)
    try:
        if job.get('explain'):
            tell('plan', text=run.explain(spark, main.settings_of(spark, arguments), main.ranges_of(arguments)))
        else:
            main.run_settings(spark, arguments)
    except Exception as error:
        main.tell_error(error)
spark.stop()
