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
  ETL_INPUT_NOT_FOUND: 'An input does not exist, or a folder holds no logs.',
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
  ETL_MEMORY: 'Linear memory is exhausted.',
  ETL_WORKER: 'A worker thread ended before its work was done.',
  ETL_UNBALANCED: 'Rows read, counted, duplicate, rejected and published do not balance: a bug in etl-stream.',
  ETL_INTERNAL: 'Something that cannot happen did: a bug in etl-stream.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

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
