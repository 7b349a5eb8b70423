/** Partition pages for tests: rows in segments, as the partition store has them. */
import { MAX_USER_BYTES, PAGE_BYTES, PAGE_HEADER, PAGE_NEXT, PAGE_USED, SEGMENT_HEADER } from '../../lib/kernels/layout.ts';
import type { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { rowBytesFor, storeRow } from '../../lib/kernels/twins/row.ts';
import type { Row } from './rows.ts';

const SEGMENT_ROWS = 5;

/** Chains of some pages each. */
export function writeChain(memory: LinearMemory, rows: readonly Row[]): { readonly firsts: number[]; free(): void } {
  const pages: number[] = [];
  const firsts: number[] = [];
  let at = PAGE_BYTES;
  let segment = 0;
  for (const [i, row] of rows.entries()) {
    if (row.user.length > MAX_USER_BYTES) throw new Error('too long');
    const bytes = rowBytesFor(memory, row);
    const fresh = at + SEGMENT_HEADER + bytes > PAGE_BYTES;
    if (fresh) {
      const page = memory.takePage();
      memory.view(page, 4).setUint32(PAGE_NEXT, 0, true);
      if (pages.length % 3 === 0) firsts.push(page);
      else memory.view(pages.at(-1)!, 4).setUint32(PAGE_NEXT, page, true);
      pages.push(page);
      at = PAGE_HEADER;
    }
    const page = pages.at(-1)!;
    if (fresh || i % SEGMENT_ROWS === 0) {
      segment = page + at;
      memory.view(segment, 8).setBigUint64(0, 0n, true);
      at += SEGMENT_HEADER;
    }
    storeRow(memory, page + at, BigInt(i), BigInt(i), row);
    at += bytes;
    memory.view(segment, 2).setUint16(0, page + at - segment - SEGMENT_HEADER, true);
    memory.view(page, 8).setUint32(PAGE_USED, at, true);
  }
  return { firsts, free: () => pages.forEach((page) => memory.givePage(page)) };
}
