// Distinct users: their 64-bit hashes are gathered by partition first, then counted in a table that fits the cache.
// Random access to one table of all users would take three times as long.
//
//   users ── hash ──► cursor of the partition ──► page ◄─ page ◄─ page ──────────────────┐
//                                                   └── checksum ──► file ──► blocks ────┴──► table of a slice
//
// Layout: ../users-layout.ts; what the functions promise: UsersKernel in ../twins/users.ts.
import { PAGE_BYTES } from "../layout";
import {
  BLOCK_HASHES, HASHES_PER_PAGE, PAGE_CHECKSUM, PAGE_HASHES, TABLE_FIRST, TABLE_LAST, TABLE_LIMIT, TABLE_SIZE, TABLE_SLOTS,
  TABLE_USED, USERS_CURSORS, USERS_CURSOR_BYTES, USERS_HASHES, USERS_MOST, USERS_PAGE, USERS_PAGES, USERS_PARTITION_BITS,
  USERS_SEED, USERS_WRITE,
} from "../users-layout";
import { xxh64 } from "./hash";
import { giveChain, takePage } from "./pages";

export function addUsers(state: u32, offsets: u32, bytes: u32, from: u32, rows: u32): u32 {
  const seed = load<u64>(state, USERS_SEED);
  let start = load<u32>(offsets + (from << 2));
  for (let row = from; row < rows; row++) {
    const end = load<u32>(offsets + (row << 2), 4);
    const hash = xxh64(bytes + start, end - start, seed);
    const cursor = state + USERS_CURSORS + <u32>(hash >> (64 - USERS_PARTITION_BITS)) * USERS_CURSOR_BYTES;
    let write = load<u32>(cursor, USERS_WRITE);
    if ((write & (PAGE_BYTES - 1)) == 0) { // the page is full, or there is none
      const pages = load<u32>(state, USERS_PAGES);
      const page = pages < load<u32>(state, USERS_MOST) ? takePage() : 0;
      if (!page) return row;
      store<u32>(state, pages + 1, USERS_PAGES);
      store<u32>(page, load<u32>(cursor, USERS_PAGE));
      store<u32>(cursor, page, USERS_PAGE);
      write = page + PAGE_HASHES;
    }
    store<u64>(write, hash);
    store<u32>(cursor, write + 8, USERS_WRITE);
    store<u32>(cursor, load<u32>(cursor, USERS_HASHES) + 1, USERS_HASHES);
    start = end;
  }
  return rows;
}

export function freeUsers(state: u32, partition: u32): void {
  const cursor = state + USERS_CURSORS + partition * USERS_CURSOR_BYTES;
  const pages = (load<u32>(cursor, USERS_HASHES) + HASHES_PER_PAGE - 1) / HASHES_PER_PAGE;
  store<u32>(state, load<u32>(state, USERS_PAGES) - pages, USERS_PAGES);
  giveChain(load<u32>(cursor, USERS_PAGE));
  memory.fill(cursor, 0, USERS_CURSOR_BYTES);
}

export function sealPage(page: u32, hashes: u32, seedLo: u32, seedHi: u32): void {
  store<u64>(page, xxh64(page + PAGE_HASHES, hashes << 3, <u64>seedLo | (<u64>seedHi << 32)), PAGE_CHECKSUM);
}

export function isIntact(block: u32, hashes: u32, seedLo: u32, seedHi: u32): u32 {
  return u32(load<u64>(block) == xxh64(block + BLOCK_HASHES, hashes << 3, <u64>seedLo | (<u64>seedHi << 32)));
}

export function clearSlots(table: u32): void {
  memory.fill(load<u32>(table, TABLE_SLOTS), 0, load<u32>(table, TABLE_SIZE) << 3);
  store<u32>(table, 0, TABLE_USED);
}

export function countHashes(table: u32, hashes: u32, count: u32): u32 {
  const slots = load<u32>(table, TABLE_SLOTS), size = load<u32>(table, TABLE_SIZE);
  const first = load<u32>(table, TABLE_FIRST), span = load<u32>(table, TABLE_LAST) - first;
  const limit = load<u32>(table, TABLE_LIMIT), end = slots + (size << 3), until = hashes + (count << 3);
  let used = load<u32>(table, TABLE_USED);
  for (let at = hashes; at < until; at += 8) {
    let hash = load<u64>(at);
    if (<u32>(hash >> (32 - USERS_PARTITION_BITS)) - first > span) continue;
    if (!hash) hash = 1;
    let slot = slots + (<u32>(((hash & 0xffffffff) * size) >> 32) << 3);
    for (let found = load<u64>(slot); found != hash; found = load<u64>(slot)) {
      if (!found) {
        if (used == limit) return 0;
        store<u64>(slot, hash);
        used++;
        break;
      }
      slot += 8;
      if (slot == end) slot = slots;
    }
  }
  store<u32>(table, used, TABLE_USED);
  return 1;
}
