/** Whether lane 2 adds rows up by ranges, and by which: decided once, for all threads, before it begins. */
import { planRanges } from '../aggregate/ranges.ts';
import { chooseSplitters, type Splitters } from '../aggregate/splitters.ts';
import type { GroupBy } from '../core/options.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { RangesKernel } from '../kernels/twins/ranges.ts';
import type { StoredShare } from '../partition/share.ts';

export interface RangePlanOptions {
  /** Where splitters and a sample go. */
  readonly memory: LinearMemory;
  readonly shares: readonly StoredShare[];
  readonly groupBy: GroupBy;
  /** What each thread's aggregate may have. */
  readonly aggregateBytes: number;
}

/** Splitters by a sample of the shares, if all of them are in memory; the slab is the caller's. Undefined = use tables. */
export async function planSplitters({ memory, shares, groupBy, aggregateBytes }: RangePlanOptions): Promise<Splitters | undefined> {
  const ranges = planRanges(shares.reduce((sum, { rows }) => sum + rows, 0), aggregateBytes);
  if (ranges === 0 || shares.some(({ file }) => file)) return undefined;
  const kernel = await loadKernel<RangesKernel>('aggregate', memory);
  return chooseSplitters({ memory, kernel, groupBy, ranges, chains: chainsOf(shares) });
}

/** A partition is a fair sample, being a slice of a hash: of one after the other, what all shares have. */
function* chainsOf(shares: readonly StoredShare[]): Generator<number> {
  for (let partition = 0; partition < shares[0]!.chains.length; partition++) {
    for (const { chains } of shares) yield chains[partition]!;
  }
}
