/**
 * Structures of the merge kernel. Plain integer constants only (see layout.ts).
 */

// --- The state of one merge: one page. H = written by the host before a call, K = by the kernel. ---
//
//   +0   runs: u32        H  number of sources
//   +4   byUser: u32      H  1 = rows are in order of (user, region), and the rows of a user fold to one
//   +8   run: u32         K  source to refill
//   +12  replay: u32      K  1 = that source's next row is not in the tree yet
//   +16  open: u32        K  columns: 1 while a group is being added up, as row `rows`; rows: its address
//   +20  rows: u32        HK finished rows of this batch
//   +24  bytes: u32       HK user bytes of this batch, the open group's included
//   +28  maxRows: u32     H
//   +32  maxBytes: u32    H
//   +36  region: u32      K  region of the batch; by user, of the latest row
//   +40  offsets: u32     H  columns of the output: (maxRows + 1) i32
//   +44  users: u32       H  bytes, max(maxBytes, MAX_USER_BYTES) and COLUMN_SLACK more
//   +48  totals: u32      H  maxRows i64
//   +52  counts: u32      H  maxRows i64
//   +56  tops: u32        H  maxRows u32: region numbers, only by user
//   +60  out: u32         HK mergeRows: next free byte of the output
//   +64  outEnd: u32      HK
//   +72  sum: i128        K  the open group
//   +88  count: u64       K
//   +96  part: i128       K  by user: the sum of the latest region
//   +112 best: i128       K  by user: the largest sum of a region before it, and its number
//   +128 bestRegion: u32  K
//   +136 minTotal: i64    H  a total outside of these is an overflow
//   +144 maxTotal: i64    H
//   +152 winner: u32      K  the source with the first row of all
//   +156 skip: u32        K  bytes of the prefix: what the users of all sources' first rows begin with, 8 at most
//   +160 prefix: u64      K  these bytes, the others 0
//   +168 mask: u64        K  ones where the prefix is
//   SOURCES: next u32 (address of the next row; 0 = the run has ended), end u32 (of what is in the buffer)
//   TREE: nodes, from 1 to runs - 1: the loser of the match at node n (Knuth, TAOCP 3, 5.4.1)
//     +0 run: u32   +4 region + 1: u32, 1 by user   +8 key: u64, bytes of its first row's user behind the prefix, in order

export const MERGE_RUNS = 0;
export const MERGE_BY_USER = 4;
export const MERGE_RUN = 8;
export const MERGE_REPLAY = 12;
export const MERGE_OPEN = 16;
export const MERGE_ROWS = 20;
export const MERGE_BYTES = 24;
export const MERGE_MAX_ROWS = 28;
export const MERGE_MAX_BYTES = 32;
export const MERGE_REGION = 36;
export const MERGE_OFFSETS = 40;
export const MERGE_USERS = 44;
export const MERGE_TOTALS = 48;
export const MERGE_COUNTS = 52;
export const MERGE_TOPS = 56;
export const MERGE_OUT = 60;
export const MERGE_OUT_END = 64;
export const MERGE_SUM = 72;
export const MERGE_COUNT = 88;
export const MERGE_PART = 96;
export const MERGE_BEST = 112;
export const MERGE_BEST_REGION = 128;
export const MERGE_MIN_TOTAL = 136;
export const MERGE_MAX_TOTAL = 144;
export const MERGE_WINNER = 152;
export const MERGE_SKIP = 156;
export const MERGE_PREFIX = 160;
export const MERGE_MASK = 168;
export const MERGE_SOURCES = 256;
export const SOURCE_BYTES = 8;
export const SOURCE_NEXT = 0;
export const SOURCE_END = 4;
export const MAX_FAN_IN = 256;
export const MERGE_TREE = 2304;
export const NODE_BYTES = 16;
export const NODE_RUN = 0;
export const NODE_REGION = 4;
export const NODE_KEY = 8;

/** Bytes behind the users of a batch that the kernel may overwrite. */
export const COLUMN_SLACK = 8;

// --- Columns that are laid out as rows of a run again (rowsOfColumns). ---
//
//   +0 region: u32   +4 next: u32 row   +8 rows: u32   addresses, u32: +12 offsets   +16 users   +20 totals   +24 counts

export const COLUMNS_REGION = 0;
export const COLUMNS_NEXT = 4;
export const COLUMNS_ROWS = 8;
export const COLUMNS_OFFSETS = 12;
export const COLUMNS_USERS = 16;
export const COLUMNS_TOTALS = 20;
export const COLUMNS_COUNTS = 24;
export const COLUMNS_BYTES = 28;

// --- Why a merge function returned. ---

/** Source `run` has no rows left in its buffer: fill it, set next and end, call again. */
export const STATUS_REFILL = 1;
/** The output is complete: take it, set the output fields, call again. */
export const STATUS_BATCH = 2;
/** All rows are out. */
export const STATUS_END = 3;
/** The open group's total is outside of minTotal and maxTotal. */
export const STATUS_OVERFLOW = 4;
