"""
One session of Spark for several files of tests, whose start costs as much as the cases of one: a line on stdin is [name, question] as JSON, the
answer a line on stdout, what `answer` gives in the module of that name, of a session of its own in the same context.
"""
import importlib
import json
import sys

from local_session import open_session

# The Java option is what etl-stream gives where rules have patterns.
spark = open_session({'spark.sql.shuffle.partitions': '2', 'spark.driver.defaultJavaOptions': '-Xss32m'})
for line in sys.stdin:
    name, question = json.loads(line)
    print('answer: ' + json.dumps(importlib.import_module(name).answer(spark.newSession(), question)), flush=True)
spark.stop()
