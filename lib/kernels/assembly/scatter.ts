// Routes the rows of batches to their partitions' page chains.
//
//   batch (columns)            store                 pages, PAGE_BYTES each, linked
//   id lo ─── top bits ──►  cursor ─ write ─►  [next|used][segment header][row][row]...[segment header][row]...
//                                                                                                       ▲ write
// Layouts: ../layout.ts "Partitions", ../partition-layout.ts. The rows of one block that meet in a partition form a
// segment; its header is kept in the cursor until the segment is closed, so a row touches its cursor and the end of its
// chain, nothing else. Rows that are stored already are moved on in the same way, by further bits of their ids.
import {
  BATCH_ID_HI, BATCH_ID_LO, BATCH_REGION, BATCH_STATUS, BATCH_USER_LEN, BATCH_USER_PTR, BATCH_VALUE,
  PAGE_BYTES, PAGE_HEADER, PAGE_NEXT, PAGE_USED, ROW_FIXED, ROW_ID_HI, ROW_ID_LO, SEGMENT_HEADER,
  USER_PREFIX_AT,
} from "../layout";
import {
  CURSOR_BYTES, CURSOR_HEADER, CURSOR_SEGMENT, CURSOR_WRITE, STORE_CURSORS, STORE_FIRST, STORE_FREE, STORE_MAX_PAGES,
  STORE_PAGES, STORE_PARTITIONS, STORE_ROWS, STORE_SHIFT, STORE_WORD,
} from "../partition-layout";
import { takePage } from "./pages";
import { fitsCompact, headOf, rowBytes, storeFields, wideBytesFor } from "./row";
import { beginsWithPrefix, isPrefix } from "./user-prefix";

const VECTOR: u32 = 16;

/** Bytes between an address in a page (or at its end) and the page's end; 0 for address 0, too. */
// @ts-ignore: decorator
@inline
function roomAfter(at: u32): u32 {
  return (0 - at) & (PAGE_BYTES - 1);
}

// @ts-ignore: decorator
@inline
function pageOf(write: u32): u32 {
  return (write - 1) & ~(PAGE_BYTES - 1);
}

// @ts-ignore: decorator
@inline
function cursorOf(storeAt: u32, partition: u32): u32 {
  return storeAt + STORE_CURSORS + partition * CURSOR_BYTES;
}

/** A page, its content undefined, or 0 when the store may have no more or the pool is empty. */
function takeStorePage(storeAt: u32): u32 {
  const pages = load<u32>(storeAt, STORE_PAGES);
  let page = load<u32>(storeAt, STORE_FREE);
  if (page) {
    store<u32>(storeAt, load<u32>(page), STORE_FREE);
  } else {
    if (pages >= load<u32>(storeAt, STORE_MAX_PAGES)) return 0;
    page = takePage();
    if (!page) return 0;
  }
  store<u32>(storeAt, pages + 1, STORE_PAGES);
  return page;
}

/** Writes the open segment's header. The partition must have a page. */
// @ts-ignore: decorator
@inline
function closeSegment(cursor: u32): void {
  store<u64>(load<u32>(cursor, CURSOR_SEGMENT), load<u64>(cursor, CURSOR_HEADER));
}

/** Adds to the number of rows. */
// @ts-ignore: decorator
@inline
function countRows(storeAt: u32, rows: i32): void {
  store<u32>(storeAt, load<u32>(storeAt, STORE_ROWS) + rows, STORE_ROWS);
}

/**
 * Starts a segment with room for a row of `size` bytes and gives the address of that row; 0, and nothing changed, when
 * that takes a page and there is none. Inlined: a call
 * in the loop of scatterBatch would cost it its registers, 4 ns a row.
 */
// @ts-ignore: decorator
@inline
function openSegment(storeAt: u32, partition: u32, tag: u64, size: u32): u32 {
  const cursor = cursorOf(storeAt, partition);
  const write = load<u32>(cursor, CURSOR_WRITE);
  let segment = write;
  if (roomAfter(write) < size + SEGMENT_HEADER) {
    // A row that no page can hold would be a broken batch: users are at most MAX_USER_BYTES long.
    if (size > <u32>(PAGE_BYTES - PAGE_HEADER - SEGMENT_HEADER)) unreachable();
    const page = takeStorePage(storeAt);
    if (!page) return 0;
    store<u32>(page, 0, PAGE_NEXT);
    if (write) {
      store<u32>(pageOf(write), page, PAGE_NEXT);
      store<u32>(pageOf(write), write - pageOf(write), PAGE_USED);
    } else {
      store<u32>(storeAt + (partition << 2), page, STORE_FIRST);
    }
    segment = page + PAGE_HEADER;
  }
  if (write) closeSegment(cursor);
  store<u32>(cursor, segment, CURSOR_SEGMENT);
  store<u64>(cursor, tag << 16, CURSOR_HEADER);
  return segment + SEGMENT_HEADER;
}

