/**
 * Where pages stand in LevelDB's tables, so that they can be read from there (page-files.ts) and not through LevelDB, which
 * maps its tables: what it has read counts as memory of the process, up to all that the state has.
 *
 * A place is a guess. A compaction may have moved the page since, a later write may have replaced it: so what is read there
 * counts only by the page's seal, and LevelDB is asked for what does not have it.
 *
 * Memory: 20 bytes a page of the tables; while they are gone over, some 60.
 */
import { KEY_SUFFIX_BYTES } from './level-blocks.ts';
import { pagePlace, type PagePlace } from './keys.ts';

/** Where a page's first byte is. */
export interface TablePlace {
  /** A file of the database's folder. */
  readonly table: string;
  readonly at: number;
}

/** Columns of what is found: commit, number, slice, table, place, and the suffix of the key: its low and its high half. */
const FOUND = 7;
/** Columns of what is kept: without the suffix. */
const KEPT = 5;
const [COMMIT, NUMBER, SLICE, TABLE, AT, LOW, HIGH] = [0, 1, 2, 3, 4, 5, 6] as const;

/** Pages of all tables while they are gone over: the same key may be there several times, deleted too. */
export class FoundPages {
  readonly #tables: string[] = [];
  #rows = new Uint32Array(FOUND * 64);
  #count = 0;

  get tables(): readonly string[] {
    return this.#tables;
  }

  /** What is added from now on is in this table. */
  beginTable(name: string): void {
    this.#tables.push(name);
  }

  /** An entry of a data block, whose value is at `at` of its table. Others than pages are passed over. */
  add(key: Uint8Array, at: number): void {
    const userBytes = key.length - KEY_SUFFIX_BYTES;
    const place = userBytes > 0 ? pagePlace(key.subarray(0, userBytes)) : undefined;
    if (!place) return;
    const suffix = new DataView(key.buffer, key.byteOffset + userBytes, KEY_SUFFIX_BYTES);
    const row = FOUND * this.#count++;
    if (row + FOUND > this.#rows.length) {
      const longer = new Uint32Array(2 * this.#rows.length);
      longer.set(this.#rows);
      this.#rows = longer;
    }
    this.#rows.set([place.commit, place.number, place.slice, this.#tables.length - 1, at, suffix.getUint32(0, true), suffix.getUint32(4, true)], row);
  }

  /** Of each page that the last write of its key gave, in tables that are `live`. */
  places(live: ReadonlySet<string>): PagePlaces {
    const rows = this.#rows;
    const isLive = this.#tables.map((name) => live.has(name));
    const order = Uint32Array.from({ length: this.#count }, (_, n) => FOUND * n)
      .filter((row) => isLive[rows[row + TABLE]!])
      .sort((a, b) => compareKeys(rows, a, rows, b) || rows[b + HIGH]! - rows[a + HIGH]! || rows[b + LOW]! - rows[a + LOW]!);
    const kept = new Uint32Array(KEPT * order.length);
    let count = 0;
    for (const [n, row] of order.entries()) {
      const isLast = n === 0 || compareKeys(rows, order[n - 1]!, rows, row) !== 0;
      const isValue = (rows[row + LOW]! & 255) === 1;
      if (isLast && isValue) kept.set(rows.subarray(row, row + KEPT), KEPT * count++);
    }
    return new PagePlaces(this.#tables, kept.slice(0, KEPT * count));
  }
}

export class PagePlaces {
  readonly #tables: readonly string[];
  /** In the order of keys. */
  readonly #rows: Uint32Array;
  readonly #gone = new Set<string>();

  constructor(tables: readonly string[], rows: Uint32Array) {
    this.#tables = tables;
    this.#rows = rows;
  }

  /** How many pages have one. */
  get count(): number {
    return this.#rows.length / KEPT;
  }

  find({ commit, number, slice }: PagePlace): TablePlace | undefined {
    const rows = this.#rows;
    const key = Uint32Array.of(commit, number, slice);
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(rows, KEPT * middle, key, 0) < 0) low = middle + 1;
      else high = middle;
    }
    const row = KEPT * low;
    if (low === this.count || compareKeys(rows, row, key, 0) !== 0) return undefined;
    const table = this.#tables[rows[row + TABLE]!]!;
    return this.#gone.has(table) ? undefined : { table, at: rows[row + AT]! };
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
