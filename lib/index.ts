/**
 * The library's door.
 *
 *   import { run } from 'etl-stream';
 *   const summary = await run({ inputs: ['logs/'], output: 'totals' }, { signal, events });
 */
import { validateOptions, type RunOptions } from './core/options.ts';
import { runJob } from './pipeline/job.ts';
import type { JobListener } from './progress.ts';
import type { Summary } from './summary.ts';

export { EtlError, errorCodes, type ErrorCode } from './core/errors.ts';
export type { ColumnNames, Compression, GroupBy, ParquetEncoding, RunOptions } from './core/options.ts';
export type { JobEvents, JobListener, Phase, Progress } from './progress.ts';
export type { Summary } from './summary.ts';
export { parseCsv, type CsvBatch, type CsvRecord, type ParseCsvOptions } from './parse/records.ts';
export { generateLogs, type GenerateOptions } from './generate/generate.ts';

/**
 * Runs one job: reads `options.inputs`, counts every log once and publishes the totals at `options.output`.
 *
 * `signal` stops it: the promise rejects with ETL_ABORTED, nothing is published and nothing is left behind.
 * `pause` ends it at the next checkpoint, if it has a state and one before its end: ETL_ABORTED, and the next run goes on from there.
 * `events` hears `phase` and `progress` (see JobEvents). Rejects with EtlError; an earlier output is then untouched.
 */
export async function run(
  options: RunOptions,
  { signal, pause, events }: { signal?: AbortSignal | undefined; pause?: AbortSignal | undefined; events?: JobListener | undefined } = {},
): Promise<Summary> {
  return runJob(validateOptions(options), { signal, pause, events });
}
