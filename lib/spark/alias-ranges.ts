/**
 * Places of the IPv6 tree that lead to the IPv4 tree (mapped addresses, 6to4, Teredo; geo/range-table.ts). The few that have
 * many ranges behind them are told of, for a job to look such an address up as the IPv4 address that it stands for; what is
 * behind the others is written out, as ranges of IPv6. So there are as many ranges as in the database, about, whatever its
 * aliases are.
 */
import { HALF_BIAS, IS_ALIAS, type Ranges4, type Ranges6 } from '../geo/list-ranges.ts';

/** Addresses `first` ... `last` of IPv6 stand for the IPv4 address in their bits `bits` ... `bits` + 31. */
export interface Alias {
  readonly first: Half2;
  readonly last: Half2;
  readonly bits: number;
}
/** The halves of an address, as Ranges6 has them. */
export type Half2 = readonly [high: bigint, low: bigint];

/** A job compares every IPv6 address with each of them. */
const MOST_TOLD = 32;
/** With so few ranges behind it, a place is written out in any case. */
const FEW = 64;
/** Written out, all together. */
const MOST_WRITTEN = 1 << 24;
const LAST = (1n << 128n) - 1n;

/** The ranges without aliases, and those that are told of, in whose place is `unknown`. Undefined: there are too many of them. */
export function resolveAliases(ranges6: Ranges6, ranges4: Ranges4, unknown: number): { ranges: Ranges6; aliases: Alias[] } | undefined {
  const places: { at: number; behind: number }[] = [];
  for (let at = 0; at < ranges6.count; at++) {
    if (ranges6.region[at]! >= IS_ALIAS) places.push({ at, behind: rangesBehind(aliasAt(ranges6, at), ranges4) });
  }
  const told = new Set(places.filter(({ behind }) => behind > FEW).sort((a, b) => b.behind - a.behind || a.at - b.at).slice(0, MOST_TOLD).map(({ at }) => at));
  const written = places.reduce((sum, { at, behind }) => sum + (told.has(at) ? 0 : behind), 0);
  if (written > MOST_WRITTEN) return undefined;
  const most = ranges6.count + written;
  const ranges = { count: 0, high: new BigInt64Array(most), low: new BigInt64Array(most), region: new Uint32Array(most) };
  const push = (high: bigint, low: bigint, region: number): void => {
    const { count } = ranges;
    if (count > 0 && ranges.region[count - 1] === region) return;
    ranges.high[count] = high;
    ranges.low[count] = low;
    ranges.region[count] = region;
    ranges.count++;
  };
  const aliases: Alias[] = [];
  for (let at = 0; at < ranges6.count; at++) {
    const region = ranges6.region[at]!;
    if (region < IS_ALIAS) push(ranges6.high[at]!, ranges6.low[at]!, region);
    else {
      const { first, last, bits } = aliasAt(ranges6, at);
      if (told.has(at)) {
        push(...halves(first), unknown);
        aliases.push({ first: halves(first), last: halves(last), bits });
      } else {
        for (const [from, target] of behind({ first, last, bits }, ranges4)) push(...halves(from), target);
      }
    }
  }
  return { ranges, aliases };
}

interface WholeAlias {
  readonly first: bigint;
  readonly last: bigint;
  readonly bits: number;
}

function aliasAt(ranges: Ranges6, at: number): WholeAlias {
  return { first: addressAt(ranges, at), last: at + 1 < ranges.count ? addressAt(ranges, at + 1) - 1n : LAST, bits: ranges.region[at]! - IS_ALIAS };
}

function addressAt({ high, low }: Ranges6, at: number): bigint {
  return (BigInt.asUintN(64, high[at]! ^ HALF_BIAS) << 64n) | BigInt.asUintN(64, low[at]! ^ HALF_BIAS);
}

function halves(address: bigint): Half2 {
  return [BigInt.asIntN(64, (address >> 64n) ^ HALF_BIAS), BigInt.asIntN(64, address ^ HALF_BIAS)];
}

/** How many ranges an alias stands for, at most. */
function rangesBehind({ first, last, bits }: WholeAlias, ranges4: Ranges4): number {
  const block = BigInt(128 - bits);
  const more = Number((last >> block) - (first >> block));
  if (more > 0) return (more + 1) * ranges4.count;
  return placeOf(ranges4, ipv4In(last, bits)) - placeOf(ranges4, ipv4In(first, bits)) + 1;
}

function* behind({ first, last, bits }: WholeAlias, ranges4: Ranges4): Generator<[from: bigint, region: number]> {
  const block = BigInt(128 - bits);
  const tail = BigInt(96 - bits);
  for (let from = first; from <= last;) {
    const base = (from >> block) << block;
    const end = base + (1n << block) - 1n;
    const to = end < last ? end : last;
    const lastPlace = placeOf(ranges4, ipv4In(to, bits));
    for (let place = placeOf(ranges4, ipv4In(from, bits)); place <= lastPlace; place++) {
      const start = base + (BigInt(ranges4.first[place]!) << tail);
      yield [start > from ? start : from, ranges4.region[place]!];
    }
    from = to + 1n;
  }
}

function ipv4In(address: bigint, bits: number): number {
  return Number((address >> BigInt(96 - bits)) & 0xffffffffn);
}

/** The range that an address is in. */
function placeOf({ count, first }: Ranges4, address: number): number {
  let [from, to] = [0, count - 1];
  while (from < to) {
    const middle = (from + to + 1) >> 1;
    if (first[middle]! <= address) from = middle;
    else to = middle - 1;
  }
  return from;
}
