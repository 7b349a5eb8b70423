/**
 * The history that stands in files (id-files.ts), for one thread of a run: it reads the pages of an index, and notes those that
 * it writes, for the next one (id-store.ts).
 */
import { ID_PAGE_CHECKSUM, ID_PAGE_COUNT } from '../kernels/id-page-layout.ts';
import type { IdHistory, StoredPage } from './history.ts';
import { IdFileReader } from './id-file-reader.ts';
import { IdFileWriter, type HandedWriter } from './id-files.ts';
import { PageIndex, type NewPage } from './page-index.ts';

/** What it takes to have it in another thread: plain data. */
export interface HandedHistory {
  readonly folder: string;
  /** In shared memory. */
  readonly index: Uint8Array;
  readonly writer: HandedWriter;
  /** Number of the commit that the run makes. */
  readonly commit: number;
}

export interface FiledHistoryOptions {
  readonly index: PageIndex;
  readonly reader: IdFileReader;
  readonly writer: IdFileWriter;
  readonly commit: number;
}

export class FiledHistory implements IdHistory {
  readonly #options: FiledHistoryOptions;
  #added: NewPage[] = [];

  constructor(options: FiledHistoryOptions) {
    this.#options = options;
  }

  /** That of another thread, in this one. */
  static of({ folder, index, writer, commit }: HandedHistory): FiledHistory {
    return new FiledHistory({ index: PageIndex.decode(index)!, reader: new IdFileReader(folder), writer: new IdFileWriter(writer), commit });
  }

  *pages(first: number, last: number): Generator<StoredPage, void, undefined> {
    const { index, reader } = this.#options;
    for (const page of index.from(first, last)) {
      yield { slice: page.slice, bytes: page.bytes, ids: page.ids, read: (target) => reader.read(page, target) };
    }
  }

  add(slice: number, page: Uint8Array): void {
    const { writer, commit } = this.#options;
    appendPage(writer, slice, page, { oldest: commit, newest: commit, added: (written) => this.#added.push(written) });
  }

  /** What was added since this was asked last. */
  takeAdded(): NewPage[] {
    this.#options.writer.flush();
    const added = this.#added;
    this.#added = [];
    return added;
  }

  /** Files that are being read are closed. Idempotent. */
  close(): void {
    this.#options.reader.close();
  }
}

export interface AppendOptions extends Pick<NewPage, 'oldest' | 'newest'> {
  /** Of a merged page, by its ids. */
  readonly tierOf?: (ids: number) => number;
  /** Is told what an index says of the page. */
  added(page: NewPage): void;
}

/** Writes a page, whose bytes may be reused then. Throws ETL_STATE_WRITE. */
export function appendPage(writer: IdFileWriter, slice: number, page: Uint8Array, { oldest, newest, tierOf, added }: AppendOptions): void {
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  const ids = view.getUint32(ID_PAGE_COUNT, true);
  const seal = view.getBigUint64(ID_PAGE_CHECKSUM, true);
  const bytes = page.length;
  writer.append(slice, page, tierOf?.(ids) ?? 0, (place) => added({ ...place, slice, bytes, ids, seal, oldest, newest }));
}
