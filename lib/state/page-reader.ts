/**
 * Reads committed pages, READ_BYTES at once and as many ahead: from LevelDB's tables (page-files.ts), and through LevelDB by a
 * snapshot what is not there as it was written. Only what LevelDB gives can be a damage.
 */
import type { Database, Snapshot } from './database.ts';
import { damaged } from './errors.ts';
import { pageKey } from './keys.ts';
import type { PageFiles } from './page-files.ts';
import { isPage, type PageRef } from './page-index.ts';
import type { Seals } from './seal.ts';

/** Bytes of pages that are read at once. */
const READ_BYTES = 1 << 20;

/** A page, and the slice that it is of. */
export interface SlicePage {
  readonly slice: number;
  readonly page: Uint8Array;
}

export interface PageReaderOptions {
  /** Of the state, as it was named. */
  readonly folder: string;
  readonly database: Database;
  readonly files: PageFiles;
  readonly seals: Seals;
  /** Makes an error of a failed read, also when it is closed. */
  reading<T>(read: () => Promise<T>): Promise<T>;
}

interface Group {
  readonly pages: readonly PageRef[];
  readonly values: readonly (Uint8Array | undefined)[];
  /** Which of them LevelDB gave. */
  readonly given: ReadonlySet<PageRef>;
}

/** In the order given. Throws ETL_STATE_READ, ETL_STATE_DAMAGED. */
export async function* readPages(pages: Iterable<PageRef>, options: PageReaderOptions): AsyncGenerator<SlicePage> {
  const { database, files, seals, folder } = options;
  const groups = groupsOf(pages);
  let snapshot: Snapshot | undefined;
  const read = ({ value: group }: IteratorResult<PageRef[], void>) => group && options.reading(async (): Promise<Group> => {
    snapshot ??= database.snapshot();
    const values = await files.read(group);
    const given = new Set(group.filter((page, i) => !values[i] || !isPage(seals, page, values[i])));
    if (given.size > 0) {
      const others = await database.getMany(Array.from(given, pageKey), { fillCache: false, snapshot });
      let next = 0;
      for (const [i, page] of group.entries()) if (given.has(page)) values[i] = others[next++];
    }
    return { pages: group, values, given };
  });
  let next = read(groups.next());
  try {
    if (!next) await options.reading(async () => undefined); // an error when it is closed
    while (next) {
      const { pages: group, values, given } = await next;
      next = read(groups.next());
      next?.catch(() => undefined); // told when it is asked for
      for (const [i, page] of group.entries()) {
        const bytes = values[i];
        if (given.has(page)) checkPage(page, bytes, seals, folder);
        yield { slice: page.slice, page: new Uint8Array(bytes!.buffer, bytes!.byteOffset, bytes!.length) }; // not a Buffer, whose `slice` is a view
      }
    }
  } finally {
    await next?.catch(() => undefined);
    await snapshot?.close();
  }
}

function checkPage(page: PageRef, bytes: Uint8Array | undefined, seals: Seals, folder: string): void {
  if (!bytes) throw damaged(folder, `a page of slice ${page.slice} by commit ${page.commit} is missing`);
  if (!isPage(seals, page, bytes)) throw damaged(folder, `a page of slice ${page.slice} by commit ${page.commit} is not what was written`);
}

/** Pages that are read at once: of READ_BYTES together, or one. */
function* groupsOf(pages: Iterable<PageRef>): Generator<PageRef[], void> {
  let group: PageRef[] = [];
  let bytes = 0;
  for (const page of pages) {
    if (group.length > 0 && bytes + page.bytes > READ_BYTES) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(page);
    bytes += page.bytes;
  }
  if (group.length > 0) yield group;
}
