/**
 * Which tables and logs a LevelDB has, by its manifest: a log (doc/log_format.md of google/leveldb; db/log_reader.cc) of changes (db/version_edit.cc).
 * A change that is cut short at the end is none, as for LevelDB.
 */
import { readdir, readFile } from 'node:fs/promises';
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

export interface LevelFiles {
  readonly tables: readonly LevelTable[];
  /** Names of the logs whose writes are in no table yet, in order. */
  readonly logs: readonly string[];
}

/** What the manifest has come to. */
interface Version {
  /** Number of a table -> its bytes. */
  readonly tables: Map<number, number>;
  /** Logs from this number on count, and the one before, if it says so. */
  log: number;
  logBefore: number;
}

/** Throws NotLevel, and what the file system throws. */
export async function levelFiles(folder: string): Promise<LevelFiles> {
  const current = await readFile(join(folder, 'CURRENT'), 'latin1');
  if (!/^MANIFEST-\d+\n$/.test(current)) throw new NotLevel('CURRENT names no manifest');
  const version: Version = { tables: new Map(), log: 0, logBefore: 0 };
  for (const change of logRecords(await readFile(join(folder, current.trimEnd())))) apply(version, new LevelBytes(change));
  const { tables, log, logBefore } = version;
  const logs = (await readdir(folder)).filter((name) => /^\d+\.log$/.test(name)).map((name) => ({ name, number: parseInt(name, 10) }));
  return {
    tables: Array.from(tables, ([number, bytes]) => ({ name: `${String(number).padStart(6, '0')}.ldb`, bytes })),
    logs: logs.filter(({ number }) => number >= log || number === logBefore).sort((a, b) => a.number - b.number).map(({ name }) => name),
  };
}

/** The records of a log, up to one that is cut short at its end. Throws NotLevel. */
export function* logRecords(log: Uint8Array): Generator<Uint8Array> {
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

function apply(version: Version, change: LevelBytes): void {
  const { tables } = version;
  while (!change.isAtEnd) {
    const tag = change.varint();
    if (tag === 1) { // the comparator's name
      change.skipString();
    } else if (tag === 2) { // number of the log
      version.log = change.varint();
    } else if (tag === 9) { // of the log before
      version.logBefore = change.varint();
    } else if (tag === 3 || tag === 4) { // numbers of the next file, the last write
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
