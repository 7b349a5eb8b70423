/**
 * The contract that dedup asks: which of these ids are new? A set of 128-bit ids, used one partition at a time, so that
 * an implementation needs memory, or pages read from disk, for one partition's ids only; and not even for all of those:
 * rows that it has no room to decide on are put off, and come again as another part of the partition.
 *
 *   begin(7, 0)  admit(chunk) ... admit(chunk)  end(7, 0)   begin(7, 1) ... end(7, 1)   begin(8, 0) ...   close()
 *
 * The caller promises: calls do not overlap, an earlier one is awaited; partitions come in ascending order, some not at
 * all (no rows), each with its parts 0, 1, 2 ... in a row; all chunks of a part come between its begin and its end, in
 * input order; a chunk is admitted until it is `done`, and its segments stay as they are until then. Part 0 has all rows of
 * the partition. A later one has those of one range of hashes, narrower than the range they were put off from, among all
 * rows put off and in input order: all rows of an id that was put off, hence, come together and once.
 *
 * An implementation promises: each id is decided in exactly one part: there, its first row wins if it was neither
 * admitted before nor known from an earlier run, and all others are duplicates; in any other part, all its rows are put
 * off. A part whose range is one id is decided, whatever room there is: so parts come to an end. Memory is bounded,
 * and does not grow with rows. An id chosen by an enemy costs no more than any other.
 *
 * What to put off is the implementation's choice, made for whole ids. A set in memory is full at some row: ids that it
 * has by then are decided in this part, all others are put off. A set that also knows ids of earlier runs may load of them what
 * fits, and put off what lies beyond; or find in `begin` that they leave no room, and put off every row of the part, so that
 * narrower ranges come, each with fewer known ids to load.
 * test/dedup/key-set-conformance.ts holds an implementation to all this.
 */
import type { HashRange, PartitionChunk } from '../core/stage.ts';

export interface KeySet {
  /** Makes ready for the ids of a part, which lie in `range`: an implementation on disk loads those of earlier runs here. */
  begin(partition: number, part: number, range: HashRange): void | Promise<void>;
  /**
   * Goes on through the chunk's rows and writes addresses of rows, u32 each, in order, to `area`, at most `max` (at least
   * 1): first-seen rows, or rows to put off, never both in one call. The result is overwritten by the next call. A chunk
   * may be empty.
   */
  admit(chunk: PartitionChunk, area: number, max: number): Readonly<Admitted>;
  /** The part is complete: an implementation on disk writes its new ids here, sorted. */
  end(partition: number, part: number): void | Promise<void>;
  /** Frees what it holds; idempotent, and allowed at any time, with a part open too. */
  close(): void | Promise<void>;
}

/** What one call of `admit` did. */
export interface Admitted {
  /** Rows that it went over; those neither among winners nor deferred are duplicates. */
  rows: number;
  /** Addresses written: the rows among them that were the first of their id. */
  winners: number;
  /** Addresses written instead of winners: rows of ids that the set has no room for; put them off. */
  deferred: number;
  /** The chunk is finished; else there may be no more room in `area`, and the next call goes on after the last row. */
  done: boolean;
}
