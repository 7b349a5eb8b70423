/** Where DuckDB comes in: sessions over snapshots, and whether there can be any. */
import { EtlError } from '../core/errors.ts';
import { querySource } from '../pipeline/dataset-queries.ts';
import { QuerySession, type Limits } from '../sql/session.ts';
import type { Snapshot } from './snapshots.ts';

export type { Limits, QueryOptions, QueryResult, QuerySession, ResultBatch } from '../sql/session.ts';

/** Throws what QuerySession.start and querySource throw. */
export type StartSession = (snapshot: Snapshot, limits: Limits) => Promise<QuerySession>;

export const startSession: StartSession = async ({ dataset }, limits) => QuerySession.start(await querySource(dataset), limits);

/** Whether `attempt`, to start a session, did not fail for want of DuckDB. */
export async function isInstalled(attempt: () => Promise<unknown>): Promise<boolean> {
  try {
    await attempt();
  } catch (error) {
    if (error instanceof EtlError && error.code === 'ETL_SQL_MISSING') return false;
  }
  return true;
}
