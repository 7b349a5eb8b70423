/**
 * The key space of the state, in LevelDB's order of bytes. Numbers are big-endian, so that they sort as numbers.
 *
 *   commit/ commit: u32                             record of a commit
 *   head                                            record of the last commit
 *   index                                           index of the last commit
 *   input/ path: UTF-8                              record of an input
 */

/** Keys from `gte` to before `lt`. */
export interface KeyRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}

const COMMIT = bytesOf('commit/');
const INPUT = bytesOf('input/');

/** The first that there may be, and what is behind the last. */
export const ALL_KEYS = [Uint8Array.of(0), Uint8Array.of(255)] as const;
export const HEAD_KEY = bytesOf('head');
export const INDEX_KEY = bytesOf('index');
export const COMMITS = rangeOf(COMMIT);
export const INPUTS = rangeOf(INPUT);

export function commitKey(commit: number): Uint8Array {
  const key = Buffer.alloc(COMMIT.length + 4);
  key.set(COMMIT);
  key.writeUInt32BE(commit, COMMIT.length);
  return plain(key);
}

export function inputKey(path: string): Uint8Array {
  return bytesOf(`input/${path}`);
}

export function isIn({ gte, lt }: KeyRange, key: Uint8Array): boolean {
  return Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0;
}

/** The key as a person may read it. */
export function keyText(key: Uint8Array): string {
  return JSON.stringify(Buffer.from(key).toString('latin1'));
}

/** All keys with a prefix that ends in a slash. */
function rangeOf(prefix: Uint8Array): KeyRange {
  const lt = prefix.slice();
  lt[lt.length - 1]! += 1;
  return { gte: prefix, lt };
}

function bytesOf(text: string): Uint8Array {
  return plain(Buffer.from(text));
}

/** Not a Buffer, whose `slice` is a view. */
function plain({ buffer, byteOffset, length }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}
