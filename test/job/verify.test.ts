/** verifyDataset: every kind of fault is found and named, and nothing else is; a flipped bit is found. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { run, verifyDataset, type RunOptions } from '../../lib/index.ts';
import { defaultState } from '../../lib/core/options.ts';
import { CHUNK, COLUMN, COLUMN_INDEX, FILE, GROUP, OFFSET_INDEX, PAGE, STATISTICS } from '../../lib/parquet/format.ts';
import { checkPart } from '../../lib/parquet/check-part.ts';
import { openPart } from '../../lib/parquet/read-part.ts';
import { binary, integer, listed, readStruct, structure, writeStruct, type List, type Struct } from '../../lib/parquet/thrift.ts';
import { checkDataset } from '../../lib/pipeline/check-dataset.ts';
import { RegionSums } from '../../lib/pipeline/region-sums.ts';
import { State } from '../../lib/state/state.ts';
import { placeIn, writeLog, type Place } from '../crash/harness.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';
import { randomRows } from '../parquet/batches.ts';
import { writeDataset } from '../parquet/dataset.ts';
import { duckdb } from '../parquet/readers.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { Tampered } from './tampered.ts';

const SEED = Number(process.env.ETL_VERIFY_SEED ?? 1);
const FLIPS = Number(process.env.ETL_VERIFY_FLIPS ?? 60);
/** Four files, one of them of addresses without a region: each check reads all of them. */
const REGIONS = writeMmdb({ recordSize: 24, ipVersion: 4, networks: [['0.0.0.0/2', { country_code: 'DE' }], ['64.0.0.0/2', { country_code: 'US' }], ['128.0.0.0/3', { country_code: 'BR' }]] });

async function published(context: TestContext, options: Partial<RunOptions> = {}): Promise<Place> {
  const place = placeIn(temporaryFolder(context));
  writeLog(place, 'a.csv', 100, SEED);
  writeFileSync(join(place.folder, 'regions.mmdb'), REGIONS);
  await run({ inputs: [place.logs], output: place.output, maxRejects: { share: 1 }, geoDb: join(place.folder, 'regions.mmdb'), ...options });
  return { ...place, state: defaultState(place.output) };
}

const chunk = (metadata: Struct, column: number): Struct => listed(listed(metadata, FILE.rowGroups)[0]!, GROUP.columns)[column]!;
const statistics = (metadata: Struct, column: number): Struct => structure(structure(chunk(metadata, column), CHUNK.metadata), COLUMN.statistics);

