/**
 * What is told of a result: watch time by region, how totals are distributed, the rows with the most. Adds batches up on their
 * way to the files, in one pass over their totals by a kernel. Exact: sums have 128 bits. Memory: 1.6 KB, and a few numbers a region.
 */
import type { ResultBatch } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import {
  TOTALS_BOUNDS, TOTALS_BYTES, TOTALS_CLASSES, TOTALS_MOST, TOTALS_NEGATIVE, TOTALS_POSITIVE, TOTALS_SUM,
} from '../kernels/totals-layout.ts';
import type { TotalsKernel } from '../kernels/twins/totals.ts';
import type { RegionReport, ResultReport, TopRow } from './report.ts';
import { BOUNDS, bucketsOf } from './buckets.ts';
import { decimal } from './decimal.ts';

/** Rows with the most watch time that are told. */
export const TOP_ROWS = 20;
/** Regions that are told one by one; a field of an IP database can have a great many. */
export const MOST_REGIONS = 1000;

/** Bucket of a class (totals-layout.ts), of which a bucket has all, or a part of two has: 0 is that of 0, n that of BOUNDS[n - 1] and more. */
const BUCKET_OF = Array.from({ length: TOTALS_CLASSES }, (_, at) => {
  const least = leastOf(at >> 1);
  return Math.min(BOUNDS.filter((bound) => bound < least).length + (at & 1), BOUNDS.length);
});
const LEAST_TOTAL = -(2n ** 63n);

/** The least number with so many leading zeros. */
function leastOf(zeros: number): bigint {
  return zeros === 64 ? 0n : 1n << BigInt(63 - zeros);
}

/** The first bound that is this or more: no two of them have as many leading zeros. */
function boundAbove(least: bigint): bigint {
  return BOUNDS.find((bound) => bound >= least) ?? 2n ** 64n - 1n;
}

/** Sums of a region, or of all that counts as one. */
interface Sums {
  total: bigint;
  logs: number;
  rows: number;
}

interface Top {
  readonly user: string;
  readonly region: string;
  readonly total: bigint;
  readonly logs: number;
}

export interface ResultCollectorOptions {
  /** Of the batches' columns; `close` gives back what is taken of it. */
  readonly memory: LinearMemory;
  readonly kernel: TotalsKernel;
}

export class ResultCollector {
  readonly #memory: LinearMemory;
  readonly #kernel: TotalsKernel;
  #at: number;
  readonly #regions = new Map<string, Sums>();
  /** The rows with the most, in descending order; of equal ones the first came first. */
  readonly #top: Top[] = [];
  /** What a row must have more than to be one of them. */
  #least = LEAST_TOTAL;

  /** Throws ETL_MEMORY. */
  constructor({ memory, kernel }: ResultCollectorOptions) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#at = memory.slab(TOTALS_BYTES, 'what is told of totals');
    memory.bytes(this.#at, TOTALS_BYTES).fill(0);
    const state = this.#state;
    for (let zeros = 0; zeros <= 64; zeros++) state.setBigUint64(TOTALS_BOUNDS + zeros * 8, boundAbove(leastOf(zeros)), true);
  }

