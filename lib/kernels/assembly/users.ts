// Distinct users, by 64-bit hash, open addressing with linear probing. Layout and meaning: ../users-layout.ts.
import { USERS_COUNT, USERS_HASHES, USERS_MASK, USERS_SEED, USERS_SLOTS, USERS_TOUCHED } from "../users-layout";
import { xxh64 } from "./hash";

/** Users whose slots are touched before the first of them is inserted, so that the cache misses overlap. */
const GROUP: u32 = 32;

/** See UsersKernel in ../twins/users.ts. */
export function addUsers(table: u32, offsets: u32, bytes: u32, from: u32, rows: u32): u32 {
  const slots = load<u32>(table, USERS_SLOTS);
  const mask = load<u32>(table, USERS_MASK);
  const seed = load<u64>(table, USERS_SEED);
  const hashes = table + USERS_HASHES;
  const most = (mask >> 1) + 1;
  let count = load<u32>(table, USERS_COUNT);
  let row = from;
  while (row < rows && count < most) {
    const group = min(min(rows - row, GROUP), most - count);
    let touched: u64 = 0;
    let start = load<u32>(offsets + (row << 2));
    for (let i: u32 = 0; i < group; i++) {
      const end = load<u32>(offsets + ((row + i) << 2), 4);
      const hash = xxh64(bytes + start, end - start, seed);
      touched |= load<u64>(slots + ((<u32>hash & mask) << 3));
      store<u64>(hashes + (i << 3), hash ? hash : 1);
      start = end;
    }
    store<u64>(table, touched, USERS_TOUCHED); // or the loads above would be left out
    for (let i: u32 = 0; i < group; i++) count += u32(insert(slots, mask, load<u64>(hashes + (i << 3))));
    row += group;
  }
  store<u32>(table, count, USERS_COUNT);
  return row;
}

/** See UsersKernel in ../twins/users.ts. */
export function moveUsers(from: u32, fromSlots: u32, to: u32, toSlots: u32): void {
  for (let slot = from, end = from + (fromSlots << 3); slot < end; slot += 8) {
    const hash = load<u64>(slot);
    if (hash) insert(to, toSlots - 1, hash);
  }
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
