/**
 * Ranges of groups that one of several threads makes, for the one that reads them all as one run:
 *
 *   claim ──► rows of all threads ──► groups ──► pages of rows of a run ──► board ──► reader
 *                                                     ▲ pages come back when the range was read
 *
 * Ranges are claimed ascending, and made little ahead of the reader, so that few pages wait. Before a range is begun there is
 * room for any that fits (`fits`), or else all that this thread has out is waited for: so whoever has the least range can
 * always make it. Between ranges other work of the thread has its turn.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { PAGE_BYTES, PAGE_HEADER, PAGE_NEXT, PAGE_USED } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { RangesKernel } from '../kernels/twins/ranges.ts';
import type { RangeBoard } from './range-board.ts';
import type { RangeGroups } from './range-groups.ts';
import type { Scattered } from './scattered.ts';

export interface RangeMakerOptions {
  readonly memory: LinearMemory;
  readonly kernel: Pick<RangesKernel, 'giveChain'>;
  readonly groups: RangeGroups;
  readonly board: RangeBoard;
  /** Of all threads. */
  readonly scattered: readonly Scattered[];
  /** Whether there is room for any range that fits. */
  readonly hasRoom: () => boolean;
}

export class RangeMaker {
  readonly #options: RangeMakerOptions;
  /** What the reader may be reading, ascending. */
  #out: { readonly range: number; chain: number }[] = [];

  constructor(options: RangeMakerOptions) {
    this.#options = options;
  }

  /** Makes ranges until all are claimed. Rejects with ETL_ABORTED when the board is stopped. */
  async make(): Promise<void> {
    const { board, groups, scattered, hasRoom } = this.#options;
    for (let range = board.claim(); range !== undefined; range = board.claim()) {
      await board.nearly(range);
      this.#takeBack(board.read);
      if (!hasRoom() && this.#out.length > 0) {
        await board.untilRead(this.#out.at(-1)!.range + 1);
        this.#takeBack(board.read);
      }
      groups.load(scattered, range);
      const made = { range, chain: 0 };
      this.#out.push(made);
      this.#emit(made);
      groups.clear();
      board.setMade(range, made.chain);
      await turn();
    }
  }

  /** Takes all pages back: nobody reads any more. */
  close(): void {
    this.#takeBack(Infinity);
  }

  /** The groups as rows of a run, in a chain of pages. */
  #emit(made: { chain: number }): void {
    const { memory, groups } = this.#options;
    for (let last = 0; ; ) {
      const page = memory.takePage();
      const bytes = groups.fill(page + PAGE_HEADER, PAGE_BYTES - PAGE_HEADER);
      if (bytes === 0) return memory.givePage(page);
      const header = memory.view(page, PAGE_HEADER);
      header.setUint32(PAGE_NEXT, 0, true);
      header.setUint32(PAGE_USED, PAGE_HEADER + bytes, true);
      if (last === 0) made.chain = page;
      else memory.view(last, PAGE_HEADER).setUint32(PAGE_NEXT, page, true);
      last = page;
    }
  }

  #takeBack(read: number): void {
    const kept = this.#out.findIndex(({ range }) => range >= read);
    for (const { chain } of this.#out.splice(0, kept < 0 ? this.#out.length : kept)) this.#options.kernel.giveChain(chain);
  }
}
