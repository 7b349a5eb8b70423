/**
 * The library's door.
 *
 *   import { run } from 'etl-stream';
 *   const summary = await run({ inputs: ['logs/'], output: 'totals' }, { signal, events });
 */
import { validateOptions, type RunOptions } from './core/options.ts';
import type { Dashboard, DashboardOptions } from './dashboard/settings.ts';
import type { StateCheck } from './pipeline/check-state.ts';
import type { Explanation } from './pipeline/explanation.ts';
import type { DatasetInspection } from './pipeline/inspect-dataset.ts';
import type { StateDescription, StateOf } from './pipeline/inspect.ts';
import { runJob } from './pipeline/job.ts';
import type { Reports } from './pipeline/reports.ts';
import type { DatasetQueries, OpenQueriesOptions } from './pipeline/open-queries.ts';
import type { DatasetResult, QueryDatasetOptions } from './pipeline/query-dataset.ts';
import type { Guess } from './pipeline/sniffed.ts';
import type { Forgot } from './pipeline/tend.ts';
import type { JobListener } from './progress.ts';
import type { Validation, ValidationContext } from './pipeline/validate.ts';
import type { Verification, VerifyOptions } from './pipeline/verify.ts';
import type { SparkContext } from './spark/spark-job.ts';
import type { SparkOptions } from './spark/spark-options.ts';
import type { Summary } from './summary.ts';

export { EtlError, errorCodes, type ErrorCode } from './core/errors.ts';
export type { ColumnNames, Compression, GroupBy, MaxRejects, OnError, ParquetEncoding, RejectsFormat, RunOptions } from './core/options.ts';
export type { RejectRecord } from './core/rejects.ts';
export type { ColumnRules, FieldType } from './core/rules.ts';
export type { JobEvents, JobListener, Phase, Progress } from './progress.ts';
export type { Dashboard, DashboardOptions };
export type { DatasetFound } from './pipeline/check-dataset.ts';
export type { StateCheck } from './pipeline/check-state.ts';
export type { ExplainedInput, Explanation, ShareName } from './pipeline/explanation.ts';
export type { DatasetInspection, InspectedFile, InspectedRegion, InspectedRun } from './pipeline/inspect-dataset.ts';
export type { CommitRecord, InputRecord, Published, RowCounts, StateDescription, StateOf } from './pipeline/inspect.ts';
export type { Forgot } from './pipeline/tend.ts';
export type { ValidatedInput, ValidatedReason, Validation } from './pipeline/validate.ts';
export type { DatasetQueries, DatasetResult, OpenQueriesOptions, QueryDatasetOptions };
export type { Reports } from './pipeline/reports.ts';
export type { Bucket, InputReport, Listed, RegionReport, ResultReport, RunReport, TopRow } from './report/report.ts';
export type { Verification, VerifiedState, VerifyOptions } from './pipeline/verify.ts';
export type { ParameterValue, Parameters, QueryOptions, QueryResult, ResultBatch, ResultColumn } from './sql/session.ts';
export type { SparkProgress } from './spark/protocol.ts';
export type { SparkContext, SparkListener } from './spark/spark-job.ts';
export type { SparkOptions } from './spark/spark-options.ts';
export type { Summary } from './summary.ts';
export { checkCsv, type CheckCsvOptions, type CheckedRecords, type MalformedRecord, type Repair } from './parse/checked-records.ts';
export { describeDialect, SNIFF_BYTES, sniffDialect, type SniffOptions } from './parse/sniff.ts';
export type { Guess };
export { readText } from './pipeline/read-text.ts';
export { parseCsv, type CsvBatch, type CsvRecord, type ParseCsvOptions } from './parse/records.ts';
export { generateLogs, type GenerateOptions } from './generate/generate.ts';

