/**
 * Ranges in buckets, for a join by equality: a bucket is all addresses of a family with the same first 16 bits, and has its
 * ranges as lists, to be searched by halving. No range is cut but at the borders of buckets, so the table grows with the
 * database and with nothing else, however dense places of it are; and there are 131,072 rows at most.
 *
 *   bucket   IPv4: address >> 16; IPv6: 65536 + its first 16 bits. Those without any region are left out
 *   first    where ranges begin, ascending; IPv4: the address; IPv6: its high half, as Ranges6 has it
 *   low      the low halves; an empty list where none of them counts: IPv4, and where no range begins within a /64
 *   region   the names of the ranges' regions
 */
import { HALF_BIAS, type Ranges4, type Ranges6 } from '../geo/list-ranges.ts';
import type { Column } from '../parquet/arrow-ipc.ts';

export interface RangeSource {
  readonly ranges4: Ranges4;
  readonly ranges6: Ranges6;
  readonly names: readonly string[];
  readonly unknown: number;
}

export interface Part {
  readonly rows: number;
  readonly columns: readonly Column[];
}

export interface Buckets {
  readonly parts: readonly Part[];
  /** Ranges of the largest bucket. */
  readonly largest: number;
  readonly ranges: number;
}

const IPV6_BUCKETS = 65536;
/** A part ends with the bucket that reaches so many ranges: 100 MB for its columns. */
export const PART_RANGES = 1 << 22;
const LOWEST = -HALF_BIAS;

export function rangeBuckets({ ranges4, ranges6, names, unknown }: RangeSource, partRanges = PART_RANGES): Buckets {
  const texts = names.map((name) => Buffer.from(name));
  const parts: Part[] = [];
  let [largest, ranges] = [0, 0];
  let part = new PartColumns(texts);
  const add = (bucket: number, from: number, to: number, firstOf: (place: number) => bigint, lowOf: (place: number) => bigint, regions: Uint32Array): void => {
    if (to - from === 1 && regions[from] === unknown) return;
    part.add(bucket, from, to, firstOf, lowOf, regions);
    largest = Math.max(largest, to - from);
    ranges += to - from;
    if (part.ranges < partRanges) return;
    parts.push(part.columns());
    part = new PartColumns(texts);
  };
  const { first } = ranges4;
  eachBucket(ranges4.count, (place) => first[place]! >>> 16, (place) => (first[place]! & 0xffff) === 0, (top, from, to) => {
    add(top, from, to, (place) => BigInt(Math.max(first[place]!, top * 65536)), () => LOWEST, ranges4.region);
  });
  const { high, low } = ranges6;
  const topOf = (place: number): number => Number(BigInt.asUintN(16, (high[place]! ^ HALF_BIAS) >> 48n));
  const begins = (place: number): boolean => BigInt.asUintN(48, high[place]!) === 0n && low[place] === LOWEST;
  eachBucket(ranges6.count, topOf, begins, (top, from, to) => {
    const border = BigInt.asIntN(64, (BigInt(top) << 48n) ^ HALF_BIAS);
    const isBefore = (place: number): boolean => high[place]! < border;
    add(IPV6_BUCKETS + top, from, to, (place) => (isBefore(place) ? border : high[place]!), (place) => (isBefore(place) ? LOWEST : low[place]!), ranges6.region);
  });
  if (part.ranges > 0 || parts.length === 0) parts.push(part.columns());
  return { parts, largest, ranges };
}

/** Tells of each of the 65536 buckets which ranges [from, to) are in it; the first may have begun before. */
function eachBucket(
  count: number, topOf: (place: number) => number, begins: (place: number) => boolean, tell: (top: number, from: number, to: number) => void,
): void {
  let place = 0; // the first that begins in the bucket, or behind it
  for (let top = 0; top < 65536; top++) {
    const from = place < count && topOf(place) === top && begins(place) ? place : place - 1;
    while (place < count && topOf(place) === top) place++;
    tell(top, from, place);
  }
}

/** Columns that grow. */
class PartColumns {
  ranges = 0;
  readonly #texts: readonly Buffer[];
  readonly #buckets: bigint[] = [];
  readonly #ends = [0];
  readonly #lowEnds = [0];
  #first = new BigInt64Array(1024);
  #low = new BigInt64Array(1024);
  #regions = new Uint32Array(1024);
  #lows = 0;

  constructor(texts: readonly Buffer[]) {
    this.#texts = texts;
  }

  add(bucket: number, from: number, to: number, firstOf: (place: number) => bigint, lowOf: (place: number) => bigint, regions: Uint32Array): void {
    this.#grow(this.ranges + to - from);
    let hasLow = false;
    for (let place = from; place < to; place++) {
      const low = lowOf(place);
      hasLow ||= low !== LOWEST;
      this.#low[this.#lows + place - from] = low;
      this.#first[this.ranges] = firstOf(place);
      this.#regions[this.ranges++] = regions[place]!;
    }
    if (hasLow) this.#lows += to - from;
    this.#buckets.push(BigInt(bucket));
    this.#ends.push(this.ranges);
    this.#lowEnds.push(this.#lows);
  }

  columns(): Part {
    const offsets = Int32Array.from(this.#ends);
    return {
      rows: this.#buckets.length,
      columns: [
        { name: 'bucket', values: BigInt64Array.from(this.#buckets) },
        { name: 'first', offsets, items: { name: 'element', values: this.#first } },
        { name: 'low', offsets: Int32Array.from(this.#lowEnds), items: { name: 'element', values: this.#low } },
        { name: 'region', offsets, items: { name: 'element', ...this.#strings() } },
      ],
    };
  }

  #strings(): { offsets: Int32Array; bytes: Uint8Array } {
    const offsets = new Int32Array(this.ranges + 1);
    for (let i = 0; i < this.ranges; i++) offsets[i + 1] = offsets[i]! + this.#texts[this.#regions[i]!]!.length;
    const bytes = new Uint8Array(offsets[this.ranges]!);
    for (let i = 0; i < this.ranges; i++) bytes.set(this.#texts[this.#regions[i]!]!, offsets[i]);
    return { offsets, bytes };
  }

  #grow(least: number): void {
    if (least <= this.#first.length) return;
    const size = Math.max(least, 2 * this.#first.length);
    const grown = <T extends BigInt64Array | Uint32Array>(to: T, from: T): T => {
      to.set(from as never);
      return to;
    };
    this.#first = grown(new BigInt64Array(size), this.#first);
    this.#low = grown(new BigInt64Array(size), this.#low);
    this.#regions = grown(new Uint32Array(size), this.#regions);
  }
}
