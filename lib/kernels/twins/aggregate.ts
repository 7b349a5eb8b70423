/**
 * The aggregate kernel's contract, and its twin: a hash table of (region, user) -> sum, count that is sealed, sorted and
 * emitted as a run. Structures: ../aggregate-layout.ts; rows: ../layout.ts. The twin works on the same bytes, so both can
 * take turns on one table; it sorts with a comparison instead of keys.
 */
import {
  GROUP_PAGE_SLACK, SECRET_FINAL, SECRET_HEAD, SECRET_WORDS, SLOT_BYTES, TABLE_BYTES, TABLE_GROUPS, TABLE_MAX_GROUPS,
  TABLE_MAX_PAGES, TABLE_MAX_REGION, TABLE_NEXT, TABLE_PAGE, TABLE_PAGES, TABLE_SECRET, TABLE_SHIFT, TABLE_SLOTS, TABLE_UNKNOWN,
  TABLE_WRITE,
} from '../aggregate-layout.ts';
import {
  PAGE_BYTES, PAGE_HEADER, PAGE_NEXT, PAGE_USED, POOL_END, POOL_FREE, POOL_NEXT, RUN_COUNT, RUN_REGION, RUN_SUM_HI, RUN_SUM_LO,
  RUN_USER, RUN_USER_LEN,
} from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import { identityOf, readFields } from './row.ts';

export interface AggregateKernel {
  /** Makes an empty table with `slotCount` (a power of two) slots, cleared here. The secret is left as it is. */
  resetTable(table: number, slots: number, slotCount: number): void;
  /** Doubles the slots where they are: there must be as much room again behind them. */
  growTable(table: number): void;
  /**
   * Adds rows `from` to `count` of the u32 addresses at `winners`. Gives the number of the first row not added: less than
   * `count` when the table is full (groups = maxGroups), out of pages (pages = maxPages), or the pool is empty.
   */
  aggregateBatch(table: number, winners: number, count: number, from: number): number;
  /**
   * Ends the adding and sorts the groups, by (region, user), or by (user, region) when `byUser` (0 or 1). `buckets` is room
   * for maxRegion + 1 u32, or for one. Rows of `unknownRegion` are summed into TABLE_UNKNOWN.
   */
  sealTable(table: number, buckets: number, byUser: number, maxRegion: number, unknownRegion: number): void;
  /** Copies the next rows of a sealed table to `to`, as many as fit `capacity` bytes. Gives their bytes, 0 at the end. */
  fillRun(table: number, to: number, capacity: number): number;
  /** Gives the groups' pages back to the pool. */
  freeGroups(table: number): void;
}

const MASK_32 = 0xffffffffn;

