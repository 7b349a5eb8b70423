/** What nearly all users of a run begin with: where it stands in linear memory. Layout: layout.ts, USER_PREFIX_AT. */
import { MAX_USER_PREFIX, USER_PREFIX_AT, USER_PREFIX_BYTES, USER_PREFIX_MASK } from './layout.ts';
import type { LinearMemory } from './linear-memory.ts';

/** Before the first row is stored, once, for all threads; without it, the prefix is empty. At most MAX_USER_PREFIX bytes. */
export function setUserPrefix(memory: LinearMemory, prefix: Uint8Array): void {
  memory.view(USER_PREFIX_AT, 4).setUint32(0, prefix.length, true);
  memory.bytes(USER_PREFIX_BYTES, MAX_USER_PREFIX).fill(0).set(prefix);
  memory.bytes(USER_PREFIX_MASK, MAX_USER_PREFIX).fill(0).fill(0xff, 0, prefix.length);
}

export function userPrefix(memory: LinearMemory): Uint8Array {
  return memory.bytes(USER_PREFIX_BYTES, memory.view(USER_PREFIX_AT, 4).getUint32(0, true));
}

/** Whether the user begins with it. */
export function beginsWithPrefix(memory: LinearMemory, user: Uint8Array): boolean {
  const prefix = userPrefix(memory);
  return Buffer.compare(user.subarray(0, prefix.length), prefix) === 0;
}
