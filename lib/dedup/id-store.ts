/**
 * All ids of a state, as a run has them that makes the next commit: those of the last one's index, and what the run adds. Whoever
 * makes the commit writes `next()` with it, after `sync()`; the files that only earlier indices have are his to remove.
 *
 *   index of the last commit ──► threads: FiledHistory ── new pages ──┐
 *                           └──► PageMerger ── one page for several ──┴──► index of the next
 */
import type { IdHistory, StoredPage } from './history.ts';
import { appendPage, FiledHistory, type HandedHistory } from './filed-history.ts';
import { IdFileReader } from './id-file-reader.ts';
import { IdFileWriter } from './id-files.ts';
import type { NewPage, PageIndex, PageRef } from './page-index.ts';
import type { CommittedPages } from './page-merger.ts';
import { tierOf } from './page-tiers.ts';

export interface IdStoreOptions {
  /** Where the files are; it exists. */
  readonly folder: string;
  /** Of the last commit, without what the run knows no more. */
  readonly index: PageIndex;
  /** Number of the commit that the run makes. */
  readonly commit: number;
  /** log2 of the files that the run writes: one of PART_BITS. */
  readonly partBits: number;
}

export class IdStore implements IdHistory, CommittedPages<PageRef> {
  /** How many the run knows. */
  readonly ids: number;
  readonly #folder: string;
  readonly #index: PageIndex;
  readonly #commit: number;
  readonly #reader: IdFileReader;
  readonly #writer: IdFileWriter;
  readonly #history: FiledHistory;
  readonly #added: NewPage[] = [];
  readonly #replaced = new Set<number>();
  #isClosed = false;

  constructor({ folder, index, commit, partBits }: IdStoreOptions) {
    this.#folder = folder;
    this.#index = index;
    this.#commit = commit;
    this.#reader = new IdFileReader(folder);
    this.#writer = new IdFileWriter({ folder, edition: this.#index.edition + 1, partBits });
    this.#history = new FiledHistory({ index: this.#index, reader: this.#reader, writer: this.#writer, commit });
    this.ids = this.#index.ids;
  }

  pages(first: number, last: number): Iterable<StoredPage> {
    return this.#history.pages(first, last);
  }

  add(slice: number, page: Uint8Array): void {
    this.#history.add(slice, page);
  }

  /** For a thread. Throws ETL_STATE_WRITE. */
  handOver(): HandedHistory {
    return { folder: this.#folder, index: this.#index.shared().encoded, writer: this.#writer.handOver(), commit: this.#commit };
  }

  /** What a thread has added. */
  takeFrom(added: readonly NewPage[]): void {
    for (const page of added) this.#added.push(page);
  }

  /** Of the index, as the run found it. */
  get indexBytes(): number {
    return this.#index.encoded.length;
  }

  /** Of pages that were added. Throws ETL_STATE_WRITE. */
  addedBytes(): number {
    this.takeFrom(this.#history.takeAdded());
    return this.#added.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  committed(slice: number): readonly PageRef[] {
    return this.#index.of(slice);
  }

  read(page: PageRef, target: Uint8Array): void {
    this.#reader.read(page, target);
  }

  replace(slice: number, pages: readonly PageRef[], page: Uint8Array): void {
    const oldest = Math.min(...pages.map((old) => old.oldest));
    const newest = Math.max(...pages.map((old) => old.newest));
    appendPage(this.#writer, slice, page, { oldest, newest, tierOf, added: (written) => this.#added.push(written) });
    for (const { entry } of pages) this.#replaced.add(entry);
  }

  /** What was added is on the disk then, but for the folder's entries. Throws ETL_STATE_WRITE. */
  sync(): Promise<void> {
    return this.#writer.sync();
  }

  /** The index with all that was added. Throws ETL_STATE_WRITE. */
  next(): PageIndex {
    this.takeFrom(this.#history.takeAdded());
    return this.#index.with(this.#added, this.#replaced);
  }

  /** Closes all files, and removes those that were written unless they were `committed`. Idempotent. Throws ETL_STATE_WRITE. */
  close({ committed }: { readonly committed: boolean }): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#history.close();
    this.#writer.close({ removes: !committed });
  }
}
