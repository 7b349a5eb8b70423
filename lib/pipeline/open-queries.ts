/**
 * SQL over a dataset, for a command or a program: a session of DuckDB over the snapshot that is published now, with a folder of its own for what spills and for exports, which
 * is removed when it is closed, or when the process exits.
 */
import { realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, resolve, sep } from 'node:path';
import { EtlError } from '../core/errors.ts';
import { availableMemory, defaultMemory } from '../core/memory-limit.ts';
import type { OwnFolder } from '../core/own-folder.ts';
import { availableProcessors } from '../core/processors.ts';
import { createTempFolder, removeTempFolder } from '../dataset/temp-folder.ts';
import { QuerySession, type QueryOptions, type QueryResult } from '../sql/session.ts';
import { querySource } from './dataset-queries.ts';
import { datasetAt, type DatasetPlace } from './dataset-place.ts';
import { readPublished } from './published.ts';

export interface OpenQueriesOptions {
  /** The dataset: a folder that a run published. */
  readonly output: string;
  /** Most bytes that DuckDB's process may have resident. Default: as for runs, half of what there is, 128 MB to 2 GB. */
  readonly memory?: number | undefined;
  /** Threads. Default: one a processor. */
  readonly jobs?: number | undefined;
  /** Folder for what does not fit into memory, and for exports on their way. Default: the system's. */
  readonly temp?: string | undefined;
}

export class DatasetQueries {
  readonly dataset: DatasetPlace;
  readonly #session: QuerySession;
  readonly #temp: OwnFolder;

  private constructor(dataset: DatasetPlace, session: QuerySession, temp: OwnFolder) {
    this.dataset = dataset;
    this.#session = session;
    this.#temp = temp;
  }

  /** Rejects with ETL_USAGE, ETL_INPUT_NOT_FOUND, ETL_INPUT_READ, ETL_TEMP_WRITE, ETL_SQL_MISSING, ETL_SQL, ETL_SQL_LIMIT. */
  static async open({ output, memory = defaultMemory(availableMemory()), jobs = availableProcessors(), temp = tmpdir() }: OpenQueriesOptions): Promise<DatasetQueries> {
    if (!(Number.isSafeInteger(memory) && memory > 0)) throw new EtlError('ETL_USAGE', `--memory must be a whole number of bytes, at least 1, not ${String(memory)}.`);
    if (!(Number.isInteger(jobs) && jobs >= 1)) throw new EtlError('ETL_USAGE', `--jobs must be a whole number, at least 1, not ${String(jobs)}.`);
    if (typeof temp !== 'string' || temp === '') throw new EtlError('ETL_USAGE', '--temp must be the path of a folder.');
    const dataset = await datasetAt(output);
    const source = await querySource(await readPublished(dataset));
    const folder = createTempFolder(resolve(temp));
    try {
      return new DatasetQueries(dataset, await QuerySession.start(source, { memory, threads: jobs, temp: folder.path }), folder);
    } catch (error) {
      await folder.remove().catch(() => undefined);
      throw error;
    }
  }

  /** The result of one statement that only reads, as it comes. Rejects with ETL_USAGE, ETL_SQL (wrong, refused, or failed), ETL_SQL_LIMIT, ETL_ABORTED. */
  query(sql: string, options: QueryOptions = {}): Promise<QueryResult> {
    return this.#session.query(sql, options);
  }

  /** Writes the result of `sql` as Parquet to the new file `path`, which is on the file system of `temp`, and not in the dataset. Rejects as `query` does, and with ETL_OUTPUT_WRITE. */
  async exportParquet(sql: string, path: string, options: QueryOptions = {}): Promise<{ readonly rows: number }> {
    if (typeof path !== 'string' || path === '') throw new EtlError('ETL_USAGE', 'path must be that of a new file.');
    const parent = await realpath(dirname(resolve(path))).catch(() => dirname(resolve(path)));
    if (`${parent}${sep}`.startsWith(`${this.dataset.folder}${sep}`)) throw new EtlError('ETL_USAGE', `${path} is inside the dataset, which a query never changes.`);
    return this.#session.exportParquet(sql, path, options);
  }

  /** The folder for temporary files, of this user only. */
  get temp(): string {
    return this.#temp.path;
  }

  /** Whether another snapshot was published since; false as well while there is none. */
  async isReplaced(): Promise<boolean> {
    const now = await datasetAt(this.dataset.output).catch(() => this.dataset);
    return now.made !== this.dataset.made || now.folder !== this.dataset.folder;
  }

  /** Ends DuckDB's process, and what is under way. Idempotent. */
  async close(): Promise<void> {
    try {
      await this.#session.close();
    } finally {
      await removeTempFolder(this.#temp);
    }
  }
}
