/**
 * Merges pages of ids of the same slice (page-tiers.ts) into one, as part of the commit under way: from it on the one page is
 * there in the place of the others, which stay until then.
 *
 *   pages.pagesAt ──► [page] ── unpackIds ──► [ids] ── packIds ──► [page] ──► pages.replace
 *
 * Memory: a slab of 2 MB.
 */
import { ID_BYTES, ID_PAGE_BYTES_MOST, ID_PAGE_COUNT, ID_PAGE_HEADER, ID_PAGE_MOST, ID_SCRATCH_BYTES } from '../kernels/id-page-layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { IdPageKernel } from '../kernels/twins/id-pages.ts';
import { damagedPage } from './id-pages.ts';
import { pilesOf, type Pile, type SizedPage, type Turn } from './page-tiers.ts';

/** What merging asks of the state. */
export interface CommittedPages<Page extends SizedPage> {
  /** Pages that a slice has by the last commit. */
  committed(slice: number): readonly Page[];
  /** Some of them, each good until the next is asked for. Throws ETL_STATE_READ, ETL_STATE_DAMAGED. */
  pagesAt(slice: number, pages: readonly Page[]): AsyncIterable<Uint8Array>;
  /** The next commit has the page in their place. Settled when the bytes may be reused. Throws ETL_STATE_WRITE. */
  replace(slice: number, pages: readonly Page[], page: Uint8Array): Promise<void>;
}

export interface PageMergerOptions {
  readonly memory: LinearMemory;
  readonly kernel: IdPageKernel;
  readonly signal?: AbortSignal | undefined;
}

const PAGE = ID_BYTES * ID_PAGE_MOST;
const SCRATCH = PAGE + ID_PAGE_BYTES_MOST;
const SLAB_BYTES = SCRATCH + ID_SCRATCH_BYTES;

export class PageMerger {
  readonly #options: PageMergerOptions;

  constructor(options: PageMergerOptions) {
    this.#options = options;
  }

  /**
   * Merges what is due in this commit; nothing where there is no room: it is due in a later one, then. Throws
   * ETL_STATE_DAMAGED, what `pages` throw, and the reason that the signal was given.
   */
  async merge<Page extends SizedPage>(pages: CommittedPages<Page>, turn: Turn): Promise<void> {
    const piles = pilesOf(turn, (slice) => pages.committed(slice));
    if (piles.length === 0) return;
    const { memory, signal } = this.#options;
    const slab = memory.trySlab(SLAB_BYTES, 'merged pages of ids');
    if (slab === 0) return;
    try {
      for (const pile of piles) {
        signal?.throwIfAborted();
        await this.#mergePile(pages, pile, slab);
      }
    } finally {
      memory.giveSlab(slab, SLAB_BYTES);
    }
  }

  async #mergePile<Page extends SizedPage>(pages: CommittedPages<Page>, { slice, pages: old }: Pile<Page>, slab: number): Promise<void> {
    const { memory, kernel } = this.#options;
    const at = slab + PAGE;
    let count = 0;
    for await (const page of pages.pagesAt(slice, old)) {
      const fits = page.length <= ID_PAGE_BYTES_MOST;
      if (fits) memory.bytes(at, page.length).set(page);
      if (!fits || kernel.isIdPage(at, page.length, slice) === 0) throw damagedPage(slice);
      const ids = memory.view(at, ID_PAGE_HEADER).getUint32(ID_PAGE_COUNT, true);
      if (count + ids > ID_PAGE_MOST) throw damagedPage(slice); // its length was another
      count += kernel.unpackIds(at, slab + ID_BYTES * count);
    }
    const length = kernel.packIds(slab, count, at, slab + SCRATCH);
    await pages.replace(slice, old, memory.bytes(at, length));
  }
}
