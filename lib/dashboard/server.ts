/**
 * The dashboard of a dataset: a web server, and at most two processes with DuckDB beside it, one for its own views and, from its first use
 * on, one for the SQL box. All of them together stay within the memory that they are told. It reads the dataset and changes nothing of it.
 */
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { getRequestListener } from '@hono/node-server';
import { EtlError } from '../core/errors.ts';
import { OwnFolder } from '../core/own-folder.ts';
import { isInstalled, startSession } from './engine.ts';
import { Events } from './events.ts';
import { bracketed, hostsOf, placeOf } from './hosts.ts';
import { listen } from './listen.ts';
import { overviewOf, reportOf } from './overview.ts';
import { createApp } from './routes.ts';
import { LEAST_TOKEN, settingsOf, type Dashboard, type DashboardOptions } from './settings.ts';
import { SessionSlot } from './slot.ts';
import { Snapshots } from './snapshots.ts';
import { viewsOf } from './views.ts';

/** Of those that wait for the views, and for the SQL box, and of those that are answered. */
const MOST_WAITING = { views: 200, sql: 8 };
/** Of the line and headers of a request: a query may stand in an address. */
const MOST_HEADER_BYTES = 64 << 10;
const MOST_CONNECTIONS = 300;
/** By the queries of the SQL box. */
const MOST_SPILLED_BYTES = 4e9;
/** Milliseconds: for a request's headers, for all of it, and without a byte either way beyond what a query takes. */
const PATIENCE = { headers: 10_000, request: 20_000, silence: 60_000 };

/**
 * Throws ETL_USAGE (also when the address is taken), ETL_INPUT_NOT_FOUND when there is no dataset, ETL_INPUT_READ when it cannot be read,
 * and ETL_SQL_MISSING when there is neither DuckDB nor a report that says what is in it.
 */
export async function startDashboard(options: DashboardOptions, start = startSession): Promise<Dashboard> {
  const { output, host, port, token, seconds, views: forViews, sql: forSql } = settingsOf(options);
  const place = await placeOf(host);
  if (!place.isLoopback && token === undefined) {
    throw new EtlError('ETL_USAGE', `--host ${host} can be reached from other machines: that needs a --token, which whoever opens the dashboard must know.`, {
      hint: `Say --token with ${LEAST_TOKEN} characters or more, or leave --host out: then only this machine reaches it.`,
    });
  }
  const snapshots = await Snapshots.open(output);
  let exports: OwnFolder | undefined;
  const folder = (): string => (exports ??= OwnFolder.create({ parent: tmpdir(), prefix: 'etl-stream-dashboard', mode: 0o700 })).path;
  const viewSlot = new SessionSlot({ limits: () => ({ ...forViews, areOwn: true }), mostWaiting: MOST_WAITING.views, start });
  const slot = new SessionSlot({ limits: () => ({ ...forSql, temp: folder(), tempBytes: MOST_SPILLED_BYTES }), mostWaiting: MOST_WAITING.sql, start });
  // Begun at once: it is there when the first page is.
  const views = viewsOf(viewSlot, { hasSql: isInstalled(() => viewSlot.lease(snapshots.current).then(({ release }) => release())), seconds });
  const events = new Events(snapshots);
  let server: Server | undefined;
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    snapshots.close();
    events.close();
    const closed = new Promise((resolve) => (server?.listening ? server.close(resolve) : resolve(undefined)));
    server?.closeAllConnections();
    await Promise.all([closed, viewSlot.close(), slot.close()]);
    await exports?.remove();
  };
  try {
    if (!reportOf(snapshots.current)) await overviewOf(snapshots.current, views); // so that it fails here where it would always fail
    server = createServer({ maxHeaderSize: MOST_HEADER_BYTES, headersTimeout: PATIENCE.headers, requestTimeout: PATIENCE.request, connectionsCheckingInterval: 2000 });
    server.maxConnections = MOST_CONNECTIONS;
    server.setTimeout(PATIENCE.silence + seconds * 1000);
    const bound = await listen(server, { host, address: place.address, port });
    const app = createApp({
      snapshots, events, views, slot, seconds, folder, token, hosts: hostsOf(host, place, bound), port: bound,
    });
    server.on('request', getRequestListener(app.fetch, { overrideGlobalObjects: false, errorHandler: () => new Response(null, { status: 400 }) }));
    snapshots.watch();
    const name = place.isAny ? 'localhost' : bracketed(host);
    return { url: `http://${name}:${bound}/${token === undefined ? '' : `?token=${token}`}`, close: () => (closing ??= close()) };
  } catch (error) {
    await close();
    throw error;
  }
}
