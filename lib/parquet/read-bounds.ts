/**
 * What a file says that its columns hold, for readers that leave out what they need not read: the least and the greatest value
 * of each column of a row group, and of each page (its column index). As bytes, as they stand in the file.
 */
import { open } from 'node:fs/promises';
import { CHUNK, COLUMN, COLUMN_INDEX, FILE, GROUP, OFFSET_INDEX, PAGE, STATISTICS } from './format.ts';
import { binary, integer, listed, readStruct, structure, TRUE, type List, type Struct } from './thrift.ts';

export interface SaidBounds {
  readonly min: Uint8Array;
  readonly max: Uint8Array;
}

export interface PageBounds extends SaidBounds {
  /** The page's first row in the row group. */
  readonly first: number;
}

/** Those of the row group are not there where its writer found them too long. */
export interface ColumnBounds extends Partial<SaidBounds> {
  /** Whether they are said to be values that are there. */
  readonly minIsExact: boolean;
  readonly maxIsExact: boolean;
  /** What older readers look at: the same, where it is there. */
  readonly old: Partial<SaidBounds>;
  /** Rows, and pages, that are said to have no value. */
  readonly nulls: number;
  /** Of a column index, `ORDER` in format.ts. */
  readonly order: number;
  readonly pages: readonly PageBounds[];
}

const TAIL = 8;

/** Row group by row group, column by column. Throws an Error, or what the file system throws, when there are none. */
export async function readBounds(path: string): Promise<ColumnBounds[][]> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const read = async (at: number, end: number): Promise<Buffer> => {
      if (!(at >= 0 && at <= end && end <= size)) throw new Error('its metadata names places outside of it');
      const { buffer, bytesRead } = await file.read(Buffer.alloc(end - at), 0, end - at, at);
      return buffer.subarray(0, bytesRead);
    };
    const tail = await read(size - TAIL, size);
    const metadata = readStruct(await read(size - TAIL - tail.readUInt32LE(), size - TAIL));
    const groups = listed(metadata, FILE.rowGroups).map((group) => listed(group, GROUP.columns));
    const indexes = Math.min(size, ...groups.flat().flatMap((chunk) => [integer(chunk, CHUNK.columnIndexAt), integer(chunk, CHUNK.offsetIndexAt)]));
    const bytes = await read(indexes, size);
    const part = (chunk: Struct, at: number, length: number): Struct => {
      const from = integer(chunk, at) - indexes;
      return readStruct(bytes.subarray(from, from + integer(chunk, length)));
    };
    return groups.map((chunks) => chunks.map((chunk) => boundsOf(
      structure(structure(chunk, CHUNK.metadata), COLUMN.statistics),
      part(chunk, CHUNK.columnIndexAt, CHUNK.columnIndexLength),
      part(chunk, CHUNK.offsetIndexAt, CHUNK.offsetIndexLength),
    )));
  } finally {
    await file.close();
  }
}

function boundsOf(statistics: Struct, columnIndex: Struct, offsetIndex: Struct): ColumnBounds {
  const items = (id: number): unknown[] => (columnIndex[id]?.value as List | undefined)?.items ?? [];
  const places = listed(offsetIndex, OFFSET_INDEX.pages);
  const [mins, maxs] = [items(COLUMN_INDEX.mins), items(COLUMN_INDEX.maxs)] as [Uint8Array[], Uint8Array[]];
  if (mins.length !== places.length || maxs.length !== places.length) throw new Error('its indexes have different numbers of pages');
  const nulls = [statistics[STATISTICS.nulls]?.value, ...items(COLUMN_INDEX.nulls)] as (number | undefined)[];
  return {
    ...(statistics[STATISTICS.min] && { min: binary(statistics, STATISTICS.min) }),
    ...(statistics[STATISTICS.max] && { max: binary(statistics, STATISTICS.max) }),
    minIsExact: statistics[STATISTICS.minIsExact]?.type === TRUE,
    maxIsExact: statistics[STATISTICS.maxIsExact]?.type === TRUE,
    old: {
      ...(statistics[STATISTICS.oldMin] && { min: binary(statistics, STATISTICS.oldMin) }),
      ...(statistics[STATISTICS.oldMax] && { max: binary(statistics, STATISTICS.oldMax) }),
    },
    nulls: nulls.reduce<number>((sum, count) => sum + (count ?? 0), 0) + items(COLUMN_INDEX.nullPages).filter((isNull) => isNull === TRUE).length,
    order: integer(columnIndex, COLUMN_INDEX.order),
    pages: places.map((place, page) => ({ first: integer(place, PAGE.firstRow), min: mins[page]!, max: maxs[page]! })),
  };
}
