/** Asks a dashboard as a page does, and as no page would. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import type { Announcement, Problem } from '../../lib/dashboard/api.ts';
import { startDashboard } from '../../lib/dashboard/server.ts';
import type { Dashboard, DashboardOptions } from '../../lib/dashboard/settings.ts';
import type { StartSession } from '../../lib/dashboard/engine.ts';

export interface Client {
  readonly dashboard: Dashboard;
  readonly port: number;
  /** Of a status that is expected, as JSON. */
  get<T>(path: string, parameters?: Readonly<Record<string, string>>, status?: number): Promise<T>;
  post<T>(body: unknown, status?: number): Promise<T>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** Without a test, after which it is closed, that is for who opens it to do. */
export async function open(t: TestContext | undefined, options: DashboardOptions, start?: StartSession): Promise<Client> {
  const dashboard = await startDashboard(options, start);
  t?.after(() => dashboard.close());
  const { origin, port } = new URL(dashboard.url);
  const json = async <T>(response: Response, status: number): Promise<T> => {
    const text = await response.text();
    assert.equal(response.status, status, `${response.url}: ${text.slice(0, 500)}`);
    assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    return JSON.parse(text) as T;
  };
  return {
    dashboard, port: Number(port),
    get: async (path, parameters = {}, status = 200) => json(await fetch(`${origin}${path}?${new URLSearchParams(parameters)}`), status),
    post: async (body, status = 200) => json(await fetch(`${origin}/api/query`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }), status),
    fetch: (path, init) => fetch(`${origin}${path}`, { redirect: 'manual', ...init }),
  };
}

export interface Failed {
  readonly error: Problem;
}

/** Snapshots as they are announced. */
export async function* announcements(client: Client, signal: AbortSignal): AsyncGenerator<string> {
  const response = await client.fetch('/api/events', { signal });
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
  let text = '';
  for await (const piece of response.body!) {
    text += Buffer.from(piece as Uint8Array).toString();
    const events = text.split('\n\n');
    text = events.pop()!;
    for (const event of events) {
      const data = /^event: snapshot\ndata: (.*)$/.exec(event)?.[1];
      if (data) yield (JSON.parse(data) as Announcement).snapshot;
    }
  }
}

/** Sends bytes as they are, and gives all that comes back until the server closes. */
export function raw(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (piece) => pieces.push(piece));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(pieces).toString()));
  });
}
