/**
 * Joins row groups that were encoded as files of their own into one file, and writes its end. The pages are copied as
 * they are; every absolute offset in the metadata is moved by the distance that its pages moved.
 *
 *   a row group's own file:  PAR1 | pages | column indexes | offset indexes | metadata | length | PAR1
 *   the file:                PAR1 | pages of group 0 | pages of group 1 | ... | all column indexes | all offset indexes
 *                            | metadata | length | PAR1
 *
 * The metadata is ours: created_by, key-value pairs in order of their keys, sorting columns, and DECIMAL instead of
 * plain INT64 where the sums are scaled (the same stored integers, another meaning). Names and numbers of the fields:
 * https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
 */
import { EtlError } from '../core/errors.ts';
import { binary, FALSE, field, I16, I32, I64, integer, listed, readStruct, STRUCT, struct, structs, structure, text, writeStruct } from './thrift.ts';
import type { Struct } from './thrift.ts';

export const MAGIC = new TextEncoder().encode('PAR1');
/** DECIMAL(18) is the widest that is stored as INT64. */
export const DECIMAL_PRECISION = 18;
const DECIMAL_LIMIT = 10n ** BigInt(DECIMAL_PRECISION);

/** Field numbers of parquet.thrift. */
const FILE = { schema: 2, rows: 3, rowGroups: 4, keyValues: 5, createdBy: 6 } as const;
const GROUP = { columns: 1, rows: 3, sorting: 4, fileOffset: 5, ordinal: 7 } as const;
const CHUNK = { metadata: 3, offsetIndexAt: 4, offsetIndexLength: 5, columnIndexAt: 6, columnIndexLength: 7 } as const;
const COLUMN = { dataPageAt: 9, indexPageAt: 10, dictionaryPageAt: 11, statistics: 12 } as const;
const STATISTICS = { max: 5, min: 6 } as const;
const SCHEMA = { name: 4, converted: 6, scale: 7, precision: 8, logical: 10 } as const;
const PAGE = { locations: 1, at: 1 } as const;
const CONVERTED_DECIMAL = 5;
const LOGICAL_DECIMAL = 5;
const USER_COLUMN = 0;
const TOTAL_COLUMN = 1;

export interface FooterOptions {
  readonly createdBy: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Decimal places of total_watch_time; 0 leaves it an integer. */
  readonly scale: number;
}

/** A row group as a whole Parquet file. */
export interface RowGroupFile {
  readonly file: Uint8Array;
  readonly rows: number;
  /** False when the order of the ids is not sure. */
  readonly sorted: boolean;
}

/** A row group of the file. A structure takes ten times its bytes, so only the last one is kept as such. */
interface AddedRowGroup {
  /** Not yet saying where its indexes stand. */
  metadata: Struct | Uint8Array;
  /** Of all columns, in order, back to back. */
  readonly columnIndexes: Uint8Array;
  readonly offsetIndexes: Uint8Array;
}

/** Memory: about 1.5 KB a row group until the file ends, and as much again while it is written out. */
export class Footer {
  readonly #options: FooterOptions;
  readonly #groups: AddedRowGroup[] = [];
  #rows = 0;
  #file: Struct | undefined;

  constructor(options: FooterOptions) {
    this.#options = options;
  }

