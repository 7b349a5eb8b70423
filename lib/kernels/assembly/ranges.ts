// Rows by ranges of their groups' order. Layouts: ../ranges-layout.ts; rows: row.ts.
//
//   winners (addresses)      splitters             pages of a range, linked
//   row ── key ──► 8 halvings ──► range ─ write ─► [next|used][row without id][row without id] ...
//
// All keys of a block of rows are looked up before the first is copied: the lookups are independent of each other, and so
// are the copies, so that each kind fills the processor's window.
import { PAGE_BYTES, PAGE_HEADER, PAGE_NEXT, PAGE_USED, ROW_HEAD, SEGMENT_HEADER } from "../layout";
import {
  BLOCK_ROWS, KEY_REGION_SHIFT, KEY_USER_SHIFT, MAX_PREFIX, PAGE_SLACK, RANGES_AT, RANGES_BLOCK, RANGE_BYTES, RANGE_FIRST, RANGE_PAGES,
  RANGE_ROWS, RANGE_WRITE, SPLIT_BY_USER, SPLIT_KEYS, SPLIT_PREFIX, SPLIT_RANGES, SPLIT_SKIP,
} from "../ranges-layout";
import { takePage } from "./pages";
import { headOf, regionOf, rowBytes, userLengthOf, userOf } from "./row";
import { bigEndian, commonBytes, compareUsers, copyUser, sameBytes } from "./sort-bytes";

const VECTOR: u32 = 16;

/** See RangesKernel in ../twins/ranges.ts. */
export function sampleRows(page: u32, list: u32, max: u32): u32 {
  let count: u32 = 0;
  const end = page + load<u32>(page, PAGE_USED);
  for (let segment = page + PAGE_HEADER; segment < end; ) {
    const next: u32 = segment + SEGMENT_HEADER + load<u16>(segment);
    for (let row: u32 = segment + SEGMENT_HEADER; row < next; row += rowBytes(row, headOf(row))) {
      if (count == max) return count;
      store<u32>(list + (count++ << 2), row);
    }
    segment = next;
  }
  return count;
}

/** See RangesKernel in ../twins/ranges.ts. */
export function setPrefix(splitters: u32, list: u32, count: u32): void {
  const first = load<u32>(list);
  const user = userOf(first, headOf(first));
  let skip = min<u32>(userLengthOf(first, headOf(first)), MAX_PREFIX);
  for (let i: u32 = 1; i < count; i++) {
    const row = load<u32>(list + (i << 2));
    const head = headOf(row);
    skip = commonBytes(user, userOf(row, head), min(skip, userLengthOf(row, head)));
  }
  store<u32>(splitters, skip, SPLIT_SKIP);
  copyUser(splitters + SPLIT_PREFIX, user, skip);
}

/** See RangesKernel in ../twins/ranges.ts. */
export function sampleKeys(splitters: u32, list: u32, count: u32, keys: u32): void {
  for (let i: u32 = 0; i < count; i++) store<u64>(keys + (i << 3), keyOf(splitters, load<u32>(list + (i << 2))));
}

// @ts-ignore: decorator
@inline
function keyOf(splitters: u32, row: u32): u64 {
  const head = headOf(row);
  const user = userOf(row, head);
  const len = userLengthOf(row, head);
  const skip = load<u32>(splitters, SPLIT_SKIP);
  let key: u64;
  if (len >= skip && sameBytes(user, splitters + SPLIT_PREFIX, skip)) {
    // Loaded by their end, which is the user's: nothing behind it is read.
    const bytes = min<u32>(len - skip, 8);
    const word = load<u64>(user + skip + bytes - 8) >> (<u64>(8 - bytes) << 3 & 63);
    key = bytes ? bigEndian(word) : 0;
  } else {
    key = compareUsers(user, len, splitters + SPLIT_PREFIX, skip) < 0 ? 0 : u64.MAX_VALUE;
  }
  return load<u32>(splitters, SPLIT_BY_USER) ? key : <u64>regionOf(row, head) << KEY_REGION_SHIFT | key >> KEY_USER_SHIFT;
}

/** How many splitters are not above the key. Always as many steps, and no branch on a key. */
// @ts-ignore: decorator
@inline
function rangeOf(keys: u32, half: u32, key: u64): u32 {
  let at = keys;
  for (; half; half >>= 1) at += load<u64>(at + (half - 1 << 3)) <= key ? half << 3 : 0;
  return (at - keys) >> 3;
}

/** See RangesKernel in ../twins/ranges.ts. */
export function scatterWinners(splitters: u32, ranges: u32, winners: u32, count: u32, from: u32): u32 {
  const memoryEnd = <u32>memory.size() << 16;
  const half = load<u32>(splitters, SPLIT_RANGES) >> 1;
  for (; from < count; from += BLOCK_ROWS) {
    const rows = min<u32>(count - from, BLOCK_ROWS);
    const list = winners + (from << 2);
    for (let i: u32 = 0; i < rows; i++) {
      const range = rangeOf(splitters + SPLIT_KEYS, half, keyOf(splitters, load<u32>(list + (i << 2))));
      store<u16>(ranges + RANGES_BLOCK + (i << 1), <u16>range);
    }
    for (let i: u32 = 0; i < rows; i++) {
      const row = load<u32>(list + (i << 2));
      const size = rowBytes(row, headOf(row)) - ROW_HEAD;
      const range: u32 = ranges + RANGES_AT + <u32>load<u16>(ranges + RANGES_BLOCK + (i << 1)) * RANGE_BYTES;
      let write = load<u32>(range, RANGE_WRITE);
      const room: u32 = (0 - write) & (PAGE_BYTES - 1);
      if (room < size + PAGE_SLACK) {
        write = openPage(range, write);
        if (!write) return from + i;
      }
      const source = row + ROW_HEAD;
      if (source + size + VECTOR <= memoryEnd) {
        for (let at: u32 = 0; at < size; at += VECTOR) v128.store(write + at, v128.load(source + at));
      } else {
        memory.copy(write, source, size);
      }
      store<u32>(range, write + size, RANGE_WRITE);
      store<u32>(range, load<u32>(range, RANGE_ROWS) + 1, RANGE_ROWS);
    }
  }
  return count;
}

/** Ends the range's page and begins another; gives where its rows go, or 0 when there is no page. */
function openPage(range: u32, write: u32): u32 {
  const page = takePage();
  if (!page) return 0;
  store<u32>(page, 0, PAGE_NEXT);
  if (write) {
    const last: u32 = write & ~(PAGE_BYTES - 1);
    store<u32>(last, page, PAGE_NEXT);
    store<u32>(last, write - last, PAGE_USED);
  } else {
    store<u32>(range, page, RANGE_FIRST);
  }
  store<u32>(range, load<u32>(range, RANGE_PAGES) + 1, RANGE_PAGES);
  return page + PAGE_HEADER;
}

/** See RangesKernel in ../twins/ranges.ts. */
export function listRows(page: u32, list: u32): u32 {
  let count: u32 = 0;
  const end = page + load<u32>(page, PAGE_USED) - ROW_HEAD;
  for (let row: u32 = page + PAGE_HEADER - ROW_HEAD; row < end; row += rowBytes(row, headOf(row)) - ROW_HEAD) {
    store<u32>(list + (count++ << 2), row);
  }
  return count;
}
