/** Databases that are small and cost much: each is opened in a process of its own, which must end, and within its heap. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { temporaryFolder } from '../temporary.ts';
import { EMPTY_MAP, head, pointer, text, twins, withData, withMetadata } from './encoded.ts';
import { writeMmdb } from './mmdb-writer.ts';
import { openApart, type Opened } from './opener.ts';

function openAll(t: TestContext, databases: readonly Buffer[], field?: string): Opened[] {
  const folder = temporaryFolder(t);
  return openApart(databases.map((bytes, i) => {
    const file = join(folder, `${i}.mmdb`);
    writeFileSync(file, bytes);
    return field === undefined ? { file } : { file, field };
  }));
}

function open(t: TestContext, bytes: Buffer, field?: string): Opened {
  return openAll(t, [bytes], field)[0]!;
}

const repeated = (bytes: Buffer, times: number): Buffer => Buffer.concat(new Array<Buffer>(times).fill(bytes));
/** Maps of `entries` keys that no other has, one after the other. */
function maps(count: number, entries: number): { data: Buffer; starts: number[] } {
  const parts: Buffer[] = [];
  const starts: number[] = [];
  let at = 0;
  for (let map = 0; map < count; map++) {
    const bytes = Buffer.concat([head(7, entries), ...Array.from({ length: entries }, (_, i) => Buffer.concat([text((map * entries + i).toString(36).padStart(5, '0')), EMPTY_MAP]))]);
    starts.push(at);
    parts.push(bytes);
    at += bytes.length;
  }
  return { data: Buffer.concat(parts), starts };
}

test('a billion ways through shared values: none is walked twice, and the fields are listed all the same', (t) => {
  const [empty, full, deep] = openAll(t, [twins(22, EMPTY_MAP), twins(22, text('DE')), twins(60, EMPTY_MAP)].map((data) => withData(data)));
  assert.match(empty!.message ?? '', /neither country/);
  assert.match(full!.message ?? '', /neither country/);
  assert.match(deep!.message ?? '', /nested too deeply/);
  const [small] = openAll(t, [withData(twins(3, text('DE')))]);
  assert.match(small!.hint ?? '', /0\.0\.0, 0\.0\.1, 0\.1\.0/);
  assert.deepEqual(open(t, withData(twins(22, text('DE'))), new Array(22).fill('1').join('.')).regions, ['DE', 'ZZ']);
});

test('pointers to themselves, in circles, to pointers, and to the end are refused or lead somewhere', (t) => {
  const circle = Buffer.concat([pointer(5), pointer(10), pointer(0)]);
  const looped = Buffer.concat([head(7, 1), text('a'), pointer(0)]);
  const chain = Buffer.concat([...Array.from({ length: 40 }, (_, i) => pointer((i + 1) * 5)), head(7, 1), text('country_code'), text('DE')]);
  const long = Buffer.concat([...Array.from({ length: 100_000 }, (_, i) => pointer((i + 1) * 5)), text('DE')]);
  const results = openAll(t, [pointer(0), circle, looped, chain, long, pointer(2 ** 32 - 1), pointer(5)].map((data) => withData(data)));
  for (const i of [0, 1, 2, 4]) assert.match(results[i]!.message ?? '', /nested too deeply/);
  assert.deepEqual(results[3]!.regions, ['DE', 'ZZ']);
  for (const i of [5, 6]) assert.match(results[i]!.message ?? '', /leads out of the file/);
  // Each of the chain's pointers is good by itself, in order from the last: no depth adds up.
  const fromTheEnd = withData(long, Array.from({ length: 4096 }, (_, i) => 500_000 - (i % 64) * 5));
  assert.equal(open(t, fromTheEnd).code, 'ETL_GEO_DATABASE');
});

test('records of millions of values: looked through, never decoded', (t) => {
  const sixteen = 16_000_000;
  const array = Buffer.concat([head(11, sixteen), Buffer.alloc(sixteen, 0xe0)]);
  const bytes = Buffer.concat([head(4, sixteen), Buffer.alloc(sixteen)]);
  const long = Buffer.concat([head(7, 1), text('country_code'), head(2, sixteen), Buffer.alloc(sixteen, 0x41)]);
  const entry = Buffer.concat([text('a'), EMPTY_MAP]);
  const map = Buffer.concat([head(7, 4_000_001), repeated(entry, 4_000_000), text('country_code'), text('DE')]);
  const unreal = Buffer.concat([head(7, sixteen), entry]);
  const results = openAll(t, [array, bytes, long, map, unreal].map((data) => withData(data)));
  assert.match(results[0]!.hint ?? '', /no such fields/);
  assert.match(results[1]!.hint ?? '', /no such fields/);
  assert.match(results[2]!.message ?? '', /has a text of 16000000 bytes as country\.iso_code or country_code/);
  assert.deepEqual(results[3]!.regions, ['DE', 'ZZ']);
  assert.match(results[4]!.message ?? '', /does not fit/);
});

