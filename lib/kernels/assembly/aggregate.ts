// The hash table of groups: (region, user) -> sum of 128 bits, count of 64 bits. Layout: ../aggregate-layout.ts.
//
//   slots (a slab)            pages of groups (the pool)
//   [hash|addr]──────────────►[next used][group][group] ... [slack]
//   [0        ]                   ▲          region, user length, sum, count, user bytes
//   [hash|addr]─────────────────────────────►
//
// Open addressing, linear probing downwards from the hash's top bits, so that the table doubles in place and no group is
// touched for it. A row costs cache misses for its slot and its group. Passes over a block of BLOCK_ROWS rows
// overlap them: hash all, load all slots, load all groups, then compare and add: half the time of row after row. The
// loops that wait for memory do nothing else, so that many rows fit the processor's window at once (10 % of the time).
import {
  BLOCK_ROWS, GROUP_PAGE_SLACK, TABLE_BLOCK, TABLE_BLOCK_GROUPS, TABLE_GROUPS, TABLE_MAX_GROUPS, TABLE_MAX_PAGES,
  TABLE_MAX_REGION, TABLE_PAGE, TABLE_PAGES, TABLE_SECRET, TABLE_SHIFT, TABLE_SLOTS, TABLE_TOUCHED, TABLE_WRITE,
} from "../aggregate-layout";
import {
  PAGE_BYTES, PAGE_HEADER, PAGE_NEXT, PAGE_USED, ROW_KEY_REGION_SHIFT, RUN_COUNT, RUN_SUM_HI, RUN_SUM_LO, RUN_USER,
} from "../layout";
import { hashGroup } from "./aggregate-hash";
import { giveChain, takePage } from "./pages";
import { headOf, keyOf, prefixLength, restLength, restOf, valueOf } from "./row";
import { copyUser, sameBytes } from "./sort-bytes";
import { isPrefix, storePrefix } from "./user-prefix";

/** Makes an empty table with `count` (a power of two) slots. Groups of an earlier use must have been freed. */
export function resetTable(table: u32, slots: u32, count: u32): void {
  memory.fill(slots, 0, count << 3);
  setSlots(table, slots, count);
  store<u32>(table, 0, TABLE_GROUPS);
  store<u32>(table, 0, TABLE_PAGE);
  store<u32>(table, 0, TABLE_WRITE);
  store<u32>(table, 0, TABLE_PAGES);
  store<u32>(table, 0, TABLE_MAX_REGION);
}

/**
 * Doubles the slots where they are. A group's slot is the top bits of its hash, so it moves from i to 2i or 2i + 1: from
 * the last slot to the first, each is taken out and put where it belongs now, which is at or above the slot it came from,
 * and all from there up is in order. But not so for those that probing took past slot 0 to the end of the table: such a
 * slot may come to lie among those not yet moved, and is moved again, or past slot 0 once more. Those are put in again at
 * the end, when nothing moves any more.
 */
export function growTable(table: u32): void {
  const slots = load<u32>(table, TABLE_SLOTS);
  const half: u32 = 8 << (32 - load<u32>(table, TABLE_SHIFT));
  setSlots(table, slots, half >> 2);
  memory.fill(slots + half, 0, half);
  const shift = load<u32>(table, TABLE_SHIFT);
  for (let at = slots + half; at > slots; ) {
    at -= 8;
    if (load<u64>(at)) putAgain(slots, shift, at);
  }
  for (let at = slots + 2 * half - 8; load<u64>(at); at -= 8) putAgain(slots, shift, at);
}

// @ts-ignore: decorator
@inline
function putAgain(slots: u32, shift: u32, at: u32): void {
  const slot = load<u64>(at);
  store<u64>(at, 0);
  const mask: u32 = (1 << (32 - shift)) - 1;
  let index = <u32>slot >> shift;
  while (load<u64>(slots + (index << 3))) index = (index - 1) & mask;
  store<u64>(slots + (index << 3), slot);
}

function setSlots(table: u32, slots: u32, count: u32): void {
  store<u32>(table, slots, TABLE_SLOTS);
  store<u32>(table, 32 - ctz(count), TABLE_SHIFT);
  // Two thirds: the sort needs 12 bytes a group and takes them from the slots.
  store<u32>(table, <u32>(<u64>count * 2 / 3) - 1, TABLE_MAX_GROUPS);
}

/** Gives the pages of all groups back to the pool. */
export function freeGroups(table: u32): void {
  giveChain(load<u32>(table, TABLE_PAGE));
  store<u32>(table, 0, TABLE_PAGE);
  store<u32>(table, 0, TABLE_PAGES);
}

/**
 * Adds rows `from` to `count` of the list at `winners`. Gives the number of the first row that was not added: less than
 * `count` when the table is full (groups == maxGroups), has no page left (pages == maxPages), or the pool is empty.
 */
