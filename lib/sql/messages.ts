/**
 * What a session and the process of DuckDB say to each other, in order of a query's life:
 *
 *   open ─► opened                                              once
 *   query ─► columns, next ─► batch ... ─► cancel ─► cancelled
 *   export ─► exported, cancel ─► cancelled
 *
 * Every request is answered once, by its number; an answer may be `failed`. `cancel` comes at any time, last: what was asked fails, and when it is
 * answered, the query is over. A batch is made while the one before it is read.
 */
import type { Limits, Parameters, QuerySource, ResultColumn } from './source.ts';

export type Request =
  | { readonly kind: 'open'; readonly number: number; readonly source: QuerySource; readonly limits: Limits; /** Names, in `limits.temp`, that exports are written to. */ readonly exportFiles: readonly string[] }
  | { readonly kind: 'query'; readonly number: number; readonly query: number; readonly sql: string; readonly parameters: Parameters }
  | { readonly kind: 'next'; readonly number: number; readonly query: number }
  | { readonly kind: 'export'; readonly number: number; readonly query: number; readonly sql: string; readonly parameters: Parameters; readonly file: string }
  | { readonly kind: 'cancel'; readonly number: number; readonly query: number };

/** Before it has its number. */
export type Asked = Request extends infer R ? (R extends Request ? Omit<R, 'number'> : never) : never;

export type Answer =
  /** `bytes`: resident then. */
  | { readonly kind: 'opened'; readonly number: number; readonly bytes: number }
  | { readonly kind: 'columns'; readonly number: number; readonly columns: readonly ResultColumn[] }
  /** undefined: there are no more rows, and the query is over. */
  | { readonly kind: 'batch'; readonly number: number; readonly batch: PackedBatch | undefined }
  | { readonly kind: 'exported'; readonly number: number; readonly rows: number }
  /** `bytes`: resident now. */
  | { readonly kind: 'cancelled'; readonly number: number; readonly bytes: number }
  | { readonly kind: 'failed'; readonly number: number; readonly error: Failure }
  /** Of no request: the process has more memory than it may have, and ends. */
  | { readonly kind: 'memory'; readonly number: -1; readonly bytes: number };

/** `missing`: DuckDB is not installed; `memory`: it has reached its limit; `sql`: all else. */
export interface Failure {
  readonly kind: 'missing' | 'memory' | 'sql';
  readonly message: string;
  readonly hint?: string;
}

/** A batch as bytes: of each column its values one behind the other, in UTF-8, and where each ends; NO_VALUE: NULL. */
export interface PackedBatch {
  readonly rows: number;
  readonly columns: readonly { readonly bytes: Uint8Array; readonly lengths: Uint32Array; readonly isAscii: boolean }[];
}

export const NO_VALUE = 0xffff_ffff;
