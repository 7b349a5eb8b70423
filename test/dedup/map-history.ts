/** An IdHistory in a Map, which counts what is added only when it is told to commit. */
import type { IdHistory, StoredPage } from '../../lib/dedup/history.ts';

export class MapHistory implements IdHistory {
  /** What was committed. */
  readonly slices = new Map<number, Uint8Array[]>();
  /** Slices of pages that were read since `commit`. */
  readonly read: number[] = [];
  #added: [slice: number, page: Uint8Array][] = [];

  *pages(first: number, last: number): Generator<StoredPage> {
    for (let slice = first; slice <= last; slice++) {
      for (const page of this.slices.get(slice) ?? []) {
        const read = (target: Uint8Array): void => {
          this.read.push(slice);
          target.set(page);
        };
        const ids = page.length < 12 ? 0 : new DataView(page.buffer, page.byteOffset).getUint32(8, true);
        yield { slice, bytes: page.length, ids, read };
      }
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
