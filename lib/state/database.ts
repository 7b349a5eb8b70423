/**
 * What the state asks of LevelDB. The binding is loaded when it is first needed: a run without a state does not pay for it.
 */
import { existsSync, readdirSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export type Operation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

export interface Range {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly limit?: number;
  /** Default: true. */
  readonly fillCache?: boolean;
}

/** The part of a `Level` that is used, so that a test can stand between: keys and values are bytes. */
export interface Database {
  batch(operations: Operation[], options: { readonly sync: boolean }): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** In the order of keys, as the database was when it was called. */
  iterator(range: Range): AsyncIterable<[Uint8Array, Uint8Array]>;
  keys(range: Range): AsyncIterable<Uint8Array>;
  /** Rewrites tables with keys in between, without what was deleted. */
  compactRange(first: Uint8Array, last: Uint8Array): Promise<void>;
  /** What is under way ends first. */
  close(): Promise<void>;
}

/** Opens the database in a folder, or makes it there. Throws what abstract-level throws. */
export type OpenDatabase = (folder: string) => Promise<Database>;

export const openLevel: OpenDatabase = async (folder) => {
  const { Level } = await import('level');
  const level = new Level<Uint8Array, Uint8Array>(folder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    // Hashes for the most part, and level-tables.ts does not uncompress.
    compression: false,
  });
  await level.open();
  return level as unknown as Database;
};

/** What there is at a database's folder, before it is opened. */
export function lookAt(folder: string): 'nothing' | 'database' | 'remains' {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'nothing';
    throw error;
  }
  if (existsSync(join(folder, 'CURRENT'))) return 'database';
  // Without CURRENT LevelDB takes the folder for new, and removes all that stands in it. It has no tables or logs before it has that file.
  return names.some((name) => /\.(ldb|sst|log)$/.test(name)) ? 'remains' : 'nothing';
}

/** Bytes of all files of a database's folder, there or not. A file that LevelDB removes meanwhile has none. Throws what the file system throws. */
export async function bytesOf(folder: string): Promise<number> {
  const names = await readdir(folder).catch(noneIfMissing<string[]>([]));
  const sizes = await Promise.all(names.map((name) => stat(join(folder, name)).then(({ size }) => size, noneIfMissing(0))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function noneIfMissing<T>(none: T): (error: unknown) => T {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return none;
    throw error;
  };
}
