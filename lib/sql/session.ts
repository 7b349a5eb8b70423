/**
 * Queries over one snapshot of a dataset, in a process of their own (process.ts): whatever a query does there, it ends with an error here, and
 * the next one finds a process again. At most MOST_AT_ONCE queries are under way, others wait for their turn.
 *
 * A query that takes longer than it may is interrupted, and its process killed when that does not end it within KILL_AFTER_MS. Only the time
 * counts in which the process is at work, not what a reader takes between two batches. Memory here: two batches a query, some megabytes.
 */
import { randomBytes } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import type { Answer, PackedBatch } from './messages.ts';
import { checkedParameters } from './parameters.ts';
import { QueryProcess } from './query-process.ts';
import type { Limits, Parameters, QuerySource, ResultBatch, ResultColumn } from './source.ts';
import { Task } from './task.ts';
import { Turns } from './turns.ts';
import { unpack } from './unpack.ts';

export type { Limits, MemoryTable, Parameters, ParameterValue, QuerySource, ResultBatch, ResultColumn } from './source.ts';

/** Queries of a session that are under way at a time. */
export const MOST_AT_ONCE = 2;

export interface QueryResult {
  readonly columns: readonly ResultColumn[];
  /** Once only. Its `return()`, as a loop that is left calls it, ends the query. Throws as `query` does. */
  batches(): AsyncGenerator<ResultBatch>;
  /** Ends a query whose rows nobody wants. Idempotent. */
  close(): Promise<void>;
}

export interface QueryOptions {
  /** Values of `$name`. */
  readonly parameters?: Parameters | undefined;
  /** Default: the session's. */
  readonly seconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class QuerySession {
  readonly #source: QuerySource;
  readonly #limits: Limits;
  readonly #turns = new Turns(MOST_AT_ONCE);
  /** Of which one is free for each export that is under way: DuckDB may write to no others. */
  readonly #exportFiles: string[];
  #process: Promise<QueryProcess> | undefined;
  #starting: Promise<QueryProcess> | undefined;
  #closed: Promise<void> | undefined;
  #queries = 0;

  private constructor(source: QuerySource, limits: Limits) {
    this.#source = source;
    this.#limits = limits;
    const { temp } = limits;
    this.#exportFiles = temp === undefined ? [] : Array.from({ length: MOST_AT_ONCE }, () => join(temp, `${randomBytes(16).toString('hex')}.parquet`));
  }

  /** Throws ETL_SQL_MISSING when DuckDB is not installed, ETL_SQL when the files cannot be read as tables, ETL_SQL_LIMIT. */
  static async start(source: QuerySource, limits: Limits): Promise<QuerySession> {
    const session = new QuerySession(source, limits);
    await session.#ready();
    return session;
  }

  /**
   * Of one statement that only reads; rows come in the order that it says. Throws ETL_USAGE, ETL_SQL (it is wrong, refused, or failed), ETL_SQL_LIMIT (time or memory), ETL_ABORTED.
   */
  async query(sql: string, options: QueryOptions = {}): Promise<QueryResult> {
    const asked = askedOf(sql, options);
    const task = await this.#begin(options);
    try {
      const answer = await task.ask({ kind: 'query', query: task.query, ...asked });
      const { columns } = answer as Extract<Answer, { kind: 'columns' }>;
      return { columns, batches: () => batchesOf(task), close: () => task.end() };
    } catch (error) {
      await task.end();
      throw error;
    }
  }

  /** Writes what `sql` gives to the new file `path`, on the file system of `temp`. Throws as `query` does, and ETL_OUTPUT_WRITE. */
  async exportParquet(sql: string, path: string, options: QueryOptions = {}): Promise<{ readonly rows: number }> {
    const asked = askedOf(sql, options);
    const task = await this.#begin(options);
    const file = this.#exportFiles.pop();
    try {
      if (file === undefined) throw new EtlError('ETL_USAGE', 'This session has no folder for exports.');
      const answer = await task.ask({ kind: 'export', query: task.query, ...asked, file });
      await rename(file, path).catch((cause: unknown) => {
        throw new EtlError('ETL_OUTPUT_WRITE', `Cannot write ${path}: ${messageOf(cause)}.`, { cause });
      });
      return { rows: (answer as Extract<Answer, { kind: 'exported' }>).rows };
    } finally {
      await task.end();
      if (file !== undefined) {
        await rm(file, { force: true }).catch(() => undefined);
        this.#exportFiles.push(file);
      }
    }
  }

  /** Ends the process, and whatever query is under way. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    const started = await this.#process?.catch(() => undefined);
    await started?.kill(new EtlError('ETL_ABORTED', 'The query was stopped: its session was closed.'));
    await this.#removeSpilled();
  }

  async #begin({ seconds = this.#limits.seconds, signal }: QueryOptions): Promise<Task> {
    const leave = await this.#turns.enter(signal);
    try {
      let process = await this.#ready();
      while (process.hasEnded) process = await this.#ready(); // between the two
      return new Task({ process, query: ++this.#queries, seconds, signal, leave });
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** A process that is there; another one when the last one has ended. */
  async #ready(): Promise<QueryProcess> {
    if (this.#closed) throw new EtlError('ETL_ABORTED', 'The query was stopped: its session was closed.');
    const last = await this.#process?.catch(() => undefined);
    if (last && !last.hasEnded) return last;
    // Of those that wait here, the first one starts it.
    this.#process = this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    return this.#process;
  }

  async #start(): Promise<QueryProcess> {
    await this.#removeSpilled();
    const started = await QueryProcess.start(this.#source, this.#limits, this.#exportFiles);
    if (this.#closed) await started.kill();
    return started;
  }

  /** What a process left that was killed. */
  async #removeSpilled(): Promise<void> {
    const { temp } = this.#limits;
    const names = temp === undefined ? [] : await readdir(temp).catch(() => []);
    for (const name of names) if (name.startsWith(SPILLED)) await rm(join(temp!, name), { force: true }).catch(() => undefined);
    for (const file of this.#exportFiles) await rm(file, { force: true }).catch(() => undefined);
  }
}

/** How DuckDB begins the names of its temporary files. */
const SPILLED = 'duckdb_temp_';

/** Throws ETL_USAGE, ETL_SQL. */
function askedOf(sql: unknown, { parameters, seconds }: QueryOptions) {
  if (typeof sql !== 'string') throw new EtlError('ETL_USAGE', 'sql must be a text.');
  if (seconds !== undefined && !(typeof seconds === 'number' && seconds > 0)) throw new EtlError('ETL_USAGE', `seconds must be a number over 0, not ${String(seconds)}.`);
  return { sql, parameters: checkedParameters(parameters) };
}

async function* batchesOf(task: Task): AsyncGenerator<ResultBatch> {
  try {
    for (;;) {
      const { batch } = await task.ask({ kind: 'next', query: task.query }) as { batch: PackedBatch | undefined };
      if (!batch) return;
      yield unpack(batch);
    }
  } finally {
    await task.end();
  }
}
