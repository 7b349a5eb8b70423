"""
etl-stream's job on Apache Spark, for spark-submit:

    spark-submit [...] --py-files etl_stream_spark.zip job.py SETTINGS [--input URL]... [--output URL] [--overwrite]

SETTINGS is the path or URL of settings.json; `ranges/` stands beside it. What is said behind it takes the place of what the settings say.
Prints lines that begin with `etl-stream: ` and go on as JSON: {"event": "progress" | "result" | "error", ...}. Exit code 0 when the dataset
is published; 3 when too many rows were rejected, 2 for what is wrong with settings, else 1, and nothing is published then.
"""
import argparse
import os
import sys

# Where nobody was told of the modules (--py-files), they stand beside this file.
MODULES = os.path.join(os.path.dirname(os.path.abspath(globals().get('__file__', 'job.py'))), 'etl_stream_spark.zip')
try:
    import etl_stream_spark  # noqa: F401
    beside = None
except ImportError:
    sys.path.insert(0, MODULES)
    beside = MODULES

from etl_stream_spark.main import main  # noqa: E402


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='job.py', description="etl-stream's job on Apache Spark", allow_abbrev=False)
    parser.add_argument('settings', help='path or URL of settings.json')
    parser.add_argument('--input', action='append', metavar='URL', help='a file or folder, instead of those of the settings; repeatable')
    parser.add_argument('--output', metavar='URL', help='where to publish, instead of what the settings say')
    parser.add_argument('--overwrite', action='store_true', help='replace an output that etl-stream wrote')
    return parser.parse_args()


if __name__ == '__main__':
    sys.exit(main(arguments(), modules=beside))
