/**
 * Pages of ids, as the state keeps them, and what the kernel needs to write and to load them: integer constants only, see
 * layout.ts. The code: assembly/id-pages.ts, twins/id-pages.ts.
 *
 * A page holds up to ID_PAGE_MOST different 128-bit ids of one slice: the top ID_SLICE_BITS bits of lo are the page's. By the
 * next bits the ids are in buckets, and of those only how many a bucket has is written, in unary; what is left of an id
 * is whole bytes:
 *
 *   lo  [slice: 10][bucket: 6 or 14][rest: 48 or 40]   hi [64]
 *
 *   +0 checksum: u64     XXH64 of all behind it; seed = slice | ID_PAGE_SALT << 32
 *   +8 count: u32        ids, at least 1
 *   +12 slice: u16
 *   +14 bucketBits: u8   6 or 14
 *   +15 format: u8       ID_PAGE_FORMAT
 *   +16 buckets          for each bucket, ascending, as many one bits as it has ids and a zero bit; from the lowest bit of a
 *                        byte on, zeros up to a whole byte
 *       ids              in order of their buckets: hi, then the rest of lo, little-endian: 14 or 13 bytes
 *
 * So an id takes 13.2 to 14.4 bytes from 100 ids on, and they are put in order by counting, without a sort: as fast whatever
 * ids are chosen.
 */
export const ID_SLICE_BITS = 10;
export const ID_SLICES = 1024;
export const ID_PAGE_CHECKSUM = 0;
export const ID_PAGE_COUNT = 8;
export const ID_PAGE_SLICE = 12;
export const ID_PAGE_BUCKET_BITS = 14;
export const ID_PAGE_FORMAT_AT = 15;
export const ID_PAGE_HEADER = 16;
export const ID_PAGE_FORMAT = 1;
export const ID_PAGE_SALT = 0x69647331;
export const ID_PAGE_MOST = 65536;
/** Up to ID_PAGE_FEW ids a page has few buckets: about where 8 bits more of each id outweigh the bits of empty buckets. */
export const ID_PAGE_FEW = 2048;
export const BUCKET_BITS_FEW = 6;
export const BUCKET_BITS_MANY = 14;
/** The longest page: ID_PAGE_HEADER, 65536 + 2^14 bits, 65536 ids of 13 bytes. */
export const ID_PAGE_BYTES_MOST = 862224;
/** An id that is not in a page: lo, hi. */
export const ID_BYTES = 16;
/** Counters of buckets, or of slices: u32 each. */
export const ID_SCRATCH_BYTES = 65536;

// Where loading stands in a page, and which of its ids are wanted: the host sets all, the kernel moves `bit` and `done`.
//
//   +0 page: u32   its address                 +16 loFrom: u64   bounds, both included
//   +4 bit: u32    next bit of its buckets     +24 loTo: u64
//   +8 done: u32   ids gone over               +32 hiFrom: u64
//   +12 scratch                                +40 hiTo: u64

export const LOADING_PAGE = 0;
export const LOADING_BIT = 4;
export const LOADING_DONE = 8;
export const LOADING_TOUCHED = 12;
export const LOADING_LO_FROM = 16;
export const LOADING_LO_TO = 24;
export const LOADING_HI_FROM = 32;
export const LOADING_HI_TO = 40;
/** A group of GROUP_ROWS ids: lo, hi, and offsets of their first slots. Scratch of one call. */
export const LOADING_GROUP = 48;
export const LOADING_GROUP_ENTRY = 24;
export const LOADING_BYTES = 816;
