/**
 * Which pages the last commit has: one sealed value, written with the head. So a page counts only if a head says so, a
 * lost or foreign one is found when it is read, and no search of LevelDB has to be trusted. 22 bytes a page, rewritten with
 * each commit:
 *
 *   +0 slice: u16   +2 commit: u32   +6 number: u32   +10 bytes: u32   +14 seal: u64   little-endian; by slice, then as they were added
 */
import { pageKey, type PagePlace } from './keys.ts';
import type { Seals } from './seal.ts';

/** As SLICE_BITS of dedup/history.ts has it. */
export const SLICES = 1024;
const ENTRY_BYTES = 22;

/** A page of a commit, as it was written. */
export interface PageRef extends PagePlace {
  readonly bytes: number;
  /** Of its key and bytes. */
  readonly seal: bigint;
}

export class PageIndex {
  static readonly empty = new PageIndex(Array.from({ length: SLICES }, () => []));
  readonly #slices: readonly (readonly PageRef[])[];

  private constructor(slices: readonly (readonly PageRef[])[]) {
    this.#slices = slices;
  }

  /** Of what `encode` gave; undefined when it cannot be. */
  static decode(value: Uint8Array): PageIndex | undefined {
    if (value.length % ENTRY_BYTES !== 0) return undefined;
    const slices = Array.from({ length: SLICES }, (): PageRef[] => []);
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    for (let at = 0; at < value.length; at += ENTRY_BYTES) {
      const slice = view.getUint16(at, true);
      const pages = slices[slice];
      if (!pages) return undefined;
      pages.push({
        slice,
        commit: view.getUint32(at + 2, true),
        number: view.getUint32(at + 6, true),
        bytes: view.getUint32(at + 10, true),
        seal: view.getBigUint64(at + 14, true),
      });
    }
    return new PageIndex(slices);
  }

  encode(): Uint8Array {
    const value = new Uint8Array(this.pages * ENTRY_BYTES);
    const view = new DataView(value.buffer);
    let at = 0;
    for (const { slice, commit, number, bytes, seal } of this.all()) {
      view.setUint16(at, slice, true);
      view.setUint32(at + 2, commit, true);
      view.setUint32(at + 6, number, true);
      view.setUint32(at + 10, bytes, true);
      view.setBigUint64(at + 14, seal, true);
      at += ENTRY_BYTES;
    }
    return value;
  }

  get pages(): number {
    return this.#slices.reduce((sum, { length }) => sum + length, 0);
  }

  /** Of all pages. */
  get bytes(): number {
    let sum = 0;
    for (const { bytes } of this.all()) sum += bytes;
    return sum;
  }

  /** The oldest first. */
  of(slice: number): readonly PageRef[] {
    return this.#slices[slice] ?? [];
  }

  /** Of slices `first` to `last`, one after the other. */
  *from(first: number, last: number): Generator<PageRef> {
    for (let slice = first; slice <= last; slice++) yield* this.of(slice);
  }

  all(): Generator<PageRef> {
    return this.from(0, SLICES - 1);
  }

  /** This index with some pages more and, before, some fewer. */
  with(added: readonly PageRef[], removed: ReadonlySet<PageRef>): PageIndex {
    const slices: PageRef[][] = this.#slices.map((pages) => pages.filter((page) => !removed.has(page)));
    for (const page of added) slices[page.slice]!.push(page);
    return new PageIndex(slices);
  }
}

/** Whether these bytes are the page. */
export function isPage(seals: Seals, page: PageRef, bytes: Uint8Array): boolean {
  return bytes.length === page.bytes && seals.of(pageKey(page), bytes) === page.seal;
}
