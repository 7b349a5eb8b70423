/** An IdHistory in a Map, which counts what is added only when it is told to commit. */
import type { IdHistory, StoredPage } from '../../lib/dedup/history.ts';

export class MapHistory implements IdHistory {
  /** What was committed. */
  readonly slices = new Map<number, Uint8Array[]>();
  /** Slices that were asked for since `commit`. */
  readonly read: number[] = [];
  #added: [slice: number, page: Uint8Array][] = [];

  *pages(first: number, last: number): Generator<StoredPage> {
    for (let slice = first; slice <= last; slice++) {
      this.read.push(slice);
      for (const page of this.slices.get(slice) ?? []) yield { slice, bytes: page.length, read: (target) => target.set(page) };
    }
  }

  add(slice: number, page: Uint8Array): void {
    this.#added.push([slice, page.slice()]);
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
