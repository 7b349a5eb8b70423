/**
 * The one error type that leaves this library on purpose. `code` is stable and has a section in docs/errors.md; `message` is a
 * whole sentence for a person; `hint` says what to do next; `cause` keeps what happened underneath, `suppressed` what
 * went wrong while cleaning up after it.
 */
export class EtlError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly suppressed: unknown[] = [];

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EtlError';
    this.code = code;
    this.hint = options.hint;
  }
}

/** Every code, with what it means. docs/errors.md has a section for each; a test compares the two. */
export const errorCodes = {
  ETL_USAGE: 'An option or argument is wrong.',
  ETL_ABORTED: 'The run was stopped by a signal or by its caller.',
  ETL_INPUT_NOT_FOUND: 'An input does not exist, or a folder holds no logs, or no dataset.',
  ETL_INPUT_READ: 'Reading an input failed.',
  ETL_HEADER: 'The header of an input is empty, ambiguous or lacks a needed column.',
  ETL_REJECTED: 'More rows were rejected than --max-rejects or --on-error fail allow.',
  ETL_VALUE_OVERFLOW: 'A total does not fit the output type.',
  ETL_GEO_DATABASE: 'The IP database cannot be read or has an unexpected shape.',
  ETL_OUTPUT_EXISTS: 'The output folder exists already.',
  ETL_OUTPUT_WRITE: 'Writing the output failed.',
  ETL_TEMP_WRITE: 'Writing or reading a temporary file failed.',
  ETL_TEMP_DAMAGED: 'A temporary file does not hold what was written to it.',
  ETL_MAX_SPILL: 'Temporary files would take more than --max-spill.',
  ETL_STATE_LOCKED: 'Another process is using the state.',
  ETL_STATE_MISMATCH: 'The options differ from those that the state was made with.',
  ETL_STATE_READ: 'Reading the state failed.',
  ETL_STATE_WRITE: 'Writing the state failed.',
  ETL_STATE_DAMAGED: 'The state does not hold what was written to it.',
  ETL_SQL_MISSING: 'DuckDB, which queries need, is not installed.',
  ETL_SQL: 'A query is wrong, is refused, or failed.',
  ETL_SQL_LIMIT: 'A query needs more time or memory than it may have.',
  ETL_SPARK_MISSING: 'Spark, or the Java that it needs, is not installed.',
  ETL_SPARK: 'The job failed in Spark.',
  ETL_MEMORY: 'Linear memory is exhausted.',
  ETL_WORKER: 'A worker thread ended before its work was done.',
  ETL_UNBALANCED: 'Rows read, counted, duplicate, rejected and published do not balance: a bug in etl-stream.',
  ETL_INTERNAL: 'Something that cannot happen did: a bug in etl-stream.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** What to do next, where an error has no hint of its own. docs/errors.md says more of each. */
export const nextSteps: Readonly<Record<ErrorCode, string>> = {
  ETL_USAGE: 'etl-stream --help lists what is accepted.',
  ETL_ABORTED: 'Nothing was lost: run the same command again.',
  ETL_INPUT_NOT_FOUND: 'Check the path. A folder is searched for *.csv and *.tsv, unless --glob says otherwise.',
  ETL_INPUT_READ: 'Check that the input can be read to its end, and is not changed meanwhile.',
  ETL_HEADER: 'Name the columns with --id-column, --user-column, --ip-column and --value-column, or say --no-header.',
  ETL_REJECTED: 'etl-stream validate shows what is rejected and why; --max-rejects says how much may be.',
  ETL_VALUE_OVERFLOW: 'Look for values that are too large: --rule bounds them.',
  ETL_GEO_DATABASE: 'Check --geo-db and --geo-field, or leave them out: a database is embedded.',
  ETL_OUTPUT_EXISTS: 'Name another --output, or say --overwrite.',
  ETL_OUTPUT_WRITE: 'Check that there is space on the disk, and that the folder may be written to.',
  ETL_TEMP_WRITE: 'Check that there is space on the disk, or name another folder with --temp.',
  ETL_TEMP_DAMAGED: 'Check the disk, and run the same command again.',
  ETL_MAX_SPILL: 'Raise --max-spill or --memory.',
  ETL_STATE_LOCKED: 'Wait until the other run has ended, and run the same command again.',
  ETL_STATE_MISMATCH: 'Use the options of the earlier runs, another --output, or --overwrite to begin afresh.',
  ETL_STATE_READ: 'Check --state, and that its files may be read.',
  ETL_STATE_WRITE: 'Check that there is space on the disk, and run the same command again.',
  ETL_STATE_DAMAGED: 'etl-stream state check says what is damaged; --overwrite builds dataset and state anew from all inputs.',
  ETL_SQL_MISSING: 'Add it by npm install @duckdb/node-api, with -g if etl-stream was installed so.',
  ETL_SQL: 'There are watch_time, runs, inputs and rejects to select from; DESCRIBE says which columns they have.',
  ETL_SQL_LIMIT: 'Ask for less at a time, or allow it more time and memory.',
  ETL_SPARK_MISSING: 'Install Java 17 and Spark 4.0 or later, or leave out --engine spark.',
  ETL_SPARK: 'Look at what Spark said last, and run the same command again.',
  ETL_MEMORY: 'Raise --memory, or lower --jobs.',
  ETL_WORKER: 'Run the same command again; if it comes again, please report it.',
  ETL_UNBALANCED: 'Nothing was published. Please report this with the input, if you can share it.',
  ETL_INTERNAL: 'Please report this with the command and, if you can share it, the input.',
};

/** What a caught value says, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `first`, with a failure of cleaning up after it added, so that neither is lost. */
export function withCleanupError(first: unknown, extra: unknown): unknown {
  if (first instanceof EtlError) {
    first.suppressed.push(extra);
    return first;
  }
  return new AggregateError([first, extra], messageOf(first), { cause: first });
}
