/**
 * Areas of the partition store and of those who read it, shared by scatter.ts, spill-pages.ts, segment-list.ts, their twin
 * and the host: integer constants only, see layout.ts.
 *
 * A store of rows, STORE_CURSORS + CURSOR_BYTES * partitions bytes, zeroed before first use:
 *
 *   +0      partitions: u32  how many: a power of two, at most 2^MAX_PARTITION_BITS
 *   +4      shift: u32       partition = (id word >>> shift) % partitions
 *   +8      word: u32        which word of the id: ROW_ID_LO or ROW_ID_HI
 *   +12     pages: u32       pages with rows: in chains, or in the list
 *   +16     maxPages: u32    never have more than these
 *   +20     free: u32        pages that the store keeps for itself, linked through their first words: taken before those
 *                            of the pool
 *   +24     listed: u32      length of the list
 *   +28     listedBytes: u32
 *   +32     rows: u32        in all chains
 *   +64     the list: LIST_PAGES pages that are on their way to a file: address u32, bytes u32 each
 *   +2112   1024 x u32       address of the partition's first page; 0 = no rows
 *   +6208   cursors of 16 bytes: all that a row's scatter reads and writes besides the row, so that they stay in L1
 *
 *   a cursor:  +0 write: u32     address of the next free byte; 0 = no page yet, a page's end = page full
 *              +4 segment: u32   address of the current segment's header
 *              +8 header: u64    what will be written there when the segment is closed: bytes | block << 16 | input << 40
 *
 * The current page is the one that `write - 1` lies in. Headers of open segments and PAGE_USED of last pages are
 * written by sealStore.
 */
export const MAX_PARTITION_BITS = 10;

export const STORE_PARTITIONS = 0;
export const STORE_SHIFT = 4;
export const STORE_WORD = 8;
export const STORE_PAGES = 12;
export const STORE_MAX_PAGES = 16;
export const STORE_FREE = 20;
export const STORE_LISTED = 24;
export const STORE_LISTED_BYTES = 28;
export const STORE_ROWS = 32;
export const STORE_LIST = 64;
export const STORE_FIRST = 2112;
export const STORE_CURSORS = 6208;

export const CURSOR_BYTES = 16;
export const CURSOR_WRITE = 0;
export const CURSOR_SEGMENT = 4;
export const CURSOR_HEADER = 8;

/** What one write takes at most: full pages fill the bytes, a few rows a page the list. */
export const LIST_PAGES = 256;
export const LIST_BYTES = 1048576;

// A packed page, in a file: the first PAGE_USED bytes of a page, with a checksum in the place of PAGE_NEXT: the low half
// of XXH64, seeded with partition | generation << 32, of all that follows it. Read back, packed pages stand one behind
// the other in a buffer, wherever they fall, and are linked again:
//
//   buffer  +0 first: u32   address of the first page, where a page has PAGE_NEXT; 0 = none
//           +4 last: u32    address of the last page; of the buffer itself when there is none
//           +8 packed pages ...

export const BUFFER_FIRST = 0;
export const BUFFER_LAST = 4;
export const BUFFER_PAGES = 8;

// Where a merge of chains stands: what several threads stored of one partition, in input order. The host writes a source for
// each chain, in any order; the kernel makes them a heap by key, and takes those that come to their end off it. Where a
// source has more, elsewhere, its last record stops the merge: the host gives the source at +8 its next chain.
//
//   +0   sources: u32
//   +8   sources of 24 bytes:
//          +0 key: u64     number | input and block of the current segment << 8
//          +8 at: u32      address of the current segment; 0 = the page was not looked at yet
//          +12 end: u32    end of the page's used part
//          +16 page: u32   current page; 0 = the chain has come to its end, and there is more
//          +20 more: u16   1 = the chain goes on elsewhere
//          +22 number: u16 the host's, below MERGE_MOST
//
// Whose keys are equal, goes by number; but then two sources would share a block, which no two stores do.

export const MERGE_MOST = 256;
export const MERGE_SOURCES = 0;
export const MERGE_HEAP = 8;
export const SOURCE_BYTES = 24;
export const SOURCE_KEY = 0;
export const SOURCE_AT = 8;
export const SOURCE_END = 12;
export const SOURCE_PAGE = 16;
export const SOURCE_MORE = 20;
export const SOURCE_NUMBER = 22;
