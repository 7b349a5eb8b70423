/**
 * The id table of dedup and the walk over a chunk's rows, shared by dedup.ts, its twin and the host: integer constants
 * only, see layout.ts.
 *
 * A table is a header and 2^bits slots of 16 bytes, an id each (lo, hi); a slot of zeros is empty, and whether the
 * all-zero id is in the table stands in the header. Open addressing with linear probing, from slot
 *
 *   h = lo * factor0 + hi * factor1 (mod 2^64);   slot = ((h ^ h >> 32) * factor0) >> (64 - bits)
 *
 * downwards, from 0 on to the last: so a table can be doubled where it is, with the new slots behind the old ones.
 * The factors are odd and random, drawn for each run: whoever chooses the ids cannot know which of them share a slot
 * (vector multiply-shift: Dietzfelbinger et al. 1997, "A reliable randomized algorithm for the closest-pair problem").
 *
 *   +0 slots: u32    address of the first slot       +16 hasZero: u32
 *   +4 bits: u32     log2 of the number of slots     +24 factor0: u64
 *   +8 used: u32     slots in use                    +32 factor1: u64
 *   +12 limit: u32   a table with as many slots in use is full: a group of rows may have gone past it
 */
export const TABLE_SLOTS = 0;
export const TABLE_BITS = 4;
export const TABLE_USED = 8;
export const TABLE_LIMIT = 12;
export const TABLE_HAS_ZERO = 16;
export const TABLE_FACTOR0 = 24;
export const TABLE_FACTOR1 = 32;
export const TABLE_BYTES = 40;
export const SLOT_BYTES = 16;
/** A table is full when 5/8 of its slots are in use. With at least 2^MIN_BITS, a third are free in any case. */
export const MIN_BITS = 10;
export const LOAD_NUMERATOR = 5;
export const LOAD_SHIFT = 3;

// Where dedup stands in a list of segments; the host starts it with the list and zeros.
//
//   +0 next: u32    where the next segment's address stands  +12 end: u32     end of the current segment: next one
//   +4 last: u32    end of the list                          +16 rows: u32    rows that the last call went over
//   +8 at: u32      address of the next row                  +20 stop: u32    why the last call ended: STOP_*

export const WALK_NEXT = 0;
export const WALK_LAST = 4;
export const WALK_AT = 8;
export const WALK_END = 12;
export const WALK_ROWS = 16;
export const WALK_STOP = 20;
/** Addresses of a group of rows and offsets of their first slots: scratch of one call. */
export const WALK_GROUP = 24;
export const GROUP_ROWS = 32;
export const WALK_BYTES = 280;

export const STOP_END = 0;
/** What another group finds may not fit the output area. */
export const STOP_AREA_FULL = 1;
export const STOP_TABLE_FULL = 2;
