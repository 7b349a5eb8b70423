/** The Python that has Apache Spark, made by setup.sh; tests are skipped with a line where there is none. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** ETL_SPARK_PYTHON names another one. */
export const python = process.env.ETL_SPARK_PYTHON ?? join(import.meta.dirname, '.venv/bin/python');
/** For `test(name, { skip }, ...)`. */
export const skip = existsSync(python) ? false : 'no Apache Spark here: test/spark/setup.sh says what is missing';
/** Where the sources of the job stand, for Python's path. */
export const jobFolder = join(import.meta.dirname, '../../lib/spark/job');
/** The same, as they are shipped. */
export const MODULES = join(import.meta.dirname, '../../dist/lib/job/etl_stream_spark.zip');
export const sparkSubmit = join(dirname(python), 'spark-submit');

/** What a process of that Python is to have besides. */
export function pythonEnvironment(): Record<string, string> {
  return { PYTHONPATH: jobFolder, PYTHONDONTWRITEBYTECODE: '1', PYSPARK_PYTHON: python, PYSPARK_DRIVER_PYTHON: python, SPARK_LOCAL_IP: '127.0.0.1' };
}

/** For jobs of seconds: of what Java does to run fast later, they see the cost alone (46 s of two cores became 26 s). It says so on stderr. */
export const quickJava = { JAVA_TOOL_OPTIONS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=200m' };

/** SPARK_HOME of the package from PyPI. */
export function sparkHome(): string {
  return execFileSync(python, ['-c', 'import importlib.util; print(importlib.util.find_spec("pyspark").submodule_search_locations[0])'], { encoding: 'utf8' }).trim();
}
