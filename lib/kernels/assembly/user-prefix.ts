// What nearly all users of the run begin with. Layout: ../layout.ts, USER_PREFIX_AT.
import { USER_PREFIX_AT, USER_PREFIX_BYTES, USER_PREFIX_MASK } from "../layout";
import { sameBytes } from "./sort-bytes";

/** Whether the bytes at `user` are the prefix; MAX_USER_PREFIX of them are loaded, however many there are. */
// @ts-ignore: decorator
@inline
export function isPrefix(user: u32): bool {
  const differ = v128.xor(v128.load(user), v128.load(USER_PREFIX_BYTES));
  return !v128.any_true(v128.and(differ, v128.load(USER_PREFIX_MASK)));
}

/** Whether a user of `length` bytes begins with it. 8 bytes before him must be readable; nothing behind him is read. */
export function beginsWithPrefix(user: u32, length: u32): bool {
  const bytes = load<u32>(USER_PREFIX_AT);
  return length >= bytes && sameBytes(user, USER_PREFIX_BYTES, bytes);
}

/** Writes the prefix, and zeros up to MAX_USER_PREFIX bytes. */
// @ts-ignore: decorator
@inline
export function storePrefix(to: u32): void {
  v128.store(to, v128.load(USER_PREFIX_BYTES));
}
