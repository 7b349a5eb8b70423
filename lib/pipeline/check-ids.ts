/**
 * Goes over all ids of a state, slice by slice, as a run would load them: each page must be one, no id be there twice, and all
 * of them as many as the last commit says. Each page is read once; more often where a slice's ids do not fit the table.
 *
 * Memory: a page, and a table of the ids of a slice of at most TABLE_MOST bytes.
 */
import { EtlError, messageOf } from '../core/errors.ts';
import type { HashRange } from '../core/stage.ts';
import { SLICE_BITS } from '../dedup/history.ts';
import { IdPages } from '../dedup/id-pages.ts';
import { IdTable } from '../dedup/id-table.ts';
import { ID_PAGE_COUNT } from '../kernels/id-page-layout.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { DedupKernel } from '../kernels/twins/dedup.ts';
import type { IdPageKernel } from '../kernels/twins/id-pages.ts';
import type { State } from '../state/state.ts';

/** Some 5 million ids of a slice, 5 billion in all, are gone over at once. */
const TABLE_MOST = 1 << 27;
/** An id takes more in any page. */
const ID_BYTES_LEAST = 13;
const ANY: HashRange['hi'] = [0n, 2n ** 64n - 1n];

export interface IdsFound {
  readonly pages: number;
  readonly ids: number;
}

/**
 * `expected`: how many ids there should be. `tell` is told what is wrong; a page that the database does not give as it was
 * written is none of it, as State.check finds it. `tableBytes`: tests have a smaller table. Throws ETL_MEMORY.
 */
export async function checkIds(state: State, expected: number, tell: (problem: string) => void, tableBytes = TABLE_MOST): Promise<IdsFound> {
  const memory = new LinearMemory();
  const kernel = await loadKernel<DedupKernel & IdPageKernel>('dedup', memory);
  const pages = new IdPages({ memory, kernel, most: 0 });
  const table = new IdTable({ memory, kernel, maxBytes: tableBytes });
  const found = { pages: 0, ids: 0 };
  let complete = true;
  for (let slice = 0; slice < 1 << SLICE_BITS; slice++) {
    const bytes = state.committed(slice).reduce((sum, page) => sum + page.bytes, 0);
    const parts = rangesOf(slice, Math.ceil(bytes / ID_BYTES_LEAST / (0.8 * table.most)));
    let [ids, distinct, whole] = [0, 0, true];
    try {
      for (const [part, range] of parts.entries()) {
        for await (const { page } of state.pages(slice)) {
          if (part === 0) {
            found.pages++;
            ids += countOf(page);
          }
          whole = load(pages, table, slice, page, range, tell) && whole;
        }
        distinct += table.size;
        table.clear();
        if (!whole) break; // told
      }
      if (whole && distinct !== ids) tell(`The slice ${slice} has ${ids} ids, ${ids - distinct} of them more than once.`);
    } catch (error) {
      if (!isOfDatabase(error)) throw error;
      whole = false;
      table.clear();
    }
    found.ids += ids;
    complete &&= whole;
  }
  if (complete && found.ids !== expected) tell(`The pages have ${found.ids} ids, and ${expected} were counted.`);
  return found;
}

/** False when it is no page. Throws ETL_MEMORY when the table is full. */
function load(pages: IdPages, table: IdTable, slice: number, page: Uint8Array, range: HashRange, tell: (problem: string) => void): boolean {
  try {
    if (pages.load(table, slice, page, range)) return true;
  } catch (error) {
    tell(messageOf(error));
    return false;
  }
  throw new EtlError('ETL_MEMORY', `The ids of slice ${slice} do not fit the memory that is taken for them.`);
}

function isOfDatabase(error: unknown): boolean {
  return error instanceof EtlError && (error.code === 'ETL_STATE_DAMAGED' || error.code === 'ETL_STATE_READ');
}

/** How many ids a page says that it has. */
function countOf(page: Uint8Array): number {
  return page.length < ID_PAGE_COUNT + 4 ? 0 : new DataView(page.buffer, page.byteOffset).getUint32(ID_PAGE_COUNT, true);
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
