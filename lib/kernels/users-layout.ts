/**
 * The table of distinct users: which hashes of users were seen (assembly/users.ts and its twin).
 *
 *   +0 slots: u32 address of the slots   +4 mask: u32 slots - 1   +8 count: u32 distinct users   +16 seed: u64
 *   +24 touched: u64   +32 hashes: u64 x 32                        the kernel's own, between calls without meaning
 *
 *   slots: u64 each, the user's XXH64; 0 = empty (a hash of 0 is kept as 1)
 */
export const USERS_SLOTS = 0;
export const USERS_MASK = 4;
export const USERS_COUNT = 8;
export const USERS_SEED = 16;
export const USERS_TOUCHED = 24;
export const USERS_HASHES = 32;
export const USERS_BYTES = 288;
export const USERS_SLOT_BYTES = 8;
