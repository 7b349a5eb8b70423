/**
 * Which tables a LevelDB has, by its manifest: a log (doc/log_format.md of google/leveldb; db/log_reader.cc) of changes (db/version_edit.cc).
 * A change that is cut short at the end is none, as for LevelDB.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c, masked } from './crc32c.ts';
import { LevelBytes, NotLevel } from './level-bytes.ts';

export interface LevelTable {
  /** In the database's folder. */
  readonly name: string;
  readonly bytes: number;
}

const BLOCK_BYTES = 32768;
const HEADER_BYTES = 7;
const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4];

/** Throws NotLevel, and what the file system throws. */
export async function levelTables(folder: string): Promise<LevelTable[]> {
  const current = await readFile(join(folder, 'CURRENT'), 'latin1');
  if (!/^MANIFEST-\d+\n$/.test(current)) throw new NotLevel('CURRENT names no manifest');
  const tables = new Map<number, number>();
  for (const change of logRecords(await readFile(join(folder, current.trimEnd())))) apply(tables, new LevelBytes(change));
  return Array.from(tables, ([number, bytes]) => ({ name: `${String(number).padStart(6, '0')}.ldb`, bytes }));
}

function* logRecords(log: Uint8Array): Generator<Uint8Array> {
  let parts: Uint8Array[] = [];
  for (let at = 0; at + HEADER_BYTES <= log.length;) {
    const leftOfBlock = BLOCK_BYTES - at % BLOCK_BYTES;
    if (leftOfBlock < HEADER_BYTES) {
      at += leftOfBlock;
      continue;
    }
    const header = new LevelBytes(log, at);
    const crc = header.fixed32();
    const [low, high, type] = log.subarray(at + 4, at + HEADER_BYTES) as unknown as [number, number, number];
    const bytes = low | (high << 8);
    const end = at + HEADER_BYTES + bytes;
    const isBegun = parts.length > 0;
    if (type === 0 && bytes === 0 && !isBegun) { // zeros, of a write that was cut short by a crash: for LevelDB no error
      at += leftOfBlock;
      continue;
    }
    if (HEADER_BYTES + bytes > leftOfBlock) throw new NotLevel('a record does not fit its block');
    if (end > log.length) return;
    if (masked(crc32c(log, at + 6, end)) !== crc) throw new NotLevel(`the record at byte ${at} does not have its checksum`);
    if (isBegun !== (type === MIDDLE || type === LAST) || type < FULL! || type > LAST!) throw new NotLevel('a part of a record is missing');
    parts.push(log.subarray(at + HEADER_BYTES, end));
    at = end;
    if (type === FIRST || type === MIDDLE) continue;
    yield parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    parts = [];
  }
}

/** Number of a table -> its bytes. */
function apply(tables: Map<number, number>, change: LevelBytes): void {
  while (!change.isAtEnd) {
    const tag = change.varint();
    if (tag === 1) { // the comparator's name
      change.skipString();
    } else if (tag === 2 || tag === 3 || tag === 4 || tag === 9) { // numbers of the log, the next file, the last write, the log before
      change.varint();
    } else if (tag === 5) { // level, where its next compaction begins
      change.varint();
      change.skipString();
    } else if (tag === 6) { // level, a table that is gone
      change.varint();
      tables.delete(change.varint());
    } else if (tag === 7) { // level, a new table: number, bytes, first and last key
      change.varint();
      tables.set(change.varint(), change.varint());
      change.skipString();
      change.skipString();
    } else {
      throw new NotLevel(`a change has the unknown tag ${tag}`);
    }
  }
}
