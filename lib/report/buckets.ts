/** Buckets in which totals are told: by 1, 2 and 5 at each power of ten, as far as 64 bits go, on both sides of 0. */
import { decimal } from './decimal.ts';
import type { Bucket } from './report.ts';

/** In units of the totals' last decimal place. */
export const BOUNDS: readonly bigint[] = Array.from({ length: 19 }, (_, power) => [1, 2, 5].map((step) => BigInt(step) * 10n ** BigInt(power))).flat().filter((bound) => bound < 2n ** 63n);

/**
 * The buckets from the first to the last that has a row, those between without rows included. `positive`: rows from 0 on, `negative`:
 * rows by their distance from 0; of both the first is that of 0, the next that of BOUNDS[0] and more, and so on.
 */
export function bucketsOf(positive: ArrayLike<number>, negative: ArrayLike<number>, scale: number): Bucket[] {
  const edges = [0n, ...BOUNDS, 2n ** 63n];
  const buckets: Bucket[] = [];
  for (let at = BOUNDS.length; at > 0; at--) buckets.push({ from: decimal(-edges[at + 1]!, scale), to: decimal(-edges[at]!, scale), rows: negative[at]! });
  for (let at = 0; at <= BOUNDS.length; at++) buckets.push({ from: decimal(edges[at]!, scale), to: decimal(edges[at + 1]!, scale), rows: positive[at]! });
  const first = buckets.findIndex(({ rows }) => rows > 0);
  const last = buckets.findLastIndex(({ rows }) => rows > 0);
  return first < 0 ? [] : buckets.slice(first, last + 1);
}
