/**
 * The hashes of users, by the top USERS_PARTITION_BITS bits of their hash, and the table that counts the different ones
 * (assembly/users.ts and its twin).
 *
 *   +0 seed: u64   +8 pages: u32, how many there are   +12 most: u32, how many there may be
 *   +16 cursors, one a partition, 16 bytes: +0 page: u32, the last one, 0 = none   +4 write: u32   +8 hashes: u32, how many
 *
 *   page  +0 previous: u32, 0 = none   +8 checksum: u64   +16 hashes: u64 each, full but for the last page
 *   block, in a file: a page from its checksum on, up to its last hash; the checksum is XXH64 of the hashes, seeded with
 *   the block's position
 *
 *   table +0 slots: u32   +4 size: u32, slots   +8 used: u32   +12 limit: u32   +16 first: u32   +20 last: u32
 *
 * A table counts the hashes of a slice: those whose 32 bits below the partition's are `first` to `last`. A slot is a u64,
 * 0 = empty (a hash of 0 counts as 1); a hash's home is its low 32 bits times size >> 32, open addressing from there on.
 */
export const USERS_PARTITION_BITS = 6;
export const USERS_PARTITIONS = 64;
export const USERS_SEED = 0;
export const USERS_PAGES = 8;
export const USERS_MOST = 12;
export const USERS_CURSORS = 16;
export const USERS_CURSOR_BYTES = 16;
export const USERS_PAGE = 0;
export const USERS_WRITE = 4;
export const USERS_HASHES = 8;
export const USERS_BYTES = 1040;
export const PAGE_CHECKSUM = 8;
export const PAGE_HASHES = 16;
/** (PAGE_BYTES - PAGE_HASHES) / 8. */
export const HASHES_PER_PAGE = 2046;
export const BLOCK_HASHES = 8;
/** A block of a full page. */
export const BLOCK_BYTES = 16376;
export const TABLE_SLOTS = 0;
export const TABLE_SIZE = 4;
export const TABLE_USED = 8;
export const TABLE_LIMIT = 12;
export const TABLE_FIRST = 16;
export const TABLE_LAST = 20;
export const TABLE_BYTES = 24;
