// Rows by ranges of their groups' order. Layouts: ../ranges-layout.ts; rows: row.ts.
//
//   winners (addresses)      splitters             pages of a range, linked
//   row ── key ──► 8 halvings ──► range ─ write ─► [next|used][row without id][row without id] ...
//
// All keys of a block of rows are looked up before the first is copied: the lookups are independent of each other, and so
// are the copies, so that each kind fills the processor's window.
import {
  PAGE_BYTES, PAGE_HEADER, PAGE_NEXT, PAGE_USED, ROW_HEAD, SEGMENT_HEADER, USER_PREFIX_AT, USER_PREFIX_BYTES,
} from "../layout";
import {
  BLOCK_ROWS, KEY_REGION_SHIFT, KEY_USER_SHIFT, MAX_PREFIX, PAGE_SLACK, RANGES_AT, RANGES_BLOCK, RANGE_BYTES, RANGE_FIRST, RANGE_PAGES,
  RANGE_ROWS, RANGE_WRITE, SPLIT_BY_USER, SPLIT_KEYS, SPLIT_PREFIX, SPLIT_RANGES, SPLIT_SKIP,
} from "../ranges-layout";
import { takePage } from "./pages";
import { headOf, isWide, keyOf as rowKey, prefixLength, regionOf, restLength, restOf, rowBytes, wideBytes, wideLength } from "./row";
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
  const prefix = splitters + SPLIT_PREFIX;
  let skip: u32 = MAX_PREFIX;
  for (let i: u32 = 0; i < count; i++) {
    const row = load<u32>(list + (i << 2));
    const head = headOf(row);
    const key = rowKey(row, head);
    const before = prefixLength(key);
    const rest = restOf(row, head);
    const length = restLength(key);
    if (!i) {
      skip = min<u32>(before + length, MAX_PREFIX);
      copyUser(prefix, USER_PREFIX_BYTES, before);
      copyUser(prefix + before, rest, skip - before);
      continue;
    }
    const common = commonBytes(prefix, USER_PREFIX_BYTES, min(skip, before));
    skip = common < before ? common : before + commonBytes(prefix + before, rest, min(skip - before, length));
  }
  store<u32>(splitters, skip, SPLIT_SKIP);
}

/** See RangesKernel in ../twins/ranges.ts. */
export function sampleKeys(splitters: u32, list: u32, count: u32, keys: u32): void {
  const skip = skipOfRest(splitters), lead = leadOf(splitters), shift = leadShift(splitters);
  for (let i: u32 = 0; i < count; i++) store<u64>(keys + (i << 3), keyOf(splitters, load<u32>(list + (i << 2)), skip, lead, shift));
}

// Of a compact row's user only the rest is there. Where the splitters' prefix begins with the run's, which is nearly always, the
// rest is compared with what is left of it. Where it is a part of it only, the key begins with bytes of the run's prefix, the lead.

/** What a rest has to begin with: so many bytes, behind the run's prefix in the splitters'; MAX_VALUE if no rest will do. */
// @ts-ignore: decorator
@inline
function skipOfRest(splitters: u32): u32 {
  const skip = load<u32>(splitters, SPLIT_SKIP);
  const prefix = load<u32>(USER_PREFIX_AT);
  const both = min(skip, prefix);
  return sameBytes(splitters + SPLIT_PREFIX, USER_PREFIX_BYTES, both) ? skip - both : u32.MAX_VALUE;
}

/** Bytes that a compact row's key begins with, as a number of 8 bytes. */
// @ts-ignore: decorator
@inline
function leadOf(splitters: u32): u64 {
  const skip = load<u32>(splitters, SPLIT_SKIP);
  return skip < load<u32>(USER_PREFIX_AT) ? bigEndian(load<u64>(USER_PREFIX_BYTES + skip)) : 0;
}

/** Half as many bits as they are, so that all 64 can be shifted. */
// @ts-ignore: decorator
@inline
function leadShift(splitters: u32): u64 {
  const skip = load<u32>(splitters, SPLIT_SKIP);
  const prefix = load<u32>(USER_PREFIX_AT);
  return skip < prefix ? <u64>min<u32>(prefix - skip, 8) << 2 : 0;
}

// @ts-ignore: decorator
@inline
function keyOf(splitters: u32, row: u32, skipOfRest: u32, lead: u64, shift: u64): u64 {
  const head = headOf(row);
  let key: u64;
  if (isWide(head)) {
    key = wideKey(splitters, row);
  } else {
    const rest = restOf(row, head);
    const length = restLength(rowKey(row, head));
    if (length >= skipOfRest && sameBytes(rest, splitters + SPLIT_PREFIX + load<u32>(USER_PREFIX_AT), skipOfRest)) {
      key = lead | partAt(rest + skipOfRest, length - skipOfRest) >> shift >> shift;
    } else {
      key = besideBoth(splitters, rest, length);
    }
  }
  return load<u32>(splitters, SPLIT_BY_USER) ? key : <u64>regionOf(row, head) << KEY_REGION_SHIFT | key >> KEY_USER_SHIFT;
}

/** The first 8 of so many bytes of a user as a number, padded with zeros. */
// @ts-ignore: decorator
@inline
function partAt(user: u32, length: u32): u64 {
  // Loaded by their end, which is the user's: nothing behind it is read.
  const bytes = min<u32>(length, 8);
  const word = load<u64>(user + bytes - 8) >> (<u64>(8 - bytes) << 3 & 63);
  return bytes ? bigEndian(word) : 0;
}

/** Of a user with all of his bytes. Not inlined, like what follows: they are few. */
function wideKey(splitters: u32, row: u32): u64 {
  const user = row + wideBytes(row);
  const length = wideLength(row);
  const skip = load<u32>(splitters, SPLIT_SKIP);
  if (length >= skip && sameBytes(user, splitters + SPLIT_PREFIX, skip)) return partAt(user + skip, length - skip);
  return beside(compareUsers(user, length, splitters + SPLIT_PREFIX, skip));
}

/** Of a user of prefix and rest who does not begin with the splitters' prefix. */
function besideBoth(splitters: u32, rest: u32, length: u32): u64 {
  const skip = load<u32>(splitters, SPLIT_SKIP);
  const both = min(skip, load<u32>(USER_PREFIX_AT));
  const order = compareUsers(USER_PREFIX_BYTES, both, splitters + SPLIT_PREFIX, both);
  return beside(order ? order : compareUsers(rest, length, splitters + SPLIT_PREFIX + both, skip - both));
}

// @ts-ignore: decorator
@inline
function beside(order: i32): u64 {
  return order < 0 ? 0 : u64.MAX_VALUE;
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
  const skip = skipOfRest(splitters), lead = leadOf(splitters), shift = leadShift(splitters);
  for (; from < count; from += BLOCK_ROWS) {
    const rows = min<u32>(count - from, BLOCK_ROWS);
    const list = winners + (from << 2);
    for (let i: u32 = 0; i < rows; i++) {
      const range = rangeOf(splitters + SPLIT_KEYS, half, keyOf(splitters, load<u32>(list + (i << 2)), skip, lead, shift));
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
