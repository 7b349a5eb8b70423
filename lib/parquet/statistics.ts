/**
 * What readers prune by: the least and the greatest value of every column and page. The writer would compare all values one
 * by one, a quarter of its time (60 ns a row); here ids are known to be sorted, and integers are compared by a loop that
 * knows their type (2 ns). So it writes none, and hands over with a row group's own file what footer.ts puts into the
 * metadata; which is, byte by byte, what the writer makes.
 *
 *   file | column after column: statistics, sizes, column index | u32 length of each | u32 how many they are, or 0
 */
import type { ResultColumns } from '../core/stage.ts';
import { IntegerBounds, SortedTextBounds, type BoundedColumn, type Extremes } from './bounds.ts';
import { CHUNK, COLUMN_INDEX, FILE, GROUP, metadataOf, OFFSET_INDEX, ORDER, PAGE, SIZES, STATISTICS } from './format.ts';
import { BINARY, FALSE, I32, I64, integer, LIST, listed, readStruct, TRUE, Writer } from './thrift.ts';
import { PAGE_SIZE } from './writer-settings.ts';

/** Of a column chunk, as bytes of structures. */
export interface ChunkStatistics {
  readonly statistics: Uint8Array;
  /** Empty for numbers. */
  readonly sizes: Uint8Array;
  readonly columnIndex: Uint8Array;
}

/** A row group of at most so many rows, and so many bytes of ids, has one page a column, whatever its values are. */
const ONE_PAGE_ROWS = 16384;
const ONE_PAGE_BYTES = PAGE_SIZE / 4;

const NONE = new Uint8Array(4);
const writer = new Writer();

/** To follow on a row group's own file in which the writer has put the statistics. */
export function noStatistics(): Uint8Array {
  return NONE;
}

/**
 * To follow on a row group's own file without statistics of the first three columns, which are those of the batch, its ids
 * sorted and well formed. Nothing in it is a view of the batch or the file.
 */
export function statisticsOf(file: Uint8Array, batch: ResultColumns): Uint8Array {
  const { rows, userOffsets, userBytes, totals, counts } = batch;
  const columns = [new SortedTextBounds(userOffsets, userBytes), new IntegerBounds(totals), new IntegerBounds(counts)];
  const starts = rows <= ONE_PAGE_ROWS && userOffsets[rows]! <= ONE_PAGE_BYTES ? undefined : pageStarts(file);
  const lengths: number[] = [];
  let length = 0;
  const ended = (): void => {
    lengths.push(writer.length - length);
    length = writer.length;
  };
  writer.clear();
  columns.forEach((column, c) => {
    const pages = starts ? starts[c]!.map((first, page) => column.extremes(first, starts[c]![page + 1] ?? rows)) : [column.extremes(0, rows)];
    writeStatistics(column, pages);
    ended();
    if (!column.isNumber) writeSizes(userOffsets[rows]!);
    ended();
    writeColumnIndex(column, pages);
    ended();
  });
  for (const number of [...lengths, lengths.length]) writer.u32(number);
  return writer.take();
}

/** A row group's own file and the statistics that follow on it, column by column: views. */
export function splitStatistics(bytes: Uint8Array): { file: Uint8Array; chunks: readonly ChunkStatistics[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint32(bytes.length - 4, true);
  const end = bytes.length - 4 * (count + 1);
  const lengths = Array.from({ length: count }, (_, i) => view.getUint32(end + 4 * i, true));
  let at = end - lengths.reduce((sum, length) => sum + length, 0);
  const file = bytes.subarray(0, at);
  const part = (i: number): Uint8Array => bytes.subarray(at, (at += lengths[i]!));
  const chunks: ChunkStatistics[] = [];
  for (let i = 0; i < count; i += 3) chunks.push({ statistics: part(i), sizes: part(i + 1), columnIndex: part(i + 2) });
  return { file, chunks };
}

/** The first rows of the pages of each column. */
function pageStarts(file: Uint8Array): number[][] {
  return listed(listed(readStruct(metadataOf(file)), FILE.rowGroups)[0]!, GROUP.columns).map((chunk) =>
    listed(readStruct(file.subarray(integer(chunk, CHUNK.offsetIndexAt))), OFFSET_INDEX.pages).map((page) => integer(page, PAGE.firstRow)));
}

function writeStatistics(column: BoundedColumn, pages: readonly Extremes[]): void {
  const min = column.lower(pages.map(({ min }) => min).reduce((a, b) => (column.isLess(b, a) ? b : a)));
  const max = column.upper(pages.map(({ max }) => max).reduce((a, b) => (column.isLess(a, b) ? b : a)));
  writer.begin();
  if (column.isNumber) {
    writeBinary(STATISTICS.oldMax, max.bytes);
    writeBinary(STATISTICS.oldMin, min.bytes);
  }
  writer.head(STATISTICS.nulls, I64);
  writer.integer(0);
  writeBinary(STATISTICS.max, max.bytes);
  writeBinary(STATISTICS.min, min.bytes);
  writer.head(STATISTICS.maxIsExact, max.exact ? TRUE : FALSE);
  writer.head(STATISTICS.minIsExact, min.exact ? TRUE : FALSE);
  writer.end();
}

function writeBinary(id: number, bytes: Uint8Array): void {
  writer.head(id, BINARY);
  writer.binary(bytes);
}

function writeSizes(stringBytes: number): void {
  writer.begin();
  writer.head(SIZES.stringBytes, I64);
  writer.integer(stringBytes);
  writer.end();
}

function writeColumnIndex(column: BoundedColumn, pages: readonly Extremes[]): void {
  const list = (id: number, type: number, write: (page: Extremes) => void): void => {
    writer.head(id, LIST);
    writer.list(type, pages.length);
    pages.forEach(write);
  };
  writer.begin();
  list(COLUMN_INDEX.nullPages, FALSE, () => writer.byte(FALSE));
  list(COLUMN_INDEX.mins, BINARY, ({ min }) => writer.binary(column.lower(min).bytes));
  list(COLUMN_INDEX.maxs, BINARY, ({ max }) => writer.binary(column.upper(max).bytes));
  writer.head(COLUMN_INDEX.order, I32);
  writer.integer(boundaryOrder(column, pages));
  list(COLUMN_INDEX.nulls, I64, () => writer.integer(0));
  writer.end();
}

/** Whether both ends of the pages rise, or fall; one page does both. */
function boundaryOrder(column: BoundedColumn, pages: readonly Extremes[]): number {
  const follows = (less: (a: number, b: number) => boolean): boolean =>
    pages.every(({ min, max }, page) => page === 0 || !(less(min, pages[page - 1]!.min) || less(max, pages[page - 1]!.max)));
  if (follows((a, b) => column.isLess(a, b))) return ORDER.ascending;
  return follows((a, b) => column.isLess(b, a)) ? ORDER.descending : ORDER.none;
}
