/**
 * Ids as the state keeps them, in pages (kernels/id-page-layout.ts): the host side of the dedup kernel's other half.
 *
 *   earlier runs ── load ──► [page] ──► id table
 *   winners ── take ──► [new ids] ── drain ──► [page] ──► what the run commits
 *
 * Memory: one slab of 1 MB and 16 bytes for each id that may be taken; the page and what is scratch are used by both ways.
 */
import { EtlError } from '../core/errors.ts';
import type { HashRange } from '../core/stage.ts';
import {
  ID_BYTES, ID_PAGE_BYTES_MOST, ID_PAGE_MOST, ID_SCRATCH_BYTES, ID_SLICES, LOADING_BIT, LOADING_BYTES, LOADING_DONE,
  LOADING_HI_FROM, LOADING_HI_TO, LOADING_LO_FROM, LOADING_LO_TO, LOADING_PAGE,
} from '../kernels/id-page-layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { IdPageKernel } from '../kernels/twins/id-pages.ts';
import type { StoredPage } from './history.ts';
import type { IdTable } from './id-table.ts';

const SCRATCH = ID_PAGE_BYTES_MOST;
const LOADING = SCRATCH + ID_SCRATCH_BYTES;
const IDS = LOADING + LOADING_BYTES;

export interface IdPagesOptions {
  readonly memory: LinearMemory;
  readonly kernel: IdPageKernel;
  /** Ids that may be taken before they are drained. */
  readonly most: number;
}

export class IdPages {
  readonly #memory: LinearMemory;
  readonly #kernel: IdPageKernel;
  readonly #most: number;
  readonly #slab: number;
  readonly #loading: DataView;
  #taken = 0;
  #closed = false;

  /** Throws ETL_MEMORY. */
  constructor({ memory, kernel, most }: IdPagesOptions) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#most = most;
    this.#slab = memory.slab(IDS + ID_BYTES * most, 'new ids');
    this.#loading = memory.view(this.#slab + LOADING, LOADING_BYTES);
  }

  /**
   * Reads a page and adds those of its ids that lie in `range` to the table; false when that is full before the page's end.
   * Throws ETL_STATE_DAMAGED, ETL_STATE_READ.
   */
  load(table: IdTable, page: StoredPage, { lo, hi }: HashRange): boolean {
    const at = this.#slab;
    readPage(page, this.#memory, this.#kernel, at);
    const loading = this.#loading;
    loading.setUint32(LOADING_PAGE, at, true);
    loading.setUint32(LOADING_BIT, 0, true);
    loading.setUint32(LOADING_DONE, 0, true);
    loading.setBigUint64(LOADING_LO_FROM, lo[0], true);
    loading.setBigUint64(LOADING_LO_TO, lo[1], true);
    loading.setBigUint64(LOADING_HI_FROM, hi[0], true);
    loading.setBigUint64(LOADING_HI_TO, hi[1], true);
    return table.fill((tableAt) => this.#kernel.loadIds(tableAt, at + LOADING) === 1);
  }

  /** Takes the ids of `count` rows, whose addresses stand at `area`, u32 each. */
  take(area: number, count: number): void {
    if (this.#taken + count > this.#most) throw new EtlError('ETL_INTERNAL', `There is no room for more than ${this.#most} new ids.`);
    this.#kernel.takeIds(area, count, this.#slab + IDS + ID_BYTES * this.#taken);
    this.#taken += count;
  }

  /** What was taken, as pages by slice, ascending; each is good until the next is asked for. Nothing may be taken meanwhile. */
  *drain(): Generator<{ readonly slice: number; readonly page: Uint8Array }, void, undefined> {
    if (this.#taken === 0) return;
    const scratch = this.#slab + SCRATCH;
    let at = this.#slab + IDS;
    this.#kernel.splitIds(at, this.#taken, scratch);
    this.#taken = 0;
    const ends = this.#memory.u32(scratch, ID_SLICES).slice();
    for (let slice = 0; slice < ID_SLICES; slice++) {
      for (const end = ends[slice]!; at < end; ) {
        const count = Math.min((end - at) / ID_BYTES, ID_PAGE_MOST);
        const length = this.#kernel.packIds(at, count, this.#slab, scratch);
        yield { slice, page: this.#memory.bytes(this.#slab, length) };
        at += count * ID_BYTES;
      }
    }
  }

  /** Gives the memory back; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#memory.giveSlab(this.#slab, IDS + ID_BYTES * this.#most);
  }
}

/** Reads a page to `at`, where there is room for the longest. Throws ETL_STATE_DAMAGED when it is none of its slice, ETL_STATE_READ. */
export function readPage({ slice, bytes, read }: Pick<StoredPage, 'slice' | 'bytes' | 'read'>, memory: LinearMemory, kernel: IdPageKernel, at: number): void {
  if (bytes > ID_PAGE_BYTES_MOST) throw damagedPage(slice);
  read(memory.bytes(at, bytes));
  if (kernel.isIdPage(at, bytes, slice) === 0) throw damagedPage(slice);
}

export function damagedPage(slice: number): EtlError {
  return new EtlError('ETL_STATE_DAMAGED', `The state is damaged: a page of the ids of slice ${slice} does not hold what was written to it.`, {
    hint: 'See what else is damaged with etl-stream state check, or count all logs again, into a new state, with --overwrite.',
  });
}
