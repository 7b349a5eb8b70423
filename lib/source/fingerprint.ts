/**
 * What tells that a file is as it was when it was counted: size, time of change, and a hash of its beginning and its end. It
 * saves reading a file again; it is not what keeps logs from being counted twice, their ids are.
 */
import { open, realpath, type FileHandle } from 'node:fs/promises';
import xxhash, { type XXHashAPI } from 'xxhash-wasm';
import { EtlError, messageOf } from '../core/errors.ts';

/** Bytes at either end of a file that are hashed. */
const END_BYTES = 64 << 10;

let hashing: Promise<XXHashAPI> | undefined;

export interface Fingerprint {
  /** Absolute, without links. */
  readonly path: string;
  readonly size: number;
  /** Nanoseconds since 1970, in decimal. */
  readonly mtime: string;
  /** XXH64 of both ends, in hexadecimal. */
  readonly ends: string;
}

/** Of a regular file. Throws ETL_INPUT_READ. */
export async function fingerprintOf(name: string): Promise<Fingerprint> {
  try {
    const path = await realpath(name);
    const file = await open(path, 'r');
    try {
      const { size, mtimeNs } = await file.stat({ bigint: true });
      return { path, size: Number(size), mtime: String(mtimeNs), ends: await hashOfEnds(file, Number(size)) };
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new EtlError('ETL_INPUT_READ', `Cannot read the input ${name}: ${messageOf(cause)}.`, { cause });
  }
}

export function sameFile(a: Fingerprint, b: Fingerprint): boolean {
  return a.path === b.path && a.size === b.size && a.mtime === b.mtime && a.ends === b.ends;
}

async function hashOfEnds(file: FileHandle, size: number): Promise<string> {
  const { create64 } = await (hashing ??= xxhash());
  const hash = create64();
  for (const from of new Set([0, Math.max(size - END_BYTES, 0)])) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(END_BYTES, size)), 0, Math.min(END_BYTES, size), from);
    hash.update(buffer.subarray(0, bytesRead));
  }
  return hash.digest().toString(16).padStart(16, '0');
}