/** What is done to a dataset, and what is to be said of it. `file`: its largest; `last`: its last rejected row. */
const FAULTS: readonly (readonly [what: string, fault: (dataset: Tampered, file: string) => void | Promise<void>, said: (file: string) => string])[] = [
  ['a file that is missing', (d, file) => rmSync(d.path(file)), (file) => `file ${file} is missing`],
  ['a file too many', (d, file) => cpSync(d.path(file), d.path(file.replace('00000', '00007'))), (file) => `did not write: ${file.replace('00000', '00007')}`],
  ['a foreign file', (d) => writeFileSync(d.path('notes.txt'), ''), () => 'did not write: notes.txt'],
  ['a file that is cut', (d, file) => truncateSync(d.path(file), 100), (file) => `${file} is not what was published: it has 100 bytes`],
  ['a file that is cut, and said to be', (d, file) => d.change(file, (bytes) => bytes.subarray(0, -20)), (file) => `${file} is not what was published: parquet`],
  ['a footer that is none', (d, file) => d.change(file, (bytes) => bytes.fill(0xff, bytes.length - 40, bytes.length - 8)), (file) => `${file} is not what was published: `],
  ['other bytes', (d, file) => {
    const bytes = readFileSync(d.path(file));
    bytes[60]! ^= 1;
    writeFileSync(d.path(file), bytes);
  }, (file) => `${file} is not what was published: it has other bytes, by their SHA-256`],
  ['rows in another order', (d, file) => d.rewrite(file, ([a, b, ...rows]) => [[b!, a!, ...rows]]), (file) => `${file} is not what was published: its row 2, of the user "user_`],
  ['parts in another order', (d, file) => d.rewrite(file, (rows) => [rows.slice(3), rows.slice(0, 3)]), (file) => `${file.replace('00000', '00001')} is not what was published: its row 1, of the user "user_`],
  ['a user twice', (d, file) => d.rewrite(file, ([a, ...rows]) => [[a!, a!, ...rows]]), (file) => `${file} is not what was published: its row 2 has the user of the row before it again, "user_`],
  ['a user twice, in two parts', (d, file) => d.rewrite(file, (rows) => [rows.slice(0, 3), rows.slice(2)]), (file) => `${file.replace('00000', '00001')} is not what was published: its row 1 has the user`],
  ['another log_count', (d, file) => d.rewrite(file, ([a, ...rows]) => [[{ ...a!, count: a!.count + 1n }, ...rows]]), () => 'logs, and'],
  ['another schema', (d, file) => d.metadata(file, (metadata) => {
    listed(metadata, FILE.schema)[1]![4]!.value = Buffer.from('user_ix');
  }), (file) => `${file} is not what was published: its columns are user_ix STRING, `],
  ['statistics of totals', (d, file) => d.metadata(file, (metadata) => {
    binary(statistics(metadata, 1), STATISTICS.max).fill(0, 1);
  }), (file) => `${file} is not what was published: its row group 1, column total_watch_time: it is said to be from `],
  ['old statistics of logs', (d, file) => d.metadata(file, (metadata) => {
    binary(statistics(metadata, 2), STATISTICS.oldMin).fill(1);
  }), (file) => `${file} is not what was published: its row group 1, column log_count: it is said to be from `],
  ['statistics of users', (d, file) => d.metadata(file, (metadata) => {
    statistics(metadata, 0)[STATISTICS.min]!.value = Buffer.from('user_z');
  }), (file) => `${file} is not what was published: its row group 1, column user_id: it is said to be from "user_z" to `],
  ['rows without a user', (d, file) => d.metadata(file, (metadata) => {
    statistics(metadata, 0)[STATISTICS.nulls]!.value = 1;
  }), (file) => `${file} is not what was published: its row group 1, column user_id: it is said to have rows without a value`],
  ['statistics of a page', (d, file) => d.metadata(file, (metadata, bytes) => {
    const index = readStruct(bytes.subarray(integer(chunk(metadata, 1), CHUNK.columnIndexAt)));
    ((index[COLUMN_INDEX.mins]!.value as List).items[0] as Uint8Array).fill(1); // a view
  }), (file) => `${file} is not what was published: its row group 1, column total_watch_time: page 1 is said to be from `],
  ['pages that begin elsewhere', (d, file) => d.metadata(file, (metadata, bytes) => {
    const at = integer(chunk(metadata, 1), CHUNK.offsetIndexAt);
    const index = readStruct(bytes.subarray(at));
    listed(index, OFFSET_INDEX.pages)[0]![PAGE.firstRow]!.value = 1;
    bytes.set(writeStruct(index), at);
  }), (file) => `${file} is not what was published: its row group 1, column total_watch_time: page 1 is said to begin with row 2`],
  ['more rows than there are', (d, file) => {
    d.metadata(file, (metadata) => {
      (metadata[FILE.rows]!.value as number)++;
    });
    d.agree(file, undefined, d.description.files.find(({ path }) => path === file)!.rows + 1);
  }, (file) => `${file} is not what was published: it has`],
  ['a description of more logs', (d) => d.describe((description) => {
    description.rows.counted!++;
    description.rows.read!++;
  }), () => 'logs, and'],
  ['a description that does not balance', (d) => d.describe((description) => void description.rows.read!++), () => '_etl/dataset.json do not balance'],
  ['a description of another database', (d) => d.describe((description) => void (description.geoDatabase.type = 'mine')), (file) => `${file} is not what was published: its etl-stream.geo_database is `],
  ['a description of other columns', (d) => d.describe((description) => void (description.columns.id = 'mine')), (file) => `${file} is not what was published: its etl-stream.columns is `],
  ['a description with decimals', (d) => d.describe((description) => void (description.valueScale = 2)), (file) => `${file} is not what was published: it has 0 decimal places, and should have 2`],
  ['a description with a row more', (d, file) => d.describe(({ files }) => void files.find(({ path }) => path === file)!.rows++), (file) => `${file} is not what was published: it has`],
  ['a description without a file', (d, file) => d.describe((description) => void (description.files = description.files.filter(({ path }) => path !== file))), (file) => `did not write: ${file}`],
  ['a description with a file twice', (d, file) => d.describe(({ files }) => void files.push(files.find(({ path }) => path === file)!)), () => 'names a file twice'],
  ['a description of files elsewhere', (d) => d.describe(({ files }) => void (files[0]!.path = '../../etc/part-00000.parquet')), () => '_etl/dataset.json cannot be read: its files is not what it can be'],
  ['a description that is none', (d) => writeFileSync(d.path('_etl/dataset.json'), '{'), () => '_etl/dataset.json cannot be read: '],
  ['no _SUCCESS', (d) => rmSync(d.path('_SUCCESS')), () => 'file _SUCCESS is missing'],
  ['no rejects', (d) => rmSync(d.path('_rejects.jsonl')), () => 'file _rejects.jsonl is missing'],
  ['a reject less', (d) => writeFileSync(d.path('_rejects.jsonl'), readFileSync(d.path('_rejects.jsonl'), 'utf8').replace(/.*\n/, '')), () => '_rejects.jsonl has '],
  ['a reject that is cut', (d) => truncateSync(d.path('_rejects.jsonl'), readFileSync(d.path('_rejects.jsonl')).length - 3), () => '_rejects.jsonl is not what was published: line '],
  ['a reject that is none', (d) => writeFileSync(d.path('_rejects.jsonl'), readFileSync(d.path('_rejects.jsonl'), 'utf8').replace(/^{.*/, '{}')), () => '_rejects.jsonl is not what was published: line 1 is no reject'],
  ['two files of rejects', (d) => writeFileSync(d.path('_rejects.csv'), 'a\n'), () => 'two files of rejects'],
];

for (const groupBy of ['region', 'user'] as const) {
  for (const state of [false, undefined] as const) {
    test(`every fault is found and named: by ${groupBy}, ${state === false ? 'without a state' : 'with one'}`, async (t) => {
      const place = await published(t, { groupBy, state });
      const { problems, dataset, state: verified } = await verifyDataset({ output: place.output });
      assert.deepEqual([problems, verified.is], [[], state === false ? 'none' : 'verified']);
      const tampered = new Tampered(place.output);
      const { files, rows } = tampered.description;
      assert.deepEqual([dataset.files, dataset.rows, dataset.logs, dataset.rejects], [files.length, files.reduce((sum, file) => sum + file.rows, 0), rows.counted, rows.rejected]);
      assert.ok(dataset.rejects > 0 && dataset.rowGroups >= dataset.files && dataset.bytes > 1000);
      const restore = tampered.snapshot();
      const file = tampered.largest;
      const some = state === false ? FAULTS : FAULTS.filter((_, n) => n % 2 === Number(groupBy === 'user')); // a state takes long to check
      for (const [what, fault, said] of some) {
        await fault(tampered, file);
        const found = await verifyDataset({ output: place.output });
        assert.ok(found.problems.some((problem) => problem.includes(said(file))), `${what}: ${found.problems.join('\n') || 'nothing was found'}`);
        restore();
      }
      assert.deepEqual((await verifyDataset({ output: place.output })).problems, []);
    });
  }
}

test('rejects as CSV', async (t) => {
  const place = await published(t, { state: false, rejectsFormat: 'csv' });
  const { problems, dataset } = await verifyDataset({ output: place.output });
  assert.deepEqual(problems, []);
  assert.equal(dataset.rejects, new Tampered(place.output).description.rows.rejected);
  const file = join(place.output, '_rejects.csv');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(/\n.*\n/, '\n'));
  assert.match((await verifyDataset({ output: place.output })).problems.join('\n'), /^The dataset's _rejects\.csv has \d+ rows, and \d+ were rejected\.$/);
  writeFileSync(file, text.slice(0, -2));
  assert.match((await verifyDataset({ output: place.output })).problems.join('\n'), /_rejects\.csv is not what was published: its last record is cut off/);
});

test('what only a state tells: rows that add up to the same, a mark that is gone or says nothing', async (t) => {
  const place = await published(t);
  const tampered = new Tampered(place.output);
  const restore = tampered.snapshot();
  const problems = async (state?: false): Promise<string> => (await verifyDataset({ output: place.output, state })).problems.join('\n');

  await tampered.rewrite(tampered.largest, ([a, b, ...rows]) => [[{ ...a!, total: a!.total + 1n }, { ...b!, total: b!.total - 1n }, ...rows]]);
  assert.match(await problems(), /^The dataset is not what its totals are: The region "\w\w" adds up to what it should, but not user by user\.$/);
  assert.equal(await problems(false), '', 'the dataset alone agrees with itself');
  restore();

  rmSync(tampered.path('_etl/state.json'));
  assert.match(await problems(), /was not published from this state\.$/);
  writeFileSync(tampered.path('_etl/state.json'), '{}');
  assert.match(await problems(), /was not published from this state\.$/);
  assert.match(await problems(false), /^Cannot tell which state the dataset was made from, by .*state\.json: it is damaged\.$/m);
  restore();

  rmSync(tampered.path('_etl/dataset.json'));
  assert.match(await problems(), /^The dataset's _etl\/dataset\.json cannot be read: /m);
  restore();
  rmSync(join(place.state, 'level', 'CURRENT'));
  const damaged = await verifyDataset({ output: place.output });
  assert.deepEqual([damaged.state.is, damaged.dataset.files], ['damaged', tampered.description.files.length]);
  assert.match(damaged.problems.join('\n'), /^The state .* is damaged: the file level\/CURRENT is missing\.$/);
});

test('a state that is in use, elsewhere, or named', async (t) => {
  const place = await published(t, { geoDb: undefined }); // some 25 regions
  const held = await State.open(place.state);
  const locked = await verifyDataset({ output: place.output });
  await held.close();
  assert.deepEqual([locked.problems, locked.state.is], [[], 'locked']);
  assert.ok(locked.dataset.files > 10);

  const moved = join(place.folder, 'moved');
  renameSync(place.state, moved);
  const elsewhere = await verifyDataset({ output: place.output });
  assert.deepEqual([elsewhere.problems, elsewhere.state], [[], { is: 'elsewhere', folder: place.state }]);
  const named = await verifyDataset({ output: place.output, state: moved });
  assert.deepEqual([named.problems, named.state.is], [[], 'verified']);
  await assert.rejects(verifyDataset({ output: place.output, state: join(place.folder, 'none') }), { code: 'ETL_STATE_READ' });
});

test('what is no dataset', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), '');
  mkdirSync(join(folder, 'empty'));
  symlinkSync('nothing', join(folder, 'dangling'));
  for (const [name, said] of [['none', 'there is nothing'], ['file', 'it is not a folder'], ['file/below', 'there is nothing'], ['empty', 'it has no _etl/dataset.json'], ['dangling', 'there is nothing']] as const) {
    await assert.rejects(verifyDataset({ output: join(folder, name) }), { code: 'ETL_INPUT_NOT_FOUND', message: new RegExp(`There is no dataset at .*${name}: ${said}\\.$`) });
  }
  await assert.rejects(verifyDataset({ output: '' }), { code: 'ETL_USAGE' });
});

