/**
 * Rows that a thread has scattered into ranges, as plain data: an address. Every thread reads the ranges of all; whoever
 * takes a chain gives its pages to his own pool.
 */
import { PAGE_NEXT } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { RANGES_AT, RANGE_BYTES, RANGE_FIRST, RANGE_PAGES, RANGE_ROWS } from '../kernels/ranges-layout.ts';
import type { RangesKernel } from '../kernels/twins/ranges.ts';

/** Address of an area of RANGES_BYTES. */
export type Scattered = number;

export interface RangeSize {
  readonly rows: number;
  readonly pages: number;
}

/** Most rows that a page can hold: none is shorter than 5 bytes. */
export const LIST_BYTES = 4 * 4096;

/** What all threads together have in a range. */
export function rangeSize(memory: LinearMemory, scattered: readonly Scattered[], range: number): RangeSize {
  const sizes = scattered.map((at) => {
    const fields = memory.view(at + RANGES_AT + RANGE_BYTES * range, RANGE_BYTES);
    return { rows: fields.getUint32(RANGE_ROWS, true), pages: fields.getUint32(RANGE_PAGES, true) };
  });
  return { rows: sizes.reduce((sum, { rows }) => sum + rows, 0), pages: sizes.reduce((sum, { pages }) => sum + pages, 0) };
}

export interface Lists {
  readonly memory: LinearMemory;
  readonly kernel: RangesKernel;
  /** Address of LIST_BYTES. */
  readonly list: number;
}

/**
 * The range's rows, a page at a time: listed at `list`, so many. A page goes to the pool when the next one is asked for, or
 * when no more are: then all of them.
 */
export function* takeRows(lists: Lists, at: Scattered, range: number): Generator<number, void, undefined> {
  const { memory, kernel, list } = lists;
  let page = takeChain(memory, at, range);
  try {
    for (; page !== 0; page = giveFirst(lists, page)) yield kernel.listRows(page, list);
  } finally {
    kernel.giveChain(page);
  }
}

/** Gives the range's pages to the pool, unless somebody took them. */
export function giveRows({ memory, kernel }: Omit<Lists, 'list'>, at: Scattered, range: number): void {
  kernel.giveChain(takeChain(memory, at, range));
}

function takeChain(memory: LinearMemory, at: Scattered, range: number): number {
  return Atomics.exchange(memory.u32(at + RANGES_AT + RANGE_BYTES * range + RANGE_FIRST, 1), 0, 0);
}

/** Gives the first page of a chain to the pool, and the one after it to the caller. */
function giveFirst({ memory, kernel }: Omit<Lists, 'list'>, page: number): number {
  const next = memory.view(page + PAGE_NEXT, 4).getUint32(0, true);
  kernel.givePage(page);
  return next;
}
