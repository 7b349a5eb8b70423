// Distinct users, by 64-bit hash, open addressing with linear probing. Layout and meaning: ../users-layout.ts.
import { USERS_COUNT, USERS_MASK, USERS_SEED, USERS_SLOTS } from "../users-layout";
import { xxh64 } from "./hash";

/** See UsersKernel in ../twins/users.ts. */
export function addUsers(table: u32, offsets: u32, bytes: u32, from: u32, rows: u32): u32 {
  const slots = load<u32>(table, USERS_SLOTS);
  const mask = load<u32>(table, USERS_MASK);
  const seed = load<u64>(table, USERS_SEED);
  const most = (mask >> 1) + 1;
  let count = load<u32>(table, USERS_COUNT);
  let row = from;
  for (; row < rows && count < most; row++) {
    const start = load<u32>(offsets + (row << 2));
    const hash = xxh64(bytes + start, load<u32>(offsets + (row << 2), 4) - start, seed);
    count += u32(insert(slots, mask, hash ? hash : 1));
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