/** Flips a bit of one of the files; `bytes`: as they were. */
function flipOne(tampered: Tampered, files: readonly string[], next: () => number): { name: string; bytes: Buffer; bit: number } {
  const name = files[Math.floor(next() * files.length)]!;
  const bytes = readFileSync(tampered.path(name));
  const bit = Math.floor(next() * 8 * bytes.length);
  const changed = Buffer.from(bytes);
  changed[bit >> 3]! ^= 1 << (bit & 7);
  writeFileSync(tampered.path(name), changed);
  return { name, bytes, bit };
}

test(`a flipped bit is found by its file's SHA-256 (seed ${SEED})`, async (t) => {
  const next = random(SEED);
  for (const groupBy of ['region', 'user'] as const) {
    const place = await published(t, { state: false, groupBy });
    const tampered = new Tampered(place.output);
    const files = tampered.files();
    for (let n = 0; n < FLIPS / 4; n++) {
      const { name, bytes, bit } = flipOne(tampered, files, next);
      const { problems } = await verifyDataset({ output: place.output });
      assert.ok(problems.some((problem) => problem.startsWith(`The dataset's file ${name} is not what was published: `)), `${groupBy}: bit ${bit} of ${name}: ${problems.join('\n')}`);
      writeFileSync(tampered.path(name), bytes);
    }
  }
});

