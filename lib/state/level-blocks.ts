/** Blocks of LevelDB's tables (doc/table_format.md of google/leveldb; table/block_builder.cc), as they stand in a table's bytes. */
import { crc32c, masked } from './crc32c.ts';
import { LevelBytes, NotLevel } from './level-bytes.ts';

/** A block's compression and checksum, behind it. */
const TRAILER_BYTES = 5;
/** Behind a key: a type (8 bits; 1 is a value, 0 a key that was deleted) and the number of the write (56 bits), little-endian. */
export const KEY_SUFFIX_BYTES = 8;

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

/** The entry of a data block that is one from end to end, with one restart, at 0; undefined for any other. Throws NotLevel. */
export function singleEntry(table: Uint8Array, { at, end }: Block): Entry | undefined {
  if (table[end] !== 0 || end - at < 3 + KEY_SUFFIX_BYTES + 8) return undefined;
  const restarts = new LevelBytes(table, end - 8, end);
  if (restarts.fixed32() !== 0 || restarts.fixed32() !== 1) return undefined;
  const entry = new LevelBytes(table, at, end);
  const shared = entry.varint();
  const keyBytes = entry.varint();
  const valueBytes = entry.varint();
  const valueAt = entry.at + keyBytes;
  if (shared !== 0 || keyBytes < KEY_SUFFIX_BYTES || valueAt + valueBytes !== end - 8) return undefined;
  return { key: table.subarray(entry.at, valueAt), at: valueAt, end: end - 8 };
}
