/**
 * What is told of a result: watch time by region, how totals are distributed, the rows with the most. Adds batches up on their
 * way to the files, in one pass over their columns, without a BigInt or an object a row: 2.1 million rows take some 10 ms.
 * Exact: sums of 64-bit totals are added by their halves. Memory: a few numbers a region.
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
/** Between two powers of 2 lies one of them at most: for each, the bucket of what is below it, and where that bound is, by its halves. */
const BELOW = new Uint8Array(64);
const BOUND_HI = new Uint32Array(64);
const BOUND_LO = new Uint32Array(64);
for (let power = 0; power < 64; power++) {
  const bucket = BOUNDS.findIndex((bound) => bound >= 1n << BigInt(power));
  const bound = bucket < 0 ? 2n ** 64n - 1n : BOUNDS[bucket]!;
  BELOW[power] = bucket < 0 ? BOUNDS.length : bucket;
  BOUND_HI[power] = Number(bound >> 32n);
  BOUND_LO[power] = Number(bound & 0xffffffffn);
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
  /** Rows by bucket of their total: 0 is that of totals below 1, of size 0. */
  readonly #positive = new Float64Array(BOUNDS.length + 1);
  readonly #negative = new Float64Array(BOUNDS.length + 1);
  /** The rows with the most, in descending order; of equal ones the first came first. */
  readonly #top: Top[] = [];
  /** The least of them, by its halves, once there are TOP_ROWS. */
  #leastHi = -Infinity;
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

  /** Buckets and the rows with the most; gives the sum of the totals. */
  #addRows(batch: ResultBatch): bigint {
    const { totals, rows } = batch;
    const [lows, highs] = halvesOf(totals, rows);
    const [positive, negative] = [this.#positive, this.#negative];
    let [sumHi, sumLo] = [0, 0]; // of 65,536 rows: 48 bits
    let [leastHi, leastLo] = [this.#leastHi, this.#leastLo];
    for (let at = 0; at < 2 * rows; at += 2) {
      const lo = lows[at]!;
      const hi = highs[at + 1]!;
      sumLo += lo;
      sumHi += hi;
      if (hi >= 0) positive[bucketOf(hi, lo)]!++;
      else if (lo === 0) negative[bucketOf(-hi, 0)]!++;
      else negative[bucketOf(~hi, 2 ** 32 - lo)]!++;
      if (hi > leastHi || (hi === leastHi && lo > leastLo)) {
        this.#insert(batch, at / 2);
        [leastHi, leastLo] = [this.#leastHi, this.#leastLo];
      }
    }
    return BigInt(sumHi) * 2n ** 32n + BigInt(sumLo);
  }

  /** By user, each row has a region of its own. */
  #addByRow({ rows, totals, counts, topRegions }: ResultBatch): void {
    const { numbers, names } = topRegions!;
    const [lows, highs] = halvesOf(totals, rows);
    const [countLows, countHighs] = halvesOf(counts, rows);
    const [sumLo, sumHi, logs, users] = [0, 0, 0, 0].map(() => new Float64Array(names.length)) as [Float64Array, Float64Array, Float64Array, Float64Array];
    for (let row = 0, at = 0; row < rows; row++, at += 2) {
      const region = numbers[row]!;
      sumLo[region]! += lows[at]!;
      sumHi[region]! += highs[at + 1]!;
      logs[region]! += countLows[at]! + countHighs[at + 1]! * 2 ** 32;
      users[region]!++;
    }
    for (let region = 0; region < names.length; region++) {
      if (users[region] === 0) continue;
      addSums(this.#regions, names[region]!, BigInt(sumHi[region]!) * 2n ** 32n + BigInt(sumLo[region]!), logs[region]!, users[region]!);
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
    for (let at = BOUNDS.length; at > 0; at--) buckets.push({ from: decimal(-edges[at + 1]!, scale), to: decimal(-edges[at]!, scale), rows: this.#negative[at]! });
    for (let at = 0; at <= BOUNDS.length; at++) buckets.push({ from: decimal(edges[at]!, scale), to: decimal(edges[at + 1]!, scale), rows: this.#positive[at]! });
    const first = buckets.findIndex(({ rows }) => rows > 0);
    const last = buckets.findLastIndex(({ rows }) => rows > 0);
    return first < 0 ? [] : buckets.slice(first, last + 1);
  }
}

/** 32-bit halves: the low one of a value at 2 * row, its high one, with the sign, at 2 * row + 1. */
function halvesOf({ buffer, byteOffset }: BigInt64Array, rows: number): [low: Uint32Array, high: Int32Array] {
  return [new Uint32Array(buffer, byteOffset, rows * 2), new Int32Array(buffer, byteOffset, rows * 2)];
}

/** Of a size that is `hi * 2^32 + lo`. */
function bucketOf(hi: number, lo: number): number {
  const power = hi > 0 ? 63 - Math.clz32(hi) : 31 - Math.clz32(lo);
  if (power < 0) return 0;
  const boundHi = BOUND_HI[power]!;
  return hi > boundHi || (hi === boundHi && lo >= BOUND_LO[power]!) ? BELOW[power]! + 1 : BELOW[power]!;
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
