/**
 * A LevelDB as it stands on the disk, read into memory by its files: the tables that its manifest names, and the log of what was written
 * since (doc/table_format.md, doc/log_format.md of google/leveldb; db/write_batch.cc). LevelDB itself cannot open a database without writing to it.
 * Of what is written for one key the last counts. The files are not touched, and what is put into the copy is put nowhere else. Nothing is
 * locked: whoever writes to the database meanwhile may leave half of it here, which seals tell.
 * Memory: all that the database holds.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database, Range } from './database.ts';
import { blockAt, entriesOf } from './level-blocks.ts';
import { LevelBytes, NotLevel } from './level-bytes.ts';
import { levelFiles, logRecords } from './level-manifest.ts';
import { indexOfTable, readTable } from './level-tables.ts';

/** Sequence number and kind of a write, behind each key in a table. */
const MARK_BYTES = 8;
const PUT = 1;

interface Written {
  readonly key: Uint8Array;
  readonly sequence: number;
  /** undefined: it was deleted. */
  readonly value: Uint8Array | undefined;
}

/** As OpenDatabase: of a folder without a database, an empty one. Throws NotLevel, and what the file system throws. */
export async function copyLevel(folder: string): Promise<Database> {
  const written = new Map<string, Written>();
  const take = (write: Written): void => {
    const name = nameOf(write.key);
    const known = written.get(name);
    if (!known || known.sequence < write.sequence) written.set(name, write);
  };
  const files = await levelFiles(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { tables: [], logs: [] };
    throw error;
  });
  for (const file of files.tables) {
    const table = await readTable(folder, file);
    if (!table) throw new NotLevel(`${file.name} is missing`);
    for (const write of writesOfTable(table)) take(write);
  }
  for (const name of files.logs) for (const write of writesOfLog(await readFile(join(folder, name)))) take(write);
  return new LevelCopy(written);
}

class LevelCopy implements Database {
  readonly #values = new Map<string, Uint8Array>();

  constructor(written: ReadonlyMap<string, Written>) {
    for (const [name, { value }] of written) if (value) this.#values.set(name, value);
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#values.get(nameOf(key));
  }

  async *iterator(range: Range): AsyncGenerator<[Uint8Array, Uint8Array]> {
    for (const name of this.#namesIn(range)) yield [keyOf(name), this.#values.get(name)!];
  }

  async *keys(range: Range): AsyncGenerator<Uint8Array> {
    for (const name of this.#namesIn(range)) yield keyOf(name);
  }

  async batch(operations: Parameters<Database['batch']>[0]): Promise<void> {
    for (const operation of operations) {
      if (operation.type === 'put') this.#values.set(nameOf(operation.key), operation.value);
      else this.#values.delete(nameOf(operation.key));
    }
  }

  async compactRange(): Promise<void> {}

  async close(): Promise<void> {}

  /** In the order of bytes, which latin1 keeps. */
  #namesIn({ gt, gte, lt, limit }: Range): string[] {
    const [above, from, below] = [gt, gte, lt].map((key) => key && nameOf(key));
    return [...this.#values.keys()]
      .filter((name) => !(above !== undefined && name <= above) && !(from !== undefined && name < from) && !(below !== undefined && name >= below))
      .sort((a, b) => (a < b ? -1 : 1))
      .slice(0, limit);
  }
}

function* writesOfTable(table: Uint8Array): Generator<Written> {
  for (const { at, end } of entriesOf(table, indexOfTable(table))) {
    let before: Uint8Array = new Uint8Array(0);
    for (const entry of entriesOf(table, blockAt(table, new LevelBytes(table, at, end)))) {
      const marked: Uint8Array = Uint8Array.from([...before.subarray(0, entry.shared), ...table.subarray(entry.keyAt, entry.at)]);
      const keyBytes = marked.length - MARK_BYTES;
      const mark = new LevelBytes(marked, keyBytes);
      const [low, high] = [mark.fixed32(), mark.fixed32()];
      yield { key: marked.subarray(0, keyBytes), sequence: (low >>> 8) + high * 2 ** 24, value: (low & 255) === PUT ? table.subarray(entry.at, entry.end) : undefined };
      before = marked;
    }
  }
}

/** Up to the first record that is cut short or damaged, which for LevelDB is one that was being written. */
function* writesOfLog(log: Uint8Array): Generator<Written> {
  try {
    for (const record of logRecords(log)) yield* writesOf(record);
  } catch (error) {
    if (!(error instanceof NotLevel)) throw error;
  }
}

/** A batch: the first write's sequence number, how many there are, and each: kind, key, value. */
function* writesOf(batch: Uint8Array): Generator<Written> {
  const bytes = new LevelBytes(batch);
  let sequence = bytes.fixed32() + bytes.fixed32() * 2 ** 32;
  for (let left = bytes.fixed32(); left > 0; left--) {
    bytes.skip(1);
    const isPut = batch[bytes.at - 1] === PUT;
    const key = stringOf(batch, bytes);
    yield { key, sequence: sequence++, value: isPut ? stringOf(batch, bytes) : undefined };
  }
}

function stringOf(batch: Uint8Array, bytes: LevelBytes): Uint8Array {
  const length = bytes.varint();
  const { at } = bytes;
  bytes.skip(length);
  return batch.subarray(at, at + length);
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}

function keyOf(name: string): Uint8Array {
  return Uint8Array.from(Buffer.from(name, 'latin1'));
}
