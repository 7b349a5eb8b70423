/** Which address is answered by what. */
import { Hono, type Context } from 'hono';
import { readAssets, sendAsset } from './assets.ts';
import { MOST_TOP, type OfSnapshot } from './api.ts';
import type { Events } from './events.ts';
import { Turns } from '../sql/turns.ts';
import { MOST_DOWNLOADS, sendExport } from './export.ts';
import { overviewOf } from './overview.ts';
import { body, sqlOf, text, whole } from './parameters.ts';
import { problemOf, Refusal } from './problems.ts';
import { answerOf, type QueryContext } from './queries.ts';
import { rejectsOf } from './rejects.ts';
import { runsOf } from './runs.ts';
import { guard, headers, type Env, type Guard } from './security.ts';
import { selectionOf } from './selection.ts';
import type { SessionSlot } from './slot.ts';
import type { Snapshot, Snapshots } from './snapshots.ts';
import { topOf } from './top.ts';
import { usersOf } from './users.ts';
import type { Views } from './views.ts';

export interface Wiring extends Guard {
  readonly snapshots: Snapshots;
  readonly events: Events;
  readonly views: Views;
  /** Of the SQL box. */
  readonly slot: SessionSlot;
  /** That a query may take. */
  readonly seconds: number;
  /** Where exports are written. */
  folder(): string;
}

export function createApp({ snapshots, events, views, slot, seconds, folder, ...guarded }: Wiring): Hono<Env> {
  const app = new Hono<Env>();
  const assets = readAssets();
  const downloads = new Turns(MOST_DOWNLOADS);
  const context = (c: Context<Env>): QueryContext => ({ slot, seconds, signal: c.req.raw.signal });
  /** Does `work` with the snapshot that the request names, or the last one. */
  const answered = async <T>(id: string | undefined, work: (snapshot: Snapshot) => T | Promise<T>): Promise<T> => {
    const snapshot = snapshots.find(id);
    try {
      return await work(snapshot);
    } catch (error) {
      throw await snapshots.reasonOf(error, snapshot);
    }
  };
  const json = async (c: Context<Env>, work: (snapshot: Snapshot) => OfSnapshot | Promise<OfSnapshot>): Promise<Response> => c.json(await answered(text(c, 'snapshot'), work));
  const regionOf = (c: Context<Env>): string | null => text(c, 'region') ?? null;

  app.use(headers);
  app.use('/api/*', async (c, next) => {
    await next();
    c.header('Cache-Control', 'no-store');
  });
  app.use(guard(guarded));
  app.get('/api/overview', (c) => json(c, (snapshot) => overviewOf(snapshot, views)));
  app.get('/api/selection', (c) => json(c, (snapshot) => selectionOf(snapshot, regionOf(c), views)));
  app.get('/api/top', (c) => json(c, (snapshot) => topOf(snapshot, regionOf(c), whole(c, 'offset', MOST_TOP), views)));
  app.get('/api/users', (c) => json(c, (snapshot) => usersOf(snapshot, { region: regionOf(c), prefix: text(c, 'prefix') ?? '', after: text(c, 'after') }, views)));
  app.get('/api/runs', (c) => json(c, runsOf));
  app.get('/api/rejects', (c) => json(c, (snapshot) => rejectsOf(snapshot, text(c, 'reason'), views)));
  app.get('/api/events', (c) => events.send(c));
  app.post('/api/query', async (c) => {
    const said = await body(c);
    const id = said.get('snapshot');
    if (id !== undefined && typeof id !== 'string') throw new Refusal(400, 'snapshot must be a text.');
    return c.json(await answered(id, (snapshot) => answerOf(snapshot, sqlOf(said.get('sql')), context(c))));
  });
  app.get('/api/export', (c) => {
    const format = text(c, 'format') ?? 'csv';
    if (format !== 'csv' && format !== 'parquet') throw new Refusal(400, 'format must be csv or parquet.');
    // SQL is bounded by what an address may have.
    return answered(text(c, 'snapshot'), (snapshot) => sendExport(c, snapshot, { sql: sqlOf(c.req.query('sql')), format }, { ...context(c), folder, downloads }));
  });
  app.get('*', (c) => sendAsset(c, assets));
  app.notFound(() => {
    throw new Refusal(404, 'There is nothing at this address.');
  });
  app.onError((error, c) => {
    const { status, problem } = problemOf(error);
    return c.json({ error: problem }, status as 400, { 'Cache-Control': 'no-store' });
  });
  return app;
}
