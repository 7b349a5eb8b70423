/**
 * Which pages of ids there are, as of a commit: all that makes them count, since a page that is not in it is none, and one
 * that is has its checksum here. It is one value, which its owner writes anew with each commit, and gives to every thread.
 *
 *   +0 edition: u32   of the index: files of pages are named by it (id-files.ts)
 *   +4 format: u32    PAGE_INDEX_FORMAT
 *   +8 entries, of 40 bytes, by slice, then as they were added; little-endian
 *      +0 slice: u16   +2 part: u8   +3 0: u8   +4 edition: u32    which file has the page: of a slice all by one edition are in one
 *      +8 at: u64      +16 bytes: u32   +20 ids: u32               where in the file
 *      +24 seal: u64                                               what the page begins with: its checksum
 *      +32 oldest: u32   +36 newest: u32                           the commits that counted its ids
 */
import { ID_SLICES } from '../kernels/id-page-layout.ts';

const HEADER_BYTES = 8;
const ENTRY_BYTES = 40;
const PAGE_INDEX_FORMAT = 1;

/** The file of a page. */
export interface PageFile {
  readonly edition: number;
  readonly part: number;
}

/** A page, as it was written. */
export interface NewPage extends PageFile {
  readonly slice: number;
  readonly at: number;
  readonly bytes: number;
  readonly ids: number;
  readonly seal: bigint;
  readonly oldest: number;
  readonly newest: number;
}

/** A page of an index. */
export interface PageRef extends NewPage {
  /** Which entry of the index it is. */
  readonly entry: number;
}

export class PageIndex {
  /** Before any commit. */
  static readonly empty = new PageIndex(headerOf(0));
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** For each slice, its first entry; and the number of all. */
  readonly #starts = new Uint32Array(ID_SLICES + 1);

  /** Of bytes that `decode` looked at, or an index encoded. */
  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const entries = (bytes.length - HEADER_BYTES) / ENTRY_BYTES;
    let slice = 0;
    for (let entry = 0; entry < entries; entry++) {
      for (const its = this.#sliceOf(entry); slice <= its; slice++) this.#starts[slice] = entry;
    }
    this.#starts.fill(entries, slice);
  }

  /** Of what `encoded` was, not copied, in shared memory or not; undefined when it cannot be. */
  static decode(bytes: Uint8Array): PageIndex | undefined {
    if (bytes.length < HEADER_BYTES || (bytes.length - HEADER_BYTES) % ENTRY_BYTES !== 0) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (view.getUint32(4, true) !== PAGE_INDEX_FORMAT) return undefined;
    let before = 0;
    for (let at = HEADER_BYTES; at < bytes.length; at += ENTRY_BYTES) {
      const slice = view.getUint16(at, true);
      if (slice < before || slice >= ID_SLICES) return undefined;
      before = slice;
    }
    return new PageIndex(bytes);
  }

  /** As it is kept. */
  get encoded(): Uint8Array {
    return this.#bytes;
  }

  /** Of this index; 0: before any commit. */
  get edition(): number {
    return this.#view.getUint32(0, true);
  }

  get pages(): number {
    return this.#starts[ID_SLICES]!;
  }

  /** In all pages. */
  get ids(): number {
    let sum = 0;
    for (let entry = 0; entry < this.pages; entry++) sum += this.#view.getUint32(HEADER_BYTES + entry * ENTRY_BYTES + 20, true);
    return sum;
  }

  /** Which have pages, each once. */
  files(): PageFile[] {
    const files = new Map<number, PageFile>();
    for (let at = HEADER_BYTES; at < this.#bytes.length; at += ENTRY_BYTES) {
      const edition = this.#view.getUint32(at + 4, true);
      const part = this.#view.getUint8(at + 2);
      const key = edition * 256 + part;
      if (!files.has(key)) files.set(key, { edition, part });
    }
    return [...files.values()];
  }

  /** Of a slice, the oldest first. */
  of(slice: number): PageRef[] {
    return Array.from({ length: this.#starts[slice + 1]! - this.#starts[slice]! }, (_, i) => this.#at(this.#starts[slice]! + i));
  }

  /** Of slices `first` to `last`, one after the other. */
  *from(first: number, last: number): Generator<PageRef, void, undefined> {
    for (let entry = this.#starts[first]!; entry < this.#starts[last + 1]!; entry++) yield this.#at(entry);
  }

  all(): Generator<PageRef, void, undefined> {
    return this.from(0, ID_SLICES - 1);
  }

  /** The next edition: with some pages more and, before, some fewer, by their entries. */
  with(added: readonly NewPage[], removed: ReadonlySet<number>): PageIndex {
    const entries = this.pages - removed.size + added.length;
    const bytes = new Uint8Array(HEADER_BYTES + entries * ENTRY_BYTES);
    bytes.set(headerOf(this.edition + 1));
    const view = new DataView(bytes.buffer);
    const ordered = added.toSorted((a, b) => a.slice - b.slice);
    let [at, next] = [HEADER_BYTES, 0];
    for (let slice = 0; slice < ID_SLICES; slice++) {
      for (let entry = this.#starts[slice]!; entry < this.#starts[slice + 1]!; entry++) {
        if (removed.has(entry)) continue;
        const from = HEADER_BYTES + entry * ENTRY_BYTES;
        bytes.set(this.#bytes.subarray(from, from + ENTRY_BYTES), at);
        at += ENTRY_BYTES;
      }
      for (; next < ordered.length && ordered[next]!.slice === slice; next++, at += ENTRY_BYTES) put(view, at, ordered[next]!);
    }
    return new PageIndex(bytes);
  }

  /** The same pages; for reading by many threads. */
  shared(): PageIndex {
    const bytes = new Uint8Array(new SharedArrayBuffer(this.#bytes.length));
    bytes.set(this.#bytes);
    return new PageIndex(bytes);
  }

  #sliceOf(entry: number): number {
    return this.#view.getUint16(HEADER_BYTES + entry * ENTRY_BYTES, true);
  }

  #at(entry: number): PageRef {
    const view = this.#view;
    const at = HEADER_BYTES + entry * ENTRY_BYTES;
    return {
      entry,
      slice: view.getUint16(at, true),
      part: view.getUint8(at + 2),
      edition: view.getUint32(at + 4, true),
      at: Number(view.getBigUint64(at + 8, true)),
      bytes: view.getUint32(at + 16, true),
      ids: view.getUint32(at + 20, true),
      seal: view.getBigUint64(at + 24, true),
      oldest: view.getUint32(at + 32, true),
      newest: view.getUint32(at + 36, true),
    };
  }
}

function headerOf(edition: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, edition, true);
  view.setUint32(4, PAGE_INDEX_FORMAT, true);
  return bytes;
}

function put(view: DataView, at: number, { slice, part, edition, at: position, bytes, ids, seal, oldest, newest }: NewPage): void {
  view.setUint16(at, slice, true);
  view.setUint8(at + 2, part);
  view.setUint32(at + 4, edition, true);
  view.setBigUint64(at + 8, BigInt(position), true);
  view.setUint32(at + 16, bytes, true);
  view.setUint32(at + 20, ids, true);
  view.setBigUint64(at + 24, seal, true);
  view.setUint32(at + 32, oldest, true);
  view.setUint32(at + 36, newest, true);
}
