/**
 * What is told of a result: watch time by region, how totals are distributed, the rows with the most. Adds batches up on their
 * way to the files, in one pass over their columns, without a BigInt or an object a row: 2.1 million rows take some 12 ms, by user
 * some 30. Exact: sums of 64-bit totals are added by their halves. Memory: a few numbers a region.
 */
import type { ResultBatch } from '../core/stage.ts';
import type { Bucket, RegionReport, ResultReport, TopRow } from './report.ts';
import { decimal } from './decimal.ts';

/** Rows with the most watch time that are told. */
export const TOP_ROWS = 20;
/** Regions that are told one by one; a field of an IP database can have a great many. */
export const MOST_REGIONS = 1000;

/** Bounds of buckets: 1, 2 and 5 at each power of ten, as far as 64 bits go. */
const BOUNDS = Array.from({ length: 19 }, (_, power) => [1, 2, 5].map((step) => BigInt(step) * 10n ** BigInt(power))).flat().filter((bound) => bound < 2n ** 63n);
/** A number has a class: how many leading zeros its 64 bits have, times 2. Of a class is one bucket, or a part of two: 1 more is above the bound between them. */
const CLASSES = 2 * 65;
/** Bucket of a class: 0 is that of 0, n that of BOUNDS[n - 1] and more. */
const BUCKET_OF = Array.from({ length: CLASSES }, (_, at) => {
  const least = leastOf(at >> 1);
  return Math.min(BOUNDS.filter((bound) => bound < least).length + (at & 1), BOUNDS.length);
});
/** By leading zeros of 32 bits, of numbers below 2^31: what is this or more is above the bound. */
const BOUND_32 = Int32Array.from({ length: 33 }, (_, zeros) => Number(minimum(boundAbove(leastOf(zeros + 32)), 2n ** 31n - 1n)));

/** The least number with so many leading zeros. */
function leastOf(zeros: number): bigint {
  return zeros === 64 ? 0n : 1n << BigInt(63 - zeros);
}

/** The first bound that is this or more: no two of them have as many leading zeros. */
function boundAbove(least: bigint): bigint {
  return BOUNDS.find((bound) => bound >= least) ?? 2n ** 64n;
}

function minimum(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
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

export class ResultCollector {
  readonly #regions = new Map<string, Sums>();
  /** Rows by the class of their total, or of its size, if it is negative. */
  readonly #positive = new Uint32Array(CLASSES);
  readonly #negative = new Uint32Array(CLASSES);
  /** The rows with the most, in descending order; of equal ones the first came first. */
  readonly #top: Top[] = [];
  /** The least of them, by its halves, once there are TOP_ROWS. */
  #leastHi = -(2 ** 31);
  #leastLo = 0;

  /** Adds a batch, which stays as it is. `logs`: the sum of its counts. */
  add(batch: ResultBatch, logs: number): void {
    const total = this.#addRows(batch);
    if (batch.region === undefined) this.#addByRow(batch);
    else addSums(this.#regions, batch.region, total, logs, batch.rows);
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
      distribution: this.#distribution(scale),
      top: this.#top.map(({ user, region, total, logs }): TopRow => ({ user, region, total: decimal(total, scale), logs })),
    };
  }

  /** Classes and the rows with the most; gives the sum of the totals. */
  #addRows(batch: ResultBatch): bigint {
    const { totals, rows } = batch;
    const halves = halvesOf(totals, rows);
    const positive = this.#positive;
    let [sumHi, sumLo] = [0, 0]; // of 65,536 rows: 48 bits
    let [leastHi, leastLo] = [this.#leastHi, this.#leastLo];
    for (let at = 0; at < 2 * rows; at += 2) {
      const lo = halves[at]!;
      const hi = halves[at + 1]!;
      if (hi === 0 && lo >= 0) { // nearly all: without a branch that depends on the size
        const zeros = Math.clz32(lo);
        positive[(64 + 2 * zeros) | ((BOUND_32[zeros]! - 1 - lo) >>> 31)]!++;
        sumLo += lo;
        if (leastHi > 0 || (leastHi === 0 && lo <= leastLo)) continue;
      } else {
        const total = totals[at / 2]!;
        (total < 0n ? this.#negative : positive)[classOf(total < 0n ? -total : total)]!++;
        sumLo += lo >>> 0;
        sumHi += hi;
        if (hi < leastHi || (hi === leastHi && lo >>> 0 <= leastLo)) continue;
      }
      this.#insert(batch, at / 2);
      [leastHi, leastLo] = [this.#leastHi, this.#leastLo];
    }
    return BigInt(sumHi) * 2n ** 32n + BigInt(sumLo);
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
    const { total: least } = this.#top.at(-1)!;
    this.#leastHi = Number(least >> 32n);
    this.#leastLo = Number(least & 0xffffffffn);
  }

  /** The buckets from the first to the last that has a row, those between without rows included. */
  #distribution(scale: number): Bucket[] {
    const edges = [0n, ...BOUNDS, 2n ** 63n];
    const buckets: Bucket[] = [];
    const [positive, negative] = [byBucket(this.#positive), byBucket(this.#negative)];
    for (let at = BOUNDS.length; at > 0; at--) buckets.push({ from: decimal(-edges[at + 1]!, scale), to: decimal(-edges[at]!, scale), rows: negative[at]! });
    for (let at = 0; at <= BOUNDS.length; at++) buckets.push({ from: decimal(edges[at]!, scale), to: decimal(edges[at + 1]!, scale), rows: positive[at]! });
    const first = buckets.findIndex(({ rows }) => rows > 0);
    const last = buckets.findLastIndex(({ rows }) => rows > 0);
    return first < 0 ? [] : buckets.slice(first, last + 1);
  }
}

/** 32-bit halves: the low one of a value at 2 * row, its high one, with the sign, at 2 * row + 1. */
function halvesOf({ buffer, byteOffset }: BigInt64Array, rows: number): Int32Array {
  return new Int32Array(buffer, byteOffset, rows * 2);
}

function classOf(size: bigint): number {
  const zeros = 64 - (size === 0n ? 0 : size.toString(2).length);
  return 2 * zeros + (size >= boundAbove(leastOf(zeros)) ? 1 : 0);
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
