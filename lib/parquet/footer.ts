/**
 * Joins row groups that were encoded as files of their own into one file, and writes its end. The pages are copied as
 * they are; every absolute offset in the metadata is moved by the distance that its pages moved.
 *
 *   a row group's own file:  PAR1 | pages | column indexes | offset indexes | metadata | length | PAR1
 *                            (column indexes that the writer did not make follow on it: see statistics.ts)
 *   the file:                PAR1 | pages of group 0 | pages of group 1 | ... | all column indexes | all offset indexes
 *                            | metadata | length | PAR1
 *
 * The metadata is ours: created_by, key-value pairs in order of their keys, sorting columns, and DECIMAL instead of
 * plain INT64 where the sums are scaled (the same stored integers, another meaning).
 */
import { EtlError } from '../core/errors.ts';
import { CHUNK, COLUMN, FILE, GROUP, metadataOf, OFFSET_INDEX, PAGE, SCHEMA, STATISTICS } from './format.ts';
import { splitStatistics, type ChunkStatistics } from './statistics.ts';
import { binary, FALSE, field, I16, I32, I64, integer, listed, readStruct, STRUCT, struct, structs, structure, text, writeStruct } from './thrift.ts';
import type { Struct } from './thrift.ts';

export const MAGIC = new TextEncoder().encode('PAR1');
/** DECIMAL(18) is the widest that is stored as INT64. */
export const DECIMAL_PRECISION = 18;
const DECIMAL_LIMIT = 10n ** BigInt(DECIMAL_PRECISION);

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

/** A row group as a whole Parquet file, followed by its statistics. */
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
    const { file, chunks: statistics } = splitStatistics(group.file);
    // A copy, since the first is kept: `slice` of a Buffer would be a view of bytes that others will have.
    const metadata = readStruct(new Uint8Array(metadataOf(file)));
    const [rowGroup, ...more] = listed(metadata, FILE.rowGroups);
    if (!rowGroup || more.length > 0 || integer(rowGroup, GROUP.rows) !== group.rows) {
      throw new EtlError('ETL_INTERNAL', `A batch of ${group.rows} rows did not become exactly one row group.`);
    }

    const chunks = listed(rowGroup, GROUP.columns);
    const end = Math.min(...chunks.map((chunk) => integer(chunk, chunk[CHUNK.columnIndexAt] ? CHUNK.columnIndexAt : CHUNK.offsetIndexAt)));
    const distance = at - MAGIC.length;
    const columnIndexes: Uint8Array[] = [];
    const offsetIndexes: Uint8Array[] = [];
    chunks.forEach((chunk, c) => {
      const column = structure(chunk, CHUNK.metadata);
      const offsetIndex = part(file, chunk, CHUNK.offsetIndexAt, CHUNK.offsetIndexLength);
      const added = statistics[c];
      if (added) addStatistics(chunk, added, offsetIndex);
      columnIndexes.push(added?.columnIndex ?? part(file, chunk, CHUNK.columnIndexAt, CHUNK.columnIndexLength));
      offsetIndexes.push(distance === 0 ? offsetIndex : movedPages(offsetIndex, distance));
      chunk[CHUNK.offsetIndexLength] = field(I32, offsetIndexes[c]!.length);
      for (const id of [COLUMN.dataPageAt, COLUMN.indexPageAt, COLUMN.dictionaryPageAt]) move(column, id, distance);
    });
    if (this.#options.scale > 0) assertDecimal(rowGroup);
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

function part(file: Uint8Array, chunk: Struct, at: number, length: number): Uint8Array {
  return file.subarray(integer(chunk, at), integer(chunk, at) + integer(chunk, length));
}

/** Both kinds of index begin with a list that has an entry for each page, so with a byte for it, then one or two for its length. */
function addStatistics(chunk: Struct, { statistics, sizes, columnIndex }: ChunkStatistics, offsetIndex: Uint8Array): void {
  const pages = columnIndex[1]! >> 4;
  if (offsetIndex[1]! >> 4 !== pages || (pages === 15 && offsetIndex[2] !== columnIndex[2])) {
    throw new EtlError('ETL_INTERNAL', 'A column has other pages than its statistics.');
  }
  const column = structure(chunk, CHUNK.metadata);
  column[COLUMN.statistics] = field(STRUCT, new Uint8Array(statistics));
  if (sizes.length > 0) column[COLUMN.sizes] = field(STRUCT, new Uint8Array(sizes));
  chunk[CHUNK.columnIndexLength] = field(I32, columnIndex.length);
}

function movedPages(offsetIndex: Uint8Array, distance: number): Uint8Array {
  const moved = readStruct(offsetIndex);
  for (const location of listed(moved, OFFSET_INDEX.pages)) move(location, PAGE.at, distance);
  return writeStruct(moved);
}

function packed(metadata: Struct | Uint8Array): Uint8Array {
  return metadata instanceof Uint8Array ? metadata : writeStruct(metadata);
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
  const { value } = column[COLUMN.statistics]!;
  const statistics = value instanceof Uint8Array ? readStruct(value) : (value as Struct);
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
