/**
 * How large a row group is: the unit of the merge's output, of the encoder's memory and of a reader's pruning.
 *
 * Both limits were measured (sorted ids of 13 and 36 bytes, zstd): from 131072 rows on, larger groups gain less than
 * 10 % time and 2 % size, while the encoder's memory goes on growing with the group. A group ends before the row that
 * would cross either limit; a single row may be longer than ROW_GROUP_BYTES only in theory (MAX_USER_BYTES is 8192).
 */

export const ROW_GROUP_ROWS = 65536;
/** Bytes of user ids. Keeps the encoder's WASM memory at 13 to 25 MiB for usual ids, 41 MiB for random ones at both limits. */
export const ROW_GROUP_BYTES = 2 << 20;
