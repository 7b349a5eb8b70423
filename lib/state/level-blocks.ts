/** Blocks of LevelDB's tables (doc/table_format.md of google/leveldb; table/block_builder.cc), as they stand in a table's bytes. */
import { crc32c, masked } from './crc32c.ts';
import { LevelBytes, NotLevel } from './level-bytes.ts';

/** A block's compression and checksum, behind it. */
const TRAILER_BYTES = 5;

/** Where a block is, without its trailer, or a value in one. */
export interface Place {
  readonly at: number;
  readonly end: number;
}

/** The block that a handle is of: its offset and size. Throws NotLevel. */
export function blockAt(table: Uint8Array, handle: LevelBytes): Place {
  const at = handle.varint();
  const end = at + handle.varint();
  if (end + TRAILER_BYTES > table.length) throw new NotLevel(`it has no byte ${end + TRAILER_BYTES}`);
  return { at, end };
}

/** Throws NotLevel. */
export function checkSum(table: Uint8Array, { at, end }: Place): void {
  if (table[end] !== 0) throw new NotLevel(`the block at byte ${at} is compressed`);
  if (masked(crc32c(table, at, end + 1)) !== new LevelBytes(table, end + 1).fixed32()) throw new NotLevel(`the block at byte ${at} does not have its checksum`);
}

/** Where the value of an entry is, and, right before it, what its key does not share with the one before. */
export interface Entry extends Place {
  readonly shared: number;
  readonly keyAt: number;
}

/** A block's entries, in order. Throws NotLevel. */
export function* entriesOf(table: Uint8Array, { at, end }: Place): Generator<Entry> {
  const restarts = new LevelBytes(table, end - 4, end).fixed32();
  for (const entry = new LevelBytes(table, at, end - 4 * (restarts + 1)); !entry.isAtEnd;) {
    const shared = entry.varint();
    const keyBytes = entry.varint();
    const valueBytes = entry.varint();
    const keyAt = entry.at;
    entry.skip(keyBytes);
    const valueAt = entry.at;
    entry.skip(valueBytes);
    yield { shared, keyAt, at: valueAt, end: entry.at };
  }
}
