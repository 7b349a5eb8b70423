/** Regions in Spark are those of a local run, and of maxmind: every kind of database and text. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { tmpdir } from 'node:os';
import { Reader, type Response } from 'maxmind';
import { writeRanges } from '../../lib/spark/range-files.ts';
import { writeMmdb, type MmdbPlan } from '../geo/mmdb-writer.ts';
import { addressesOf, cities, valueAt } from '../geo/records.ts';
import { EMBEDDED_FILE, expectedRegion, openLookup } from '../geo/sides.ts';
import { invalid, mutate, valid } from '../geo/texts.ts';
import { random } from '../random.ts';
import { skip } from './python.ts';
import { ask } from './session.ts';

interface Case {
  readonly name: string;
  /** undefined: the embedded one. */
  readonly plan?: MmdbPlan;
  readonly field?: string;
  readonly keys: readonly (string | number)[];
  readonly local: boolean;
  readonly texts: readonly string[];
}
interface Answer {
  readonly regions: string[];
  readonly addresses: boolean[];
  readonly plan: string;
  readonly sizes?: number[];
  readonly use?: string;
}

const seed = Number(process.env.ETL_FUZZ_SEED ?? 9);
const next = random(seed);
const below = (count: number): number => Math.floor(next() * count);
const dotted = (bits: number): string => [bits >>> 24, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255].join('.');
const full = (bits: bigint): string => Array.from({ length: 8 }, (_, i) => ((bits >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':');
const code = (country_code: string): unknown => ({ country_code });

/** First and last of ranges, and their neighbours, as the embedded database has them by maxmind. */
function borders(count: number): string[] {
  const reader = new Reader<Response>(readFileSync(EMBEDDED_FILE));
  const texts = new Set(['0.0.0.0', '255.255.255.255', '::', full((1n << 128n) - 1n)]);
  while (texts.size < count * 0.6) {
    const bits = below(2 ** 32);
    const [, length] = reader.getWithPrefixLength(dotted(bits));
    const size = 2 ** (32 - length);
    const first = Math.floor(bits / size) * size;
    for (const each of [first - 1, first, first + size - 1, first + size]) texts.add(dotted(each >>> 0));
  }
  const tops = [0x2001, 0x2001, 0x2402, 0x2600, 0x2804, 0x2a02, 0x2a0a];
  while (texts.size < count) {
    let bits = (BigInt(tops[below(tops.length)]!) << 112n) | (BigInt(below(2 ** 32)) << 80n);
    if (next() < 0.2) bits = 0x20010200n << 96n;
    for (let i = 0; i < 40; i++) {
      const [, length] = reader.getWithPrefixLength(full(bits));
      const shift = BigInt(128 - length);
      const first = (bits >> shift) << shift;
      for (const each of [first - 1n, first, first + (1n << shift) - 1n, first + (1n << shift)]) texts.add(full(each));
      bits = first + (1n << shift);
    }
  }
  return [...texts];
}

/** Around the networks of a plan, and in the places that may be aliases. */
function around({ networks, aliases = [] }: MmdbPlan): string[] {
  const texts = [...addressesOf(networks)];
  for (let i = 0; i < 300; i++) {
    const ipv4 = `${[1, 2, 9, below(256)][i % 4]}.${below(3)}.${below(4)}.${below(256)}`;
    const [a, b, c, d] = ipv4.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
    const mapped = `${a}${b}:${c}${d}`;
    texts.push(ipv4, `::ffff:${ipv4}`, `::${ipv4}`, `2002:${mapped}::${below(9)}`, `2001:0:${mapped}:${below(9)}::`, `64:ff9b::${mapped}`, `2600:8000:${mapped}::`, `2a00:0:1:${mapped}::`);
    texts.push(`2001:db8:0:${below(3)}:${below(9)}::${below(99)}`, `2001:db8:0:1::${below(70000).toString(16).replace(/(.*)(....)$/, '$1:$2')}`);
  }
  return aliases.length > 4 ? [...texts, ...aliases.map((alias) => alias.replace(/::\/.*$/, ':102:304::'))] : texts;
}

const networks: MmdbPlan['networks'] = [
  ['1.0.0.0/8', code('AU')], ['1.2.0.0/16', code('NZ')], ['1.2.3.0/24', code('FJ')], ['1.2.3.4/32', code('TO')], ['2.0.0.0/7', code('FR')], ['128.0.0.0/1', code('US')],
  ...Array.from({ length: 256 }, (_, i) => [`9.1.1.${i}/32`, code(`n${i % 7}`)] as const), // dense
];
const networks6: MmdbPlan['networks'] = [
  ...networks, ['2001:db8::/32', code('DE')], ['2001:db8:0:1::/64', code('DK')], ['2001:db8::8000/113', code('SE')], ['fd00::/9', code('EU')], ['ffff::/16', code('é😀')],
  ...Array.from({ length: 3000 }, (_, i) => [`2001:db8:0:1::${(i * 19).toString(16)}/128`, code(`m${i % 5}`)] as const),
];
const plan = (more: Partial<MmdbPlan>): MmdbPlan => ({ recordSize: 24, ipVersion: 6, networks: networks6, ...more });
const many = Array.from({ length: 50 }, (_, i) => `3000:${i.toString(16)}::/32`);
const everything = plan({ networks: [['::/1', code('OK')], ['8000::/1', code('OK')]] });
const hostile = [...valid, ...invalid.filter((text) => !text.includes('\0'))];
const fuzzed = Array.from({ length: Number(process.env.ETL_FUZZ_CASES ?? 5000) }, (_, i) => {
  let text = valid[i % valid.length]!;
  for (let times = below(4); times >= 0; times--) text = mutate(text, next);
  return text;
});

const keys = ['country_code'];
const all: readonly (readonly [string, MmdbPlan, local: boolean])[] = [
  ['IPv4 only', plan({ ipVersion: 4, networks }), true],
  ['aliases', plan({ aliases: ['::ffff:0:0/96', '2002::/16', '2001::/32', '64:ff9b::/96', '2600:8000::/33', '2a00:0:1::/48'] }), false],
  ['more aliases than are told of', plan({ aliases: many }), true],
  ['networks of its own among mapped addresses', plan({ networks: [...networks6, ['::ffff:102:300/120', code('XA')], ['::ffff:a00:0/104', { other: 1 }]] }), true],
  ['no IPv4', plan({ networks: networks6.slice(networks.length) }), true],
  ['empty', plan({ networks: [] }), false],
];
const cases: readonly Case[] = [
  { name: 'embedded', keys, local: false, texts: borders(12_000) },
  { name: 'texts', plan: everything, keys, local: true, texts: [...hostile, ...fuzzed] },
  { name: 'a nested field', plan: plan({ networks: cities }), field: 'subdivisions.-1.iso_code', keys: ['subdivisions', -1, 'iso_code'], local: true, texts: addressesOf(cities) },
  ...all.map(([name, each, local]) => ({ name, plan: each, keys, local, texts: around(each) })),
];

/** Their plans and code are looked at, which takes a second each. */
const inspected = new Set(['aliases', 'empty']);

const folder = mkdtempSync(join(tmpdir(), 'etl-stream-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const fileOf = ({ name, plan: planned }: Case): string | undefined => (planned ? join(folder, `${name}.mmdb`) : undefined);
let answers: Answer[] = [];

before(async () => {
  if (skip) return;
  const asked = [];
  for (const each of cases) {
    if (each.plan) writeFileSync(fileOf(each)!, writeMmdb(each.plan));
    const ranges = join(folder, each.name.replaceAll(' ', '-'));
    await writeRanges(ranges, { file: fileOf(each), field: each.field });
    const texts = each.texts.map((text) => (/[^ -~]/.test(text) ? `hex:${Buffer.from(text).toString('hex')}` : text));
    if (each.name === 'texts') texts.push('hex:312e322e332e34ff', 'hex:ff312e322e332e34', 'hex:3a3a31ff', 'hex:3a3a3125ff', 'hex:c3');
    asked.push({ ranges, local: each.local, texts, inspect: inspected.has(each.name) });
  }
  answers = await ask('address', asked);
});

for (const [at, each] of cases.entries()) {
  test(`${each.name}: the region of every address is that of a local run`, { skip }, async () => {
    const { regions } = answers[at]!;
    const { regions: lookUp } = await openLookup('twin', { file: fileOf(each), field: each.field });
    const wanted = lookUp(each.texts);
    const reader = new Reader<Response>(readFileSync(fileOf(each) ?? EMBEDDED_FILE));
    for (const [row, text] of each.texts.entries()) {
      const said = `seed ${seed}: ${JSON.stringify(text)}`;
      assert.equal(regions[row], wanted[row], said);
      assert.equal(wanted[row], expectedRegion(reader, text, (record) => valueAt(record, each.keys)), `${said}, by maxmind`);
    }
    assert.deepEqual(regions.slice(each.texts.length), regions.slice(each.texts.length).map(() => 'ZZ'), 'bytes that are no text');
    if (each.name !== 'empty') assert.ok(new Set(regions).size > 1);
  });

  test(`${each.name}: one join by a key, and no other`, { skip }, () => {
    // Spark counts columns from its start on: numbers as long as those of a first plan.
    const [own, use] = [answers[at]!.plan, answers[at]!.use ?? ''].map((plan) => plan.replaceAll(/#\d+/g, '#00')) as [string, string];
    const { sizes = [] } = answers[at]!;
    assert.doesNotMatch(own + use, /Cartesian|NestedLoop|\bCross\b|Python|MapInArrow/);
    assert.ok(own.length < 100_000 && use.length < 200_000, `plans of ${own.length} and ${use.length} characters`);
    assert.doesNotMatch(own, /SortMergeJoin|ShuffledHashJoin/);
    if (each.name !== 'empty') assert.match(own, /BroadcastHashJoin/);
    // Java's compiler leaves a method of more than 8000 bytes to be interpreted.
    assert.ok(Math.max(...sizes) < 8000, `methods of ${sizes.join(', ')} bytes`);
    if (inspected.has(each.name)) assert.ok(sizes.length > 0 && use !== '');
  });
}

test('the rule type=ip takes what a local run takes', { skip }, () => {
  const { addresses } = answers[1]!;
  const { texts } = cases[1]!;
  for (const [row, text] of texts.entries()) {
    assert.equal(addresses[row], isIP(text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '')) !== 0, `seed ${seed}: ${JSON.stringify(text)}`);
  }
  assert.ok(addresses.some(Boolean) && !addresses.every(Boolean));
});
