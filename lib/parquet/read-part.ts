/**
 * Published files as an independent reader has them: hyparquet, which shares no code with what wrote them. For checks and
 * views; a run does not load it. Memory: the metadata, and of a row group the columns that are asked for, as JavaScript values.
 */
import { basename, dirname } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetScan, type SchemaElement } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { PARTITION_COLUMN, partitionFolder } from './hive-path.ts';

export interface Part {
  readonly rows: number;
  /** As its metadata has it, or who opens it; undefined by user. */
  readonly region: string | undefined;
  /** Decimal places of the totals. */
  readonly scale: number;
  /** In their order. */
  readonly columns: readonly PartColumn[];
  /** Its key-value pairs; of a value that begins with a byte order mark hyparquet drops it. */
  readonly pairs: ReadonlyMap<string, string>;
  readonly rowGroups: readonly PartRowGroup[];
}

export interface PartColumn {
  readonly name: string;
  /** As Parquet has it: `INT64`, `DECIMAL(18, 2)`, `STRING`. */
  readonly type: string;
  readonly isRequired: boolean;
}

export interface PartRowGroup {
  readonly rows: number;
  /** Of its pages, compressed. */
  readonly bytes: number;
  /** Of its columns: `ZSTD`, mostly all the same. */
  readonly codecs: ReadonlySet<string>;
  /** The column that it says its rows are in ascending order of. */
  readonly sortedBy: string | undefined;
  /** A column's values as bytes, in the order of the file. Throws what hyparquet throws. */
  texts(column: string): Promise<readonly Uint8Array[]>;
  /** A column's values; decimals in units of the last place. Throws what hyparquet throws. */
  integers(column: string): Promise<BigInt64Array>;
}

/** Reads a file's metadata. `said`: its region, where the file says nothing of it. Throws what hyparquet and the file system throw. */
export async function openPart(path: string, said?: string): Promise<Part> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const elements = metadata.schema.slice(1);
  const columns = elements.map(columnOf);
  const totals = elements.find(({ name }) => name === 'total_watch_time');
  if (!totals) throw new Error('it has no column total_watch_time');
  const scale = totals.converted_type === 'DECIMAL' ? (totals.scale ?? 0) : 0;
  // Without the annotation it gives the stored integer instead of a rounded number.
  delete totals.converted_type;
  delete totals.logical_type;
  // Texts as bytes, views of their page: its decoder drops a byte order mark.
  const parsers = { stringFromBytes: (bytes: Uint8Array) => bytes };
  const scan = await parquetScan({ file, metadata, compressors, parsers, useOffsetIndex: false });
  let rowStart = 0;
  const rowGroups = metadata.row_groups.map((group): PartRowGroup => {
    const rows = Number(group.num_rows);
    const range = { rowStart, rowEnd: (rowStart += rows) };
    const read = async (column: string): Promise<ArrayLike<unknown>> => {
      const values = await scan.readColumn({ column, ...range });
      if (values.length !== rows) throw new Error(`its column ${column} has ${values.length} values in a row group of ${rows}`);
      return values;
    };
    const chunks = group.columns.map(({ meta_data: chunk }) => chunk);
    const [first] = group.sorting_columns ?? [];
    return {
      rows,
      bytes: chunks.reduce((sum, chunk) => sum + Number(chunk?.total_compressed_size ?? 0), 0),
      codecs: new Set(chunks.map((chunk) => String(chunk?.codec))),
      sortedBy: first && !first.descending ? columns[first.column_idx]?.name : undefined,
      texts: async (column) => await read(column) as readonly Uint8Array[],
      integers: async (column) => {
        const values = await read(column);
        return values instanceof BigInt64Array ? values : BigInt64Array.from(values as ArrayLike<bigint>);
      },
    };
  });
  const pairs = new Map((metadata.key_value_metadata ?? []).map(({ key, value }) => [key, value ?? '']));
  const isByUser = columns.some(({ name }) => name === PARTITION_COLUMN);
  const region = isByUser ? undefined : pairs.get(PARTITION_COLUMN);
  return { rows: Number(metadata.num_rows), region: region === undefined ? (isByUser ? undefined : said) : withMark(region, path), scale, columns, pairs, rowGroups };
}

function columnOf({ name, type, repetition_type: repetition, converted_type: converted, logical_type: logical, scale, precision }: SchemaElement): PartColumn {
  const decimal = `DECIMAL(${precision}, ${scale})`;
  const meant = logical?.type === 'DECIMAL' ? `DECIMAL(${logical.precision}, ${logical.scale})` : logical?.type;
  const said = converted === 'DECIMAL' ? decimal : converted === 'UTF8' ? 'STRING' : converted;
  const names = new Set([meant, said].filter((text) => text !== undefined)); // one, unless the file contradicts itself
  return { name, type: names.size === 0 ? String(type) : [...names].join(' and '), isRequired: repetition === 'REQUIRED' };
}

/** hyparquet drops a byte order mark that begins a text of the metadata: the folder tells whether there was one. */
function withMark(region: string, path: string): string {
  const marked = `\ufeff${region}`;
  return basename(dirname(path)) === partitionFolder(marked) ? marked : region;
}