  /**
   * Takes in a row group whose pages will stand at byte `at` of the file, and gives those pages, a view of the group: the
   * footer itself keeps nothing of it. Throws ETL_VALUE_OVERFLOW when a scaled sum has more than 18 digits.
   */
  add(group: RowGroupFile, at: number): Uint8Array {
    const { file } = group;
    const tail = new DataView(file.buffer, file.byteOffset + file.length - 8);
    // A copy, since the first is kept: `slice` of a Buffer would be a view of bytes that others will have.
    const metadata = readStruct(new Uint8Array(file.subarray(file.length - 8 - tail.getUint32(0, true))));
    const [rowGroup, ...more] = listed(metadata, FILE.rowGroups);
    if (!rowGroup || more.length > 0 || integer(rowGroup, GROUP.rows) !== group.rows) {
      throw new EtlError('ETL_INTERNAL', `A batch of ${group.rows} rows did not become exactly one row group.`);
    }
    if (this.#options.scale > 0) assertDecimal(rowGroup);

    const chunks = listed(rowGroup, GROUP.columns);
    const end = Math.min(...chunks.map((chunk) => integer(chunk, CHUNK.columnIndexAt)));
    const distance = at - MAGIC.length;
    const columnIndexes: Uint8Array[] = [];
    const offsetIndexes: Uint8Array[] = [];
    for (const chunk of chunks) {
      const columnIndexAt = integer(chunk, CHUNK.columnIndexAt);
      columnIndexes.push(file.subarray(columnIndexAt, columnIndexAt + integer(chunk, CHUNK.columnIndexLength)));
      const offsetIndex = readStruct(file.subarray(integer(chunk, CHUNK.offsetIndexAt)));
      for (const location of listed(offsetIndex, PAGE.locations)) move(location, PAGE.at, distance);
      const moved = writeStruct(offsetIndex);
      chunk[CHUNK.offsetIndexLength] = field(I32, moved.length);
      offsetIndexes.push(moved);
      const column = structure(chunk, CHUNK.metadata);
      for (const id of [COLUMN.dataPageAt, COLUMN.indexPageAt, COLUMN.dictionaryPageAt]) move(column, id, distance);
    }
    move(rowGroup, GROUP.fileOffset, distance);
    rowGroup[GROUP.ordinal] = field(I16, this.#groups.length);
    if (group.sorted) rowGroup[GROUP.sorting] = structs([ascending(USER_COLUMN)]);
    const last = this.#groups.at(-1);
    if (last) last.metadata = packed(last.metadata);
    this.#groups.push({ metadata: rowGroup, columnIndexes: concatenated(columnIndexes), offsetIndexes: concatenated(offsetIndexes) });
    this.#rows += group.rows;
    this.#file ??= metadata;
    return file.subarray(MAGIC.length, end);
  }

  /** Everything after the pages, which end at byte `at`. Call once, after at least one row group. */
  finish(at: number): Uint8Array[] {
    const columnIndexes = concatenated(this.#groups.map((group) => group.columnIndexes));
    const offsetIndexes = concatenated(this.#groups.map((group) => group.offsetIndexes));
    let columnIndexAt = at;
    let offsetIndexAt = at + columnIndexes.length;
    for (const group of this.#groups) {
      const metadata = group.metadata instanceof Uint8Array ? readStruct(group.metadata) : group.metadata;
      for (const chunk of listed(metadata, GROUP.columns)) {
        chunk[CHUNK.columnIndexAt] = field(I64, columnIndexAt);
        chunk[CHUNK.offsetIndexAt] = field(I64, offsetIndexAt);
        columnIndexAt += integer(chunk, CHUNK.columnIndexLength);
        offsetIndexAt += integer(chunk, CHUNK.offsetIndexLength);
      }
      group.metadata = packed(metadata);
    }
    const metadata = writeStruct(this.#metadata());
    const tail = new Uint8Array(8);
    new DataView(tail.buffer).setUint32(0, metadata.length, true);
    tail.set(MAGIC, 4);
    return [columnIndexes, offsetIndexes, metadata, tail];
  }

  #metadata(): Struct {
    const file = this.#file!;
    const { createdBy, metadata, scale } = this.#options;
    const pairs = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
    file[FILE.rows] = field(I64, this.#rows);
    file[FILE.rowGroups] = structs(this.#groups.map((group) => packed(group.metadata)));
    file[FILE.keyValues] = structs(pairs.map(([key, value]) => struct([1, text(key)], [2, text(value)])));
    file[FILE.createdBy] = text(createdBy);
    if (scale > 0) {
      const total = listed(file, FILE.schema)[1 + TOTAL_COLUMN]!; // the root comes first
      const decimal = struct([1, field(I32, scale)], [2, field(I32, DECIMAL_PRECISION)]);
      total[SCHEMA.converted] = field(I32, CONVERTED_DECIMAL);
      total[SCHEMA.scale] = field(I32, scale);
      total[SCHEMA.precision] = field(I32, DECIMAL_PRECISION);
      total[SCHEMA.logical] = field(STRUCT, struct([LOGICAL_DECIMAL, field(STRUCT, decimal)]));
    }
    return file;
  }
}

/** As bytes of their own, without room to spare. */
function packed(metadata: Struct | Uint8Array): Uint8Array {
  return metadata instanceof Uint8Array ? metadata : writeStruct(metadata).slice();
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A SortingColumn. */
function ascending(column: number): Struct {
  return struct([1, field(I32, column)], [2, field(FALSE, 0)], [3, field(FALSE, 0)]);
}

function move(struct: Struct, id: number, distance: number): void {
  const offset = struct[id];
  if (offset) offset.value = (offset.value as number) + distance;
}

/** The chunk's statistics are exact for integers, so they say whether every sum fits. */
function assertDecimal(rowGroup: Struct): void {
  const column = structure(listed(rowGroup, GROUP.columns)[TOTAL_COLUMN]!, CHUNK.metadata);
  const statistics = structure(column, COLUMN.statistics);
  for (const id of [STATISTICS.min, STATISTICS.max]) {
    const bytes = binary(statistics, id);
    const total = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true);
    if (total <= -DECIMAL_LIMIT || total >= DECIMAL_LIMIT) {
      throw new EtlError('ETL_VALUE_OVERFLOW', `A total of ${total} (scaled) has more than ${DECIMAL_PRECISION} digits.`, {
        hint: 'Use fewer decimal places for the value column.',
      });
    }
  }
}
