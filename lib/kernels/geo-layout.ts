/**
 * Offsets of the range table and of its building site, shared by the geo kernel, its twin and `lib/geo/`. Plain integer
 * constants only. Offsets inside a table are relative to its start, so a table may be moved. Drawn in assembly/geo-lookup.ts.
 */

// --- The range table. ---

/** u32 each: bytes of the table; bytes of a region number in a chunk (1, 2 or 4); region number of unknown addresses. */
export const TABLE_BYTES = 0;
export const TABLE_WIDTH = 4;
export const TABLE_UNKNOWN = 8;
/** u32 each: ranges of the two families after joining; prefixes of the IPv6 tree, ::/96 aside, that lead to the IPv4 tree. */
export const TABLE_RANGES4 = 12;
export const TABLE_RANGES6 = 16;
export const TABLE_ALIASES = 20;
/** u32 each: the entry of all IPv6 addresses; where the directory of IPv4 is; 1 or 2: an entry there has 1 << this bytes. */
export const TABLE_ROOT6 = 24;
export const TABLE_DIRECTORY = 28;
export const TABLE_DIRECTORY_SHIFT = 32;
export const TABLE_CHUNKS = 64;
/** Entries of the directory: one for each value of 16 bits. */
export const DIRECTORY_ENTRIES = 65536;
/** A directory's entries have two bytes where all of them fit: region numbers and lines below this. */
export const NARROW_LIMIT = 32768;
/** Kernels read this far past the last chunk. */
export const TABLE_PAD = 32;

/** An entry: its kind in the top two bits; below them a region number, a prefix length, or a chunk's offset / 2. */
export const KIND_SHIFT = 30;
export const KIND_REGION = 0;
export const KIND_ALIAS = 1;
export const KIND_LIST = 2;
export const KIND_BLOCK = 3;
export const ENTRY_MASK = 0x3fffffff;

/** A list's first byte: starts but the first in the lower bits, and whether its values are entries. */
export const LIST_STARTS = 15;
export const LIST_ENTRIES = 16;
/** More than so many values are a block. */
export const LIST_MAX = 16;
/** A block's parts; a set of bits has 32 bytes, then 4 with the number of ones in front of each 64. A block starts a cache line. */
export const BLOCK_VALUES = 36;
export const BITS_BYTES = 36;
export const BITS_BEFORE = 32;
export const LINE_SHIFT = 6;

// --- The building site: what the two passes over a search tree know. u32 each. ---

/** Set by the host: the search tree, its nodes, bits of a record, 4 or 6, and the bytes of the data section. */
export const BUILD_TREE = 0;
export const BUILD_NODES = 4;
export const BUILD_RECORD_BITS = 8;
export const BUILD_IP_VERSION = 12;
export const BUILD_DATA_BYTES = 16;
/** Set by the host: a byte for each byte of the data section and one spare, zeroed. */
export const BUILD_MARKS = 20;
/**
 * Set by the host after the first pass: region numbers of BUILD_WIDTH bytes, one for each byte of the data section, those
 * where a record was marked being filled in. One byte wide, they may take the place of the marks.
 */
export const BUILD_REGIONS = 24;
export const BUILD_WIDTH = 28;
export const BUILD_UNKNOWN = 32;
/** Set by the host: where the table goes, and the bytes there are for it and for the second pass's stack. */
export const BUILD_TABLE = 36;
export const BUILD_CAPACITY = 40;
/** Set by the host: nodes that the second pass may visit. */
export const BUILD_STEPS = 44;
/** The second pass's own: BUILD_OK until something fails; next free byte; top of the stack of entries; ... */
export const BUILD_STATE = 48;
export const BUILD_OUT = 52;
export const BUILD_TOP = 56;
/** ... the stack's top when the chunk in progress began, and the depth in the tree to which it goes; ... */
export const BUILD_BOTTOM = 60;
export const BUILD_DEPTH = 64;
/** ... the last leaf of the tree, as a record and as an entry; how many ranges began; aliases met; what node is one (none = 2^32 - 1: an IPv4 walk). */
export const BUILD_LAST_RECORD = 68;
export const BUILD_LAST = 72;
export const BUILD_RANGES = 76;
export const BUILD_ALIASES = 80;
export const BUILD_ROOT4 = 84;
export const BUILD_BYTES = 96;

/** How a build ended. */
export const BUILD_OK = 0;
/** The capacity is too small. */
export const BUILD_FULL = 1;
/** An address of the family has more bits than the tree is deep there: it is cyclic or damaged. */
export const BUILD_TOO_DEEP = 2;
/** More nodes visited than allowed: subtrees are shared without end. */
export const BUILD_TOO_MANY_STEPS = 3;
/** A record of the tree leads out of the data section. */
export const BUILD_BAD_RECORD = 4;
