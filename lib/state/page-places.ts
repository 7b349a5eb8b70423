/**
 * Where pages stand in LevelDB's tables, so that they can be read from there (page-files.ts) and not through LevelDB, which
 * maps its tables: what it has read counts as memory of the process, up to all that the state has.
 *
 * A place is a guess. A compaction may have moved the page since, a later write may have replaced it: so what is read there
 * counts only by the page's seal, and LevelDB is asked for what does not have it.
 *
 * Memory: 28 bytes a page of the tables; while tables are gone over, up to four times as much.
 */
import { KEY_SUFFIX_BYTES } from './level-blocks.ts';
import { pagePlace, type PagePlace } from './keys.ts';

/** Where a page's first byte is. */
export interface TablePlace {
  /** A file of the database's folder. */
  readonly table: string;
  readonly at: number;
}

/** Of a row: commit, number, slice, table, place, and the suffix of the key: its low and its high half. */
const COLUMNS = 7;
const [COMMIT, NUMBER, SLICE, TABLE, AT, LOW, HIGH] = [0, 1, 2, 3, 4, 5, 6] as const;

export class PagePlaces {
  readonly #tables: string[] = [];
  readonly #gone = new Set<string>();
  #rows = new Uint32Array(COLUMNS * 64);
  #count = 0;
  /** Of so many rows each has a key of its own, and they are in the order of keys. */
  #settled = 0;

  /** All that there ever were. */
  get tables(): readonly string[] {
    return this.#tables;
  }

  /** What is added from now on is in this table. */
  beginTable(name: string): void {
    this.#tables.push(name);
  }

  /** An entry of a data block, whose value is at `at` of its table; found when it is settled. Others than pages are passed over. */
  add(key: Uint8Array, at: number): void {
    const userBytes = key.length - KEY_SUFFIX_BYTES;
    const place = userBytes > 0 ? pagePlace(key.subarray(0, userBytes)) : undefined;
    if (!place) return;
    const suffix = new DataView(key.buffer, key.byteOffset + userBytes, KEY_SUFFIX_BYTES);
    const row = COLUMNS * this.#count++;
    if (row + COLUMNS > this.#rows.length) {
      const longer = new Uint32Array(2 * this.#rows.length);
      longer.set(this.#rows);
      this.#rows = longer;
    }
    this.#rows.set([place.commit, place.number, place.slice, this.#tables.length - 1, at, suffix.getUint32(0, true), suffix.getUint32(4, true)], row);
  }

  /** From now on each page is found where the last write of its key stands, in tables that are `live`. */
  settle(live: ReadonlySet<string>): void {
    const rows = this.#rows;
    const isLive = this.#tables.map((name) => live.has(name));
    const order = Uint32Array.from({ length: this.#count }, (_, n) => COLUMNS * n)
      .filter((row) => isLive[rows[row + TABLE]!])
      .sort((a, b) => compareKeys(rows, a, rows, b) || rows[b + HIGH]! - rows[a + HIGH]! || rows[b + LOW]! - rows[a + LOW]!);
    const last = order.filter((row, n) => n === 0 || compareKeys(rows, order[n - 1]!, rows, row) !== 0);
    this.#rows = new Uint32Array(COLUMNS * (last.length + 1));
    for (const [n, row] of last.entries()) this.#rows.set(rows.subarray(row, row + COLUMNS), COLUMNS * n);
    this.#count = this.#settled = last.length;
  }

  /** undefined also when the key was deleted. */
  find({ commit, number, slice }: PagePlace): TablePlace | undefined {
    const rows = this.#rows;
    const key = Uint32Array.of(commit, number, slice);
    let [low, high] = [0, this.#settled];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(rows, COLUMNS * middle, key, 0) < 0) low = middle + 1;
      else high = middle;
    }
    const row = COLUMNS * low;
    if (low === this.#settled || compareKeys(rows, row, key, 0) !== 0) return undefined;
    const table = this.#tables[rows[row + TABLE]!]!;
    const isValue = (rows[row + LOW]! & 255) === 1;
    return isValue && !this.#gone.has(table) ? { table, at: rows[row + AT]! } : undefined;
  }

  /** The table is no more: nothing is found in it from now on. */
  forget(table: string): void {
    this.#gone.add(table);
  }
}

/** As LevelDB compares them. */
function compareKeys(a: Uint32Array, i: number, b: Uint32Array, j: number): number {
  return a[i + COMMIT]! - b[j + COMMIT]! || a[i + NUMBER]! - b[j + NUMBER]! || a[i + SLICE]! - b[j + SLICE]!;
}
