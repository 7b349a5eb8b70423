/** Whatever a database calls a region, and whatever a user is called: inside the dataset, distinct, and back byte for byte. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkState, run as runWithState } from '../../lib/index.ts';
import { partitionFolder } from '../../lib/parquet/hive-path.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';
import { assertSameLines, duckdbLines, hyparquetLines } from '../parquet/readers.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { run } from './one-shot.ts';
import { csvField, everythingIn, line, publishedAt } from './published.ts';

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';
const pickOf = (next: () => number) => <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;

const long = 'ß'.repeat(150);
const regionNames = [
  '..', '.', '/', '//', '../..', '../../../etc/passwd', '/etc/passwd', 'a/b', 'a\\b', '\0', 'x\0y', '\x01', '\x1b[31m', '\x7f', '\n', '\r\n', '\t', ' ', '  x  ',
  '__HIVE_DEFAULT_PARTITION__', '__hive_default_partition__', 'NULL', 'null', 'NaN', 'ZZ', 'zz', '%', '%2F', '%5F_HIVE_DEFAULT_PARTITION__', '=', 'geo_region=x', 'a=b/c=d',
  long, `${long}x`, `${long}y`, 'x'.repeat(244), 'x'.repeat(245), 'x'.repeat(300), `${'x'.repeat(299)}y`, 'x'.repeat(1024), '😀'.repeat(75), '/'.repeat(300), '~'.repeat(300),
  'é', 'e\u0301', '\u0301', '\u202egnp.exe', '\ufeff', '\ufeffDE', 'DE\ufeff', '\ue000', '\u{10ffff}', '日本', '_SUCCESS', '_etl', '-rf', '*', '?', "'", '"', '`id`', '$(id)', '&', '|', ';', '~', '007', '1e3',
  'con', 'nul.txt', 'x.', 'x ',
].flatMap((name) => (name.length > 250 ? [name, decodeURIComponent(partitionFolder(name).slice('geo_region='.length))] : [name]));

test('regions of a database, whatever they are called, stay inside the dataset and distinct', async (t) => {
  const folder = temporaryFolder(t);
  const seed = 101;
  const next = random(seed);
  const pick = pickOf(next);
  const names = [...new Set([...regionNames, ...Array.from({ length: 60 }, () => Array.from({ length: 1 + Math.floor(next() * 6) }, () => pick([...'./%\\~=\0\n_aA0', '%2F', '..', 'ß', '😀'])).join(''))])];
  const network = (i: number): string => `${1 + (i >> 7)}.${i & 127}`;
  const address = (i: number): string => `${network(i)}.1.1`;
  writeFileSync(join(folder, 'names.mmdb'), writeMmdb({
    recordSize: 28, ipVersion: 4,
    networks: [...names.map((name, i) => [`${network(i)}.0.0/16`, { place: [{ name }] }] as const), ['99.0.0.0/8', { place: [{ name: '' }] }]],
  }));
  const empty = '99.1.1.1';
  const rows = [...names.flatMap((_, i) => [[address(i), `user ${i}`, i], [address(i), 'everywhere', 1]] as const), [empty, 'nowhere', 7] as const];
  writeFileSync(join(folder, 'logs.csv'), HEADER + rows.map(([ip, user, minutes], id) => `${id},${user},t,${ip},${minutes}\n`).join(''));
  const options = { inputs: [join(folder, 'logs.csv')], output: join(folder, 'out'), geoDb: join(folder, 'names.mmdb'), geoField: 'place.0.name' };

  const summary = await run(options);
  const distinct = new Set([...names, 'ZZ']);
  assert.equal(summary.regions, distinct.size);
  assert.deepEqual(everythingIn(folder).filter((path) => !path.startsWith('out/')), ['logs.csv', 'names.mmdb', 'out'], 'nothing is beside the dataset');
  const inside = everythingIn(options.output).filter((path) => path.startsWith('geo_region='));
  assert.equal(inside.length, 2 * distinct.size, 'a folder and a file for each region');
  for (const path of inside) assert.match(path, /^geo_region=(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2}){1,244}(?:\/part-00000\.parquet)?$/);

  const lines = [...names.flatMap((name, i) => [line(name, `user ${i}`, i), line(name, 'everywhere', 1)]), line('ZZ', 'nowhere', 7)];
  const published = await publishedAt(options.output);
  assertSameLines(await hyparquetLines(published), lines.sort());
  // DuckDB knows a region by its folder only: a long one by its beginning and a hash.
  const shown = (name: string): string => {
    const value = partitionFolder(name).slice('geo_region='.length);
    return /^.{200,}~[0-9a-f]{32}$/.test(value) ? decodeURIComponent(value) : name;
  };
  assert.equal(new Set(names.map(partitionFolder)).size, names.length);
  assertSameLines(await duckdbLines(published), [...names.flatMap((name, i) => [line(shown(name), `user ${i}`, i), line(shown(name), 'everywhere', 1)]), line('ZZ', 'nowhere', 7)].sort());

  await run({ ...options, output: join(folder, 'users'), groupBy: 'user' });
  const byUser = await publishedAt(join(folder, 'users'));
  const first = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))[0]!;
  const users = [...names.map((name, i) => line(name, `user ${i}`, i)), line(first, 'everywhere', names.length, names.length), line('ZZ', 'nowhere', 7)].sort();
  assertSameLines(await hyparquetLines(byUser), users);
  assertSameLines(await duckdbLines(byUser), users);

  const kept = { ...options, output: join(folder, 'kept') };
  await runWithState(kept);
  writeFileSync(join(folder, 'more.csv'), HEADER + rows.map(([ip, user, minutes], id) => `more ${id},${user},t,${ip},${minutes}\n`).join(''));
  await runWithState({ ...kept, inputs: [options.inputs[0]!, join(folder, 'more.csv')] });
  assert.deepEqual((await checkState({ output: kept.output })).problems, []);
  const twice = lines.map((each) => each.replace(/\|(\d+)\|(\d+)$/, (_, total, count) => `|${2 * Number(total)}|${2 * Number(count)}`)).sort();
  assertSameLines(await hyparquetLines(await publishedAt(kept.output)), twice);
});

const classes: readonly ((next: () => number) => string)[] = [
  () => '\0', () => '"', () => '""', () => '\n', () => '\r\n', () => '\r', () => ',', () => ' ', () => '\t', () => '\ufeff', () => '\x1a', () => '\x7f', () => '\u0085', () => '\u2028',
  () => '\u0301', () => 'e\u0301', () => '\u200d', () => '😀', () => '👩‍👩‍👧‍👦', () => '\ue000', () => '\u{f0000}', () => '\ufffd', () => '\ufffe', () => '\u{10ffff}', () => '\\', () => "'", () => '=1+1',
  (next) => String.fromCharCode(Math.floor(next() * 32)), (next) => String.fromCharCode(33 + Math.floor(next() * 94)),
  (next) => { const code = Math.floor(next() * 0x110000); return code >= 0xd800 && code < 0xe000 ? 'x' : String.fromCodePoint(code); },
];

/** Valid UTF-8 of exactly so many bytes. */
function textOf(bytes: number, next: () => number): string {
  const pick = pickOf(next);
  let text = '';
  let left = bytes;
  while (left > 0) {
    const piece = pick(classes)(next);
    const size = Buffer.byteLength(piece);
    text += size <= left ? piece : 'x';
    left -= size <= left ? size : 1;
  }
  return text;
}

