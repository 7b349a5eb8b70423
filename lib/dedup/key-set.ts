/**
 * The contract that dedup asks: which of these ids are new? A set of 128-bit ids, used one partition at a time, so that
 * an implementation needs memory, or pages read from disk, for one partition's ids only.
 *
 *   begin(7)  admit(chunk) ... admit(chunk)  end(7)   begin(8) ...   close()
 *
 * The caller promises: calls do not overlap, an earlier one is awaited; partitions come in ascending order, each at most
 * once, and some not at all (no rows); all chunks of a partition come between its begin and its end, in input order; a
 * chunk is admitted until it is `done`, and its pages stay as they are until then.
 *
 * An implementation promises: an id is new if it was neither admitted before in this partition nor known from
 * an earlier run; the first row of a new id, in the order of the rows, is its winner. Memory grows with the number of
 * distinct ids of a partition, never with rows. An id chosen by an enemy costs no more than any other.
 * test/dedup/key-set-conformance.ts holds an implementation to all this.
 */
import type { PartitionChunk } from '../core/stage.ts';

export interface KeySet {
  /** Makes ready for a partition's ids: an implementation on disk loads those of earlier runs here. */
  begin(partition: number): void | Promise<void>;
  /**
   * Goes on through the chunk's rows and writes the addresses of first-seen rows, u32 each, in order, to `winners`: at
   * most `max` (at least 1). The result is overwritten by the next call. A chunk may be empty.
   */
  admit(chunk: PartitionChunk, winners: number, max: number): Readonly<Admitted>;
  /** The partition is complete: an implementation on disk writes its new ids here, sorted. */
  end(partition: number): void | Promise<void>;
  /** Frees what it holds; idempotent, and allowed at any time, with a partition open too. */
  close(): void | Promise<void>;
}

/** What one call of `admit` did. */
export interface Admitted {
  /** Rows that it went over. */
  rows: number;
  /** Addresses written: the rows among them that were the first of their id. */
  winners: number;
  /** The chunk is finished; else `winners` is full, and the next call goes on after the last row. */
  done: boolean;
}
