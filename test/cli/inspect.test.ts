/** `inspect` and `verify` from outside: what they say, in 80 columns, of a dataset by region and by user, of an empty one, a hostile one, a wrong one, and of none. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { inspectDataset, verifyDataset, type DatasetInspection, type StateCheck, type Verification } from '../../lib/index.ts';
import { State } from '../../lib/state/state.ts';
import { placeIn, writeLog, type Place } from '../crash/harness.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';
import { readResult } from '../oracle/duckdb.ts';
import { temporaryFolder } from '../temporary.ts';
import { etlStream } from './program.ts';
import { residentProgram } from './resident.ts';

const resident = residentProgram();
const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';

async function twoRuns(context: TestContext): Promise<Place> {
  const folder = temporaryFolder(context);
  const place: Place = { ...placeIn(folder), state: join(folder, '.out.state') };
  for (const [name, rows, seed] of [['a.csv', 300, 1], ['b.csv', 200, 2]] as const) {
    writeLog(place, name, rows, seed);
    const { code, stderr } = await resident([place.logs, '-o', place.output, '-q', '--max-rejects', '100%'], folder);
    assert.equal(code, 0, stderr);
  }
  return place;
}

/** What DuckDB finds: rows, logs and total of each region. */
async function regionsOf(folder: string): Promise<Map<string, [rows: number, logs: number, total: number]>> {
  const regions = new Map<string, [number, number, number]>();
  for (const { region, total, count } of await readResult(folder)) {
    const [rows, logs, sum] = regions.get(region) ?? [0, 0, 0];
    regions.set(region, [rows + 1, logs + Number(count), sum + Number(total)]);
  }
  return regions;
}

const widest = (text: string): number => Math.max(...text.split('\n').map((line) => line.length));

test('inspect says what DuckDB finds, by the last report and from the files alike', async (t) => {
  const place = await twoRuns(t);
  writeFileSync(join(place.folder, 'decimals.csv'), `${HEADER}1,ann,t,8.8.8.8,1.25\n2,bob,t,1.1.1.1,0.5\n3,bob,t,8.8.4.4,7\n4,cat,t,2a00:1450::1,1200\n`);
  assert.equal((await resident(['decimals.csv', '-o', 'users', '--no-state', '--group-by', 'user'], place.folder)).code, 0);
  for (const [output, scale] of [['out', 0], ['users', 2]] as const) {
    const { code, stdout, stderr } = await resident(['inspect', output, '--json'], place.folder);
    assert.deepEqual([code, stderr], [0, '']);
    const shown = JSON.parse(stdout) as DatasetInspection;
    const found = await regionsOf(join(place.folder, output));
    assert.deepEqual(new Map(shown.regions.map(({ region, rows, logs, watchTime }) => [region, [rows, logs, Number(watchTime.replace('.', ''))]])), found);
    assert.ok(shown.regions.every(({ watchTime }, n) => n === 0 || Number(watchTime) <= Number(shown.regions[n - 1]!.watchTime)), 'most watch time first');
    assert.ok(Math.abs(shown.regions.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9);
    assert.equal(shown.totals.logs, shown.read.counted);
    assert.equal(shown.totals.rows, shown.files.reduce((sum, { rows }) => sum + rows, 0));
    assert.deepEqual([shown.valueScale, shown.compression, shown.sortedBy, shown.totals.files], [scale, ['ZSTD'], ['user_id'], shown.files.length]);
    assert.equal(shown.columns.find(({ name }) => name === 'total_watch_time')?.type, scale === 0 ? 'INT64' : 'DECIMAL(18, 2)');
    // The same without the report that says it.
    const reports = join(place.folder, output, '_etl', 'reports');
    rmSync(join(reports, readdirSync(reports).sort().at(-1)!));
    const { runs, ...read } = await inspectDataset(join(place.folder, output));
    const { runs: before, ...said } = shown;
    assert.deepEqual(JSON.parse(JSON.stringify(read)), said);
    assert.equal(before.length, runs.length + 1);
  }
});

test('inspect for a person', async (t) => {
  const place = await twoRuns(t);
  const { code, stdout, stderr } = await etlStream(['inspect', 'out'], place.folder);
  assert.deepEqual([code, stderr], [0, '']);
  for (const line of [
    /^dataset +\/.*\/out$/m, /^geo database +country ipvAll, built 20\d\d-\d\d-\d\d$/m, /^state +commit 2 of [0-9a-f-]+$/m, /^ +\/.*\/\.out\.state$/m, /^read +500 rows: \d+ counted, /m,
    /^files +\d+, [\d.]+ KB, \d+ row groups, ZSTD$/m, /^user_id +STRING +user_id$/m, /^total_watch_time +INT64 +sum of watch_time\(min\)$/m, /^geo_region +name of folder +from ip_address$/m,
    /^region +rows +logs +watch time +share +on disk$/m, /^US +\d+ +\d+ +[\d,]+ +\d+\.\d % +[\d.]+ KB$/m, /^and \d+ regions with less: --json has all$/m,
    /^run \(UTC\) +inputs +read/m, /^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d +1 +300 /m, /^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d +1 +200 /m,
  ]) assert.match(stdout, line);
  assert.equal(stdout.match(/ % /g)?.length, 20);
  assert.ok(widest(stdout.replaceAll(place.folder, '')) <= 80, stdout);
});

test('a dataset without a row, and outputs that are called like commands', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'none.csv'), HEADER);
  for (const [output, ...options] of [['verify'], ['inspect', '--no-state', '--group-by', 'user']] as const) {
    assert.equal((await resident(['none.csv', '-o', output, ...options], folder)).code, 0);
    const shown = await resident(['inspect', output], folder);
    assert.deepEqual([shown.code, shown.stderr], [0, '']);
    assert.match(shown.stdout, /^totals +0 rows, 0 logs, watch time 0$/m);
    assert.match(shown.stdout, /^log_count +INT64/m);
    assert.doesNotMatch(shown.stdout, /undefined|NaN/);
    const verified = await resident(['verify', output], folder);
    assert.deepEqual([verified.code, verified.stderr], [0, '']);
    assert.match(verified.stdout, output === 'verify' ? /^verified: 0 files, 0 B, 0 rows, 0 logs, 0 rejects; state: 1 commit, 0 ids\n$/ : /; no state\n$/);
  }
});

