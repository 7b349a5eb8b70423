/**
 * The hashes of users, by the top USERS_PARTITION_BITS bits of their hash (assembly/users.ts and its twin).
 *
 *   +0 seed: u64
 *   +8 cursors, one a partition, 16 bytes: +0 page: u32, the last one, 0 = none   +4 write: u32   +8 hashes: u32, how many
 *
 *   page  +0 previous: u32, 0 = none   +8 hashes: u64 each, full but for the last page
 */
export const USERS_PARTITION_BITS = 6;
export const USERS_PARTITIONS = 64;
export const USERS_SEED = 0;
export const USERS_CURSORS = 8;
export const USERS_CURSOR_BYTES = 16;
export const USERS_PAGE = 0;
export const USERS_WRITE = 4;
export const USERS_HASHES = 8;
export const USERS_BYTES = 1032;
export const USERS_PAGE_HASHES = 8;