export function createAggregateTwin(memory: LinearMemory): AggregateKernel {
  const get = (at: number): number => memory.view(at, 4).getUint32(0, true);
  const set = (at: number, value: number): void => memory.view(at, 4).setUint32(0, value, true);

  function hashOf(table: number, { key, rest }: { readonly key: bigint; readonly rest: Uint8Array }): number {
    const secret = memory.view(table + TABLE_SECRET, TABLE_BYTES - TABLE_SECRET);
    let sum = key * secret.getBigUint64(SECRET_HEAD, true);
    for (let at = 0; at < rest.length; at += 8) {
      const start = Math.max(0, Math.min(at, rest.length - 8));
      const word = Buffer.alloc(8);
      word.set(rest.subarray(start, start + 8));
      const low = (word.readUInt32LE(0) + secret.getUint32(SECRET_WORDS + at, true)) >>> 0;
      const high = (word.readUInt32LE(4) + secret.getUint32(SECRET_WORDS + at + 4, true)) >>> 0;
      sum += BigInt(low) * BigInt(high);
    }
    sum = BigInt.asUintN(64, sum);
    const mixed = (sum ^ (sum >> 32n)) * (secret.getBigUint64(SECRET_FINAL, true) | 1n);
    return Number((mixed >> 32n) & MASK_32);
  }

  function setSlots(table: number, slots: number, slotCount: number): void {
    set(table + TABLE_SLOTS, slots);
    set(table + TABLE_SHIFT, 32 - Math.log2(slotCount));
    set(table + TABLE_MAX_GROUPS, Math.floor((slotCount * 2) / 3) - 1);
  }

  /** Slots from the hash's own down, around the end. */
  function* probe(table: number, hash: number): Generator<{ at: number; hash: number; group: number }> {
    const slotCount = 2 ** (32 - get(table + TABLE_SHIFT));
    for (let index = Math.floor((hash / 2 ** 32) * slotCount); ; index = (index + slotCount - 1) % slotCount) {
      const at = get(table + TABLE_SLOTS) + index * SLOT_BYTES;
      yield { at, hash: get(at), group: get(at + 4) };
    }
  }

  function fillSlot(table: number, hash: number, group: number): void {
    for (const slot of probe(table, hash)) {
      if (slot.group !== 0) continue;
      set(slot.at, hash);
      set(slot.at + 4, group);
      return;
    }
  }

  /** Takes a slot's entry out and fills a slot with it again; false when there is none. */
  function putAgain(table: number, at: number): boolean {
    const group = get(at + 4);
    if (group === 0) return false;
    set(at + 4, 0);
    const hash = get(at);
    set(at, 0);
    fillSlot(table, hash, group);
    return true;
  }

  function newGroup(table: number, bytes: number): number {
    if (get(table + TABLE_GROUPS) >= get(table + TABLE_MAX_GROUPS)) return 0;
    const page = get(table + TABLE_PAGE);
    let at = get(table + TABLE_WRITE);
    if (page === 0 || at - page + bytes > PAGE_BYTES - GROUP_PAGE_SLACK) {
      const empty = get(memory.pool + POOL_FREE) === 0 && get(memory.pool + POOL_NEXT) === get(memory.pool + POOL_END);
      if (empty || get(table + TABLE_PAGES) >= get(table + TABLE_MAX_PAGES)) return 0;
      const fresh = memory.takePage();
      set(fresh + PAGE_NEXT, page);
      set(table + TABLE_PAGE, fresh);
      set(table + TABLE_PAGES, get(table + TABLE_PAGES) + 1);
      at = fresh + PAGE_HEADER;
    }
    set(get(table + TABLE_PAGE) + PAGE_USED, at + bytes - get(table + TABLE_PAGE));
    set(table + TABLE_WRITE, at + bytes);
    set(table + TABLE_GROUPS, get(table + TABLE_GROUPS) + 1);
    return at;
  }

  function addRow(table: number, row: number): boolean {
    const fields = readFields(memory, row);
    const { region, value, user } = fields;
    const { length } = user;
    const hash = hashOf(table, identityOf(memory, fields));
    for (const slot of probe(table, hash)) {
      if (slot.group === 0) break;
      if (slot.hash !== hash || get(slot.group + RUN_REGION) !== region || get(slot.group + RUN_USER_LEN) !== length) continue;
      if (Buffer.compare(memory.bytes(slot.group + RUN_USER, length), user) !== 0) continue;
      const group = memory.view(slot.group, RUN_USER);
      const sum = (group.getBigInt64(RUN_SUM_HI, true) << 64n) + group.getBigUint64(RUN_SUM_LO, true) + value;
      group.setBigUint64(RUN_SUM_LO, BigInt.asUintN(64, sum), true);
      group.setBigInt64(RUN_SUM_HI, sum >> 64n, true);
      group.setBigUint64(RUN_COUNT, group.getBigUint64(RUN_COUNT, true) + 1n, true);
      return true;
    }

    const at = newGroup(table, RUN_USER + length);
    if (at === 0) return false;
    const group = memory.view(at, RUN_USER);
    group.setUint32(RUN_REGION, region, true);
    group.setUint32(RUN_USER_LEN, length, true);
    group.setBigUint64(RUN_SUM_LO, BigInt.asUintN(64, value), true);
    group.setBigInt64(RUN_SUM_HI, value >> 64n, true);
    group.setBigUint64(RUN_COUNT, 1n, true);
    memory.bytes(at + RUN_USER, length).set(user);
    fillSlot(table, hash, at);
    set(table + TABLE_MAX_REGION, Math.max(region, get(table + TABLE_MAX_REGION)));
    return true;
  }

  function* groupsOf(table: number): Generator<number> {
    for (let page = get(table + TABLE_PAGE); page !== 0; page = get(page + PAGE_NEXT)) {
      const end = page + get(page + PAGE_USED);
      for (let group = page + PAGE_HEADER; group < end; group += RUN_USER + get(group + RUN_USER_LEN)) yield group;
    }
  }

  const userOf = (group: number): Uint8Array => memory.bytes(group + RUN_USER, get(group + RUN_USER_LEN));
  const byUserThenRegion = (a: number, b: number): number =>
    Buffer.compare(userOf(a), userOf(b)) || get(a + RUN_REGION) - get(b + RUN_REGION);

  return {
    resetTable(table, slots, slotCount) {
      memory.bytes(slots, slotCount * SLOT_BYTES).fill(0);
      setSlots(table, slots, slotCount);
      for (const field of [TABLE_GROUPS, TABLE_PAGE, TABLE_WRITE, TABLE_PAGES, TABLE_MAX_REGION]) set(table + field, 0);
    },

    growTable(table) {
      const slots = get(table + TABLE_SLOTS);
      const half = 2 ** (32 - get(table + TABLE_SHIFT));
      setSlots(table, slots, 2 * half);
      memory.bytes(slots + half * SLOT_BYTES, half * SLOT_BYTES).fill(0);
      for (let index = half - 1; index >= 0; index--) putAgain(table, slots + index * SLOT_BYTES);
      for (let index = 2 * half - 1; putAgain(table, slots + index * SLOT_BYTES); ) index--;
    },

    aggregateBatch(table, winners, count, from) {
      while (from < count && addRow(table, get(winners + from * 4))) from++;
      return from;
    },

    sealTable(table, _buckets, byUser, _maxRegion, unknownRegion) {
      const groups = [...groupsOf(table)].sort(byUserThenRegion);
      if (!byUser) groups.sort((a, b) => get(a + RUN_REGION) - get(b + RUN_REGION)); // stable
      memory.u32(get(table + TABLE_SLOTS), groups.length).set(groups);
      const unknown = groups.filter((group) => get(group + RUN_REGION) === unknownRegion);
      const rows = unknown.reduce((sum, group) => sum + memory.view(group + RUN_COUNT, 8).getBigUint64(0, true), 0n);
      memory.view(table + TABLE_UNKNOWN, 8).setBigUint64(0, rows, true);
      set(table + TABLE_NEXT, 0);
    },

    fillRun(table, to, capacity) {
      let bytes = 0;
      for (let next = get(table + TABLE_NEXT); next < get(table + TABLE_GROUPS); next++) {
        const group = get(get(table + TABLE_SLOTS) + next * 4);
        const row = memory.bytes(group, RUN_USER + get(group + RUN_USER_LEN));
        if (bytes + row.length > capacity) break;
        memory.bytes(to + bytes, row.length).set(row);
        bytes += row.length;
        set(table + TABLE_NEXT, next + 1);
      }
      return bytes;
    },

    freeGroups(table) {
      memory.giveChain(get(table + TABLE_PAGE));
      set(table + TABLE_PAGE, 0);
      set(table + TABLE_PAGES, 0);
    },
  };
}
