"""The order of a job, and what it says of itself: settings, inputs, the plan, rejects, publication. One job, one process."""
from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import Any, Mapping

from pyspark.sql import SparkSession

from .errors import JobError, job_error_in, missing_in, unreadable_in
from .progress import Progress, tell
from .run import run
from .session import local_path, open_session, read_bytes
from .settings import Settings
from .stop import Stopped, stop_in_order

EXIT_CODES: Mapping[str, int] = {'ETL_USAGE': 2, 'ETL_REJECTED': 3}


def main(arguments: argparse.Namespace, modules: str | None = None) -> int:
    """Gives the exit code. What Spark itself says goes to stderr. `modules`: the zip that workers are still to be given."""
    spark = None
    try:
        spark = open_session('etl-stream')
        if modules is not None:
            spark.sparkContext.addPyFile(modules)
        stop_in_order(spark)
        run_settings(spark, arguments)
        return 0
    except Stopped:
        tell('error', code='ETL_ABORTED', message='The run was stopped; nothing was published.', hint='Nothing was lost: run the same command again.')
        return 1
    except Exception as error:
        return tell_error(error)
    finally:
        if spark is not None:
            spark.stop()


def run_settings(spark: SparkSession, arguments: argparse.Namespace) -> dict[str, Any]:
    """A job by its arguments, in a session that goes on afterwards: tells the result, and gives it."""
    settings = settings_of(spark, arguments)
    progress = Progress(spark).start()
    try:
        summary = run(spark, settings, ranges_of(arguments), progress)
    finally:
        progress.stop()
    tell('result', summary=summary)
    return summary


def settings_of(spark: SparkSession, arguments: argparse.Namespace) -> Settings:
    """Those of the file, with what was said besides."""
    settings = Settings.of(json.loads(read_bytes(spark, local_path(arguments.settings) or arguments.settings)))
    if arguments.input:
        settings = replace(settings, inputs=arguments.input, names=arguments.input)
    if arguments.output:
        settings = replace(settings, output=arguments.output, outputName=arguments.output)
    if arguments.overwrite:
        settings = replace(settings, overwrite=True)
    return settings


def ranges_of(arguments: argparse.Namespace) -> str:
    """The folder beside the settings."""
    folder, slash, _ = arguments.settings.rpartition('/')
    return f'{folder}{slash}ranges'


def tell_error(error: Exception) -> int:
    """Says what ended the job; gives the exit code."""
    told = error if isinstance(error, JobError) else job_error_in(str(error)) or missing_in(str(error)) or unreadable_in(str(error), _causes(error))
    if told is None:
        java = getattr(error, 'java_exception', None)
        print(error, file=sys.stderr)
        text = str(java if java is not None else error).strip().splitlines() or [type(error).__name__]
        told = JobError('ETL_SPARK', f'The job failed in Spark: {text[0][:500]}', '')
    tell('error', code=told.code, message=told.message, hint=told.hint)
    return EXIT_CODES.get(told.code, 1)


def _causes(error: Exception) -> list[str]:
    """What Java says of a failure, a line each, from the outermost to what began it."""
    java = getattr(error, 'java_exception', None) or getattr(error, '_origin', None)
    said: list[str] = []
    while java is not None and len(said) < 20:
        said.append((str(java.getMessage() or java.toString()).strip().splitlines() or [''])[0])
        java = java.getCause()
    return said
