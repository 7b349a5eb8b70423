import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Reader, type Response } from 'maxmind';
import { EtlError } from '../../lib/core/errors.ts';
import { openRangeTable } from '../../lib/geo/range-table.ts';
import { NARROW_LIMIT, TABLE_CHUNKS, TABLE_DIRECTORY_SHIFT } from '../../lib/kernels/geo-layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import type { GeoKernel } from '../../lib/kernels/twins/geo.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { type MmdbPlan, writeMmdb } from './mmdb-writer.ts';
import { EMBEDDED_FILE, expectedRegion, openLookup, openSide, type SideName, sideNames } from './sides.ts';

function save(t: TestContext, plan: MmdbPlan): { file: string; reader: Reader<Response> } {
  const bytes = writeMmdb(plan);
  const file = join(temporaryFolder(t), 'test.mmdb');
  writeFileSync(file, bytes);
  return { file, reader: new Reader(bytes) };
}

const country = (code: string): unknown => ({ country: { iso_code: code, names: { en: `Land of ${code}` } }, traits: [1, 2.5, true] });
const countryOf = (record: unknown): unknown => (record as { country?: { iso_code?: string } } | null)?.country?.iso_code;

/** Texts around the borders of networks, and anywhere. */
function texts(seed: number): string[] {
  const next = random(seed);
  const word = (): string => Math.floor(next() * (next() < 0.5 ? 16 : 65536)).toString(16);
  const octet = (): number => Math.floor(next() * 256);
  const list = ['::', '::1', '::1.2.3.4', '2002:102:304::', '2001::102:304', '2001:0:102:304::9', '64:ff9b::1.2.3.4', '255.255.255.255'];
  for (let i = 0; i < 400; i++) {
    const ipv4 = `${[1, 1, 2, 10, octet()][i % 5]}.${i % 2 ? 2 : octet()}.${octet()}.${octet()}`;
    const hex = ipv4.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
    list.push(ipv4, `::ffff:${ipv4}`, `::${ipv4}`, `2002:${hex[0]}${hex[1]}:${hex[2]}${hex[3]}::${word()}`, `2001:0:${hex[0]}${hex[1]}:${hex[2]}${hex[3]}:${word()}::`);
    list.push(`2001:db8:${word()}:${word()}::${word()}`, `2001:db8::${word()}`, `2001:db8:0:1:2:3:4:${word()}`, `fd00:${word()}::`);
  }
  return list;
}

const networks: MmdbPlan['networks'] = [
  ['1.0.0.0/8', country('AU')], ['1.2.0.0/16', country('NZ')], ['1.2.3.0/24', country('FJ')], ['1.2.3.4/32', country('TO')],
  ['2.0.0.0/7', country('FR')], ['128.0.0.0/1', country('US')], ['255.255.255.255/32', country('ZZ')],
];
const networks6: MmdbPlan['networks'] = [
  ...networks, ['2001:db8::/32', country('DE')], ['2001:db8:0:1::/64', country('DK')], ['2001:db8::8000/113', country('SE')],
  ['2001:db8::ff/128', country('NO')], ['2001:db8:0:1:2:3:4:0/120', country('FI')], ['fd00::/9', country('EU')],
];

const shapes: readonly (readonly [string, MmdbPlan, aliases: number])[] = ([24, 28, 32] as const).flatMap((recordSize) => [
  [`${recordSize} bits, IPv4 only`, { recordSize, ipVersion: 4, networks }, 0],
  [`${recordSize} bits, IPv6`, { recordSize, ipVersion: 6, networks: networks6 }, 0],
  [`${recordSize} bits, aliases`, {
    recordSize, ipVersion: 6, networks: networks6, aliases: ['::ffff:0:0/96', '2002::/16', '2001::/32', '64:ff9b::/96', '2600:8000::/33'],
  }, 5],
  [`${recordSize} bits, entries of its own at ::ffff:0:0/96`, {
    recordSize, ipVersion: 6, networks: [...networks6, ['::ffff:102:300/120', country('XA')], ['::ffff:a00:0/104', { other: 1 }]],
  }, 0],
  [`${recordSize} bits, IPv6 networks only`, { recordSize, ipVersion: 6, networks: networks6.slice(networks.length) }, 0],
  [`${recordSize} bits, one network for all of IPv4 and more`, { recordSize, ipVersion: 6, networks: [['::/8', country('QQ')]] }, 0],
  [`${recordSize} bits, empty`, { recordSize, ipVersion: 6, networks: [] }, 0],
  [`${recordSize} bits, empty, IPv4 only`, { recordSize, ipVersion: 4, networks: [] }, 0],
] as const);

