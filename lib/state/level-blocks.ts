/** Blocks of LevelDB's tables (doc/table_format.md of google/leveldb; table/block_builder.cc), as they stand in a table's bytes. */
import { crc32c, masked } from './crc32c.ts';
import { LevelBytes, NotLevel } from './level-bytes.ts';

/** A block's compression and checksum, behind it. */
const TRAILER_BYTES = 5;

/** Where a block is, without its trailer. */
export interface Block {
  readonly at: number;
  readonly end: number;
}

export interface Entry {
  /** In a data block with its suffix. A view that is good until the next entry is asked for. */
  readonly key: Uint8Array;
  /** Where its value is. */
  readonly at: number;
  readonly end: number;
}

/** The block that a handle is of: its offset and size. Throws NotLevel. */
export function blockAt(table: Uint8Array, handle: LevelBytes): Block {
  const at = handle.varint();
  const end = at + handle.varint();
  if (end + TRAILER_BYTES > table.length) throw new NotLevel(`it has no byte ${end + TRAILER_BYTES}`);
  return { at, end };
}

/** Throws NotLevel. */
export function checkSum(table: Uint8Array, { at, end }: Block): void {
  if (table[end] !== 0) throw new NotLevel(`the block at byte ${at} is compressed`);
  if (masked(crc32c(table, at, end + 1)) !== new LevelBytes(table, end + 1).fixed32()) throw new NotLevel(`the block at byte ${at} does not have its checksum`);
}

/** In the order of keys. Throws NotLevel. */
export function* entries(table: Uint8Array, { at, end }: Block): Generator<Entry> {
  const restarts = new LevelBytes(table, end - 4, end).fixed32();
  let key = new Uint8Array(64);
  let keyBytes = 0;
  for (const entry = new LevelBytes(table, at, end - 4 * (restarts + 1)); !entry.isAtEnd;) {
    const shared = entry.varint();
    const ownBytes = entry.varint();
    const valueBytes = entry.varint();
    if (shared > keyBytes) throw new NotLevel('a key has too much in common with the one before');
    const keyAt = entry.at;
    entry.skip(ownBytes);
    keyBytes = shared + ownBytes;
    if (keyBytes > key.length) {
      const longer = new Uint8Array(2 * keyBytes);
      longer.set(key.subarray(0, shared));
      key = longer;
    }
    key.set(table.subarray(keyAt, entry.at), shared);
    const valueAt = entry.at;
    entry.skip(valueBytes);
    yield { key: key.subarray(0, keyBytes), at: valueAt, end: entry.at };
  }
}
