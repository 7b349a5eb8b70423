/** Sessions of queries over small datasets, closed when their test ends; `noDuckDB` says why a test is skipped where there is none. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import type { EtlError } from '../../lib/core/errors.ts';
import { run, type RunOptions } from '../../lib/index.ts';
import { datasetAt } from '../../lib/pipeline/dataset-place.ts';
import { querySource } from '../../lib/pipeline/dataset-queries.ts';
import { readPublished } from '../../lib/pipeline/published.ts';
import { QuerySession, type Limits, type QueryOptions, type QuerySource } from '../../lib/sql/session.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';

export const noDuckDB = await import('@duckdb/node-api').then(() => false as const, () => 'DuckDB is not installed');

export const LIMITS: Limits = { memory: 400e6, threads: 2, seconds: 30 };

/** A field of CSV. */
const field = (text: string): string => `"${text.replaceAll('"', '""')}"`;

/** A log: its user, its region, minutes. Each counts once. */
export type Log = readonly [user: string, region: string, minutes: string];

/** Publishes a dataset of these logs in `folder`, of regions by a database made for them; gives where. A log of no minutes is a reject. */
export async function datasetOf(folder: string, logs: readonly Log[], options: Partial<RunOptions> = {}): Promise<string> {
  const output = join(folder, 'out');
  const regions = [...new Set(logs.map(([, region]) => region))];
  // A region without a name is one that the database has, with an empty text.
  writeFileSync(join(folder, 'geo.mmdb'), writeMmdb({ recordSize: 24, ipVersion: 4, networks: regions.map((name, n) => [`${n + 1}.0.0.0/8`, { country_code: name }] as const) }));
  const lines = logs.map(([user, region, minutes], n) => `${n},${field(user)},t,${regions.indexOf(region) + 1}.2.3.4,${field(minutes)}\n`);
  writeFileSync(join(folder, 'logs.csv'), `log_id,user_id,timestamp,ip_address,watch_time(min)\n${lines.join('')}`);
  await run({ inputs: [join(folder, 'logs.csv')], output, geoDb: join(folder, 'geo.mmdb'), maxRejects: { share: 1 }, jobs: 1, ...options });
  return output;
}

export async function sourceOf(output: string): Promise<QuerySource> {
  return querySource(await readPublished(await datasetAt(output)));
}

/** One for the tests of a file, over these logs: made when it is first asked for. */
export function sharedSession(logs: readonly Log[]): () => Promise<QuerySession> {
  const folder = mkdtempSync(join(tmpdir(), 'etl-stream-test-'));
  let session: Promise<QuerySession> | undefined;
  after(async () => {
    await (await session)?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return () => session ??= datasetOf(folder, logs).then(sourceOf).then((source) => QuerySession.start(source, LIMITS));
}

/** Of a dataset, or of a source. */
export async function sessionOf(context: TestContext, of: string | QuerySource, limits: Partial<Limits> = {}): Promise<QuerySession> {
  const session = await QuerySession.start(typeof of === 'string' ? await sourceOf(of) : of, { ...LIMITS, ...limits });
  context.after(() => session.close());
  return session;
}

export async function rowsOf(session: QuerySession, sql: string, options: QueryOptions = {}): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = [];
  const result = await session.query(sql, options);
  for await (const { rows: count, columns } of result.batches()) for (let row = 0; row < count; row++) rows.push(columns.map((values) => values[row]!));
  return rows;
}

/** What it fails with; undefined when it does not. */
export async function failureOf(session: QuerySession, sql: string, options: QueryOptions = {}): Promise<EtlError | undefined> {
  return rowsOf(session, sql, options).then(() => undefined, (error: EtlError) => error);
}
