import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type CountryResponse, Reader } from 'maxmind';
import { random } from '../random.ts';
import { EMBEDDED_FILE, expectedRegion, openLookup, sideNames } from './sides.ts';

const reader = new Reader<CountryResponse>(readFileSync(EMBEDDED_FILE));
const regionOf = (record: unknown): unknown => (record as { country_code?: string } | null)?.country_code;
const expected = (text: string): string => expectedRegion(reader, text, regionOf);
const lookups = await Promise.all(sideNames.map((name) => openLookup(name, {})));

function assertAgree(texts: readonly string[], what: string): void {
  const wanted = texts.map(expected);
  for (const [i, name] of sideNames.entries()) {
    const found = lookups[i]!.regions(texts);
    const wrong = texts.findIndex((_, row) => found[row] !== wanted[row]);
    assert.equal(wrong, -1, `${what}, ${name}: ${JSON.stringify(texts[wrong])} is ${found[wrong]}, not ${wanted[wrong]}`);
  }
}

const dotted = (bits: number): string => [bits >>> 24, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255].join('.');
const groupsOf = (bits: bigint): number[] => Array.from({ length: 8 }, (_, i) => Number((bits >> BigInt(112 - 16 * i)) & 0xffffn));
const full = (bits: bigint): string => groupsOf(bits).map((group) => group.toString(16)).join(':');

/** Where ranges start, by maxmind: from each address on, the prefix that it was found in ends at the next. */
function starts6(from: bigint, count: number): bigint[] {
  const starts: bigint[] = [];
  let bits = from;
  while (starts.length < count && bits < 1n << 128n) {
    starts.push(bits);
    const [, length] = reader.getWithPrefixLength(full(bits));
    bits = ((bits >> BigInt(128 - length)) + 1n) << BigInt(128 - length);
  }
  return starts;
}

test('the table describes the embedded database, and both sides build the same bytes', () => {
  const [{ table, side }, other] = lookups as [typeof lookups[0] & object, typeof lookups[0] & object];
  assert.deepEqual(table.database, { type: 'country ipvAll', buildDate: reader.metadata.buildEpoch.toISOString(), path: 'embedded' });
  assert.ok(table.regions.length > 240 && table.ranges4 > 300_000 && table.ranges6 > 300_000);
  assert.equal(table.regions[table.unknown], 'ZZ');
  assert.deepEqual(table.regions, [...table.regions].sort());
  assert.equal(table.aliases, 0);
  const { ptr, bytes } = other.table;
  assert.ok(Buffer.from(side.memory.bytes(table.ptr, table.bytes)).equals(Buffer.from(other.side.memory.bytes(ptr, bytes))));
});

test('100,000 random IPv4 addresses', () => {
  const next = random(41);
  assertAgree(Array.from({ length: 100_000 }, () => dotted(Math.floor(next() * 2 ** 32))), 'seed 41');
});

test('borders of IPv4 ranges: first, last, one before, one after', () => {
  const next = random(42);
  const texts = new Set(['0.0.0.0', '255.255.255.255']);
  while (texts.size < 60_000) {
    const bits = Math.floor(next() * 2 ** 32);
    const [, length] = reader.getWithPrefixLength(dotted(bits));
    const size = 2 ** (32 - length);
    const first = Math.floor(bits / size) * size;
    for (const each of [first - 1, first, first + size - 1, first + size]) texts.add(dotted(each >>> 0));
  }
  assertAgree([...texts], 'seed 42');
});

test('30,000 random IPv6 addresses in networks that are in use, and all over', () => {
  const next = random(43);
  const word = (): bigint => BigInt(Math.floor(next() * 65536));
  const tops = [0x2001n, 0x2002n, 0x2400n, 0x2402n, 0x2600n, 0x2804n, 0x2a01n, 0x2a02n, 0x2c0fn];
  const texts = Array.from({ length: 30_000 }, (_, i) => {
    let bits = i % 10 === 0 ? word() : tops[i % tops.length]!;
    for (let group = 1; group < 8; group++) bits = (bits << 16n) | (next() < 0.3 ? 0n : next() < 0.5 ? word() & 0xffn : word());
    return full(bits);
  });
  assertAgree(texts, 'seed 43');
});

test('borders of IPv6 ranges, the ones longer than 64 bits among them', () => {
  const texts: string[] = [];
  let long = 0;
  for (const from of ['2001:200::', '2001:4860::', '2402::', '2600::', '2a02::', '2001:67c::', '2a0a::']) {
    const [head] = from.split('::') as [string];
    const bits = BigInt(`0x${[...head.split(':'), ...new Array<string>(8).fill('0')].slice(0, 8).map((group) => group.padStart(4, '0')).join('')}`);
    for (const start of starts6(bits, 3000)) {
      if (start & ((1n << 64n) - 1n)) long++;
      texts.push(full(start), full(start - 1n), full(start + 1n));
    }
  }
  assert.ok(texts.length > 60_000);
  assert.ok(long > 0, 'no border inside a /64 was tried');
  assertAgree(texts, 'borders');
});

test('one address, written in every way', () => {
  const next = random(44);
  const texts: string[] = [];
  for (let i = 0; i < 5000; i++) {
    let bits = [0x2001n, 0x2402n, 0x2600n, 0x2a02n][i % 4]!;
    for (let group = 1; group < 8; group++) bits = (bits << 16n) | (next() < 0.5 ? 0n : BigInt(Math.floor(next() * 65536)));
    const groups = groupsOf(bits).map((group) => group.toString(16));
    const padded = groups.map((group) => group.padStart(4, '0'));
    const tail = dotted(Number(bits & 0xffffffffn));
    const zeros = /(?:^|:)0(?::0)*(?:$|:)/.exec(groups.join(':'))?.[0];
    const spellings = [
      groups.join(':'), padded.join(':'), padded.join(':').toUpperCase(), [...groups.slice(0, 6), tail].join(':'),
      zeros === undefined ? groups.join(':') : groups.join(':').replace(zeros, '::'),
      `${groups.join(':')}%eth0`, `${padded.join(':')}%en-1.2`, `  ${groups.join(':')}\t`,
    ];
    assert.equal(new Set(spellings.map(expected)).size, 1, `${spellings[0]} in maxmind`);
    texts.push(...spellings);
  }
  assertAgree(texts, 'seed 44');
});

test('an IPv4-mapped address has the region of its IPv4 address, where maxmind finds nothing', () => {
  const next = random(45);
  const texts: string[] = [];
  for (let i = 0; i < 2000; i++) {
    const bits = Math.floor(next() * 2 ** 32);
    const hex = `${(bits >>> 16).toString(16)}:${(bits & 0xffff).toString(16)}`;
    const spellings = [`::ffff:${dotted(bits)}`, `::FFFF:${hex}`, `0:0:0:0:0:ffff:${hex}`, `0000::ffff:${dotted(bits)}%1`];
    assert.equal(reader.get(spellings[0]!), null);
    for (const lookup of lookups) {
      const [plain, ...mapped] = lookup.regions([dotted(bits), ...spellings]);
      assert.deepEqual(new Set(mapped), new Set([plain]), dotted(bits));
    }
    texts.push(...spellings);
  }
  assertAgree(texts, 'seed 45');
});
