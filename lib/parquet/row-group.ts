/**
 * How large a row group is: the unit of the merge's output, of the encoder's memory and of a reader's pruning.
 *
 * Measured against twice as much (3 million sorted users in one region, zstd; DuckDB 1.5 with 2 threads):
 *
 *                      file          encoding     encoder's memory   aggregates      one user
 *   users of 13 bytes  + 0.4 %       + 13 % CPU   10 MB for 13 MB    as fast         2.5 ms for 3.9 ms
 *   UUIDs              equal         +  5 % CPU   14 MB for 26 MB    as fast         3.2 ms for 5.0 ms
 *
 * A group ends before the row that would cross either limit; a single row may be longer than ROW_GROUP_BYTES only in
 * theory (MAX_USER_BYTES is 8192).
 */

export const ROW_GROUP_ROWS = 65536;
/** Bytes of user ids. Keeps the encoder's memory at 10 to 20 MB whatever the users are. */
export const ROW_GROUP_BYTES = 2 << 20;
