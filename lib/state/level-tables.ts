/**
 * Looks at the tables of a LevelDB before LevelDB does. classic-level opens it without paranoid_checks, so it follows the
 * lengths and places in its tables without a look at their checksums: a flipped bit in an index or in a key's length
 * can make it ask for memory that there is not, or cut a key to less than nothing, and the process is aborted (SIGABRT),
 * which no JavaScript can catch. Of each table (doc/table_format.md of google/leveldb):
 *
 *   footer         the magic number; two places that are inside
 *   index, filter  by their checksums
 *   data blocks    by their checksums
 *
 * All tables are read for it, by the 2 or 4 MB; all together they are hardly more.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { blockAt, checkSum, entriesOf, type Place } from './level-blocks.ts';
import { LevelBytes, NotLevel } from './level-bytes.ts';
import { levelFiles, type LevelTable } from './level-manifest.ts';

const FOOTER_BYTES = 48;
const MAGIC_LOW = 0x8b80fb57;
const MAGIC_HIGH = 0xdb477524;

/** What of it is damaged, as a clause; undefined when LevelDB may open it. Throws what the file system throws. */
export async function damageOfTables(folder: string): Promise<string | undefined> {
  let name = 'CURRENT or the manifest';
  try {
    for (const table of (await levelFiles(folder)).tables) {
      name = table.name;
      const bytes = await readTable(folder, table);
      if (bytes) checkTable(bytes);
    }
    return undefined;
  } catch (error) {
    if (error instanceof NotLevel) return `in level/, ${name} is not what LevelDB wrote: ${error.message}`;
    throw error;
  }
}

/** undefined when it is missing: LevelDB knows, and says so. */
export async function readTable(folder: string, { name, bytes }: LevelTable): Promise<Uint8Array | undefined> {
  const file = await open(join(folder, name), 'r').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return undefined;
  try {
    const buffer = new Uint8Array(bytes);
    let done = 0;
    while (done < bytes) {
      const { bytesRead } = await file.read(buffer, done, bytes - done, done);
      if (bytesRead === 0) throw new NotLevel(`it ends at byte ${done} of ${bytes}`);
      done += bytesRead;
    }
    return buffer;
  } finally {
    await file.close();
  }
}

/** The index of its data blocks. Throws NotLevel. */
export function indexOfTable(table: Uint8Array): Place {
  return listsOf(table).index;
}

function listsOf(table: Uint8Array): { readonly filters: Place; readonly index: Place } {
  if (table.length < FOOTER_BYTES) throw new NotLevel('it is too short');
  const footer = new LevelBytes(table, table.length - FOOTER_BYTES);
  const filters = blockAt(table, footer);
  return { filters, index: blockAt(table, footer) };
}

/** Throws NotLevel. */
function checkTable(table: Uint8Array): void {
  const { filters, index } = listsOf(table);
  const magic = new LevelBytes(table, table.length - 8);
  if (magic.fixed32() !== MAGIC_LOW || magic.fixed32() !== MAGIC_HIGH) throw new NotLevel('it has no magic number');
  checkSum(table, filters);
  checkSum(table, index);
  for (const list of [filters, index]) {
    for (const { at, end } of entriesOf(table, list)) checkSum(table, blockAt(table, new LevelBytes(table, at, end)));
  }
}