/**
 * Runs one job: reads `options.inputs`, counts every log once and publishes the totals at `options.output`. It continues from
 * what earlier runs into that output have counted, and keeps a state beside it for later ones, unless `options.state` is false.
 *
 * `signal` stops it: the promise rejects with ETL_ABORTED, nothing is published and nothing is left behind.
 * `pause` ends it at the next checkpoint, if it has one before its end (without a state it has none): ETL_ABORTED, and the next
 * run goes on from there.
 * `events` hears `phase` and `progress` (see JobEvents), `onGuess` each different guess of `options.sniff`. Rejects with EtlError; an earlier output is then untouched.
 */
export async function run(
  options: RunOptions,
  { signal, pause, events, onGuess }: {
    signal?: AbortSignal | undefined; pause?: AbortSignal | undefined; events?: JobListener | undefined; onGuess?: ((guess: Guess) => void) | undefined;
  } = {},
): Promise<Summary> {
  return runJob(validateOptions(options), { signal, pause, events, onGuess });
}

/** What `validate` is told: what a run is, as far as it says which rows are taken. */
export type ValidateOptions = Pick<RunOptions,
  'inputs' | 'columns' | 'valueScale' | 'glob' | 'encoding' | 'dialect' | 'sniff' | 'onError' | 'maxRejects' | 'rules' | 'maxRecord'>;

/**
 * Reads `options.inputs` as a run would, publishes nothing, and says what it would reject, by input and reason. An input whose header
 * does not fit, or that cannot be read, is told of and is no error. Rejects with ETL_USAGE, ETL_INPUT_NOT_FOUND, ETL_MEMORY, and ETL_ABORTED
 * when `signal` stopped it.
 */
export async function validate(options: ValidateOptions, context: ValidationContext = {}): Promise<Validation> {
  return (await besidesRuns()).validateInputs(validateOptions({ ...options, state: false }), context);
}

/**
 * Says what `run` would do with these options, and does none of it: nothing is written, made or removed, and standard input is not read. Rejects with what
 * the run would fail with before its first row (ETL_HEADER for every input), and ETL_ABORTED when `signal` stopped it.
 */
export async function explain(options: RunOptions, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Explanation> {
  return (await besidesRuns()).explainJob(validateOptions(options), { signal });
}

/**
 * What the state of the dataset `of.output` holds: commits, inputs (`lastInputs`: at most so many, the last), sizes. Nothing of it
 * is changed, but LevelDB writes when it is opened: see pipeline/inspect.ts. Rejects with ETL_STATE_LOCKED while a run has the
 * state, ETL_STATE_READ when there is none, ETL_STATE_DAMAGED when it cannot be opened.
 */
export async function describeState(of: StateOf, options: { readonly lastInputs?: number } = {}): Promise<StateDescription> {
  return (await besidesRuns()).describeState(of, options);
}

/** Verifies all of a state and its dataset, each against what it was made from, and gives what is wrong. Rejects as describeState does. */
export async function checkState(of: StateOf): Promise<StateCheck> {
  return (await besidesRuns()).checkState(of);
}

/** Merges what a state has of ids, and gives back disk space. `before`, `after`: bytes of ids and database. Rejects as describeState does. */
export async function compactState(of: StateOf): Promise<{ readonly folder: string; readonly before: number; readonly after: number }> {
  return (await besidesRuns()).compactState(of);
}

/**
 * Forgets ids that were counted before `of.before`, a page at a time: logs that come with them again count again. Totals, and which
 * inputs were read, stay. Rejects as describeState does.
 */
export async function forgetState(of: StateOf & { readonly before: Date }): Promise<Forgot> {
  return (await besidesRuns()).forgetState(of);
}

/** The reports of the runs that made the dataset at `output`, and files among them that are none. No dataset has none. */
export async function readReports(output: string): Promise<Reports> {
  return (await besidesRuns()).readReports(output);
}

/**
 * What the dataset at `output` is: schema, files, regions with their totals, IP database, state. Reads two columns of numbers of it
 * (by user: three), and no state. Rejects with ETL_INPUT_NOT_FOUND when there is no dataset, ETL_INPUT_READ when it cannot be read.
 */
export async function inspectDataset(output: string): Promise<DatasetInspection> {
  return (await besidesRuns()).inspectDataset(output);
}

/**
 * Verifies all of the dataset `of.output`, and of its state, if it is there and `of.state` is not false; gives what is wrong. While a run has
 * the state only the dataset is verified, and the result says so. Rejects with ETL_INPUT_NOT_FOUND when there is no dataset, and as describeState
 * does when a state cannot be read.
 */
export async function verifyDataset(of: VerifyOptions): Promise<Verification> {
  return (await besidesRuns()).verifyDataset(of);
}

/**
 * Serves the dashboard of the dataset at `options.output` until it is closed: a page for a browser, at the address that is given. Rejects with
 * ETL_USAGE (an option, or the address is taken), ETL_INPUT_NOT_FOUND when there is no dataset, ETL_INPUT_READ when it cannot be read, and
 * ETL_SQL_MISSING when DuckDB is not installed and no report says what is in it.
 */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  return (await import('./dashboard/server.ts')).startDashboard(options);
}