test('users of any valid UTF-8 come back byte for byte', async (t) => {
  const seed = 102;
  const next = random(seed);
  const folder = temporaryFolder(t);
  const plain = classes.map((one) => one(next));
  const users = [...new Set([
    ...plain, ...plain.map((one) => `${one}a`), ...plain.map((one) => `a${one}`), 'NULL', 'null', '\\N', '__HIVE_DEFAULT_PARTITION__', '..', '/', '0', '-', '1e3', 'true',
    ...Array.from({ length: 400 }, () => textOf(1 + Math.floor(next() * (next() < 0.8 ? 12 : 400)), next)),
    ...Array.from({ length: 40 }, () => textOf(8192 - Math.floor(next() * 2), next)),
  ])];
  const tooLong = [textOf(8193, next), 'x'.repeat(9000)];
  const files = ['a.csv', 'b.csv'].map((name) => join(folder, name));
  files.forEach((file, half) => writeFileSync(file, HEADER + [...users, ...tooLong].map((user, i) => (
    `${half}-${i},${csvField(user, next() < 0.3)},t,${i % 2 ? '8.8.8.8' : ''},${i}${half ? '\r\n' : '\n'}`
  )).join('')));

  for (const groupBy of ['region', 'user'] as const) {
    for (const compression of ['zstd', 'none'] as const) {
      const output = join(folder, `${groupBy}-${compression}`);
      const summary = await run({ inputs: files, output, groupBy, compression });
      assert.deepEqual(summary.rejectedBy, { user_too_long: 2 * tooLong.length }, `seed ${seed}`);
      assert.equal(summary.users, users.length);
      const wanted = users.map((user, i) => line(i % 2 ? 'US' : 'ZZ', user, 2 * i, 2)).sort();
      const published = await publishedAt(output);
      assertSameLines(await hyparquetLines(published), wanted);
      assertSameLines(await duckdbLines(published), wanted);
    }
  }
  assert.equal(readdirSync(folder).length, 2 + 4);
});
