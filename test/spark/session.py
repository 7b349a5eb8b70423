"""
One session of Spark for several files of tests, whose start costs as much as the cases of one: a line on stdin is [name, question] as JSON, the
answer a line on stdout, what `answer` gives in the module of that name, of a session of its own in the same context.
"""
import importlib
import json
import sys

from pyspark.sql import SparkSession

settings = {
    'spark.master': 'local[2]', 'spark.ui.enabled': 'false', 'spark.log.level': 'ERROR', 'spark.ui.showConsoleProgress': 'false',
    'spark.driver.host': '127.0.0.1', 'spark.driver.bindAddress': '127.0.0.1', 'spark.sql.shuffle.partitions': '2', 'spark.driver.memory': '1g',
    # As etl-stream gives it where rules have patterns.
    'spark.driver.defaultJavaOptions': '-Xss32m',
}
builder = SparkSession.builder
for key, value in settings.items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
for line in sys.stdin:
    name, question = json.loads(line)
    print('answer: ' + json.dumps(importlib.import_module(name).answer(spark.newSession(), question)), flush=True)
spark.stop()
