/**
 * Published files as an independent reader has them: hyparquet, which shares no code with what wrote them. For checks; a run
 * does not load it. Memory: one row group, as JavaScript values.
 */
import { basename, dirname } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetScan } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { PARTITION_COLUMN, partitionFolder } from './hive-path.ts';

export interface Part {
  readonly rows: number;
  /** As its metadata has it; undefined by user. */
  readonly region: string | undefined;
  /** Decimal places of the totals. */
  readonly scale: number;
  /** In the order of the file. Throws what hyparquet throws. */
  groups(): AsyncGenerator<PartRows>;
}

/** A row group's columns, equally long. */
export interface PartRows {
  readonly users: readonly Uint8Array[];
  /** In units of the last decimal place. */
  readonly totals: ArrayLike<bigint>;
  readonly logs: ArrayLike<bigint>;
  /** By user: the region that has most of the watch time. */
  readonly regions: readonly Uint8Array[] | undefined;
}

/** Reads a file's metadata. Throws what hyparquet and the file system throw. */
export async function openPart(path: string): Promise<Part> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const columns = metadata.schema.slice(1);
  const totals = columns.find(({ name }) => name === 'total_watch_time');
  if (!totals) throw new Error('it has no column total_watch_time');
  const scale = totals.converted_type === 'DECIMAL' ? (totals.scale ?? 0) : 0;
  // Without the annotation it gives the stored integer instead of a rounded number.
  delete totals.converted_type;
  delete totals.logical_type;
  const byUser = columns.some(({ name }) => name === PARTITION_COLUMN);
  const groups = async function* (): AsyncGenerator<PartRows> {
    // Texts as bytes: its decoder drops a byte order mark.
    const parsers = { stringFromBytes: (bytes: Uint8Array) => bytes.slice() };
    const scan = await parquetScan({ file, metadata, compressors, parsers, useOffsetIndex: false });
    let rowStart = 0;
    for (const { num_rows } of metadata.row_groups) {
      const rowEnd = rowStart + Number(num_rows);
      const read = async <T>(column: string): Promise<T> => {
        const values = await scan.readColumn({ column, rowStart, rowEnd });
        if (values.length !== rowEnd - rowStart) throw new Error(`its column ${column} has ${values.length} values in a row group of ${rowEnd - rowStart}`);
        return values as T;
      };
      yield {
        users: await read('user_id'), totals: await read('total_watch_time'), logs: await read('log_count'),
        regions: byUser ? await read(PARTITION_COLUMN) : undefined,
      };
      rowStart = rowEnd;
    }
  };
  const region = metadata.key_value_metadata?.find(({ key }) => key === PARTITION_COLUMN)?.value;
  return { rows: Number(metadata.num_rows), region: byUser || region === undefined ? undefined : withMark(region, path), scale, groups };
}

/** hyparquet drops a byte order mark that begins a text of the metadata: the folder tells whether there was one. */
function withMark(region: string, path: string): string {
  const marked = `\ufeff${region}`;
  return basename(dirname(path)) === partitionFolder(marked) ? marked : region;
}
