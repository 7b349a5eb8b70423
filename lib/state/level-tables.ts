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
 * All tables are read for it, by the 2 or 4 MB: 0.5 s a gigabyte and what the disk takes; a run reads the same pages afterwards.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c, masked } from './crc32c.ts';
import { LevelBytes, NotLevel } from './level-bytes.ts';
import { levelTables, type LevelTable } from './level-manifest.ts';

const FOOTER_BYTES = 48;
const MAGIC_LOW = 0x8b80fb57;
const MAGIC_HIGH = 0xdb477524;
/** Its compression and checksum, behind each block. */
const TRAILER_BYTES = 5;
/** Sequence number and type, behind a key. */
const KEY_SUFFIX_BYTES = 8;

/** What of it is damaged, as a clause; undefined when LevelDB may open it. Throws what the file system throws. */
export async function damageOfTables(folder: string): Promise<string | undefined> {
  let name = 'CURRENT or the manifest';
  try {
    let buffer = new Uint8Array(0);
    for (const table of await levelTables(folder)) {
      name = table.name;
      buffer = buffer.length < table.bytes ? new Uint8Array(table.bytes) : buffer;
      const bytes = await readTable(folder, table, buffer);
      if (bytes) checkTable(bytes);
    }
    return undefined;
  } catch (error) {
    if (error instanceof NotLevel) return `in level/, ${name} is not what LevelDB wrote: ${error.message}`;
    throw error;
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

/** Where a block is, without its trailer. */
interface Block {
  readonly at: number;
  readonly end: number;
}

function checkTable(table: Uint8Array): void {
  if (table.length < FOOTER_BYTES) throw new NotLevel('it is too short');
  const footer = new LevelBytes(table, table.length - FOOTER_BYTES);
  const filters = blockAt(table, footer);
  const index = blockAt(table, footer);
  const magic = new LevelBytes(table, table.length - 8);
  if (magic.fixed32() !== MAGIC_LOW || magic.fixed32() !== MAGIC_HIGH) throw new NotLevel('it has no magic number');
  checkSum(table, filters);
  checkSum(table, index);
  for (const filter of entries(table, filters)) checkSum(table, blockAt(table, filter));
  for (const entry of entries(table, index)) {
    const block = blockAt(table, entry);
    if (!isSingleValue(table, block)) checkSum(table, block);
  }
}

/** The block that a handle is of: its offset and size. */
function blockAt(table: Uint8Array, handle: LevelBytes): Block {
  const at = handle.varint();
  const end = at + handle.varint();
  if (end + TRAILER_BYTES > table.length) throw new NotLevel(`it has no byte ${end + TRAILER_BYTES}`);
  return { at, end };
}

function checkSum(table: Uint8Array, { at, end }: Block): void {
  if (table[end] !== 0) throw new NotLevel(`the block at byte ${at} is compressed`);
  if (masked(crc32c(table, at, end + 1)) !== new LevelBytes(table, end + 1).fixed32()) throw new NotLevel(`the block at byte ${at} does not have its checksum`);
}

/** The values of a block's entries, each to be read from its beginning. */
function* entries(table: Uint8Array, { at, end }: Block): Generator<LevelBytes> {
  const restarts = new LevelBytes(table, end - 4, end).fixed32();
  const values = end - 4 * (restarts + 1);
  for (const entry = new LevelBytes(table, at, values); !entry.isAtEnd;) {
    entry.varint(); // bytes that the key has in common with the one before
    const keyBytes = entry.varint();
    const valueBytes = entry.varint();
    entry.skip(keyBytes);
    yield new LevelBytes(table, entry.at, entry.at + valueBytes);
    entry.skip(valueBytes);
  }
}

/** Whether the block is one entry from end to end, with one restart, at 0. */
function isSingleValue(table: Uint8Array, { at, end }: Block): boolean {
  if (table[end] !== 0 || end - at < 3 + KEY_SUFFIX_BYTES + 8) return false;
  const restarts = new LevelBytes(table, end - 8, end);
  if (restarts.fixed32() !== 0 || restarts.fixed32() !== 1) return false;
  const entry = new LevelBytes(table, at, end);
  const shared = entry.varint();
  const keyBytes = entry.varint();
  const valueBytes = entry.varint();
  return shared === 0 && keyBytes >= KEY_SUFFIX_BYTES && entry.at + keyBytes + valueBytes === end - 8;
}
