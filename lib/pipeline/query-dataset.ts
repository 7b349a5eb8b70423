/** One query of a dataset, for a program: rows as they come, and a process of DuckDB that ends with them. */
import type { Parameters, ResultBatch, ResultColumn } from '../sql/session.ts';
import { DatasetQueries } from './open-queries.ts';

export interface QueryDatasetOptions {
  /** Values of `$name` in the SQL: they are bound, so that nothing in them is SQL. */
  readonly parameters?: Parameters | undefined;
  /** Most bytes that DuckDB's process may have resident. Default: as for runs, half of what there is, 128 MB to 2 GB. */
  readonly memory?: number | undefined;
  /** Default: one a processor. */
  readonly threads?: number | undefined;
  /** Most seconds that it may be at work. Default: no limit. */
  readonly seconds?: number | undefined;
  /** Folder for what does not fit into memory. Default: the system's. */
  readonly temp?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows of a query, to be read once: `for await (const row of result)`, or by batches. A loop that is left ends the query. */
export interface DatasetResult extends AsyncIterable<readonly (string | null)[]> {
  readonly columns: readonly ResultColumn[];
  /** The rows by column, some thousands at a time. */
  batches(): AsyncGenerator<ResultBatch>;
  /** Ends a query whose rows nobody wants. Idempotent. */
  close(): Promise<void>;
}

/** Rejects as DatasetQueries does, while rows are read as well. */
export async function queryDataset(output: string, sql: string, { memory, threads, temp, ...options }: QueryDatasetOptions = {}): Promise<DatasetResult> {
  const queries = await DatasetQueries.open({ output, memory, jobs: threads, temp });
  try {
    const result = await queries.query(sql, options);
    const batches = async function* (): AsyncGenerator<ResultBatch> {
      try {
        yield* result.batches();
      } finally {
        await queries.close();
      }
    };
    return {
      columns: result.columns,
      batches,
      async *[Symbol.asyncIterator]() {
        for await (const { rows, columns } of batches()) {
          for (let row = 0; row < rows; row++) yield columns.map((values) => values[row]!);
        }
      },
      close: () => queries.close(),
    };
  } catch (error) {
    await queries.close();
    throw error;
  }
}
