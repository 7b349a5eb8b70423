/**
 * Offsets of the range table and of its building site, shared by the geo kernel, its twin and `lib/geo/`. Plain integer
 * constants only. Offsets inside a table are relative to its start, so a table may be moved. Drawn in assembly/geo-lookup.ts.
 */

// --- The range table. ---

/** u32 each: bytes of the table; bytes of a region number in a leaf chunk (1, 2 or 4); region number of unknown addresses. */
export const TABLE_BYTES = 0;
export const TABLE_WIDTH = 4;
export const TABLE_UNKNOWN = 8;
/** u32 each: ranges of the two families after joining; prefixes of the IPv6 tree, ::/96 aside, that lead to the IPv4 tree. */
export const TABLE_RANGES4 = 12;
export const TABLE_RANGES6 = 16;
export const TABLE_ALIASES = 20;
/** 65536 entries each, u32: what the first 16 bits of an address lead to. */
export const TABLE_DIRECTORY4 = 64;
export const TABLE_DIRECTORY6 = 262208;
export const TABLE_CHUNKS = 524352;
/** Entries of a directory: one for each value of 16 bits. */
export const DIRECTORY_ENTRIES = 65536;
/** Kernels read this far past the last chunk. */
export const TABLE_PAD = 32;

/** An entry: its kind in the top two bits; below them a region number, a prefix length, or a chunk's offset / 2. */
export const KIND_SHIFT = 30;
export const KIND_REGION = 0;
export const KIND_ALIAS = 1;
export const KIND_NODE = 2;
export const KIND_LEAF = 3;
export const ENTRY_MASK = 0x3fffffff;

// --- The building site: what the two passes over a search tree know. u32 each. ---

/** Set by the host: the search tree, its nodes, bits of a record, 4 or 6, and the bytes of the data section. */
export const BUILD_TREE = 0;
export const BUILD_NODES = 4;
export const BUILD_RECORD_BITS = 8;
export const BUILD_IP_VERSION = 12;
export const BUILD_DATA_BYTES = 16;
/** Set by the host: a bit for each byte of the data section (u64 words), and the bits set before each word (u32). */
export const BUILD_MARKS = 20;
export const BUILD_RANKS = 24;
/** Set by the host after the first pass: the region number (u32) of each marked record, in order of its offset. */
export const BUILD_REGIONS = 28;
export const BUILD_WIDTH = 32;
export const BUILD_UNKNOWN = 36;
/** Set by the host: where the table goes, and the bytes there are for it and for the second pass's stack. */
export const BUILD_TABLE = 40;
export const BUILD_CAPACITY = 44;
/** Set by the host: nodes that the second pass may visit. */
export const BUILD_STEPS = 48;
/** The second pass's own: state, BUILD_OK until something fails; next free byte; top of the stack of entries; ... */
export const BUILD_STATE = 52;
export const BUILD_OUT = 56;
export const BUILD_TOP = 60;
/** ... the entry of the range in progress; how many ranges began; aliases met; node where the IPv4 tree starts; its 4 or 6. */
export const BUILD_LAST = 64;
export const BUILD_RANGES = 68;
export const BUILD_ALIASES = 72;
export const BUILD_ROOT4 = 76;
export const BUILD_FAMILY = 80;
export const BUILD_BYTES = 128;

/** Region number of a record that could not be decoded: an error only if the walk comes to it. */
export const BAD_REGION = 0x7fffffff;

/** How a build ended. */
export const BUILD_OK = 0;
/** The capacity is too small. */
export const BUILD_FULL = 1;
/** An address of the family has more bits than the tree is deep there: it is cyclic or damaged. */
export const BUILD_TOO_DEEP = 2;
/** More nodes visited than allowed: subtrees are shared without end. */
export const BUILD_TOO_MANY_STEPS = 3;
/** A tree record that leads out of the data section, or to something that is no data record. */
export const BUILD_BAD_RECORD = 4;