  /** Adds a batch whose totals are a view of linear memory, and which stays as it is. `logs`: the sum of its counts. */
  add(batch: ResultBatch, logs: number): void {
    const { totals, rows } = batch;
    const state = this.#state;
    state.setBigUint64(TOTALS_SUM, 0n, true);
    state.setBigInt64(TOTALS_SUM + 8, 0n, true);
    this.#kernel.addTotals(this.#at, totals.byteOffset, rows);
    if (state.getBigInt64(TOTALS_MOST, true) > this.#least) this.#insertRows(batch);
    const total = state.getBigUint64(TOTALS_SUM, true) | (state.getBigInt64(TOTALS_SUM + 8, true) << 64n);
    if (batch.region === undefined) this.#addByRow(batch);
    else addSums(this.#regions, batch.region, total, logs, rows);
  }

  /** Gives its memory back; nothing can be added after that. Idempotent. */
  close(): void {
    if (this.#at === 0) return;
    this.#memory.giveSlab(this.#at, TOTALS_BYTES);
    this.#at = 0;
  }

  /** `scale`: decimal places of the totals. `byUser`: a row's region is the user's main one. */
  finish(scale: number): ResultReport {
    const regions = Array.from(this.#regions, ([region, sums]) => ({ region, ...sums }))
      .sort((a, b) => (a.total === b.total ? (a.region < b.region ? -1 : 1) : a.total > b.total ? -1 : 1));
    const all = regions.reduce((sum, { total, logs, rows }) => ({ total: sum.total + total, logs: sum.logs + logs, rows: sum.rows + rows }), { total: 0n, logs: 0, rows: 0 });
    const told = ({ region, total, logs, rows }: (typeof regions)[0]): RegionReport => ({ region, total: decimal(total, scale), logs, rows });
    return {
      total: decimal(all.total, scale), logs: all.logs, rows: all.rows,
      regions: { count: regions.length, listed: regions.slice(0, MOST_REGIONS).map(told) },
      distribution: bucketsOf(this.#byBucket(TOTALS_POSITIVE), this.#byBucket(TOTALS_NEGATIVE), scale),
      top: this.#top.map(({ user, region, total, logs }): TopRow => ({ user, region, total: decimal(total, scale), logs })),
    };
  }

  /** Looks at all rows, which few batches need. By halves: a BigInt a row would cost more. */
  #insertRows(batch: ResultBatch): void {
    const halves = halvesOf(batch.totals, batch.rows);
    let [high, low] = halvesOfLeast(this.#least);
    for (let row = 0; row < batch.rows; row++) {
      const over = halves[row * 2 + 1]! - high;
      if (over < 0 || (over === 0 && halves[row * 2]! >>> 0 <= low)) continue;
      this.#insert(batch, row);
      [high, low] = halvesOfLeast(this.#least);
    }
  }

  /** By user, each row has a region of its own. */
  #addByRow({ rows, totals, counts, topRegions }: ResultBatch): void {
    const { numbers, names } = topRegions!;
    const [totalHalves, countHalves] = [halvesOf(totals, rows), halvesOf(counts, rows)];
    const sums = new Float64Array(names.length * 4); // of each region: low halves, high halves, logs, rows
    for (let row = 0, at = 0; row < rows; row++, at += 2) {
      const to = numbers[row]! * 4;
      sums[to]! += totalHalves[at]! >>> 0;
      sums[to + 1]! += totalHalves[at + 1]!;
      sums[to + 2]! += (countHalves[at]! >>> 0) + countHalves[at + 1]! * 2 ** 32;
      sums[to + 3]!++;
    }
    for (const [number, region] of names.entries()) {
      const [lo, hi, logs, users] = sums.subarray(number * 4, number * 4 + 4) as unknown as [number, number, number, number];
      if (users > 0) addSums(this.#regions, region, BigInt(hi) * 2n ** 32n + BigInt(lo), logs, users);
    }
  }

  /** A row that has more than the least of the top rows. */
  #insert({ totals, counts, userOffsets, userBytes, region, topRegions }: ResultBatch, row: number): void {
    const total = totals[row]!;
    const user = Buffer.from(userBytes.subarray(userOffsets[row], userOffsets[row + 1])).toString();
    const before = this.#top.findIndex((other) => other.total < total);
    this.#top.splice(before < 0 ? this.#top.length : before, 0, { user, region: region ?? topRegions!.names[topRegions!.numbers[row]!]!, total, logs: Number(counts[row]!) });
    if (this.#top.length < TOP_ROWS) return;
    this.#top.length = TOP_ROWS;
    this.#least = this.#top.at(-1)!.total;
  }

  #byBucket(from: number): number[] {
    return byBucket(this.#memory.u32(this.#at + from, TOTALS_CLASSES));
  }

  get #state(): DataView {
    return this.#memory.view(this.#at, TOTALS_BYTES);
  }
}

/** 32-bit halves: the low one of a value at 2 * row, its high one, with the sign, at 2 * row + 1. */
function halvesOf({ buffer, byteOffset }: BigInt64Array, rows: number): Int32Array {
  return new Int32Array(buffer, byteOffset, rows * 2);
}

function halvesOfLeast(least: bigint): [high: number, low: number] {
  return [Number(least >> 32n), Number(least & 0xffffffffn)];
}

function byBucket(classes: Uint32Array): number[] {
  const rows = Array.from({ length: BOUNDS.length + 1 }, () => 0);
  for (const [at, bucket] of BUCKET_OF.entries()) rows[bucket]! += classes[at]!;
  return rows;
}

function addSums(regions: Map<string, Sums>, region: string, total: bigint, logs: number, rows: number): void {
  const sums = regions.get(region);
  if (!sums) {
    regions.set(region, { total, logs, rows });
    return;
  }
  sums.total += total;
  sums.logs += logs;
  sums.rows += rows;
}
