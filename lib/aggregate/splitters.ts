/**
 * Where ranges of groups begin, so that each gets about as many rows: quantiles of a sample. What a sample says badly costs
 * time, never a result: any splitters are right.
 */
import type { GroupBy } from '../core/options.ts';
import { PAGE_NEXT } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { MAX_RANGES, SPLIT_BYTES, SPLIT_BY_USER, SPLIT_KEYS, SPLIT_RANGES } from '../kernels/ranges-layout.ts';
import type { RangesKernel } from '../kernels/twins/ranges.ts';

/** With fewer rows their groups fit the caches well enough. */
const LEAST_ROWS = 200_000;
/** Of one range: their groups fit a CPU's second cache, and the open pages of all ranges stay few. */
const ROWS_OF_RANGE = 65_536;
/** So that no thread is long without one. */
const LEAST_RANGES = 16;
const SAMPLE_ROWS = 1 << 14;
/** Not worth it when so many ranges in a row are one: one key, or all that begins like it, has most rows. */
const CROWDED_PART = 1 / 4;

export interface Splitters {
  /** Address of a slab of SPLIT_BYTES in shared memory (kernels/ranges-layout.ts). */
  readonly at: number;
  readonly ranges: number;
}

/** How many ranges so many rows are worth; 0 = they are better added up in one table. */
export function rangesFor(rows: number): number {
  if (rows < LEAST_ROWS) return 0;
  return Math.min(Math.max(2 ** Math.round(Math.log2(rows / ROWS_OF_RANGE)), LEAST_RANGES), MAX_RANGES);
}

export interface SampleOptions {
  readonly memory: LinearMemory;
  readonly kernel: RangesKernel;
  readonly groupBy: GroupBy;
  readonly ranges: number;
  /** First pages of partitions, in the order in which they are to be looked at; 0 = none. */
  readonly chains: Iterable<number>;
}

/** Splitters by a sample of the rows; the slab is the caller's. Undefined when ranges by these would be too unequal. */
export function chooseSplitters({ memory, kernel, groupBy, ranges, chains }: SampleOptions): Splitters | undefined {
  const listBytes = 4 * SAMPLE_ROWS;
  const sampleBytes = listBytes + 8 * SAMPLE_ROWS;
  const list = memory.slab(sampleBytes, 'a sample of rows');
  const at = memory.slab(SPLIT_BYTES, 'splitters');
  let count = 0;
  for (const first of chains) {
    for (let page = first; page !== 0 && count < SAMPLE_ROWS; page = memory.view(page + PAGE_NEXT, 4).getUint32(0, true)) {
      count += kernel.sampleRows(page, list + 4 * count, SAMPLE_ROWS - count);
    }
    if (count === SAMPLE_ROWS) break;
  }
  const fields = memory.view(at, SPLIT_BYTES);
  fields.setUint32(SPLIT_RANGES, ranges, true);
  fields.setUint32(SPLIT_BY_USER, groupBy === 'user' ? 1 : 0, true);
  if (count > 0) kernel.setPrefix(at, list, count);
  kernel.sampleKeys(at, list, count, list + listBytes);
  const keys = new BigUint64Array(memory.memory.buffer, list + listBytes, count).slice().sort();
  memory.giveSlab(list, sampleBytes);
  const splitters = Array.from({ length: ranges - 1 }, (_, i) => keys[Math.floor(((i + 1) * count) / ranges)]!);
  const crowd = Math.ceil(ranges * CROWDED_PART);
  if (count === 0 || splitters.some((key, i) => key === splitters[i + crowd])) {
    memory.giveSlab(at, SPLIT_BYTES);
    return undefined;
  }
  for (const [i, key] of splitters.entries()) fields.setBigUint64(SPLIT_KEYS + 8 * i, key, true);
  return { at, ranges };
}
