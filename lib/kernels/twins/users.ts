/** Contract and plain twin of the kernel that counts distinct users. Layout: ../users-layout.ts. */
import { PAGE_BYTES } from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import {
  USERS_BYTES, USERS_CURSORS, USERS_CURSOR_BYTES, USERS_HASHES, USERS_PAGE, USERS_PAGE_HASHES, USERS_PARTITION_BITS, USERS_SEED,
  USERS_WRITE,
} from '../users-layout.ts';
import { xxh64 } from './xxh64.ts';

export interface UsersKernel {
  /**
   * Gathers the hashes of users `from` to `rows - 1`, given as rows + 1 u32 `offsets` into `bytes`. Gives the first user
   * that was not taken: `rows`, or an earlier one when the page pool is empty and must be refilled.
   */
  addUsers(state: number, offsets: number, bytes: number, from: number, rows: number): number;
  /**
   * Counts the different hashes of a partition, and empties it. `slots` is scratch for `size` u64, a power of two and
   * more than the partition has hashes.
   */
  countUsers(state: number, partition: number, slots: number, size: number): number;
}

export function createUsersTwin(memory: LinearMemory): UsersKernel {
  const cursorOf = (state: number, partition: number): DataView =>
    memory.view(state + USERS_CURSORS + partition * USERS_CURSOR_BYTES, USERS_CURSOR_BYTES);
  return {
    addUsers(state, offsets, bytes, from, rows) {
      const seed = memory.view(state, USERS_BYTES).getBigUint64(USERS_SEED, true);
      for (let row = from; row < rows; row++) {
        const [start, end] = memory.u32(offsets + row * 4, 2);
        const hash = xxh64(memory.bytes(bytes + start!, end! - start!), seed);
        const cursor = cursorOf(state, Number(hash >> BigInt(64 - USERS_PARTITION_BITS)));
        let write = cursor.getUint32(USERS_WRITE, true);
        if (write % PAGE_BYTES === 0) {
          const page = memory.takePageIfAny();
          if (page === 0) return row;
          memory.view(page, 4).setUint32(0, cursor.getUint32(USERS_PAGE, true), true);
          cursor.setUint32(USERS_PAGE, page, true);
          write = page + USERS_PAGE_HASHES;
        }
        memory.view(write, 8).setBigUint64(0, hash, true);
        cursor.setUint32(USERS_WRITE, write + 8, true);
        cursor.setUint32(USERS_HASHES, cursor.getUint32(USERS_HASHES, true) + 1, true);
      }
      return rows;
    },
    countUsers(state, partition) {
      const cursor = cursorOf(state, partition);
      const hashes = new Set<bigint>();
      let end = cursor.getUint32(USERS_WRITE, true);
      for (let page = cursor.getUint32(USERS_PAGE, true); page !== 0; end = page + PAGE_BYTES) {
        for (let at = page + USERS_PAGE_HASHES; at < end; at += 8) hashes.add(memory.view(at, 8).getBigUint64(0, true));
        const previous = memory.view(page, 4).getUint32(0, true);
        memory.givePage(page);
        page = previous;
      }
      memory.bytes(cursor.byteOffset, USERS_CURSOR_BYTES).fill(0);
      return hashes.size;
    },
  };
}
