/** Contract and plain twin of the kernel that counts distinct users. Layout: ../users-layout.ts. */
import { PAGE_BYTES } from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import {
  BLOCK_HASHES, HASHES_PER_PAGE, PAGE_CHECKSUM, PAGE_HASHES, TABLE_BYTES, TABLE_FIRST, TABLE_LAST, TABLE_LIMIT, TABLE_SIZE,
  TABLE_SLOTS, TABLE_USED, USERS_BYTES, USERS_CURSORS, USERS_CURSOR_BYTES, USERS_HASHES, USERS_MOST, USERS_PAGE, USERS_PAGES,
  USERS_PARTITION_BITS, USERS_SEED, USERS_WRITE,
} from '../users-layout.ts';
import { xxh64 } from './xxh64.ts';

export interface UsersKernel {
  /**
   * Gathers the hashes of users `from` to `rows - 1`, given as rows + 1 u32 `offsets` into `bytes`. Gives the first user
   * that was not taken: `rows`, or an earlier one when there is no page for it: USERS_MOST is reached, or the page pool
   * must be refilled.
   */
  addUsers(state: number, offsets: number, bytes: number, from: number, rows: number): number;
  /** Empties a partition and gives its pages back. */
  freeUsers(state: number, partition: number): void;
  /** Writes the checksum of a page's hashes. */
  sealPage(page: number, hashes: number, seedLo: number, seedHi: number): void;
  /** 1 if a block's hashes are those that its checksum was made of, with the same seed; else 0. */
  isIntact(block: number, hashes: number, seedLo: number, seedHi: number): number;
  /** Empties a table. */
  clearSlots(table: number): void;
  /** Adds those of `count` hashes that are in the table's slice. 1, or 0 when it has no room: then it has to be cleared. */
  countHashes(table: number, hashes: number, count: number): number;
}

export function createUsersTwin(memory: LinearMemory): UsersKernel {
  const cursorOf = (state: number, partition: number): DataView =>
    memory.view(state + USERS_CURSORS + partition * USERS_CURSOR_BYTES, USERS_CURSOR_BYTES);
  const checksum = (hashesAt: number, hashes: number, seedLo: number, seedHi: number): bigint =>
    xxh64(memory.bytes(hashesAt, hashes * 8), BigInt(seedLo >>> 0) | (BigInt(seedHi >>> 0) << 32n));
  return {
    addUsers(at, offsets, bytes, from, rows) {
      const state = memory.view(at, USERS_BYTES);
      for (let row = from; row < rows; row++) {
        const [start, end] = memory.u32(offsets + row * 4, 2);
        const hash = xxh64(memory.bytes(bytes + start!, end! - start!), state.getBigUint64(USERS_SEED, true));
        const cursor = cursorOf(at, Number(hash >> BigInt(64 - USERS_PARTITION_BITS)));
        let write = cursor.getUint32(USERS_WRITE, true);
        if (write % PAGE_BYTES === 0) {
          const pages = state.getUint32(USERS_PAGES, true);
          const page = pages < state.getUint32(USERS_MOST, true) ? memory.takePageIfAny() : 0;
          if (page === 0) return row;
          state.setUint32(USERS_PAGES, pages + 1, true);
          memory.view(page, 4).setUint32(0, cursor.getUint32(USERS_PAGE, true), true);
          cursor.setUint32(USERS_PAGE, page, true);
          write = page + PAGE_HASHES;
        }
        memory.view(write, 8).setBigUint64(0, hash, true);
        cursor.setUint32(USERS_WRITE, write + 8, true);
        cursor.setUint32(USERS_HASHES, cursor.getUint32(USERS_HASHES, true) + 1, true);
      }
      return rows;
    },

    freeUsers(at, partition) {
      const state = memory.view(at, USERS_BYTES);
      const cursor = cursorOf(at, partition);
      const pages = Math.ceil(cursor.getUint32(USERS_HASHES, true) / HASHES_PER_PAGE);
      state.setUint32(USERS_PAGES, state.getUint32(USERS_PAGES, true) - pages, true);
      memory.giveChain(cursor.getUint32(USERS_PAGE, true));
      memory.bytes(cursor.byteOffset, USERS_CURSOR_BYTES).fill(0);
    },

    sealPage(page, hashes, seedLo, seedHi) {
      memory.view(page + PAGE_CHECKSUM, 8).setBigUint64(0, checksum(page + PAGE_HASHES, hashes, seedLo, seedHi), true);
    },

    isIntact(block, hashes, seedLo, seedHi) {
      return Number(memory.view(block, 8).getBigUint64(0, true) === checksum(block + BLOCK_HASHES, hashes, seedLo, seedHi));
    },

    clearSlots(at) {
      const table = memory.view(at, TABLE_BYTES);
      memory.bytes(table.getUint32(TABLE_SLOTS, true), table.getUint32(TABLE_SIZE, true) * 8).fill(0);
      table.setUint32(TABLE_USED, 0, true);
    },

    countHashes(at, hashes, count) {
      const table = memory.view(at, TABLE_BYTES);
      const size = table.getUint32(TABLE_SIZE, true);
      const slots = new BigUint64Array(memory.memory.buffer, table.getUint32(TABLE_SLOTS, true), size);
      for (const hash of new BigUint64Array(memory.memory.buffer, hashes, count)) {
        const below = Number(BigInt.asUintN(32, hash >> BigInt(32 - USERS_PARTITION_BITS)));
        if (below < table.getUint32(TABLE_FIRST, true) || below > table.getUint32(TABLE_LAST, true)) continue;
        const key = hash || 1n;
        let slot = Number(((key & 0xffffffffn) * BigInt(size)) >> 32n);
        while (slots[slot] !== 0n && slots[slot] !== key) slot = (slot + 1) % size;
        if (slots[slot] === key) continue;
        const used = table.getUint32(TABLE_USED, true);
        if (used === table.getUint32(TABLE_LIMIT, true)) return 0;
        slots[slot] = key;
        table.setUint32(TABLE_USED, used + 1, true);
      }
      return 1;
    },
  };
}