for (const [what, plan, aliases] of shapes) {
  test(`${what}: agrees with maxmind`, async (t) => {
    const { file, reader } = save(t, plan);
    const list = texts(61);
    const wanted = list.map((text) => expectedRegion(reader, text, countryOf));
    const tables: Buffer[] = [];
    for (const name of sideNames) {
      const { table, side, regions } = await openLookup(name, { file });
      const found = regions(list);
      const wrong = list.findIndex((_, i) => found[i] !== wanted[i]);
      assert.equal(wrong, -1, `${name}, seed 61: ${list[wrong]} is ${found[wrong]}, not ${wanted[wrong]}`);
      assert.equal(table.aliases, aliases);
      assert.deepEqual(table.database, { type: 'Test', buildDate: '2023-11-14T22:13:20.000Z', path: file });
      tables.push(Buffer.from(side.memory.bytes(table.ptr, table.bytes)));
    }
    assert.deepEqual(tables[0], tables[1]);
  });
}

test('aliases do not multiply ranges', async (t) => {
  const aliases = ['::ffff:0:0/96', '2002::/16', '2001::/32'];
  for (const name of sideNames) {
    const plain = await openLookup(name, save(t, { recordSize: 28, ipVersion: 6, networks: networks6 }));
    const aliased = await openLookup(name, save(t, { recordSize: 28, ipVersion: 6, networks: networks6, aliases }));
    assert.equal(aliased.table.ranges4, plain.table.ranges4);
    assert.ok(aliased.table.ranges6 <= plain.table.ranges6 + 2 * aliases.length);
  }
});

test('neighbours of one region are one range, though their records differ', async (t) => {
  const halves: MmdbPlan['networks'] = [['0.0.0.0/1', { country: { iso_code: 'DE' }, n: 1 }], ['128.0.0.0/1', { country: { iso_code: 'DE' }, n: 2 }]];
  for (const name of sideNames) {
    const { table } = await openLookup(name, save(t, { recordSize: 24, ipVersion: 4, networks: halves }));
    assert.equal(table.ranges4, 1);
  }
});

async function regionsBy(t: TestContext, name: SideName, records: readonly unknown[], field?: string): Promise<string[]> {
  const { file } = save(t, { recordSize: 24, ipVersion: 4, networks: records.map((record, i) => [`${i}.0.0.0/8`, record]) });
  const { regions } = await openLookup(name, { file, field });
  return regions(records.map((_, i) => `${i}.1.2.3`));
}