test('verify says in a line what it verified, or what is wrong, with file and place; so does state check --json', async (t) => {
  const place = await twoRuns(t);
  const { path } = (await inspectDataset(place.output)).files.find(({ rows }) => rows > 5)!;
  const good = await etlStream(['verify', 'out'], place.folder);
  assert.deepEqual([good.code, good.stderr], [0, '']);
  assert.match(good.stdout, /^verified: \d+ files, [\d.]+ KB, \d+ rows, \d+ logs, \d+ rejects; state: 2 commits, \d+ ids\n$/);
  const data = await resident(['verify', 'out', '--json'], place.folder);
  assert.deepEqual(JSON.parse(data.stdout), JSON.parse(JSON.stringify(await verifyDataset({ output: place.output }))) as Verification);
  assert.match((await resident(['verify', 'out', '--no-state'], place.folder)).stdout, /; no state\n$/);

  const checked = await resident(['state', 'check', 'out', '--json'], place.folder);
  const check = JSON.parse(checked.stdout) as StateCheck;
  assert.deepEqual([checked.code, checked.stderr, check.problems, check.checked.commits, check.folder], [0, '', [], 2, place.state]);

  const held = await State.open(place.state);
  const locked = await resident(['verify', 'out'], place.folder);
  const alone = await resident(['verify', 'out', '--no-state'], place.folder);
  await held.close();
  assert.deepEqual([locked.code, locked.stdout, alone.code, alone.stderr], [1, '', 0, '']);
  assert.match(locked.stderr, new RegExp(`^verified: \\d+ files, .* rejects; but not the state: The state .*\\.out\\.state is in use by process ${process.pid} .*\\. \\[ETL_STATE_LOCKED\\]\\n.*--no-state`));

  const bytes = readFileSync(join(place.output, path));
  bytes[bytes.length >> 1]! ^= 4;
  writeFileSync(join(place.output, path), bytes);
  writeFileSync(join(place.output, 'a\u001b[31m'), '');
  for (const command of [['verify'], ['state', 'check']]) {
    const wrong = await resident([...command, 'out'], place.folder);
    assert.deepEqual([wrong.code, wrong.stdout], [1, '']);
    assert.ok(wrong.stderr.includes(`The dataset's file ${path} is not what was published: `), wrong.stderr);
    assert.match(wrong.stderr, /^The dataset has a file that etl-stream did not write: a\\x1b\[31m\.$/m);
    assert.equal(wrong.stderr.trim().split('\n').length, 2);
    const asJson = await resident([...command, 'out', '--json'], place.folder);
    assert.deepEqual([asJson.code, (JSON.parse(asJson.stdout) as Verification).problems.length], [1, 2]);
  }
});

test('wrong input', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'empty'));
  writeFileSync(join(folder, 'file'), '');
  mkdirSync(join(folder, 'other', '_etl'), { recursive: true });
  writeFileSync(join(folder, 'other', '_etl', 'dataset.json'), '{"format":2}');
  for (const command of ['inspect', 'verify']) {
    for (const [args, code, message] of [
      [[], 2, /missing required argument 'output'/i], [['a', 'b'], 2, /too many arguments/i], [[''], 2, /output must be the path of a folder\. \[ETL_USAGE\]/],
      [['none'], 1, /There is no dataset at none: there is nothing\. \[ETL_INPUT_NOT_FOUND\]\n.*-o/], [['file'], 1, /There is no dataset at file: it is not a folder\./],
      [['empty'], 1, /There is no dataset at empty: it has no _etl\/dataset\.json\. \[ETL_INPUT_NOT_FOUND\]/], [['other'], 1, /it has format 2, and this version of etl-stream reads format 1/],
    ] as [string[], number, RegExp][]) {
      if (command === 'verify' && code === 2) continue; // commander's, as for all
      const result = await resident([command, ...args], folder);
      assert.deepEqual([result.code, result.stdout], [code, ''], `${command} ${args.join(' ')}: ${result.stderr}`);
      assert.match(result.stderr, message, `${command} ${args.join(' ')}`);
    }
  }
});

