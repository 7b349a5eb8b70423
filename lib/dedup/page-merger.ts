/**
 * Merges pages of ids of the same slice (page-tiers.ts) into one, as part of the commit under way: its index has the one page in the
 * place of the others, whose files stay until then.
 *
 *   pages.read ──► [page] ── unpackIds ──► [ids] ── packIds ──► [page] ──► pages.replace
 *
 * Memory: a slab of 2 MB.
 */
import { ID_BYTES, ID_PAGE_BYTES_MOST, ID_PAGE_COUNT, ID_PAGE_HEADER, ID_PAGE_MOST, ID_SCRATCH_BYTES } from '../kernels/id-page-layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { IdPageKernel } from '../kernels/twins/id-pages.ts';
import { damagedPage, readPage } from './id-pages.ts';
import type { Pile, SizedPage } from './page-tiers.ts';

/** What merging asks of the ids of a state. */
export interface CommittedPages<Page extends SizedPage> {
  /** Pages that a slice has by the last commit. */
  committed(slice: number): readonly Page[];
  /** Reads one of them. Throws ETL_STATE_READ, ETL_STATE_DAMAGED. */
  read(page: Page, target: Uint8Array): void;
  /** The next commit has the page in their place. Throws ETL_STATE_WRITE. */
  replace(slice: number, pages: readonly Page[], page: Uint8Array): void;
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
   * Merges piles; nothing where there is no room: they are due in a later commit, then. Lets others have their turn between them.
   * Throws ETL_STATE_DAMAGED, what `pages` throw, and the reason that the signal was given.
   */
  async merge<Page extends SizedPage>(pages: CommittedPages<Page>, piles: readonly Pile<Page>[]): Promise<void> {
    if (piles.length === 0) return;
    const { memory, signal } = this.#options;
    const slab = memory.trySlab(SLAB_BYTES, 'merged pages of ids');
    if (slab === 0) return;
    try {
      for (const pile of piles) {
        signal?.throwIfAborted();
        this.#mergePile(pages, pile, slab);
        await new Promise(setImmediate);
      }
    } finally {
      memory.giveSlab(slab, SLAB_BYTES);
    }
  }

  #mergePile<Page extends SizedPage>(pages: CommittedPages<Page>, { slice, pages: old }: Pile<Page>, slab: number): void {
    const { memory, kernel } = this.#options;
    const at = slab + PAGE;
    let count = 0;
    for (const page of old) {
      readPage({ slice, bytes: page.bytes, read: (target) => pages.read(page, target) }, memory, kernel, at);
      const ids = memory.view(at, ID_PAGE_HEADER).getUint32(ID_PAGE_COUNT, true);
      if (count + ids > ID_PAGE_MOST) throw damagedPage(slice); // the index said otherwise
      count += kernel.unpackIds(at, slab + ID_BYTES * count);
    }
    const length = kernel.packIds(slab, count, at, slab + SCRATCH);
    pages.replace(slice, old, memory.bytes(at, length));
  }
}
