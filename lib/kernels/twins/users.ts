/** Contract and plain twin of the kernel that counts distinct users. Layout: ../users-layout.ts. */
import type { LinearMemory } from '../linear-memory.ts';
import { USERS_COUNT, USERS_MASK, USERS_SEED, USERS_SLOTS } from '../users-layout.ts';
import { xxh64 } from './xxh64.ts';

export interface UsersKernel {
  /**
   * Adds users `from` to `rows - 1`, given as rows + 1 u32 `offsets` into `bytes`. Gives the first user not added:
   * `rows`, or an earlier one when half of the slots are taken and the table must grow.
   */
  addUsers(table: number, offsets: number, bytes: number, from: number, rows: number): number;
  /** Inserts every hash of one slot array into another, empty and large enough one. Sizes in slots, powers of two. */
  moveUsers(from: number, fromSlots: number, to: number, toSlots: number): void;
}

export function createUsersTwin(memory: LinearMemory): UsersKernel {
  const insert = (slots: number, mask: number, hash: bigint): boolean => {
    const view = memory.view(slots, (mask + 1) * 8);
    for (let index = Number(hash & BigInt(mask)); ; index = (index + 1) & mask) {
      const found = view.getBigUint64(index * 8, true);
      if (found === hash) return false;
      if (found !== 0n) continue;
      view.setBigUint64(index * 8, hash, true);
      return true;
    }
  };
  return {
    addUsers(table, offsets, bytes, from, rows) {
      const state = memory.view(table, USERS_SEED + 8);
      const [slots, mask] = [state.getUint32(USERS_SLOTS, true), state.getUint32(USERS_MASK, true)];
      const seed = state.getBigUint64(USERS_SEED, true);
      let count = state.getUint32(USERS_COUNT, true);
      let row = from;
      for (; row < rows && count < (mask >>> 1) + 1; row++) {
        const [start, end] = memory.u32(offsets + row * 4, 2);
        const hash = xxh64(memory.bytes(bytes + start!, end! - start!), seed);
        if (insert(slots, mask, hash || 1n)) count++;
      }
      state.setUint32(USERS_COUNT, count, true);
      return row;
    },
    moveUsers(from, fromSlots, to, toSlots) {
      const view = memory.view(from, fromSlots * 8);
      for (let slot = 0; slot < fromSlots; slot++) {
        const hash = view.getBigUint64(slot * 8, true);
        if (hash !== 0n) insert(to, toSlots - 1, hash);
      }
    },
  };
}
