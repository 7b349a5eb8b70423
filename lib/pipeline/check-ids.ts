/**
 * Goes over all ids of a state, slice by slice, as a run would load them: each page must be one, no id be there twice, and all
 * of them as many as the index says. Each page is read once; more often where a slice's ids do not fit the table.
 *
 * Memory: a page, and a table of the ids of a slice of at most TABLE_MOST bytes.
 */
import { EtlError, messageOf } from '../core/errors.ts';
import type { HashRange } from '../core/stage.ts';
import { SLICE_BITS, type StoredPage } from '../dedup/history.ts';
import { IdFileReader } from '../dedup/id-file-reader.ts';
import { IdPages } from '../dedup/id-pages.ts';
import { IdTable } from '../dedup/id-table.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { DedupKernel } from '../kernels/twins/dedup.ts';
import type { IdPageKernel } from '../kernels/twins/id-pages.ts';
import type { PageIndex } from '../dedup/page-index.ts';

/** Some 5 million ids of a slice, 5 billion in all, are gone over at once. */
const TABLE_MOST = 1 << 27;
const ANY: HashRange['hi'] = [0n, 2n ** 64n - 1n];

export interface IdsFound {
  readonly pages: number;
  readonly ids: number;
}

/** What to go over. */
export interface IdsToCheck {
  /** Of the state. */
  readonly folder: string;
  readonly index: PageIndex;
  /** Is told what is wrong. */
  tell(problem: string): void;
  /** Of the table; tests have a smaller one. */
  readonly tableBytes?: number;
}

/** Gives what is good. Throws ETL_MEMORY. */
export async function checkIds({ folder, index, tell, tableBytes = TABLE_MOST }: IdsToCheck): Promise<IdsFound> {
  const memory = new LinearMemory();
  const kernel = await loadKernel<DedupKernel & IdPageKernel>('dedup', memory);
  const pages = new IdPages({ memory, kernel, most: 0 });
  const table = new IdTable({ memory, kernel, maxBytes: tableBytes });
  const reader = new IdFileReader(folder);
  const found = { pages: 0, ids: 0 };
  for (let slice = 0; slice < 1 << SLICE_BITS; slice++) {
    const stored = index.of(slice);
    const ids = stored.reduce((sum, page) => sum + page.ids, 0);
    let [distinct, good] = [0, stored];
    for (const range of rangesOf(slice, Math.ceil(ids / (0.8 * table.most)))) {
      good = good.filter((page) => load(pages, table, { slice, bytes: page.bytes, ids: page.ids, read: (target) => reader.read(page, target) }, range, tell));
      distinct += table.size;
      table.clear();
    }
    if (good.length === stored.length && distinct !== ids) {
      tell(`The slice ${slice} should have ${ids} ids in ${stored.length} pages, and they have ${distinct} different ones.`);
    }
    found.pages += good.length;
    found.ids += good.reduce((sum, page) => sum + page.ids, 0);
    await new Promise(setImmediate);
  }
  reader.close();
  return found;
}

/** False when it is no page. Throws ETL_MEMORY when the table is full. */
function load(pages: IdPages, table: IdTable, page: StoredPage, range: HashRange, tell: (problem: string) => void): boolean {
  try {
    if (pages.load(table, page, range)) return true;
  } catch (error) {
    tell(messageOf(error));
    return false;
  }
  throw new EtlError('ETL_MEMORY', `The ids of slice ${page.slice} do not fit the memory that is taken for them.`);
}

/** The slice's low hashes, in at least `parts` ranges of one size. */
function rangesOf(slice: number, parts: number): HashRange[] {
  const bits = Math.max(Math.ceil(Math.log2(Math.max(parts, 1))), 0);
  const width = 2n ** BigInt(64 - SLICE_BITS - bits);
  return Array.from({ length: 2 ** bits }, (_, part) => {
    const from = (BigInt(slice) << BigInt(64 - SLICE_BITS)) + BigInt(part) * width;
    return { lo: [from, from + width - 1n], hi: ANY };
  });
}
