"""Reads [{glob, names}] as JSON on stdin; prints for each which names are logs, or what is wrong."""
import json
import sys

from etl_stream_spark.errors import JobError
from etl_stream_spark.log_filter import LogFilter


def answer(case):
    try:
        logs = LogFilter(case['glob'])
    except JobError as error:
        return error.message
    return [logs.is_log(name) for name in case['names']]


print(json.dumps([answer(case) for case in json.load(sys.stdin)]))
