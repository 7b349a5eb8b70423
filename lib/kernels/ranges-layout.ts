/**
 * Structures of aggregation by ranges, shared by ranges.ts, its twin and the host: integer constants only, see layout.ts.
 *
 * Splitters: where one range of keys ends and the next begins. Written once, read by all threads.
 *
 *   +0   ranges: u32   a power of two, at most MAX_RANGES
 *   +4   byUser: u32   1 = a key is of the user alone
 *   +8   skip: u32     bytes of the prefix
 *   +16  prefix        what the users of the sample begin with, MAX_PREFIX bytes at most
 *   +256 ranges - 1 x u64: the least key of range 1, 2, 3 ..., ascending
 *
 * A user's part of a key: the 8 bytes behind the prefix, as a number whose order is theirs, padded with zeros; 0 for users
 * before the prefix, all ones for those behind. A key: that, or region << 44 | that >> 20. Order of keys is order of groups,
 * as far as it goes, so that each range of keys is a range of groups.
 */
export const SPLIT_RANGES = 0;
export const SPLIT_BY_USER = 4;
export const SPLIT_SKIP = 8;
export const SPLIT_PREFIX = 16;
export const SPLIT_KEYS = 256;
export const SPLIT_BYTES = 4352; // SPLIT_KEYS + 8 * MAX_RANGES
export const MAX_RANGES = 512;
export const MAX_PREFIX = 240;
export const KEY_REGION_SHIFT = 44;
export const KEY_USER_SHIFT = 20;

// Rows that one thread scattered, zeroed before first use: for each range a chain of pages with rows from their heads on,
// back to back behind PAGE_HEADER. The last PAGE_SLACK bytes of a page stay unused, so that a copy may pass a row's end.
//
//   +0   work area of scatterWinners: range numbers of BLOCK_ROWS rows, u16 each
//   +256 a range: first: u32  address of its first page; 0 = none, or taken
//                 write: u32  next free byte of its last page; 0 = none
//                 rows: u32
//                 pages: u32

export const RANGES_BLOCK = 0;
export const RANGES_AT = 256;
export const RANGE_BYTES = 16;
export const RANGE_FIRST = 0;
export const RANGE_WRITE = 4;
export const RANGE_ROWS = 8;
export const RANGE_PAGES = 12;
export const RANGES_BYTES = 8448; // RANGES_AT + RANGE_BYTES * MAX_RANGES
export const BLOCK_ROWS = 128;
export const PAGE_SLACK = 16;
