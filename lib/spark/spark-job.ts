/** The job on Apache Spark: submitted and followed to its end, or written into a folder for others to submit. */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import { isUrl, type RunOptions } from '../core/options.ts';
import type { Summary } from '../summary.ts';
import { findSpark } from './find-spark.ts';
import { JOB, makeJobFolder, MODULES, SETTINGS, writeJobFolder } from './job-folder.ts';
import type { SparkProgress } from './protocol.ts';
import { hasPatterns, sparkJobOptions } from './settings.ts';
import { submitArguments, validateSparkOptions, type SparkOptions } from './spark-options.ts';
import { submit } from './submission.ts';

/** Who is told where a job is: an EventEmitter, typed or not, is one. */
export interface SparkListener {
  emit(event: 'progress', progress: SparkProgress): unknown;
}

export interface SparkContext {
  readonly signal?: AbortSignal | undefined;
  readonly events?: SparkListener | undefined;
  /** Told the last lines of what Spark said, when it failed. */
  onLog?(lines: readonly string[]): void;
}

/**
 * Checks options, looks for Spark, writes the job into a temporary folder, and waits for `spark-submit`. The folder is removed in any case.
 * Throws as a local run does, ETL_SPARK_MISSING and ETL_SPARK.
 */
export async function runSparkJob(options: RunOptions, spark: SparkOptions, { signal, events, onLog }: SparkContext): Promise<Summary> {
  validateSparkOptions(spark);
  const job = await sparkJobOptions(options);
  await checkPaths(job.names);
  const found = await findSpark(spark, process.env);
  const folder = await makeJobFolder(job, options);
  try {
    const at = (name: string): string => join(folder.path, name);
    const args = submitArguments(spark, { job: at(JOB), package: at(MODULES), settings: at(SETTINGS) }, hasPatterns(job));
    return await submit(found, args, { signal, ...(onLog && { onLog }), onProgress: (progress) => void events?.emit('progress', progress) });
  } finally {
    await folder.remove().catch(() => undefined); // the next job removes it
  }
}

/** Writes the job into `folder`, for others to submit; gives where that is, absolute. Throws ETL_USAGE, ETL_OUTPUT_EXISTS, ETL_OUTPUT_WRITE, ETL_GEO_DATABASE. */
export async function writeSparkJob(options: RunOptions, folder: string): Promise<{ readonly folder: string }> {
  if (typeof folder !== 'string' || folder === '') throw new EtlError('ETL_USAGE', '--emit must be the path of a folder.');
  await writeJobFolder(folder, await sparkJobOptions(options, { isKept: true }), options);
  return { folder: resolve(folder) };
}

/** The driver is on this machine: what is not here it cannot find, and says so only when Spark has started. */
async function checkPaths(inputs: readonly string[]): Promise<void> {
  for (const path of inputs) {
    if (isUrl(path)) continue;
    await stat(path).catch((cause: unknown) => {
      throw new EtlError('ETL_INPUT_NOT_FOUND', `Cannot find the input ${path}: ${messageOf(cause)}.`, { cause });
    });
  }
}
