/** `--geo-field` on city and ISP databases: every address as maxmind's own lookup has it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Reader, type Response } from 'maxmind';
import { listPaths, parsePath } from '../../lib/geo/field-path.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { type MmdbPlan, writeMmdb } from './mmdb-writer.ts';
import { addressesOf, cities, isps, valueAt } from './records.ts';
import { expectedRegion, openLookup, sideNames } from './sides.ts';

type Keys = readonly (string | number)[];
const cityFields: readonly (readonly [string, Keys])[] = [
  ['country.iso_code', ['country', 'iso_code']], ['city.names.en', ['city', 'names', 'en']], ['city.names.zh-CN', ['city', 'names', 'zh-CN']],
  ['subdivisions.0.iso_code', ['subdivisions', 0, 'iso_code']], ['subdivisions.1.iso_code', ['subdivisions', 1, 'iso_code']],
  ['subdivisions.-1.iso_code', ['subdivisions', -1, 'iso_code']], ['subdivisions.-2.iso_code', ['subdivisions', -2, 'iso_code']],
  ['subdivisions.2.geoname_id', ['subdivisions', 2, 'geoname_id']], ['location.latitude', ['location', 'latitude']], ['location.longitude', ['location', 'longitude']],
  ['country.is_in_european_union', ['country', 'is_in_european_union']], ['traits.is_anonymous_proxy', ['traits', 'is_anonymous_proxy']],
  ['traits.score', ['traits', 'score']], ['a.b.c', ['a', 'b', 'c']], ['a\\.b.c\\\\d', ['a.b', 'c\\d']], ['a\\.b.c\\d', ['a.b', 'c\\d']], ['a\\.b', ['a.b']],
  ['big', ['big']], ['zero', ['zero']],
];
const ispFields: readonly (readonly [string, Keys])[] = ['autonomous_system_number', 'autonomous_system_organization', 'isp', 'organization'].map((key) => [key, [key]]);

async function agrees(t: TestContext, networks: MmdbPlan['networks'], fields: readonly (readonly [string, Keys])[]): Promise<void> {
  for (const [i, [field, keys]] of fields.entries()) {
    const bytes = writeMmdb({ recordSize: ([24, 28, 32] as const)[i % 3]!, ipVersion: 6, networks });
    const file = join(temporaryFolder(t), 'database.mmdb');
    writeFileSync(file, bytes);
    const reader = new Reader<Response>(bytes);
    const addresses = addressesOf(networks);
    const wanted = addresses.map((address) => expectedRegion(reader, address, (record) => valueAt(record, keys)));
    assert.ok(new Set(wanted).size > 1, `no address has ${field}`);
    for (const name of sideNames) assert.deepEqual((await openLookup(name, { file, field })).regions(addresses), wanted, `${name}, ${field}`);
  }
}

test('a city database: nested fields, places in arrays from both ends, numbers, booleans, keys with dots', (t) => agrees(t, cities, cityFields));

test('an ISP database: numbers and texts, whatever is in them', (t) => agrees(t, isps, ispFields));

test('a step that is no place is none in an array: its length, 00, +1, 1.0', async (t) => {
  const file = join(temporaryFolder(t), 'database.mmdb');
  writeFileSync(file, writeMmdb({ recordSize: 24, ipVersion: 6, networks: cities }));
  for (const place of ['length', '00', '+0', '-0', '', ' 0', '1e0', '3', '-4', '99999999999999999999', 'at', '__proto__']) {
    await assert.rejects(openLookup('kernel', { file, field: `subdivisions.${place}.iso_code` }), { code: 'ETL_GEO_DATABASE' }, place);
  }
});

test('of a key that stands twice in a map the last counts, as in maxmind', async (t) => {
  const [first, second] = ['<first>', '<other>'];
  const bytes = writeMmdb({ recordSize: 24, ipVersion: 4, networks: [['1.0.0.0/8', { aaa: first, bbb: second }]] });
  bytes.write('aaa', bytes.indexOf('bbb'));
  const file = join(temporaryFolder(t), 'database.mmdb');
  writeFileSync(file, bytes);
  assert.deepEqual(new Reader(bytes).get('1.1.1.1'), { aaa: second });
  assert.deepEqual((await openLookup('kernel', { file, field: 'aaa' })).regions(['1.1.1.1']), [second]);
});

test('random records: every path that is listed leads to its value, and to that of maxmind', async (t) => {
  const seed = 81;
  const next = random(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
  const keys = ['a', 'b', 'a.b', '.', '\\', '\\.', '0', '-1', '', 'é', '😀.', 'long'.repeat(20), 'constructor', 'toString'];
  const value = (depth: number): unknown => {
    const kind = Math.floor(next() * (depth > 3 ? 4 : 8));
    if (kind === 0) return pick(['text', 'x', '\0', 'ü', '-', 'text that is long']);
    if (kind === 1) return pick([0, 1, 77, 4294967295, 1.5, -2.25, 1e-300, 2n ** 63n, 2n ** 127n]);
    if (kind === 2) return next() < 0.5;
    if (kind === 3) return pick(['', [], {}]);
    if (kind < 6) return Array.from({ length: Math.floor(next() * 4) }, () => value(depth + 1));
    return Object.fromEntries(Array.from({ length: Math.floor(next() * 5) }, () => [pick(keys), value(depth + 1)]));
  };
  const file = join(temporaryFolder(t), 'database.mmdb');
  let tried = 0;
  for (let round = 0; round < 60; round++) {
    const record = { a: value(0), b: value(0), [pick(keys)]: value(1) };
    const bytes = writeMmdb({ recordSize: 24, ipVersion: 4, networks: [['1.0.0.0/8', record]] });
    writeFileSync(file, bytes);
    const decoded = new Reader<Response>(bytes).get('1.2.3.4');
    for (const path of listPaths(decoded, 8)) {
      const steps = parsePath(path).map(({ key }) => key.toString());
      const wanted = steps.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], decoded);
      if (wanted === '') continue; // names no region, and no other record does
      const { regions } = await openLookup('kernel', { file, field: path });
      assert.deepEqual(regions(['1.2.3.4']), [String(wanted)], `seed ${seed}, round ${round}: ${path}`);
      tried++;
    }
  }
  assert.ok(tried > 100, `${tried} paths`);
});
