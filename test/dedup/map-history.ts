/** An IdHistory in a Map, which counts what is added only when it is told to commit, and gives a page in memory that is used again. */
import type { IdHistory, SlicePage } from '../../lib/dedup/history.ts';

export class MapHistory implements IdHistory {
  /** What was committed. */
  readonly slices = new Map<number, Uint8Array[]>();
  /** Slices that were asked for since `commit`. */
  readonly read: number[] = [];
  #added: [slice: number, page: Uint8Array][] = [];

  async *pages(first: number, last: number): AsyncGenerator<SlicePage> {
    for (let slice = first; slice <= last; slice++) {
      this.read.push(slice);
      for (const page of this.slices.get(slice) ?? []) {
        const view = page.slice();
        yield { slice, page: view };
        view.fill(0xff);
      }
    }
  }

  async add(slice: number, page: Uint8Array): Promise<void> {
    const copy = page.slice();
    await undefined;
    if (!Buffer.from(page).equals(copy)) throw new Error(`A page of slice ${slice} changed before it was written.`);
    this.#added.push([slice, copy]);
  }

  commit(): void {
    for (const [slice, page] of this.#added.splice(0)) {
      const pages = this.slices.get(slice);
      if (pages) pages.push(page);
      else this.slices.set(slice, [page]);
    }
    this.read.length = 0;
  }
}
