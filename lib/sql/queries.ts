/** The queries that are under way in the process of DuckDB, by their numbers. */
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { openEngine } from './engine.ts';
import { Missing } from './failure.ts';
import type { PackedBatch } from './messages.ts';
import { prepare, RunningQuery } from './result.ts';
import type { Limits, Parameters, QuerySource, ResultColumn } from './source.ts';
import { checkStatement, QueryRefused } from './statement.ts';
import { literal } from './views.ts';

interface Query {
  /** undefined at first. */
  connection?: DuckDBConnection;
  /** What is under way, or has been made ahead. */
  work: Promise<unknown>;
  running?: RunningQuery;
  ahead?: Promise<PackedBatch | undefined>;
  isCancelled: boolean;
}

export class Queries {
  #instance: DuckDBInstance | undefined;
  #check: () => void = () => undefined;
  readonly #queries = new Map<number, Query>();
  #areOwn = false;
  /** Paths that are in no message. */
  hidden: readonly string[] = [];

  /** `check`: looks at the memory. Throws Missing. */
  async open(source: QuerySource, limits: Limits, exportFiles: readonly string[], check: () => void): Promise<void> {
    const duckdb = await import('@duckdb/node-api').catch((error: unknown) => {
      throw new Missing(error);
    });
    this.#check = check;
    this.#areOwn = limits.areOwn === true;
    this.hidden = [...exportFiles, limits.temp].filter((path) => path !== undefined);
    this.#instance = await openEngine(duckdb, source, limits, exportFiles);
  }

  async start(number: number, sql: string, parameters: Parameters): Promise<readonly ResultColumn[]> {
    return this.#within(number, async (connection, query) => {
      const statement = this.#areOwn ? { sql, isExplain: false } : await checkStatement(connection, sql);
      const running = query.running = await RunningQuery.start(connection, statement, parameters, this.#check);
      return running.columns;
    });
  }

  /** The next rows; those after them are made while they are on their way. undefined: there are no more, and the query is over. */
  async next(number: number): Promise<PackedBatch | undefined> {
    const query = this.#queries.get(number);
    if (!query?.running) return undefined;
    const { running } = query;
    try {
      const asked = query.ahead ?? running.next();
      query.work = asked.catch(() => undefined);
      const batch = await asked;
      if (!batch || query.isCancelled) this.#end(number);
      else {
        query.ahead = running.next();
        query.work = query.ahead.catch(() => undefined);
      }
      return batch;
    } catch (error) {
      this.#end(number);
      throw error;
    }
  }

  /** Gives how many rows there are. */
  async export(number: number, sql: string, parameters: Parameters, file: string): Promise<number> {
    const rows = await this.#within(number, async (connection) => {
      const statement = await checkStatement(connection, sql);
      if (statement.isExplain) throw new QueryRefused('What EXPLAIN gives cannot be exported.');
      const prepared = await prepare(connection, `COPY (\n${statement.sql}\n) TO ${literal(file)} (FORMAT parquet, COMPRESSION zstd)`, parameters);
      const result = await prepared.run();
      return result.rowsChanged;
    });
    this.#end(number);
    return rows;
  }

  /** When this is done, the query is over. */
  async cancel(number: number): Promise<void> {
    const query = this.#queries.get(number);
    if (!query) return;
    query.isCancelled = true;
    // Again and again: what is asked of DuckDB next begins without it.
    const interrupt = (): void => query.connection?.interrupt();
    const timer = setInterval(interrupt, 20);
    interrupt();
    await query.work;
    clearInterval(timer);
    this.#end(number);
  }

  async #within<T>(number: number, work: (connection: DuckDBConnection, query: Query) => Promise<T>): Promise<T> {
    const query: Query = { work: Promise.resolve(), isCancelled: false };
    // Before anything is awaited: it may be cancelled at once.
    this.#queries.set(number, query);
    const done = (async () => {
      query.connection = await this.#instance!.connect();
      if (query.isCancelled) throw new QueryRefused('The query was cancelled.');
      return work(query.connection, query);
    })();
    query.work = done.catch(() => undefined);
    try {
      return await done;
    } catch (error) {
      this.#end(number);
      throw error;
    }
  }

  #end(number: number): void {
    this.#queries.get(number)?.connection?.closeSync();
    this.#queries.delete(number);
  }
}
