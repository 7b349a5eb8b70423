/**
 * A partition store's area, shared by scatter.ts, its twin and the store: integer constants only, see layout.ts.
 *
 *   +0      1024 cursors of 16 bytes: all that a row's scatter reads and writes besides the row, so that they stay in L1
 *   +16384  1024 x u32   address of the partition's first page; 0 = no rows
 *   +20480  1024 x u32   rows of the partition, counted when a segment is closed
 *
 *   a cursor:  +0 write: u32     address of the next free byte; 0 = no page yet, a page's end = page full
 *              +4 segment: u32   address of the current segment's header
 *              +8 header: u64    what will be written there when the segment is closed: rows | block << 16 | input << 40
 *
 * The current page is the one that `write - 1` lies in. Headers of open segments and PAGE_USED of last pages are
 * written by sealStore.
 */
export const CURSOR_BYTES = 16;
export const CURSOR_WRITE = 0;
export const CURSOR_SEGMENT = 4;
export const CURSOR_HEADER = 8;
export const STORE_FIRST = 16384;
export const STORE_ROWS = 20480;
export const STORE_BYTES = 24576;
