/**
 * What a key set asks of the ids that earlier commits have counted, and where it puts new ones. Ids are in slices, by the top
 * SLICE_BITS bits of their low hash, whatever the partitions of a run are; what a page looks like is the dedup kernel's
 * business (kernels/id-page-layout.ts). The same from any thread.
 */

/** 1024 slices: a run's partition is one or more whole ones. */
export { ID_SLICE_BITS as SLICE_BITS } from '../kernels/id-page-layout.ts';

/** A page that has not been read yet. */
export interface StoredPage {
  readonly slice: number;
  readonly bytes: number;
  readonly ids: number;
  /** Reads it into the first `bytes` bytes of `target`. Throws ETL_STATE_READ, ETL_STATE_DAMAGED. */
  read(target: Uint8Array): void;
}

export interface IdHistory {
  /** The pages of slices `first` to `last` that were committed, in any order. */
  pages(first: number, last: number): Iterable<StoredPage>;
  /** Adds new ids of a slice, as a page, to what the run will commit; its bytes may be reused then. Throws ETL_STATE_WRITE. */
  add(slice: number, page: Uint8Array): void;
}