/**
 * SQL over the dataset at `options.output`, as it is published now, by DuckDB in a process of its own, which only reads: `watch_time`, `runs`, `inputs`, `rejects`. To be closed.
 * Rejects with ETL_SQL_MISSING when the optional dependency @duckdb/node-api is not installed, ETL_INPUT_NOT_FOUND when there is no dataset.
 */
export async function openQueries(options: OpenQueriesOptions): Promise<DatasetQueries> {
  return (await besidesRuns()).DatasetQueries.open(options);
}

/**
 * One query of the dataset at `output`, as it is published now. `sql` is one statement that only reads, of `watch_time(user_id, geo_region, total_watch_time, log_count)`, `runs`,
 * `inputs` and `rejects`. Values are texts as DuckDB casts them, so that nothing of a decimal or a 64-bit number is lost; null: NULL.
 *
 *   const result = await queryDataset('totals', 'FROM watch_time WHERE user_id = $user', { parameters: { user } });
 *   for await (const [user, region, total, logs] of result) ...
 *
 * DuckDB runs in a process of its own, which ends with the rows: read them all, leave the loop, or call `close`. Rejects with ETL_SQL (the query is wrong, refused, or
 * failed), ETL_SQL_LIMIT, ETL_SQL_MISSING (@duckdb/node-api is not installed), ETL_ABORTED, ETL_INPUT_NOT_FOUND and ETL_INPUT_READ; while rows are read as well.
 */
export async function queryDataset(output: string, sql: string, options: QueryDatasetOptions = {}): Promise<DatasetResult> {
  return (await besidesRuns()).queryDataset(output, sql, options);
}

/**
 * Does what `run` does on Apache Spark 4, by `spark-submit`: `spark` says how it is reached. Inputs and output may be URLs that Spark takes. There is no state, and
 * options that Spark has no use for are refused. `events` hears `progress`; `onLog` is told what Spark said last when it failed. Rejects as `run` does, and with
 * ETL_SPARK_MISSING (no Spark, no Java 17) and ETL_SPARK (the job failed in Spark).
 */
export async function runOnSpark(options: RunOptions, spark: SparkOptions = {}, context: SparkContext = {}): Promise<Summary> {
  return (await besidesRuns()).runSparkJob(options, spark, context);
}

/**
 * Writes the job that `runOnSpark` submits into a new or empty `folder`, with a README that says how it is submitted: for clusters that are not reached by
 * `spark-submit` from here. With `options.overwrite` an earlier job there is replaced. Rejects with ETL_USAGE, ETL_OUTPUT_EXISTS, ETL_OUTPUT_WRITE, ETL_GEO_DATABASE.
 */
export async function emitSparkJob(options: RunOptions, folder: string): Promise<{ readonly folder: string }> {
  return (await besidesRuns()).writeSparkJob(options, folder);
}

/** Loaded when it is needed: a run does not pay for it. */
function besidesRuns() {
  return import('./pipeline/besides-runs.ts');
}
