/**
 * The KeySet that knows the ids of earlier runs: one table, into which `begin` loads those that lie in a part's range, and
 * which then takes this run's. Ids that won are kept beside it, and given to the history at the part's end.
 *
 *   begin  history.pages(slices) ──► table       admit  rows ──► table ──► winners ──► new ids
 *   end    new ids ──► history.add(slice, page)
 *
 * Where earlier runs alone have more ids in the range than the table may hold, nothing of the part can be decided: all its
 * rows are put off, and come again in narrower ranges, for each of which the slice's pages are read again. A range of one
 * id has at most one known one, which always fits. A run that ends early has given the history some ids: they count
 * only when it commits.
 *
 * Memory: the table, 5/8 as much for new ids, and 1 MB (id-pages.ts).
 */
import type { HashRange, PartitionChunk } from '../core/stage.ts';
import { MIN_BITS, SLOT_BYTES } from '../kernels/dedup-layout.ts';
import type { DedupKernel } from '../kernels/twins/dedup.ts';
import type { IdPageKernel } from '../kernels/twins/id-pages.ts';
import { SLICE_BITS, type IdHistory } from './history.ts';
import { IdPages } from './id-pages.ts';
import { IdTable, type IdTableOptions } from './id-table.ts';
import type { Admitted, KeySet } from './key-set.ts';

const REST_BITS = BigInt(64 - SLICE_BITS);
const MOST = 2n ** 64n - 1n;

export interface HistoryKeySetOptions extends IdTableOptions {
  readonly kernel: DedupKernel & IdPageKernel;
  readonly history: IdHistory;
}

export class HistoryKeySet implements KeySet {
  readonly table: IdTable;
  /** Parts that were put off as a whole, because their known ids left no room. */
  overfull = 0;
  readonly #history: IdHistory;
  readonly #pages: IdPages;

  /** Throws ETL_MEMORY when there is no room with the smallest table. */
  constructor({ history, ...options }: HistoryKeySetOptions) {
    this.#history = history;
    const { table, pages } = open(options);
    this.table = table;
    this.#pages = pages;
  }

  /** Throws what the history throws, and ETL_STATE_DAMAGED. */
  begin(_partition: number, _part: number, range: HashRange): void {
    const [first, last] = range.lo.map((lo) => Number(lo >> REST_BITS)) as [number, number];
    const pages = Array.from(this.#history.pages(first, last));
    const isWhole = range.lo[0] === BigInt(first) << REST_BITS && range.lo[1] === (BigInt(last + 1) << REST_BITS) - 1n && range.hi[0] === 0n && range.hi[1] === MOST;
    // Where all ids of the slices are in the range, no page need be read to see that they are too many.
    const tooMany = isWhole && pages.reduce((sum, { ids }) => sum + ids, 0) > this.table.most;
    if (!tooMany && pages.every((page) => this.#pages.load(this.table, page, range))) return;
    this.table.shut();
    this.overfull++;
  }

  admit(chunk: PartitionChunk, area: number, max: number): Readonly<Admitted> {
    const admitted = this.table.admit(chunk, area, max);
    if (admitted.winners > 0) this.#pages.take(area, admitted.winners);
    return admitted;
  }

  /** Throws what the history throws. */
  end(): void {
    for (const { slice, page } of this.#pages.drain()) this.#history.add(slice, page);
    this.table.clear();
  }

  close(): void {
    this.table.close();
    this.#pages.close();
  }
}

/** The largest table that leaves room for as many new ids. */
function open(options: IdTableOptions & { readonly kernel: IdPageKernel }): { table: IdTable; pages: IdPages } {
  for (let { maxBytes } = options; ; maxBytes /= 2) {
    const table = new IdTable({ ...options, maxBytes });
    try {
      return { table, pages: new IdPages({ ...options, most: table.most }) };
    } catch (error) {
      table.close();
      if (maxBytes <= SLOT_BYTES * 2 ** MIN_BITS) throw error;
    }
  }
}
