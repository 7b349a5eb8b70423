/**
 * Every offset, size and bit field that two sides of linear memory must agree on. AssemblyScript kernels and their
 * TypeScript twins both import this file, so it holds plain integer constants only: no types, no imports.
 * All multi-byte values are little-endian. Addresses are byte addresses in the one linear memory.
 */

// --- The page pool's control block: where kernels take 16 KiB pages from without calling the host. Each thread's arena
// has its own: a kernel imports its address. ---
//
//   POOL_AT + POOL_BYTES * number of the arena
//              +0 free: u32   head of the list of returned pages, linked through each page's first word; 0 = none
//              +4 next: u32   first never-used page of the current extent
//              +8 end:  u32   end of the current extent; next === end: the host must refill
//             +12 used: u32   pages in use

export const POOL_AT = 1024;
/** A cache line, so that no two threads write to one. */
export const POOL_BYTES = 64;
export const POOL_FREE = 0;
export const POOL_NEXT = 4;
export const POOL_END = 8;
export const POOL_USED = 12;
/** One page: the unit of growth of partitions and of the aggregate's groups. */
export const PAGE_BYTES = 16384;

// --- What nearly all users of the run begin with: written by the host before the first row is stored, the same for all
// threads. Part of no result: an empty one would do. ---
//
//   USER_PREFIX_AT  +0 length: u32, at most MAX_USER_PREFIX
//                  +16 the bytes, padded with zeros to 32   +48 all ones for each of them, padded with zeros to 16

export const USER_PREFIX_AT = 512;
export const USER_PREFIX_BYTES = 528;
export const USER_PREFIX_MASK = 560;
/** One vector. */
export const MAX_USER_PREFIX = 16;

/** Nothing but control blocks lives below this address. Address 0 means "none" everywhere. */
export const FIRST_FREE_AT = 65536;

// --- A batch: up to BATCH_ROWS records of one block, column by column. ---

export const BATCH_ROWS = 4096;
/** Between columns: so many bytes apart, those of a row are in different sets of the CPU's first cache. */
const COLUMN_GAP = 256;
const WORDS = 4 * BATCH_ROWS + COLUMN_GAP; //   a column of u32
const DOUBLES = 8 * BATCH_ROWS + COLUMN_GAP; // a column of 64 bits
/** u32 each: address of the record's first byte; address just past its last byte, line end excluded. */
export const BATCH_RECORD_START = 0;
export const BATCH_RECORD_END = WORDS;
/** u32 each: address and byte length of a field's content, quotes removed and doubled quotes folded. */
export const BATCH_ID_PTR = 2 * WORDS;
export const BATCH_ID_LEN = 3 * WORDS;
export const BATCH_USER_PTR = 4 * WORDS;
export const BATCH_USER_LEN = 5 * WORDS;
export const BATCH_IP_PTR = 6 * WORDS;
export const BATCH_IP_LEN = 7 * WORDS;
export const BATCH_VALUE_PTR = 8 * WORDS;
export const BATCH_VALUE_LEN = 9 * WORDS;
/** u32: 0 = a good row; else a reject code (REJECT_*). Rows with a status are never scattered. */
export const BATCH_STATUS = 10 * WORDS;
/** u32: the region's number in the range table. */
export const BATCH_REGION = 11 * WORDS;
/** i64: the value as a scaled integer. */
export const BATCH_VALUE = 12 * WORDS;
/** u64 each: the two XXH64 of the id. */
export const BATCH_ID_LO = BATCH_VALUE + DOUBLES;
export const BATCH_ID_HI = BATCH_ID_LO + DOUBLES;
export const BATCH_BYTES = BATCH_ID_HI + DOUBLES;

// --- Reject codes, the values of BATCH_STATUS. Names and sentences stand in core/rejects.ts. ---

export const REJECT_NONE = 0;
export const REJECT_FIELD_COUNT = 1;
export const REJECT_BAD_QUOTE = 2;
export const REJECT_UNTERMINATED_QUOTE = 3;
export const REJECT_RECORD_TOO_LONG = 4;
export const REJECT_MISSING_ID = 5;
export const REJECT_MISSING_USER = 6;
export const REJECT_USER_TOO_LONG = 7;
export const REJECT_MISSING_VALUE = 8;
export const REJECT_BAD_VALUE = 9;
export const REJECT_VALUE_PRECISION = 10;
export const REJECT_VALUE_RANGE = 11;
export const REJECT_INVALID_UTF8 = 12;
export const REJECT_ID_TOO_LONG = 13;
/** And of a rule of the run: this, and its number (core/rules.ts). The first two are the bounds of the value. */
export const REJECT_RULE = 32;
export const REJECT_VALUE_MIN = 32;
export const REJECT_VALUE_MAX = 33;

