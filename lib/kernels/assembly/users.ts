// Distinct users: their 64-bit hashes are gathered by partition first, then counted in a table that fits the cache.
// Random access to one table of all users would take three times as long. Layout: ../users-layout.ts.
import { PAGE_BYTES } from "../layout";
import {
  USERS_CURSORS, USERS_CURSOR_BYTES, USERS_HASHES, USERS_PAGE, USERS_PAGE_HASHES, USERS_PARTITION_BITS, USERS_SEED, USERS_WRITE,
} from "../users-layout";
import { xxh64 } from "./hash";
import { givePage, takePage } from "./pages";

/** See UsersKernel in ../twins/users.ts. */
export function addUsers(state: u32, offsets: u32, bytes: u32, from: u32, rows: u32): u32 {
  const seed = load<u64>(state, USERS_SEED);
  let start = load<u32>(offsets + (from << 2));
  for (let row = from; row < rows; row++) {
    const end = load<u32>(offsets + (row << 2), 4);
    const hash = xxh64(bytes + start, end - start, seed);
    const cursor = state + USERS_CURSORS + <u32>(hash >> (64 - USERS_PARTITION_BITS)) * USERS_CURSOR_BYTES;
    let write = load<u32>(cursor, USERS_WRITE);
    if ((write & (PAGE_BYTES - 1)) == 0) { // the page is full, or there is none
      const page = takePage();
      if (!page) return row;
      store<u32>(page, load<u32>(cursor, USERS_PAGE));
      store<u32>(cursor, page, USERS_PAGE);
      write = page + USERS_PAGE_HASHES;
    }
    store<u64>(write, hash);
    store<u32>(cursor, write + 8, USERS_WRITE);
    store<u32>(cursor, load<u32>(cursor, USERS_HASHES) + 1, USERS_HASHES);
    start = end;
  }
  return rows;
}

/** See UsersKernel in ../twins/users.ts. */
export function countUsers(state: u32, partition: u32, slots: u32, size: u32): u32 {
  memory.fill(slots, 0, size << 3);
  const cursor = state + USERS_CURSORS + partition * USERS_CURSOR_BYTES;
  let count: u32 = 0;
  let end = load<u32>(cursor, USERS_WRITE);
  let page = load<u32>(cursor, USERS_PAGE);
  while (page) {
    for (let at = page + USERS_PAGE_HASHES; at < end; at += 8) {
      const hash = load<u64>(at);
      count += u32(insert(slots, size - 1, hash ? hash : 1)); // 0 marks an empty slot
    }
    const previous = load<u32>(page);
    givePage(page);
    page = previous;
    end = page + PAGE_BYTES;
  }
  memory.fill(cursor, 0, USERS_CURSOR_BYTES);
  return count;
}

// @ts-ignore: decorator
@inline
function insert(slots: u32, mask: u32, hash: u64): bool {
  for (let index = <u32>hash & mask; ; index = (index + 1) & mask) {
    const found = load<u64>(slots + (index << 3));
    if (found == hash) return false;
    if (found) continue;
    store<u64>(slots + (index << 3), hash);
    return true;
  }
}
