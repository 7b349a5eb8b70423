/** How Spark is reached: what a caller says of it, and what `spark-submit` is told. */
import { EtlError } from '../core/errors.ts';

export interface SparkOptions {
  /** `local[2]`, `spark://host:7077`, `yarn`, `k8s://…`; undefined: what Spark is configured with, or else all cores of this machine. */
  readonly master?: string | undefined;
  /** Path of the `spark-submit` that is run; undefined: that of SPARK_HOME, or else of PATH. */
  readonly sparkSubmit?: string | undefined;
  /** Settings of Spark, `KEY=VALUE`; of one that is said twice, the last counts. */
  readonly conf?: readonly string[] | undefined;
}

/** Ours, before those of the user, who may say otherwise. */
const CONF = ['spark.sql.adaptive.enabled=true', 'spark.ui.showConsoleProgress=false', 'spark.log.level=WARN'];
const LOCAL = /^local(\[.*\])?$/;
const LOOPBACK = /^spark:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

/** Throws ETL_USAGE with what is wrong. */
export function validateSparkOptions({ master, sparkSubmit, conf = [] }: SparkOptions): void {
  if (master !== undefined && !(isWord(master) && /^[a-z]/i.test(master))) {
    throw usage(`--master must be a master of Spark such as local[2], spark://host:7077, yarn or k8s://host, not ${JSON.stringify(master)}`);
  }
  if (sparkSubmit !== undefined && (typeof sparkSubmit !== 'string' || sparkSubmit === '' || sparkSubmit.includes('\0'))) throw usage('--spark-submit must be the path of a program');
  if (!Array.isArray(conf)) throw usage('--conf must be a list of KEY=VALUE');
  for (const each of conf) {
    if (typeof each !== 'string' || !/^spark\.[^=\s\0]+=[^\0]*$/.test(each)) throw usage(`--conf must be KEY=VALUE, with a key that begins with "spark.", not ${JSON.stringify(each)}`);
    const [key, value] = split(each);
    if (key === 'spark.submit.deployMode' && value.trim() !== 'client') {
      throw usage('--conf spark.submit.deployMode=cluster has the job run where this process cannot follow it', 'Write the job by etl-stream spark --emit DIR, and submit it from there.');
    }
  }
}

/** Whether all of the job runs on this machine, where paths and programs are those that this process sees; also when nothing is said. */
export function isHere({ master, conf = [] }: SparkOptions): boolean {
  const said = master ?? conf.map(split).findLast(([key]) => key === 'spark.master')?.[1];
  return said === undefined || LOCAL.test(said) || LOOPBACK.test(said);
}

/** Whether there is one process of Spark, on this machine, and nobody else to talk to. */
export function isLocal({ master }: SparkOptions): boolean {
  return master !== undefined && LOCAL.test(master);
}

/** Paths: of this machine, where the driver is. */
export interface JobFiles {
  readonly job: string;
  readonly package: string;
  readonly settings: string;
}

/** Java's regular expressions take some 500 bytes of stack for each character of a field, which has up to 10,000. What else Java is told stays. */
const DEEP = ['driver', 'executor'].map((who) => `spark.${who}.defaultJavaOptions=-Xss32m`);

/** Arguments of `spark-submit`, each a word of its own. `patterns`: rules have some. */
export function submitArguments({ master, conf = [] }: SparkOptions, { job, package: modules, settings }: JobFiles, patterns = false): string[] {
  const confs = [...CONF, ...(patterns ? DEEP : []), ...conf].flatMap((each) => ['--conf', each]);
  return [...(master === undefined ? [] : ['--master', master]), '--name', 'etl-stream', ...confs, '--py-files', modules, job, settings];
}

function split(conf: string): [key: string, value: string] {
  const at = conf.indexOf('=');
  return [conf.slice(0, at), conf.slice(at + 1)];
}

function isWord(text: unknown): text is string {
  return typeof text === 'string' && /^[^\s\0]+$/.test(text);
}

function usage(problem: string, hint?: string): EtlError {
  return new EtlError('ETL_USAGE', `${problem}.`, { ...(hint !== undefined && { hint }) });
}
