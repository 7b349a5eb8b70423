/**
 * The contract of the aggregate kernel's part that puts rows into ranges, and its twin. Structures: ../ranges-layout.ts. The
 * twin works on the same bytes, so both can take turns.
 */
import { PAGE_BYTES, PAGE_HEADER, PAGE_NEXT, PAGE_USED, ROW_HEAD, SEGMENT_HEADER } from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import {
  KEY_REGION_SHIFT, KEY_USER_SHIFT, MAX_PREFIX, PAGE_SLACK, RANGES_AT, RANGE_BYTES, RANGE_FIRST, RANGE_PAGES, RANGE_ROWS, RANGE_WRITE,
  SPLIT_BY_USER, SPLIT_KEYS, SPLIT_PREFIX, SPLIT_RANGES, SPLIT_SKIP,
} from '../ranges-layout.ts';
import { readFields, rowBytes } from './row.ts';

export interface RangesKernel {
  /** Lists the addresses of the rows in a partition's page, `max` at most, as u32 at `list`; gives how many. */
  sampleRows(page: number, list: number, max: number): number;
  /** Sets the prefix: what the users of all these rows begin with. At least one row. */
  setPrefix(splitters: number, list: number, count: number): void;
  /** The keys of these rows, as u64 at `keys`: of splitters, only the prefix and byUser are looked at. */
  sampleKeys(splitters: number, list: number, count: number, keys: number): void;
  /**
   * Copies rows `from` to `count` of the u32 addresses at `winners` into their ranges. Gives `count`, or the number of the row
   * to go on with when the pool has no page.
   */
  scatterWinners(splitters: number, ranges: number, winners: number, count: number, from: number): number;
  /** Lists the rows of a range's page, whose PAGE_USED is set, as aggregateBatch takes them; gives how many. */
  listRows(page: number, list: number): number;
  /** Gives a page to the thread's pool. */
  givePage(page: number): void;
  /** Gives a chain of pages to it; a chain may be empty (0). */
  giveChain(first: number): void;
}

const ALL_ONES = 2n ** 64n - 1n;

export function createRangesTwin(memory: LinearMemory): RangesKernel {
  const get = (at: number): number => memory.view(at, 4).getUint32(0, true);
  const set = (at: number, value: number): void => memory.view(at, 4).setUint32(0, value, true);

  function keyOf(splitters: number, row: number): bigint {
    const { region, user } = readFields(memory, row);
    const prefix = memory.bytes(splitters + SPLIT_PREFIX, get(splitters + SPLIT_SKIP));
    const begins = Buffer.compare(user.subarray(0, prefix.length), prefix);
    const behind = Buffer.alloc(8);
    behind.set(user.subarray(prefix.length, prefix.length + 8));
    const key = begins < 0 ? 0n : begins > 0 ? ALL_ONES : behind.readBigUInt64BE();
    return get(splitters + SPLIT_BY_USER) ? key : (BigInt(region) << BigInt(KEY_REGION_SHIFT)) | (key >> BigInt(KEY_USER_SHIFT));
  }

  function rangeOf(splitters: number, key: bigint): number {
    const keys = memory.view(splitters + SPLIT_KEYS, 8 * get(splitters + SPLIT_RANGES));
    let range = 0;
    while (range < get(splitters + SPLIT_RANGES) - 1 && keys.getBigUint64(8 * range, true) <= key) range++;
    return range;
  }

  /** Copies the row without its id; false when there is no page. */
  function append(range: number, row: number): boolean {
    const size = rowBytes(memory, row) - ROW_HEAD;
    let write = get(range + RANGE_WRITE);
    if (write === 0 || PAGE_BYTES - (write % PAGE_BYTES) < size + PAGE_SLACK) {
      const page = memory.takePageIfAny();
      if (page === 0) return false;
      set(page + PAGE_NEXT, 0);
      if (write === 0) {
        set(range + RANGE_FIRST, page);
      } else {
        set(write - (write % PAGE_BYTES) + PAGE_NEXT, page);
        set(write - (write % PAGE_BYTES) + PAGE_USED, write % PAGE_BYTES);
      }
      set(range + RANGE_PAGES, get(range + RANGE_PAGES) + 1);
      write = page + PAGE_HEADER;
    }
    memory.bytes(write, size).set(memory.bytes(row + ROW_HEAD, size));
    set(range + RANGE_WRITE, write + size);
    set(range + RANGE_ROWS, get(range + RANGE_ROWS) + 1);
    return true;
  }

  return {
    sampleRows(page, list, max) {
      let count = 0;
      for (let at = page + PAGE_HEADER; at < page + get(page + PAGE_USED); ) {
        const end = at + SEGMENT_HEADER + memory.view(at, 2).getUint16(0, true);
        for (let row = at + SEGMENT_HEADER; row < end && count < max; row += rowBytes(memory, row)) set(list + 4 * count++, row);
        at = end;
      }
      return count;
    },

    setPrefix(splitters, list, count) {
      const users = Array.from(memory.u32(list, count), (row) => readFields(memory, row).user);
      let skip = 0;
      while (skip < MAX_PREFIX && users.every((user) => skip < user.length && user[skip] === users[0]![skip])) skip++;
      set(splitters + SPLIT_SKIP, skip);
      memory.bytes(splitters + SPLIT_PREFIX, skip).set(users[0]!.subarray(0, skip));
    },

    sampleKeys(splitters, list, count, keys) {
      for (let i = 0; i < count; i++) memory.view(keys + 8 * i, 8).setBigUint64(0, keyOf(splitters, get(list + 4 * i)), true);
    },

    scatterWinners(splitters, ranges, winners, count, from) {
      for (; from < count; from++) {
        const row = get(winners + 4 * from);
        if (!append(ranges + RANGES_AT + RANGE_BYTES * rangeOf(splitters, keyOf(splitters, row)), row)) return from;
      }
      return count;
    },

    listRows(page, list) {
      let count = 0;
      for (let at = page + PAGE_HEADER; at < page + get(page + PAGE_USED); at += rowBytes(memory, at - ROW_HEAD) - ROW_HEAD) {
        set(list + 4 * count++, at - ROW_HEAD);
      }
      return count;
    },

    givePage: (page) => memory.givePage(page),
    giveChain: (first) => memory.giveChain(first),
  };
}