/** The longest user id, so that a row always fits a page. */
export const MAX_USER_BYTES = 8192;
export const MAX_ID_BYTES = 8192;
/** A longer field whose quotes are doubled stays as it is: folded, it would still be too long for what it is. */
export const MAX_FOLDED_BYTES = 16384;

// --- Partitions. ---

// The partition of a row: the top bits of its id's low hash, as many as the store's number of partitions takes.
// The two halves of an id are XXH64 with two seeds: lo = XXH64(id, 0), hi = XXH64(id, 0x9e3779b97f4a7c15).

// A partition page:
//
//   +0 next: u32 (0 = last page)   +4 used: u32 bytes, header included   +8 segments ...
//
// A page starts at a multiple of PAGE_BYTES. Where the next row of a partition goes: partition-layout.ts.
//
// A segment is the rows that one block gave to one partition, in the order of the block. Segments carry their place in
// the input, so that chains written by several workers can be merged back into input order. A segment never crosses a
// page: a page starts with a segment of its own. So 16 bits are enough for its bytes, by which a merge goes from one to
// the next without a look at the rows.
//
//   +0 bytes: u16 of its rows   +2 block: u24   +5 input: u24   +8 rows ...
//   as one u64: bytes | block << 16 | input << 40
//
// A row, unaligned, is compact: 20 bytes, and of the user what stands behind the prefix (USER_PREFIX_AT)
//
//   +0 idLo: u64   +8 idHi: u64   +16 head: u32   rest of the user
//
//   head bits 0-5 bytes of the rest, below 63; 6-13 region; 14-31 value, from 0 on
//
// or, when any of the three does not fit or the user does not begin with the prefix, wide:
//
//   +0 idLo: u64   +8 idHi: u64   +16 head: u64   [+24 value: i64, only if escaped]   user bytes, all of them
//
//   head bits 0-5 all ones; 6-19 user length; 20-39 region; 40-63 value, from 0 on; all ones in the value's 24 bits =
//   escaped: the value follows as i64
//
// So what a compact row leaves out needs no bit of its own, and users without the prefix, few of them, take 4 bytes more.
// One user may be in rows of both forms. What both forms have alike is the rest: of a user that begins with the prefix what
// stands behind it, else all of him; and the key: region << 16 | ROW_KEY_PLAIN if he does not begin with it | bytes of the rest.
//
// A row takes the shortest form that holds it. Its id is read by scatter and dedup only: what reads the other fields may be
// given the address of a row without an id, less 16, if there are 4 bytes to be read before its head. The code that knows
// all this: assembly/row.ts, twins/row.ts.

export const PAGE_NEXT = 0;
export const PAGE_USED = 4;
export const PAGE_HEADER = 8;
export const SEGMENT_HEADER = 8;
export const ROW_ID_LO = 0;
export const ROW_ID_HI = 8;
export const ROW_HEAD = 16;
export const ROW_FIXED = 20;
export const HEAD_LENGTH_MASK = 0x3f;
export const HEAD_WIDE = 63;
export const HEAD_REGION_SHIFT = 6;
export const HEAD_REGION_MASK = 0xff;
export const HEAD_VALUE_SHIFT = 14;
export const HEAD_VALUE_BITS = 18;
export const ROW_WIDE_FIXED = 24;
export const WIDE_LENGTH_SHIFT = 6;
export const WIDE_LENGTH_MASK = 0x3fff;
export const WIDE_REGION_SHIFT = 20;
export const WIDE_REGION_MASK = 0xfffff;
export const WIDE_VALUE_SHIFT = 40;
export const WIDE_ESCAPE = 0xffffff; // 24 ones
export const MAX_REGIONS = 0x100000;
export const ROW_KEY_REGION_SHIFT = 16;
export const ROW_KEY_PLAIN = 0x8000;
export const ROW_KEY_REST = 0x7fff;

// --- The winners of dedup: u32 addresses of rows, still in their partition's pages. ---

export const WINNERS_MAX = 4096;

// --- Rows of a sorted run, packed back to back, unaligned. In a run file they are packed further: spill-layout.ts. ---
//
//   +0 region: u32   +4 user length: u32   +8 sum lo: u64   +16 sum hi: i64   +24 count: u64   +32 user bytes
//
// The sum is a 128-bit two's complement integer: partial sums never overflow, so whether a total fits 64 bits does not
// depend on the order in which rows were added.

export const RUN_REGION = 0;
export const RUN_USER_LEN = 4;
export const RUN_SUM_LO = 8;
export const RUN_SUM_HI = 16;
export const RUN_COUNT = 24;
export const RUN_USER = 32;