test('hostile names of regions, columns and databases are escaped, and long ones cut', async (t) => {
  const folder = temporaryFolder(t);
  const evil = '\u001b]0;t\u0007\u202ex\netl-stream: done';
  const regions = [evil, `${'ü'.repeat(200)}`, ''];
  const networks = regions.map((name, n) => [`${n + 1}.0.0.0/8`, { country_code: name }] as const).filter(([, { country_code: name }]) => name !== '');
  writeFileSync(join(folder, 'evil.mmdb'), writeMmdb({ recordSize: 24, ipVersion: 4, networks: networks as never, metadata: { database_type: evil } }));
  writeFileSync(join(folder, 'logs.csv'), `log_id,"${evil.replaceAll('\n', ' ')}",timestamp,ip_address,watch_time(min)\n`);
  for (const n of [1, 2, 3]) appendFileSync(join(folder, 'logs.csv'), `${n},ann,t,${n}.2.3.4,${n}\n`);
  for (const grouping of ['region', 'user']) {
    const ran = await resident(['logs.csv', '-o', 'out', '--no-state', '--overwrite', '--geo-db', 'evil.mmdb', '--user-column', evil.replaceAll('\n', ' '), '--group-by', grouping], folder);
    assert.equal(ran.code, 0, ran.stderr);
    let shown = '';
    for (const args of [['inspect', 'out', '--json'], ['verify', 'out'], ['inspect', 'out']]) {
      const { code, stdout, stderr } = await resident(args, folder);
      shown = stdout;
      assert.deepEqual([code, stderr], [0, '']);
      assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]|^etl-stream: done/m);
    }
    if (grouping === 'region') assert.match(shown, /^ü{25}\.\.\. +1 /m);
    assert.ok(widest(shown.split('\n\n').slice(2).join('\n')) <= 80, shown);
  }
});