for (const name of sideNames) {
  test(`${name}: by default the field is country.iso_code, else country_code`, async (t) => {
    const records = [{ country: { iso_code: 'DE' } }, { country_code: 'FR' }, { country: { iso_code: 'DK' }, country_code: 'XX' }, { country: {}, country_code: 'IT' }];
    assert.deepEqual(await regionsBy(t, name, [...records, {}, { country: 'UK' }]), ['DE', 'FR', 'DK', 'IT', 'ZZ', 'ZZ']);
  });

  test(`${name}: a field may be nested, in an array, a number, a boolean; what is none of these is ZZ`, async (t) => {
    const place = (value: unknown): unknown => ({ subdivisions: [{ iso_code: value }] });
    const values = ['BY', '', 17, 0, 12345678901234567890n, 1.5, true, false, {}, [], 'é', 'ZZ', '/../'];
    assert.deepEqual(
      await regionsBy(t, name, [...values.map(place), { subdivisions: [] }, 'text', [], { subdivisions: 'BY' }], 'subdivisions.0.iso_code'),
      ['BY', 'ZZ', '17', '0', '12345678901234567890', '1.5', 'true', 'false', 'ZZ', 'ZZ', 'é', 'ZZ', '/../', 'ZZ', 'ZZ', 'ZZ', 'ZZ'],
    );
    assert.deepEqual(await regionsBy(t, name, [{ autonomous_system_number: 3320 }, { constructor: 1 }], 'autonomous_system_number'), ['3320', 'ZZ']);
    await assert.rejects(regionsBy(t, name, [{ a: 1 }], 'constructor.name'), { code: 'ETL_GEO_DATABASE' });
  });

  test(`${name}: a field that no record has is an error that names those there are`, async (t) => {
    const records = [{ country: { names: { en: 'Germany' } } }, { as: 3320, list: [{ x: 'y' }] }];
    for (const field of ['country', 'country.iso_code', 'nothing', '', undefined]) {
      await assert.rejects(regionsBy(t, name, records, field), (error: unknown) => error instanceof EtlError
        && error.code === 'ETL_GEO_DATABASE' && /country\.names\.en, as, list\.0\.x/.test(error.hint ?? ''));
    }
  });

  test(`${name}: regions are in byte order of UTF-8, and numbers of 1, 2 and 4 bytes work`, async (t) => {
    for (const [count, recordSize] of [[254, 24], [255, 24], [256, 24], [3000, 28], [66_000, 32]] as const) {
      const label = (i: number): string => `${i % 3 ? '\u{1f600}' : '\uffee'}${i}`;
      const prefix = (i: number): string => `${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
      const { file } = save(t, {
        recordSize, ipVersion: 6, networks: Array.from({ length: count }, (_, i) => [`${prefix(i)}.0/24`, { country_code: label(i) }]),
      });
      const { table, regions } = await openLookup(name, { file });
      assert.equal(table.regions.length, count + 1);
      assert.deepEqual(table.regions.map((region) => Buffer.from(region)), table.regions.map((region) => Buffer.from(region)).sort(Buffer.compare));
      const list = Array.from({ length: 2000 }, (_, i) => (i * 7919) % count);
      assert.deepEqual(regions(list.map((i) => `${prefix(i)}.77`)), list.map(label));
    }
  });
}

for (const name of sideNames) {
  test(`${name}: a directory has four bytes an entry when regions or blocks are many`, async (t) => {
    const place = (i: number): string => `${i >> 8}.${i & 255}`;
    const plans: readonly (readonly [regions: number, count: number, network: (i: number) => string])[] = [
      [NARROW_LIMIT - 1, NARROW_LIMIT - 1, (i) => `${place(i)}.0.0/16`],
      [NARROW_LIMIT, NARROW_LIMIT, (i) => `${place(i)}.0.0/16`],
      [256, 20_000, (i) => `${place(i)}.128.0/17`],
      [256, 40_000, (i) => `${place(i)}.128.0/17`],
    ];
    const shifts: number[] = [];
    for (const [regions, count, network] of plans) {
      const label = (i: number): string => `a${i % regions}`;
      const { file } = save(t, {
        recordSize: 24, ipVersion: 4, networks: [
          ...Array.from({ length: count }, (_, i) => [network(i), { country_code: label(i) }] as const),
          ['0.7.200.0/24', { country_code: 'fine' }], ['0.7.201.9/32', { country_code: 'finest' }],
        ],
      });
      const { table, side, regions: look } = await openLookup(name, { file });
      shifts.push(side.memory.view(table.ptr, TABLE_CHUNKS).getUint32(TABLE_DIRECTORY_SHIFT, true));
      const list = Array.from({ length: 2000 }, (_, i) => (i * 7919) % count);
      assert.deepEqual(look(list.map((i) => `${place(i)}.199.1`)), list.map(label));
      assert.deepEqual(look(['0.7.200.9', '0.7.201.9', '0.7.201.8', '0.7.201.10', '255.1.2.3', '::ffff:0.7.201.9']), ['fine', 'finest', 'a7', 'a7', 'ZZ', 'finest']);
    }
    assert.deepEqual(shifts, [1, 2, 1, 2]);
  });
}

test('a closed table gives its memory back, once; its names stay', async () => {
  const { memory, kernel } = await openSide('kernel');
  const table = await openRangeTable({}, memory, kernel);
  table.close();
  table.close();
  assert.equal(memory.slabsInUse, 0);
  assert.ok(table.regions.includes('DE') && table.regions[table.unknown] === 'ZZ');
  assert.match(table.database.type, /country/);
});

test('a database larger than the memory there is: an error that names --memory, and nothing is left', async () => {
  const { size } = statSync(EMBEDDED_FILE);
  let opened = 0;
  for (const limit of [1 << 20, size, size + (1 << 20), size + (4 << 20), 13 << 20]) {
    const memory = new LinearMemory({ limit, workspace: 8 << 20 });
    const kernel = await loadKernel<GeoKernel>('geo', memory);
    try {
      (await openRangeTable({ file: EMBEDDED_FILE }, memory, kernel)).close();
      opened++;
    } catch (error) {
      assert.ok(error instanceof EtlError && error.code === 'ETL_MEMORY' && /--memory/.test(error.hint ?? ''), String(error));
      if (limit < size) assert.match(error.message, /dbip-country\.mmdb/);
    }
    assert.equal(memory.slabsInUse, 0, `limit ${limit}`);
  }
  assert.equal(opened, 1);
});
