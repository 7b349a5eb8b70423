/** Where Spark and the Java that it needs are, and which Python it is to have; ETL_SPARK_MISSING says what to install. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { EtlError } from '../core/errors.ts';
import { isHere, isLocal, type SparkOptions } from './spark-options.ts';

const LEAST_JAVA = 17;
const INSTALL_SPARK = 'Install Spark 4.0 or later, for example by python3 -m venv spark && spark/bin/pip install pyspark pandas pyarrow, and say --spark-submit spark/bin/spark-submit.';
const INSTALL_JAVA = `Install Java ${LEAST_JAVA} or later (Debian, Ubuntu: apt install openjdk-17-jre-headless), or name one by JAVA_HOME.`;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface FoundSpark {
  /** Absolute. */
  readonly sparkSubmit: string;
  /** What its process is to have. */
  readonly environment: Environment;
}

/** Throws ETL_SPARK_MISSING. */
export async function findSpark(options: SparkOptions, environment: Environment): Promise<FoundSpark> {
  const sparkSubmit = await findSubmit(options.sparkSubmit, environment);
  await checkJava(environment);
  return { sparkSubmit, environment: await environmentFor(sparkSubmit, options, environment) };
}

async function findSubmit(given: string | undefined, environment: Environment): Promise<string> {
  if (given !== undefined) {
    if (await isProgram(given)) return resolve(given);
    throw missing(`--spark-submit ${given} is no program that can be run.`, INSTALL_SPARK);
  }
  const home = environment.SPARK_HOME;
  if (home) {
    const path = join(home, 'bin', 'spark-submit');
    if (await isProgram(path)) return resolve(path);
    throw missing(`SPARK_HOME is ${home}, and there is no ${path}.`, INSTALL_SPARK);
  }
  const found = await onPath('spark-submit', environment);
  if (found === undefined) throw missing('There is no spark-submit on PATH, and no SPARK_HOME.', INSTALL_SPARK);
  return found;
}

async function checkJava(environment: Environment): Promise<void> {
  const home = environment.JAVA_HOME;
  const java = home ? join(home, 'bin', 'java') : await onPath('java', environment);
  if (java === undefined) throw missing('Spark needs Java, and there is none on PATH, and no JAVA_HOME.', INSTALL_JAVA);
  const told = await promisify(execFile)(java, ['-version'], { env: environment, timeout: 60_000 }).then(({ stdout, stderr }) => stderr + stdout, () => undefined);
  if (told === undefined) throw missing(home ? `JAVA_HOME is ${home}, and ${java} cannot be run.` : `${java} cannot be run.`, INSTALL_JAVA);
  // "17.0.9", "21"; before 9 it was "1.8.0".
  const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(told) ?? [];
  const version = first === '1' ? second : first;
  if (version !== undefined && Number(version) < LEAST_JAVA) throw missing(`Spark needs Java ${LEAST_JAVA} or later, and ${java} is Java ${version}.`, INSTALL_JAVA);
}

/** What Spark 4 is made by pip for stands in a virtual environment, beside the Python that has what the job needs; nobody else's Python is known here. */
async function environmentFor(sparkSubmit: string, options: SparkOptions, environment: Environment): Promise<Environment> {
  const found: Record<string, string | undefined> = { ...environment };
  if (isLocal(options)) found.SPARK_LOCAL_IP ||= '127.0.0.1';
  const bin = dirname(sparkSubmit);
  const python = join(bin, 'python3');
  if (!(await isThere(join(bin, '..', 'pyvenv.cfg'))) || !(await isProgram(python))) return found;
  // The script would run the Spark of SPARK_HOME.
  if (options.sparkSubmit !== undefined) delete found.SPARK_HOME;
  // Workers of other machines have a Python of their own.
  if (isHere(options)) found.PYSPARK_PYTHON ||= python;
  found.PYSPARK_DRIVER_PYTHON ||= found.PYSPARK_PYTHON || python;
  return found;
}

async function onPath(name: string, { PATH = '' }: Environment): Promise<string | undefined> {
  for (const folder of PATH.split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && await isProgram(path)) return resolve(path);
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(async () => (await stat(path)).isFile(), () => false);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

function missing(message: string, hint: string): EtlError {
  return new EtlError('ETL_SPARK_MISSING', message, { hint });
}