/** Copies bytes 16 at a time: reads and writes up to 15 bytes past their ends. */
// @ts-ignore: decorator
@inline
function copyWide(to: u32, from: u32, length: u32): void {
  for (let i: u32 = 0; i < length; i += VECTOR) v128.store(to + i, v128.load(from + i));
}

/**
 * Appends the good rows `from` ... `rows` - 1 of a hashed batch. By the top bits of idLo. Gives `rows` when
 * done, or the row to go on with when there is no page for it.
 */
export function scatterBatch(storeAt: u32, batch: u32, from: u32, rows: u32, block: u32, input: u32): u32 {
  const tag = <u64>block | (<u64>input << 24);
  const memoryEnd = <u32>memory.size() << 16;
  const shift = <u64>load<u32>(storeAt, STORE_SHIFT);
  const mask = load<u32>(storeAt, STORE_PARTITIONS) - 1;
  const prefix = load<u32>(USER_PREFIX_AT);
  for (let i = from; i < rows; i++) {
    const row4 = batch + (i << 2);
    if (load<u32>(row4, BATCH_STATUS)) {
      countRows(storeAt, -1); // counted below
      continue;
    }
    const row8 = batch + (i << 3);
    const lo = load<u64>(row8, BATCH_ID_LO);
    const value = load<i64>(row8, BATCH_VALUE);
    const region = load<u32>(row4, BATCH_REGION);
    const user = load<u32>(row4, BATCH_USER_PTR);
    const length = load<u32>(row4, BATCH_USER_LEN);
    // A user shorter than the prefix has too long a rest.
    const compact = fitsCompact(length - prefix, region, value)
      && (user + VECTOR <= memoryEnd ? isPrefix(user) : beginsWithPrefix(user, length));
    let fixed: u32 = ROW_FIXED, skip = prefix;
    if (!compact) {
      // A call, so that this stays a branch: without one, all that follows would wait for the user's bytes.
      fixed = wideBytesFor(value);
      skip = 0;
    }
    const stored = length - skip;
    const size = fixed + stored;

    const partition = <u32>(lo >> shift) & mask;
    const cursor = cursorOf(storeAt, partition);
    let at = load<u32>(cursor, CURSOR_WRITE);
    if (load<u64>(cursor, CURSOR_HEADER) >> 16 != tag || roomAfter(at) < size) {
      at = openSegment(storeAt, partition, tag, size);
      if (!at) {
        countRows(storeAt, i - from);
        return i;
      }
    }
    const end = at + size;
    store<u32>(cursor, end, CURSOR_WRITE);
    store<u64>(cursor, load<u64>(cursor, CURSOR_HEADER) + size, CURSOR_HEADER);

    store<u64>(at, lo, ROW_ID_LO);
    store<u64>(at, load<u64>(row8, BATCH_ID_HI), ROW_ID_HI);
    storeFields(at, compact, stored, region, value);
    if (roomAfter(end) >= VECTOR && user + length + VECTOR <= memoryEnd) copyWide(at + fixed, user + skip, stored);
    else memory.copy(at + fixed, user + skip, stored);
  }
  countRows(storeAt, rows - from);
  return rows;
}

/**
 * Appends stored rows, as they are: `list` holds the u32 addresses of `count` rows, of which `from` ... are left to do.
 * Gives `count` when done, or where to go on when there is no page for a row.
 */
export function scatterRows(storeAt: u32, list: u32, count: u32, from: u32): u32 {
  const memoryEnd = <u32>memory.size() << 16;
  const word = load<u32>(storeAt, STORE_WORD);
  const shift = <u64>load<u32>(storeAt, STORE_SHIFT);
  const mask = load<u32>(storeAt, STORE_PARTITIONS) - 1;
  for (let i = from; i < count; i++) {
    const row = load<u32>(list + (i << 2));
    const size = rowBytes(row, headOf(row));

    const partition = <u32>(load<u64>(row + word) >> shift) & mask;
    const cursor = cursorOf(storeAt, partition);
    let at = load<u32>(cursor, CURSOR_WRITE);
    if (roomAfter(at) < size) {
      at = openSegment(storeAt, partition, 0, size);
      if (!at) {
        countRows(storeAt, i - from);
        return i;
      }
    }
    const end = at + size;
    store<u32>(cursor, end, CURSOR_WRITE);
    store<u64>(cursor, load<u64>(cursor, CURSOR_HEADER) + size, CURSOR_HEADER);
    if (roomAfter(end) >= VECTOR && row + size + VECTOR <= memoryEnd) copyWide(at, row, size);
    else memory.copy(at, row, size);
  }
  countRows(storeAt, count - from);
  return count;
}

/** Closes every chain: open segments' headers, and PAGE_USED of last pages. Once, after the last row. */
export function sealStore(storeAt: u32): void {
  const partitions = load<u32>(storeAt, STORE_PARTITIONS);
  for (let partition: u32 = 0; partition < partitions; partition++) {
    const write = load<u32>(cursorOf(storeAt, partition), CURSOR_WRITE);
    if (!write) continue;
    closeSegment(cursorOf(storeAt, partition));
    store<u32>(pageOf(write), write - pageOf(write), PAGE_USED);
  }
}
