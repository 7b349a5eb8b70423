/**
 * All of a result as a file. CSV goes out as DuckDB gives it, no faster than the browser takes it. Parquet is written into a private folder first, whose
 * file is sent and removed. Whoever goes away cancels it. What fails when the answer has begun breaks the connection, so that no browser takes a part
 * for the whole.
 */
import { createReadStream } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from 'hono';
import { EtlError } from '../core/errors.ts';
import { Turns } from '../sql/turns.ts';
import { csvOf } from './csv.ts';
import { Refusal } from './problems.ts';
import type { QueryContext } from './queries.ts';
import type { Env } from './security.ts';
import type { Snapshot } from './snapshots.ts';

export type ExportFormat = 'csv' | 'parquet';

const TYPES: Readonly<Record<ExportFormat, string>> = { csv: 'text/csv; charset=utf-8', parquet: 'application/vnd.apache.parquet' };

export interface ExportContext extends QueryContext {
  /** Where Parquet is written. */
  folder(): string;
  /** Of files that go out as their query is answered: fewer than a session answers at a time, since whoever takes one may take as long as he likes. */
  readonly downloads: Turns;
}

export const MOST_DOWNLOADS = 1;
/** Milliseconds: one that was left just before may not have ended. */
const PATIENCE = 5000;

/** Of all exports that are on the disk. */
const MOST_DISK_BYTES = 4e9;
const LOOK_MILLISECONDS = 250;

let files = 0;

/** Answers with the file. Throws what the query throws before its first row. */
export async function sendExport(c: Context<Env>, snapshot: Snapshot, { sql, format }: { readonly sql: string; readonly format: ExportFormat }, context: ExportContext): Promise<Response> {
  const pieces = format === 'csv' ? csvPieces(snapshot, sql, context) : parquetPieces(snapshot, sql, context);
  const first = await pieces.next(); // by which the query has been taken
  c.header('Content-Type', TYPES[format]);
  c.header('Content-Disposition', `attachment; filename="etl-stream.${format}"`);
  const { outgoing } = c.env;
  return c.body(new ReadableStream<Uint8Array>({
    start(controller) {
      if (!first.done) controller.enqueue(first.value);
    },
    async pull(controller) {
      try {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch {
        outgoing.destroy();
        controller.close();
      }
    },
    async cancel() {
      await pieces.return(undefined);
    },
  }, { highWaterMark: 0 }));
}

async function* csvPieces(snapshot: Snapshot, sql: string, { slot, seconds, signal, downloads }: ExportContext): AsyncGenerator<Uint8Array, undefined> {
  const leave = await downloads.enter(AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)])).catch(() => {
    throw new Refusal(429, 'Another file is on its way.', { hint: 'Ask again when it is there, or for Parquet.' });
  });
  try {
    const { session, release } = await slot.lease(snapshot);
    try {
      signal.throwIfAborted();
      const encoder = new TextEncoder();
      for await (const lines of csvOf(await session.query(sql, { seconds, signal }))) yield encoder.encode(lines);
    } finally {
      release();
    }
  } finally {
    leave();
  }
}

/** Ends `work` when there is more in the folder than may be. Throws ETL_SQL_LIMIT then. */
async function withinDisk<T>(folder: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const full = new AbortController();
  const timer = setInterval(() => void bytesIn(folder).then((bytes) => bytes > MOST_DISK_BYTES && full.abort()), LOOK_MILLISECONDS);
  try {
    return await work(AbortSignal.any([signal, full.signal]));
  } catch (error) {
    if (full.signal.aborted) throw new EtlError('ETL_SQL_LIMIT', `The file is larger than the ${MOST_DISK_BYTES / 1e9} GB that it may be.`, { hint: 'Ask for less at a time, or use etl-stream query.' });
    throw error;
  } finally {
    clearInterval(timer);
  }
}

async function bytesIn(folder: string): Promise<number> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.parquet')); // what DuckDB spills there has a limit of its own
  const sizes = await Promise.all(names.map((name) => stat(join(folder, name)).then(({ size }) => size, () => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function* parquetPieces(snapshot: Snapshot, sql: string, { slot, seconds, signal, folder }: ExportContext): AsyncGenerator<Uint8Array, undefined> {
  const path = join(folder(), `${files++}.parquet`);
  try {
    await slot.use(snapshot, async (session) => {
      signal.throwIfAborted();
      await withinDisk(folder(), signal, (bounded) => session.exportParquet(sql, path, { seconds, signal: bounded }));
    });
    for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) yield piece;
  } finally {
    await rm(path, { force: true });
  }
}