test('many records that share large values: the work in all is bounded', (t) => {
  // Each map is larger than what is remembered of the ones before.
  const { data, starts } = maps(150, 1000);
  const records = Array.from({ length: 65_536 }, (_, i) => data.length + 5 * i);
  const all = Buffer.concat([data, ...records.map((_, i) => pointer(starts[i % starts.length]!))]);
  assert.equal(open(t, withData(all, records)).code, 'ETL_GEO_DATABASE');
  assert.match(open(t, withData(all, records), '00001').message ?? '', /implausibly large/);
});

test('texts in each other: every offset is a long one', (t) => {
  const texts = Buffer.alloc(400_000, 0x5e);
  for (let i = 300_000; i < texts.length; i++) texts[i] = 0x20 + (Math.imul(i, 2654435761) >>> 9) % 90;
  const records = Array.from({ length: 131_072 }, (_, i) => 2 * i);
  assert.equal(open(t, withData(texts, records)).code, 'ETL_GEO_DATABASE');
});

test('metadata that decode to more than there is memory for are refused', (t) => {
  const wide = Buffer.concat([head(11, 3), pointer(20), pointer(20), pointer(20), head(11, 5000), repeated(pointer(25_100), 5000), head(11, 20_000), Buffer.alloc(20_000, 0xe0)]);
  const bombs = [
    twins(8, EMPTY_MAP), twins(30, EMPTY_MAP), wide, Buffer.concat([head(11, 100_000), Buffer.alloc(100_000, 0xe0)]), head(7, 16_000_000),
    Buffer.concat([head(7, 1), text('node_count'), pointer(0)]), Buffer.concat([head(2, 100_000), Buffer.alloc(100_000)]), EMPTY_MAP, text('DE'),
  ];
  for (const { code } of openAll(t, bombs.map(withMetadata))) assert.equal(code, 'ETL_GEO_DATABASE');
});

test('names that would fill the heap are refused, before they do', (t) => {
  const networks = (count: number, size: number): Buffer => writeMmdb({
    recordSize: 32, ipVersion: 4, networks: Array.from({ length: count }, (_, i) => [`${i >> 16}.${(i >> 8) & 255}.${i & 255}.0/24`, { country_code: String(i).padEnd(size, 'x') }]),
  });
  const [fits, tooLong, tooMuch] = openAll(t, [networks(300, 1024), networks(2, 1025), networks(66_000, 1024)]);
  assert.equal(fits!.regions?.length, 301);
  assert.match(tooLong!.message ?? '', /a text of 1025 bytes/);
  assert.match(tooMuch!.message ?? '', /more than 64 MiB of different texts/);
});

test('metadata of other types and sizes are refused by what is wrong with them', (t) => {
  const wrong: readonly Record<string, unknown>[] = [
    ...[0, 1, 16, 23, 25, 31, 33, 64, 2 ** 31, 24n, '24', [24], { 24: 24 }, true].map((record_size) => ({ record_size })),
    ...[-1.5, 0.5, 2 ** 32 - 1, 2n ** 32n, 2n ** 64n - 1n, 2 ** 27, '1', [1], {}, true].map((node_count) => ({ node_count })),
    ...[0, 5, 4n, 6n, '6', [6], {}, true].map((ip_version) => ({ ip_version })),
    ...[0, 1, 3, 2n, '2', [2], {}].map((binary_format_major_version) => ({ binary_format_major_version })),
  ];
  const networks = [['1.0.0.0/8', { country_code: 'DE' }]] as const;
  const results = openAll(t, wrong.map((metadata) => writeMmdb({ recordSize: 24, ipVersion: 6, networks, metadata })));
  results.forEach(({ code, message }, i) => {
    assert.equal(code, 'ETL_GEO_DATABASE', JSON.stringify(wrong[i], (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)));
    assert.match(message ?? '', /metadata cannot be decoded|does not fit the file|not in version 2/);
  });
});
