/**
 * The process of DuckDB: what it is asked by messages (messages.ts) it does, each query on a connection of its own. It watches its own memory, of
 * which DuckDB's limit is only a part, and ends when it has more than it may; it ends when who started it has gone.
 */
import { failureOf } from './failure.ts';
import type { Answer, Request } from './messages.ts';
import { Queries } from './queries.ts';

/** A query may take some 5 GB/s: 50 MB between two looks. */
const LOOK_EVERY_MS = 10;

const queries = new Queries();

function answer(message: Answer): void {
  if (process.connected) process.send!(message, undefined, {}, () => undefined);
}

function watchMemory(limit: number): () => void {
  const look = (): void => {
    const bytes = process.memoryUsage.rss();
    if (bytes <= limit) return;
    if (!process.connected) die();
    process.send!({ kind: 'memory', number: -1, bytes } satisfies Answer, undefined, {}, die);
  };
  setInterval(look, LOOK_EVERY_MS);
  return look;
}

/** At once: DuckDB may be at work in other threads, and what it has is nobody's. */
function die(): never {
  process.kill(process.pid, 'SIGKILL');
  return process.exit(1);
}

async function handle(request: Request): Promise<Answer> {
  const { number } = request;
  switch (request.kind) {
    case 'open':
      await queries.open(request.source, request.limits, request.exportFiles, watchMemory(request.limits.memory));
      return { kind: 'opened', number, bytes: process.memoryUsage.rss() };
    case 'query':
      return { kind: 'columns', number, columns: await queries.start(request.query, request.sql, request.parameters) };
    case 'next':
      return { kind: 'batch', number, batch: await queries.next(request.query) };
    case 'export':
      return { kind: 'exported', number, rows: await queries.export(request.query, request.sql, request.parameters, request.file) };
    case 'cancel':
      await queries.cancel(request.query);
      return { kind: 'cancelled', number, bytes: process.memoryUsage.rss() };
  }
}

// Ctrl-C on a terminal goes to all of its processes: who started this one decides what it means.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', die);
process.on('message', (request: Request) => {
  handle(request).then(answer, (error: unknown) => answer({ kind: 'failed', number: request.number, error: failureOf(error, queries.hidden) }));
});
