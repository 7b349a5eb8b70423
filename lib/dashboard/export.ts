/**
 * All of a result as a file. CSV goes out as DuckDB gives it, no faster than the browser takes it. Parquet is written into a private folder first, whose
 * file is sent and removed. Whoever goes away cancels it. What fails when the answer has begun breaks the connection, so that no browser takes a part
 * for the whole.
 */
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from 'hono';
import { csvOf } from './csv.ts';
import type { QueryContext } from './queries.ts';
import type { Env } from './security.ts';
import type { Snapshot } from './snapshots.ts';

export type ExportFormat = 'csv' | 'parquet';

const TYPES: Readonly<Record<ExportFormat, string>> = { csv: 'text/csv; charset=utf-8', parquet: 'application/vnd.apache.parquet' };

export interface ExportContext extends QueryContext {
  /** Where Parquet is written. */
  folder(): string;
}

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

async function* csvPieces(snapshot: Snapshot, sql: string, { slot, seconds, signal }: ExportContext): AsyncGenerator<Uint8Array, undefined> {
  const { session, release } = await slot.lease(snapshot);
  try {
    signal.throwIfAborted();
    const encoder = new TextEncoder();
    for await (const lines of csvOf(await session.query(sql, { seconds, signal }))) yield encoder.encode(lines);
  } finally {
    release();
  }
}

async function* parquetPieces(snapshot: Snapshot, sql: string, { slot, seconds, signal, folder }: ExportContext): AsyncGenerator<Uint8Array, undefined> {
  const path = join(folder(), `${files++}.parquet`);
  try {
    await slot.use(snapshot, async (session) => {
      signal.throwIfAborted();
      await session.exportParquet(sql, path, { seconds, signal });
    });
    for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) yield piece;
  } finally {
    await rm(path, { force: true });
  }
}
