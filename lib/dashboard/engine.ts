/** Where DuckDB comes in: loaded when the dashboard starts, and only if it is installed. */
import { EtlError } from '../core/errors.ts';
import type { Snapshot } from './snapshots.ts';

export interface Limits { readonly memory: number; readonly threads: number; readonly seconds?: number; readonly temp?: string }
export interface ResultColumn { readonly name: string; readonly type: string; readonly isNumber: boolean }
export interface ResultBatch { readonly rows: number; readonly columns: readonly (readonly (string | null)[])[] }
export interface QueryResult { readonly columns: readonly ResultColumn[]; batches(): AsyncGenerator<ResultBatch> }
export interface QueryOptions { readonly parameters?: Readonly<Record<string, string | number | bigint | null>>; readonly seconds?: number; readonly signal?: AbortSignal }
export interface QuerySession {
  query(sql: string, options?: QueryOptions): Promise<QueryResult>;
  exportParquet(sql: string, path: string, options?: QueryOptions): Promise<{ readonly rows: number }>;
  close(): Promise<void>;
}

export interface Engine {
  readonly hasSql: boolean;
  start(snapshot: Snapshot, limits: Limits): Promise<QuerySession>;
}

export async function loadEngine(): Promise<Engine> {
  return {
    hasSql: false,
    start: async () => {
      throw new EtlError('ETL_INTERNAL', 'Queries are not there yet.');
    },
  };
}
