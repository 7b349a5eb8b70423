/** The dashboard's own queries: statements of this project, with what a request says bound to them, answered by the views' process. */
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
    rows: (snapshot, sql, parameters) => slot.use(snapshot, (session) => rowsOf(session, sql, { parameters, seconds })),
  };
}

async function rowsOf(session: QuerySession, sql: string, options: QueryOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { rows: count, columns } of (await session.query(sql, options)).batches()) {
    for (let row = 0; row < count; row++) rows.push(columns.map((column) => column[row]!));
  }
  return rows;
}
