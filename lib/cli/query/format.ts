/** What a result is written as: rows stream through a format, a batch at a time, to wherever they go. */
import type { QueryResult, ResultBatch, ResultColumn } from '../../index.ts';

export const formats = ['table', 'csv', 'json', 'parquet'] as const;
export type Format = (typeof formats)[number];
/** Those of text; DuckDB writes Parquet by itself. */
export type TextFormat = Exclude<Format, 'parquet'>;

/** Text of a result, piece by piece: the first piece, one for each batch, the last one. Any of them may be empty. */
export interface ResultWriter {
  begin(): string;
  rows(batch: ResultBatch): string;
  end(): string;
}

/** Makes the writer for columns. */
export type MakeWriter = (columns: readonly ResultColumn[]) => ResultWriter;

/** Takes text; the promise is kept when there is room for more. */
export type Write = (text: string) => Promise<void>;

/** Writes all of a result, in the memory of a batch; gives the number of rows. A failure of `write` ends the query. */
export async function writeResult({ columns, batches }: Pick<QueryResult, 'columns' | 'batches'>, make: MakeWriter, write: Write): Promise<number> {
  const writer = make(columns);
  const tell = async (text: string): Promise<void> => {
    if (text !== '') await write(text);
  };
  let rows = 0;
  await tell(writer.begin());
  for await (const batch of batches()) {
    rows += batch.rows;
    await tell(writer.rows(batch));
  }
  await tell(writer.end());
  return rows;
}
