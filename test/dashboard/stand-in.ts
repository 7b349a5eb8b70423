/**
 * A server in place of the dashboard's, with the page's own files and policy, whose answers a test says: regions that no IP database
 * has, problems, answers that wait. It keeps to what lib/dashboard/api.ts says: another snapshot than the current one is gone.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { Overview, Problem, QueryAnswer, Rejects, RowPage, Run, Runs, Selection } from '../../lib/dashboard/api.ts';
import { readAssets, sendAsset } from '../../lib/dashboard/assets.ts';
import { headers, type Env } from '../../lib/dashboard/security.ts';

/** Regions and what else is said of a dataset; figures that add up. */
export interface Said {
  readonly regions: readonly { readonly region: string; readonly total: number; readonly rows: number }[];
  readonly more?: Partial<Overview>;
}

export interface StandIn {
  readonly url: string;
  /** Paths and parameters of the API that were asked for, without the snapshot. */
  readonly asked: readonly string[];
  /** What to answer instead: given the path and its parameters. */
  instead: (path: string, parameters: URLSearchParams) => Promise<{ status: number; problem: Problem } | undefined>;
  /** Tells the pages, or leaves it to them to find out. */
  publish(said: Said, told?: { readonly isTold: boolean }): void;
  /** Closes the connections, as a server that ends. */
  drop(): void;
}

export function overviewOf({ regions, more = {} }: Said, snapshot: string): Overview {
  const sum = (of: (one: Said['regions'][0]) => number): number => regions.reduce((total, one) => total + of(one), 0);
  const [rows, watchTime] = [sum((one) => one.rows), String(sum((one) => one.total))];
  const read = { read: 2 * rows + 30, counted: 2 * rows, duplicates: 20, rejected: 10 };
  const run: Run = {
    run: '20261130T084223488Z-dfb78b', startedAt: '2026-11-30T08:42:23.488Z', version: '0.1.0', inputs: 1, rows: read, seconds: 2, megabytesPerSecond: 90, rowsPerSecond: 1.5e6,
    memory: { limit: 500e6, peak: 120e6 }, warnings: [], watchTime, regions: {},
  };
  return {
    snapshot, name: 'totals', version: '0.1.0', groupBy: 'region', valueScale: 0, geoDatabase: { type: 'DBIP-Country-Lite', buildDate: '2026-06-01', isEmbedded: true },
    totals: { users: rows - 1, regions: regions.length, rows, logs: 2 * rows, watchTime }, read, files: { count: regions.length, bytes: 1e6 }, lastRun: run,
    regions: [...regions].sort((a, b) => b.total - a.total).map((one) => ({ region: one.region, total: String(one.total), logs: 2 * one.rows, rows: one.rows })),
    selection: selectionOf({ regions, more }, null, snapshot), hasSql: true, ...more,
  };
}

function selectionOf({ regions }: Said, region: string | null, snapshot: string): Selection {
  const of = regions.filter((one) => region === null || one.region === region);
  const rows = of.reduce((sum, one) => sum + one.rows, 0);
  return {
    snapshot, region, rows, logs: 2 * rows, watchTime: String(of.reduce((sum, { total }) => sum + total, 0)), distribution: rows === 0 ? [] : [{ from: '0', to: '1', rows: 1 }, { from: '1', to: '2', rows: rows - 1 }],
    top: of.slice(0, 3).map((one, at) => ({ user: `user ${at}`, region: one.region, total: '2', logs: 1 })),
  };
}

export async function standIn(context: TestContext, first: Said): Promise<StandIn> {
  let [said, number] = [first, 1];
  const asked: string[] = [];
  const listeners = new Set<() => void>();
  const snapshot = (): string => `snapshot-${number}`;
  const app = new Hono<Env>();
  app.use(headers);
  app.use('/api/*', async (c, next) => {
    const parameters = new URL(c.req.url).searchParams;
    const of = parameters.get('snapshot');
    parameters.delete('snapshot');
    const path = c.req.path.slice('/api/'.length);
    asked.push(parameters.size === 0 ? path : `${path}?${parameters}`);
    const instead = await standing.instead(path, parameters);
    if (instead) return c.json({ error: instead.problem }, instead.status as 500);
    if (of !== null && of !== snapshot()) return c.json({ error: { code: '', message: 'Another snapshot is there.' } }, 410);
    return next();
  });
  app.get('/api/overview', (c) => c.json(overviewOf(said, snapshot())));
  app.get('/api/selection', (c) => c.json(selectionOf(said, c.req.query('region') ?? null, snapshot())));
  for (const path of ['/api/top', '/api/users']) app.get(path, (c) => c.json({ snapshot: snapshot(), rows: selectionOf(said, c.req.query('region') ?? null, '').top, next: null } satisfies RowPage));
  app.get('/api/runs', (c) => c.json({ snapshot: snapshot(), runs: [overviewOf(said, '').lastRun!], damaged: 0 } satisfies Runs));
  app.get('/api/rejects', (c) => c.json({ snapshot: snapshot(), reasons: [], rows: 0, examples: [] } satisfies Rejects));
  app.post('/api/query', (c) => c.json({ snapshot: snapshot(), columns: [], rows: [], isCut: false, seconds: 0.01 } satisfies QueryAnswer));
  app.get('/api/events', (c) => streamSSE(c, async (stream) => {
    const tell = (): void => void stream.writeSSE({ event: 'snapshot', data: JSON.stringify({ snapshot: snapshot() }) });
    listeners.add(tell);
    tell();
    await new Promise<void>((resolve) => stream.onAbort(resolve));
    listeners.delete(tell);
  }));
  const assets = readAssets();
  app.get('*', (c) => sendAsset(c, assets));
  const server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const standing: StandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked, instead: async () => undefined,
    publish(next, { isTold } = { isTold: true }) {
      said = next;
      number++;
      if (isTold) for (const tell of listeners) tell();
    },
    drop: () => server.closeAllConnections(),
  };
  return standing;
}