export function aggregateBatch(table: u32, winners: u32, count: u32, from: u32): u32 {
  const block = table + TABLE_BLOCK;
  const groups = table + TABLE_BLOCK_GROUPS;
  const slots = load<u32>(table, TABLE_SLOTS);
  const shift = load<u32>(table, TABLE_SHIFT);
  const mask: u32 = (1 << (32 - shift)) - 1;
  let touched: u64 = 0;
  for (; from < count; from += BLOCK_ROWS) {
    const rows = min<u32>(count - from, BLOCK_ROWS);
    const list = winners + (from << 2);
    for (let i: u32 = 0; i < rows; i++) {
      const row = load<u32>(list + (i << 2));
      const head = headOf(row);
      const key = keyOf(row, head);
      const hash = hashGroup(table + TABLE_SECRET, key, restOf(row, head), restLength(key));
      store<u32>(block + (i << 3), hash);
    }
    for (let i: u32 = 0; i < rows; i++) {
      touched += load<u64>(slots + (load<u32>(block + (i << 3)) >> shift << 3));
    }
    for (let i: u32 = 0; i < rows; i++) {
      const hash = load<u32>(block + (i << 3));
      let index = hash >> shift;
      let slot = load<u64>(slots + (index << 3));
      while (slot && <u32>slot != hash) {
        index = (index - 1) & mask;
        slot = load<u64>(slots + (index << 3));
      }
      store<u32>(block + (i << 3), index, 4);
      store<u32>(groups + (i << 2), <u32>(slot >> 32));
    }
    for (let i: u32 = 0; i < rows; i++) {
      const group = load<u32>(groups + (i << 2)); // 0 = none: harmless to load
      touched += load<u64>(group) + load<u64>(group, 40);
    }
    for (let i: u32 = 0; i < rows; i++) {
      const at = block + (i << 3);
      if (!addRow(table, slots, mask, load<u32>(list + (i << 2)), load<u32>(at), load<u32>(at, 4))) {
        store<u64>(table, touched, TABLE_TOUCHED);
        return from + i;
      }
    }
  }
  store<u64>(table, touched, TABLE_TOUCHED);
  return count;
}

/** Adds one row; its group is at slot `index` or below. False when there is no room for a new group. */
// @ts-ignore: decorator
@inline
function addRow(table: u32, slots: u32, mask: u32, row: u32, hash: u32, index: u32): bool {
  const head = headOf(row);
  const rowKey = keyOf(row, head);
  const len = restLength(rowKey);
  const prefix = prefixLength(rowKey);
  const region = <u32>(rowKey >> ROW_KEY_REGION_SHIFT);
  const rest = restOf(row, head);
  const value = valueOf(row, head);
  const key = <u64>region | <u64>(prefix + len) << 32;
  while (true) {
    const slot = load<u64>(slots + (index << 3));
    if (!slot) break;
    const group = <u32>(slot >> 32);
    if (<u32>slot == hash && load<u64>(group) == key && beginsAlike(group, prefix) && sameBytes(group + RUN_USER + prefix, rest, len)) {
      const lo = load<u64>(group, RUN_SUM_LO) + <u64>value;
      store<u64>(group, lo, RUN_SUM_LO);
      store<i64>(group, load<i64>(group, RUN_SUM_HI) + (value >> 63) + i64(lo < <u64>value), RUN_SUM_HI);
      store<u64>(group, load<u64>(group, RUN_COUNT) + 1, RUN_COUNT);
      return true;
    }
    index = (index - 1) & mask;
  }
  const group = newGroup(table, RUN_USER + prefix + len);
  if (!group) return false;
  store<u64>(group, key);
  store<i64>(group, value, RUN_SUM_LO);
  store<i64>(group, value >> 63, RUN_SUM_HI);
  store<u64>(group, 1, RUN_COUNT);
  if (prefix) storePrefix(group + RUN_USER);
  copyUser(group + RUN_USER + prefix, rest, len);
  store<u64>(slots + (index << 3), <u64>hash | <u64>group << 32);
  if (region > load<u32>(table, TABLE_MAX_REGION)) store<u32>(table, region, TABLE_MAX_REGION);
  return true;
}

/** Whether the group's user begins with the prefix, if this row's does; what it loads behind a group is GROUP_PAGE_SLACK. */
// @ts-ignore: decorator
@inline
function beginsAlike(group: u32, prefix: u32): bool {
  return !prefix || isPrefix(group + RUN_USER);
}

/** Room for a new group, 0 when there is none. */
function newGroup(table: u32, bytes: u32): u32 {
  const groups = load<u32>(table, TABLE_GROUPS);
  if (groups >= load<u32>(table, TABLE_MAX_GROUPS)) return 0;
  let page = load<u32>(table, TABLE_PAGE);
  let at = load<u32>(table, TABLE_WRITE);
  if (!page || at - page + bytes > <u32>(PAGE_BYTES - GROUP_PAGE_SLACK)) {
    const pages = load<u32>(table, TABLE_PAGES);
    if (pages >= load<u32>(table, TABLE_MAX_PAGES)) return 0;
    const fresh = takePage();
    if (!fresh) return 0;
    store<u32>(fresh, page, PAGE_NEXT);
    store<u32>(table, fresh, TABLE_PAGE);
    store<u32>(table, pages + 1, TABLE_PAGES);
    page = fresh;
    at = fresh + PAGE_HEADER;
  }
  store<u32>(page, at + bytes - page, PAGE_USED);
  store<u32>(table, at + bytes, TABLE_WRITE);
  store<u32>(table, groups + 1, TABLE_GROUPS);
  return at;
}
