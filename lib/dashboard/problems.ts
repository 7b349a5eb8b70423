/**
 * What the dashboard answers when it does not do what it was asked: a status and a Problem. Only what is written here, and what DuckDB
 * says of a query, is told: an error of any other kind may tell paths of the machine, and the browser is told nothing of it but its code.
 */
import { EtlError, nextSteps, type ErrorCode } from '../core/errors.ts';
import type { Problem } from './api.ts';

/** Status of errors whose sentences are for whoever asked. */
const STATUS: Readonly<Partial<Record<string, number>>> = { ETL_SQL: 400, ETL_SQL_LIMIT: 422, ETL_SQL_MISSING: 503 };

/** A request that is refused; its sentence is ours and goes to whoever asked. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(status: number, message: string, { code = 'ETL_USAGE', hint }: { readonly code?: ErrorCode; readonly hint?: string } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** Of whatever was thrown. */
export function problemOf(error: unknown): { readonly status: number; readonly problem: Problem } {
  if (error instanceof Refusal) return { status: error.status, problem: { code: error.code, message: error.message, ...(error.hint !== undefined && { hint: error.hint }) } };
  if (!(error instanceof EtlError)) return { status: 500, problem: { code: 'ETL_INTERNAL', message: 'Something went wrong that should not have.' } };
  const { code, message, hint } = error;
  const status = STATUS[code];
  if (status !== undefined) return { status, problem: { code, message, hint: hint ?? nextSteps[code] } };
  if (code === 'ETL_ABORTED') return { status: 503, problem: { code, message: 'The query was cancelled.' } };
  return { status: 500, problem: { code, message: 'The dataset could not be read.', hint: 'etl-stream verify says what is wrong with a dataset.' } };
}