test(`without checksums, as earlier versions had it, a flipped bit is found, or DuckDB reads what it read before, or refuses the file (seed ${SEED})`, async (t) => {
  const next = random(SEED + 1);
  let found = 0;
  for (const options of [{ groupBy: 'region', compression: 'none' }, { groupBy: 'user', parquetEncoding: 'plain' }] as const) {
    const place = await published(t, { ...options, state: false });
    const tampered = new Tampered(place.output);
    tampered.describe(({ files }) => files.forEach((file) => delete file.sha256));
    const { folder } = tampered;
    const expected = await RegionSums.load(); // what a state has
    for (const name of tampered.files()) for (const { region, user, total, count } of await tampered.rows(name)) expected.add(region, user, total, count);
    const files = tampered.files();
    const seen = async (): Promise<(string | string[])[]> => {
      const dataset = { folder, files: files.map((path) => ({ path, region: options.groupBy === 'user' ? undefined : '', rows: 0, bytes: 0, rowGroups: 1, sha256: '' })), scale: 0 };
      const from = 'FROM read_parquet($files, hive_partitioning = true)';
      const queries = [`SELECT hex(user_id), total_watch_time, log_count, geo_region ${from} ORDER BY ALL`, `SELECT count(*) ${from}`,
        `SELECT min(total_watch_time), max(total_watch_time), min(log_count), max(log_count), min(user_id), max(user_id) ${from}`,
        `SELECT count(*) ${from} WHERE user_id >= 'user_2'`, `SELECT count(*) ${from} WHERE total_watch_time < 600`, `SELECT count(*) ${from} WHERE log_count = 1`, `SELECT count(user_id) ${from} WHERE geo_region = 'US'`];
      const answers = [];
      for (const query of queries) answers.push(await duckdb(dataset, query).then((rows) => rows.map(String), () => 'refused'));
      return answers;
    };
    const before = await seen();
    for (let n = 0; n < FLIPS / 4; n++) {
      const { name, bytes, bit } = flipOne(tampered, files, next);
      const problems: string[] = [];
      await checkDataset({ folder, expected, hasState: false, tell: (problem) => problems.push(problem) });
      if (problems.length > 0) found++;
      else assert.deepEqual((await seen()).map((answer, query) => (answer === 'refused' ? before[query] : answer)), before, `${JSON.stringify(options)}: bit ${bit} of ${name} (${bytes.length} bytes)`);
      writeFileSync(tampered.path(name), bytes);
    }
  }
  assert.ok(found > FLIPS / 8, `${found} were found`);
});

