/**
 * The key space of the state, in LevelDB's order of bytes. Numbers are big-endian, so that they sort as numbers.
 *
 *   commit/ commit: u32                             record of a commit
 *   head                                            record of the last commit
 *   index                                           which pages there are
 *   input/ path: UTF-8                              record of an input
 *   page/ commit: u32, number: u32, slice: u16      a page of ids; the number runs over all pages of the commit
 *
 * Pages sort by commit before slice: what a commit adds lies behind everything earlier, so LevelDB's compaction hardly
 * ever rewrites a page (by slice first, each commit would overlap every table: a third more time for ten commits of 1024
 * pages), and what a killed run left is one range.
 */

/** Keys from `gte` to before `lt`. */
export interface KeyRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}

/** Where a page is. */
export interface PagePlace {
  readonly commit: number;
  readonly slice: number;
  readonly number: number;
}

const COMMIT = bytesOf('commit/');
const INPUT = bytesOf('input/');
const PAGE = bytesOf('page/');
const PAGE_KEY_BYTES = PAGE.length + 10;

/** The first that there may be, and what is behind the last. */
export const ALL_KEYS = [Uint8Array.of(0), Uint8Array.of(255)] as const;
export const HEAD_KEY = bytesOf('head');
export const INDEX_KEY = bytesOf('index');
export const COMMITS = rangeOf(COMMIT);
export const INPUTS = rangeOf(INPUT);
export const PAGES = rangeOf(PAGE);

export function commitKey(commit: number): Uint8Array {
  const key = Buffer.alloc(COMMIT.length + 4);
  key.set(COMMIT);
  key.writeUInt32BE(commit, COMMIT.length);
  return plain(key);
}

export function inputKey(path: string): Uint8Array {
  return bytesOf(`input/${path}`);
}

export function pageKey({ commit, slice, number }: PagePlace): Uint8Array {
  const key = Buffer.alloc(PAGE_KEY_BYTES);
  key.set(PAGE);
  key.writeUInt32BE(commit, PAGE.length);
  key.writeUInt32BE(number, PAGE.length + 4);
  key.writeUInt16BE(slice, PAGE.length + 8);
  return plain(key);
}

/** Pages of this commit and of those after it. */
export function pagesFrom(commit: number): KeyRange {
  return { gte: pageKey({ commit, slice: 0, number: 0 }).subarray(0, PAGE.length + 4), lt: PAGES.lt };
}

/** undefined when it is no key of a page. */
export function pagePlace(key: Uint8Array): PagePlace | undefined {
  if (key.length !== PAGE_KEY_BYTES || !isIn(PAGES, key)) return undefined;
  const view = new DataView(key.buffer, key.byteOffset + PAGE.length);
  return { commit: view.getUint32(0), number: view.getUint32(4), slice: view.getUint16(8) };
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
