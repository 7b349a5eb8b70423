/**
 * What a key set asks of the state: which ids earlier commits have counted, and where to put new ones. Ids are in slices, by
 * the top SLICE_BITS bits of their low hash, whatever the partitions of a run are; what a page looks like is the dedup
 * kernel's business (kernels/id-page-layout.ts). The same from any thread.
 */

/** 1024 slices: a run's partition is one or more whole ones. */
export { ID_SLICE_BITS as SLICE_BITS } from '../kernels/id-page-layout.ts';

/** A page, and the slice that it is of. */
export interface SlicePage {
  readonly slice: number;
  readonly page: Uint8Array;
}

export interface IdHistory {
  /**
   * The pages of slices `first` to `last` that were committed, in any order, one at a time; what follows is read when it is
   * asked for, or a bit before. A page is a view that is good until the next one is asked for. Throws ETL_STATE_READ.
   */
  pages(first: number, last: number): AsyncIterable<SlicePage>;
  /** Adds new ids of a slice, as a page, to what the run will commit. Settled when the bytes may be reused. Throws ETL_STATE_WRITE. */
  add(slice: number, page: Uint8Array): Promise<void>;
}

export interface CountedHistory extends IdHistory {
  /** How many ids were committed; 0: there are no pages to ask for. */
  readonly ids: number;
}