test('nothing is said of what is written rightly: any ids and totals, many pages, row groups and parts', async (t) => {
  for (const [options, limit] of [[{ scale: 0 }, 2n ** 63n], [{ scale: 3, encoding: 'plain', compression: 'none' }, 10n ** 18n - 1n], [{ groupBy: 'user', scale: 0, partBytes: 1 }, 2n ** 63n]] as const) {
    const rows = [...['DE', '', 'x'.repeat(99)].map((region, n) => randomRows(SEED + n, 4000, region, limit))].flat().sort((a, b) => Buffer.compare(a.user, b.user));
    const groups = 'groupBy' in options ? [unique(rows).slice(0, 7000), unique(rows).slice(7000)] : [randomRows(SEED, 12000, '\ufeffa', limit).slice(0, 8000), randomRows(SEED, 12000, '\ufeffa', limit).slice(8000)];
    const { folder, files, scale } = await writeDataset(t, groups, options);
    let after: Uint8Array | undefined;
    let added = 0;
    for (const { path } of files) {
      const part = await openPart(join(folder, path));
      after = await checkPart({ path: join(folder, path), part, scale, after, tell: (problem) => assert.fail(`${path}: ${problem}`), add: () => added++ });
    }
    assert.equal(added, groups.flat().length);
    assert.equal(files.length, 'partBytes' in options ? 2 : 1);
  }
});

function unique<T extends { readonly user: Uint8Array }>(rows: readonly T[]): T[] {
  return rows.filter(({ user }, row) => row === 0 || Buffer.compare(user, rows[row - 1]!.user) !== 0);
}
