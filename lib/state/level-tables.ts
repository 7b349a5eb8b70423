/**
 * Looks at the tables of a LevelDB before LevelDB does. classic-level opens it without paranoid_checks, so it follows the
 * lengths and places in its tables without a look at their checksums: a flipped bit in an index or in a key's length
 * can make it ask for memory that there is not, or cut a key to less than nothing, and the process is aborted (SIGABRT),
 * which no JavaScript can catch. Of each table (doc/table_format.md of google/leveldb):
 *
 *   footer         the magic number; two places that are inside
 *   index, filter  by their checksums
 *   data blocks    by their checksums, but for one that is all a single value, as pages are: that its key and value end
 *                  where they should; what the value is, its seal says when it is read
 *
 * All tables are read for it, by the 2 or 4 MB: 0.5 s a gigabyte and what the disk takes. So it is known where each page is.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { blockAt, checkSum, entries, singleEntry } from './level-blocks.ts';
import { LevelBytes, NotLevel } from './level-bytes.ts';
import { levelTables, type LevelTable } from './level-manifest.ts';
import type { PagePlaces } from './page-places.ts';

const FOOTER_BYTES = 48;
const MAGIC_LOW = 0x8b80fb57;
const MAGIC_HIGH = 0xdb477524;
/** Tables are all a bit larger than 2 or 4 MB: not each of them a new buffer. */
const BUFFER_STEP = 1 << 20;

/**
 * What of it is damaged, as a clause; undefined when LevelDB may open it. `places` are told which pages are where, and not
 * settled. Throws what the file system throws.
 */
export async function damageOfTables(folder: string, places: PagePlaces): Promise<string | undefined> {
  let name = 'CURRENT or the manifest';
  try {
    await goOver(folder, await levelTables(folder), places, (table) => (name = table));
    return undefined;
  } catch (error) {
    if (error instanceof NotLevel) return `in level/, ${name} is not what LevelDB wrote: ${error.message}`;
    throw error;
  }
}

/**
 * Settles where pages are, when LevelDB has opened it: in tables that `places` know, and in those that LevelDB has made since, of
 * its log or of others. It may be at work: of what cannot be read then, there are no places. Never throws.
 */
export async function findPages(folder: string, places: PagePlaces): Promise<void> {
  let live = new Set(places.tables);
  try {
    const tables = await levelTables(folder);
    live = new Set(tables.map(({ name }) => name));
    const known = new Set(places.tables);
    await goOver(folder, tables.filter(({ name }) => !known.has(name)), places);
  } catch {
    // LevelDB reads what is wanted of it, and says what is wrong with it
  }
  places.settle(live);
}

async function goOver(folder: string, tables: readonly LevelTable[], places: PagePlaces, tell?: (name: string) => void): Promise<void> {
  let buffer = new Uint8Array(0);
  for (const table of tables) {
    tell?.(table.name);
    if (buffer.length < table.bytes) buffer = new Uint8Array(Math.ceil(table.bytes / BUFFER_STEP) * BUFFER_STEP);
    const bytes = await readTable(folder, table, buffer);
    if (!bytes) continue;
    places.beginTable(table.name);
    checkTable(bytes, places);
  }
}

/** undefined when it is missing: LevelDB knows, and says so. */
async function readTable(folder: string, { name, bytes }: LevelTable, buffer: Uint8Array): Promise<Uint8Array | undefined> {
  const file = await open(join(folder, name), 'r').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return undefined;
  try {
    let done = 0;
    while (done < bytes) {
      const { bytesRead } = await file.read(buffer, done, bytes - done, done);
      if (bytesRead === 0) throw new NotLevel(`it ends at byte ${done} of ${bytes}`);
      done += bytesRead;
    }
    return buffer.subarray(0, bytes);
  } finally {
    await file.close();
  }
}

/** Throws NotLevel. */
function checkTable(table: Uint8Array, places: PagePlaces): void {
  if (table.length < FOOTER_BYTES) throw new NotLevel('it is too short');
  const footer = new LevelBytes(table, table.length - FOOTER_BYTES);
  const filters = blockAt(table, footer);
  const index = blockAt(table, footer);
  const magic = new LevelBytes(table, table.length - 8);
  if (magic.fixed32() !== MAGIC_LOW || magic.fixed32() !== MAGIC_HIGH) throw new NotLevel('it has no magic number');
  checkSum(table, filters);
  checkSum(table, index);
  for (const { at, end } of entries(table, filters)) checkSum(table, blockAt(table, new LevelBytes(table, at, end)));
  for (const { at, end } of entries(table, index)) {
    const block = blockAt(table, new LevelBytes(table, at, end));
    const single = singleEntry(table, block);
    if (single) {
      places.add(single.key, single.at);
    } else {
      checkSum(table, block);
      for (const entry of entries(table, block)) places.add(entry.key, entry.at);
    }
  }
}
