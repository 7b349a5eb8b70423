/**
 * Independent readers. Each gives what it finds in a dataset as the same sorted lines (region, user in hex, scaled total,
 * count), so that they can be compared with what was written. No reader shares code with the writer.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, readColumnIndex, readOffsetIndex } from 'hyparquet';
import type { ColumnIndex, FileMetaData, OffsetIndex } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { PartFile } from '../../lib/parquet/stage.ts';
import type { Row } from './batches.ts';

export interface Dataset {
  readonly folder: string;
  readonly files: readonly PartFile[];
  readonly scale: number;
}

const line = (region: string, user: Uint8Array, total: bigint, count: bigint): string =>
  `${region}|${Buffer.from(user).toString('hex')}|${total}|${count}`;

export function linesOf(rows: readonly Row[]): string[] {
  return rows.map(({ region, user, total, count }) => line(region, user, total, count)).sort();
}

/** Equal, or the first few differences: whole datasets make no readable message. */
export function assertSameLines(actual: readonly string[], expected: readonly string[]): void {
  const short = (lines: string[]): string[] => lines.slice(0, 5).map((line) => line.slice(0, 200));
  const [found, wanted] = [new Set(actual), new Set(expected)];
  assert.deepEqual(
    { lines: actual.length, unexpected: short(actual.filter((line) => !wanted.has(line))), missing: short(expected.filter((line) => !found.has(line))) },
    { lines: expected.length, unexpected: [], missing: [] },
  );
}

/** Runs SQL on a DuckDB of its own; `$files` stands for a list of the dataset's files. Rows as arrays. */
export async function duckdb({ folder, files }: Dataset, sql: string): Promise<readonly (readonly unknown[])[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    const list = `[${files.map(({ path }) => `'${join(folder, path).replaceAll("'", "''")}'`).join(', ')}]`;
    return await (await connection.runAndReadAll(sql.replaceAll('$files', list))).getRows();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** By region when the paths have regions; NULL is the empty region. */
export async function duckdbLines(dataset: Dataset): Promise<string[]> {
  const hive = dataset.files[0]?.region === undefined ? 'false' : "true, hive_types = {'geo_region': VARCHAR}";
  const rows = await duckdb(dataset, `SELECT hex(coalesce(geo_region, '')), hex(user_id), total_watch_time::VARCHAR, log_count
    FROM read_parquet($files, hive_partitioning = ${hive})`);
  return rows.map((row) => {
    const [region, hex, total, count] = row as [string, string, string, bigint];
    // In hex, too: the driver drops a byte order mark.
    return line(Buffer.from(region, 'hex').toString(), Buffer.from(hex, 'hex'), BigInt(total.replace('.', '')), count);
  }).sort();
}

export interface FileContents {
  readonly metadata: FileMetaData;
  readonly columnIndexes: ColumnIndex[][];
  readonly offsetIndexes: OffsetIndex[][];
}

/** All that hyparquet finds besides the pages, per row group and column. */
export async function hyparquetContents(path: string): Promise<FileContents> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const reader = async (at: bigint | undefined, length: number | undefined): Promise<{ view: DataView<ArrayBuffer>; offset: number }> => {
    assert.ok(at && length, 'an index is missing');
    return { view: new DataView(await file.slice(Number(at), Number(at) + length)), offset: 0 };
  };
  const perColumn = <T>(read: (chunk: FileMetaData['row_groups'][0]['columns'][0], column: number) => Promise<T>): Promise<T[][]> =>
    Promise.all(metadata.row_groups.map(({ columns }) => Promise.all(columns.map(read))));
  return {
    metadata,
    columnIndexes: await perColumn(async (chunk, column) =>
      readColumnIndex(await reader(chunk.column_index_offset, chunk.column_index_length), metadata.schema[column + 1]!)),
    offsetIndexes: await perColumn(async (chunk) => readOffsetIndex(await reader(chunk.offset_index_offset, chunk.offset_index_length))),
  };
}

export async function hyparquetLines({ folder, files, scale }: Dataset): Promise<string[]> {
  const lines: string[] = [];
  for (const { path, region } of files) {
    const file = await asyncBufferFromFile(join(folder, path));
    const metadata = await parquetMetadataAsync(file);
    const total = metadata.schema[2]!;
    assert.equal(total.converted_type, scale > 0 ? 'DECIMAL' : undefined);
    assert.equal(total.scale, scale > 0 ? scale : undefined);
    // Without the annotation hyparquet gives the stored integer instead of a rounded number.
    delete total.converted_type;
    delete total.logical_type;
    // Ids as bytes: its text decoder drops a byte order mark.
    const parsers = { stringFromBytes: (bytes: Uint8Array) => bytes.slice() };
    const rows = await parquetReadObjects({ file, metadata, compressors, parsers });
    for (const row of rows as Record<'user_id' | 'geo_region', Uint8Array>[] & Record<string, bigint>[]) {
      const name = region ?? Buffer.from(row.geo_region as Uint8Array).toString();
      lines.push(line(name, row.user_id as Uint8Array, row.total_watch_time as bigint, row.log_count as bigint));
    }
  }
  return lines.sort();
}

interface ParquetjsReader {
  getCursor(): { next(): Promise<Record<string, unknown> | null> };
  close(): Promise<void>;
}
const parquetjs = createRequire(import.meta.url)('parquetjs-lite') as {
  ParquetReader: { openFile(path: string): Promise<ParquetjsReader> };
};

/** Knows neither zstd nor delta encodings nor DECIMAL. */
export async function parquetjsLines({ folder, files }: Dataset): Promise<string[]> {
  const lines: string[] = [];
  for (const { path, region } of files) {
    const reader = await parquetjs.ParquetReader.openFile(join(folder, path));
    const cursor = reader.getCursor();
    for (let row = await cursor.next(); row; row = await cursor.next()) {
      const name = region ?? String(row.geo_region);
      lines.push(line(name, Buffer.from(row.user_id as string), BigInt(row.total_watch_time as bigint), BigInt(row.log_count as bigint)));
    }
    await reader.close();
  }
  return lines.sort();
}
