/**
 * Pages from LevelDB's tables, by their places (page-places.ts): those of a group that are near each other in a table are
 * one read. For one reader, who asks for one group after the other.
 *
 * Memory: two buffers in turn, each as large as the largest group and WASTE_BYTES at most. Open files: FILES_MOST.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { PageRef } from './page-index.ts';
import type { PagePlaces, TablePlace } from './page-places.ts';

/** What lies between two pages is read with them up to so much, and in a group up to so much. */
const GAP_BYTES = 32 << 10;
const WASTE_BYTES = 1 << 20;
const FILES_MOST = 16;

export interface PageFilesOptions {
  /** LevelDB's. */
  readonly folder: string;
  readonly places: PagePlaces;
  /** Looks for the places again, when tables are gone. */
  findAgain(): Promise<void>;
  /** A group's pages lie where those of the group before the last one did; else in memory of their own. */
  readonly reuse: boolean;
}

/** Neighbours in a table, from `from` to before `to`. */
interface Span {
  readonly table: string;
  readonly from: number;
  to: number;
  readonly pages: { readonly nth: number; readonly from: number; readonly to: number }[];
}

export class PageFiles {
  readonly #options: PageFilesOptions;
  /** The one that was used last is the last. */
  readonly #files = new Map<string, FileHandle>();
  readonly #buffers = [new Uint8Array(0), new Uint8Array(0)];
  #isClosed = false;

  constructor(options: PageFilesOptions) {
    this.#options = options;
  }

  /** What stands at the places of the pages, as views; undefined where there is none, or it cannot be read. */
  async read(pages: readonly PageRef[]): Promise<(Uint8Array | undefined)[]> {
    this.#buffers.reverse();
    const { values, isTableGone } = await this.#read(pages);
    if (!isTableGone) return values;
    await this.#options.findAgain();
    return (await this.#read(pages)).values;
  }

  async #read(pages: readonly PageRef[]): Promise<{ values: (Uint8Array | undefined)[]; isTableGone: boolean }> {
    const values: (Uint8Array | undefined)[] = pages.map(() => undefined);
    const spans = this.#spansOf(pages);
    const buffer = this.#bufferOf(spans.reduce((sum, { from, to }) => sum + to - from, 0));
    let at = 0;
    let isTableGone = false;
    for (const { table, from, to, pages: parts } of spans) {
      const bytes = buffer.subarray(at, at + to - from);
      at += bytes.length;
      const outcome = await this.#fill(bytes, table, from);
      isTableGone ||= outcome === 'gone';
      if (outcome !== 'read') continue;
      for (const part of parts) values[part.nth] = bytes.subarray(part.from - from, part.to - from);
    }
    return { values, isTableGone };
  }

  /** Nothing is read any more. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const [table, file] of this.#files) {
      this.#files.delete(table);
      await file.close().catch(() => undefined); // it was read only
    }
  }

  /** By table and place. */
  #spansOf(pages: readonly PageRef[]): Span[] {
    const found: (TablePlace & { readonly nth: number; readonly to: number })[] = [];
    for (const [nth, page] of pages.entries()) {
      const place = this.#options.places.find(page);
      if (place) found.push({ ...place, nth, to: place.at + page.bytes });
    }
    found.sort((a, b) => (a.table < b.table ? -1 : a.table > b.table ? 1 : a.at - b.at));
    const spans: Span[] = [];
    let waste = 0;
    for (const { table, at: from, nth, to } of found) {
      const last = spans.at(-1);
      const gap = last?.table === table ? from - last.to : -1; // less than none: one of both is no place of its page
      if (gap < 0 || gap > GAP_BYTES || waste + gap > WASTE_BYTES) {
        spans.push({ table, from, to, pages: [{ nth, from, to }] });
      } else {
        waste += gap;
        last!.to = to;
        last!.pages.push({ nth, from, to });
      }
    }
    return spans;
  }

  /** Of the group that is read now: the same, when it is read again. */
  #bufferOf(bytes: number): Uint8Array {
    if (!this.#options.reuse) return new Uint8Array(bytes);
    if (bytes > this.#buffers[0]!.length) this.#buffers[0] = new Uint8Array(bytes);
    return this.#buffers[0]!;
  }

  /** Makes the bytes what the table has from `from` on. */
  async #fill(bytes: Uint8Array, table: string, from: number): Promise<'read' | 'failed' | 'gone'> {
    try {
      const file = await this.#file(table);
      for (let done = 0; done < bytes.length;) {
        const { bytesRead } = await file.read(bytes, done, bytes.length - done, from + done);
        if (bytesRead === 0) return 'failed';
        done += bytesRead;
      }
      return 'read';
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return 'failed';
      this.#options.places.forget(table);
      return 'gone';
    }
  }

  async #file(table: string): Promise<FileHandle> {
    const known = this.#files.get(table);
    this.#files.delete(table);
    const file = known ?? await open(join(this.#options.folder, table), 'r');
    if (this.#isClosed) {
      await file.close();
      throw new Error('it is closed');
    }
    this.#files.set(table, file);
    const [oldest] = this.#files;
    if (this.#files.size > FILES_MOST) {
      this.#files.delete(oldest![0]);
      await oldest![1].close();
    }
    return file;
  }
}
