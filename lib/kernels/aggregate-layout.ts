/**
 * Structures of the aggregate kernel: the table of groups and its hash. Plain integer constants only (see layout.ts).
 */

// --- A table: one page. The host writes TABLE_SECRET and the fields that resetTable takes; the rest is the kernel's. ---
//
//   while rows are added                       once sealed
//   +0  slots: u32       address of the slots  address of the groups' addresses, in order
//   +4  shift: u32       slot = hash >>> shift
//   +8  groups: u32      groups in the table
//   +12 maxGroups: u32   grow before more
//   +16 page: u32        newest page of groups, 0 = none; pages are chained to the one before by PAGE_NEXT
//   +20 write: u32       next free byte of that page
//   +24 pages: u32       pages held
//   +28 maxPages: u32    never take more than these (the host's budget)
//   +32 maxRegion: u32   largest region number
//   +36 next: u32                              next address to emit
//   +40 unknown: u64                           rows of the unknown region
//   +48 touched: u64     what was loaded early; written so that the loads are not optimized away
//
// A slot is one u64: hash | address of the group << 32; 0 = empty. A group is a row in run format (layout.ts), so that
// emitting one is a copy. Groups are packed in pages behind PAGE_HEADER; the last GROUP_PAGE_SLACK bytes of a page stay
// unused, so that a load may pass a group's end by as much.

export const TABLE_SLOTS = 0;
export const TABLE_SHIFT = 4;
export const TABLE_GROUPS = 8;
export const TABLE_MAX_GROUPS = 12;
export const TABLE_PAGE = 16;
export const TABLE_WRITE = 20;
export const TABLE_PAGES = 24;
export const TABLE_MAX_PAGES = 28;
export const TABLE_MAX_REGION = 32;
export const TABLE_NEXT = 36;
export const TABLE_UNKNOWN = 40;
export const TABLE_TOUCHED = 48;

/** Random bytes of the run: what the hash is keyed with. */
export const TABLE_SECRET = 128;
export const SECRET_HEAD = 0; //   u64 multiplier of region and length
export const SECRET_FINAL = 8; //  u64 multiplier of the sum, made odd
export const SECRET_WORDS = 16; // two u32 for each 8 bytes of the longest user
export const SECRET_BYTES = 8208;

/** Work areas of aggregateBatch: hash u32 and slot u32 for each row of a block; the slot's group u32. */
export const TABLE_BLOCK = 8448;
export const TABLE_BLOCK_GROUPS = 10496;
export const BLOCK_ROWS = 256;
/** Work area of the sort: frames of 16 bytes. */
export const TABLE_STACK = 11520;
export const STACK_FRAMES = 96;
export const TABLE_BYTES = 13056;

export const SLOT_BYTES = 8;
/** One page of slots. */
export const MIN_SLOTS = 2048;
export const MAX_SLOTS = 0x10000000;
export const GROUP_PAGE_SLACK = 16;
