/**
 * The dashboard's own queries: statements of this project, with what a request says bound to them, answered by the views' process. One that fails
 * is asked once more: they are no wrong SQL and need no more memory than there is, so it was the process, which was ended or had too much of others.
 */
import { EtlError } from '../core/errors.ts';
import type { QueryOptions, QuerySession } from './engine.ts';
import type { SessionSlot } from './slot.ts';
import type { Snapshot } from './snapshots.ts';

/** A row's values by the order of its columns, as DuckDB writes them as text. */
export type Row = readonly (string | null)[];

export interface Views {
  /** Whether DuckDB is there; by then the process is there, too. */
  readonly hasSql: Promise<boolean>;
  /** All rows of a statement, of which there are few. Throws ETL_SQL_MISSING, ETL_SQL, ETL_SQL_LIMIT. */
  rows(snapshot: Snapshot, sql: string, parameters: NonNullable<QueryOptions['parameters']>): Promise<Row[]>;
}

export function viewsOf(slot: SessionSlot, { hasSql, seconds }: { readonly hasSql: Promise<boolean>; readonly seconds: number }): Views {
  return {
    hasSql,
    rows: (snapshot, sql, parameters) => slot.use(snapshot, async (session) => {
      const began = performance.now();
      const ask = (): Promise<Row[]> => rowsOf(session, sql, { parameters, seconds });
      try {
        return await ask();
      } catch (error) {
        const isLate = performance.now() - began > seconds * 500;
        if (isLate || !(error instanceof EtlError && (error.code === 'ETL_SQL' || error.code === 'ETL_SQL_LIMIT'))) throw error;
        return ask();
      }
    }),
  };
}

async function rowsOf(session: QuerySession, sql: string, options: QueryOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { rows: count, columns } of (await session.query(sql, options)).batches()) {
    for (let row = 0; row < count; row++) rows.push(columns.map((column) => column[row]!));
  }
  return rows;
}
