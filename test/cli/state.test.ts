/** `etl-stream state` from outside: what two commits did, what is said of a good state, of a wrong one, of none. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { StateDescription } from '../../lib/index.ts';
import { State } from '../../lib/state/state.ts';
import { placeIn, start, writeLog, type Place } from '../crash/harness.ts';
import { temporaryFolder } from '../temporary.ts';
import { etlStream, type Result } from './program.ts';
import { residentProgram } from './resident.ts';

const resident = residentProgram();

/** A dataset of two commits, whose state stands where a run puts it by default. */
async function twoCommits(context: TestContext): Promise<Place> {
  const folder = temporaryFolder(context);
  const place: Place = { ...placeIn(folder), state: join(folder, '.out.state') };
  writeLog(place, 'a.csv', 300, 1);
  await run(place);
  writeLog(place, 'b.csv', 200, 2);
  await run(place);
  return place;
}

/** Over the place's logs, to a good end. */
async function run(place: Place, more: readonly string[] = []): Promise<void> {
  const { code, stderr } = await resident([place.logs, '-o', place.output, '--state', place.state, '-q', '--max-rejects', '100%', ...more], place.folder);
  assert.equal(code, 0, stderr);
}

function state(place: Place, ...args: string[]): Promise<Result> {
  return resident(['state', ...args], place.folder);
}

test('shows what two commits did, for a person and as JSON', async (t) => {
  const place = await twoCommits(t);
  const { code, stdout, stderr } = await etlStream(['state', 'out', '--json'], place.folder);
  assert.deepEqual([code, stderr], [0, '']);
  const shown = JSON.parse(stdout) as StateDescription;
  assert.deepEqual([shown.folder, shown.output, shown.published], [place.state, place.output, 'last']);
  assert.deepEqual(shown.commits.map(({ commit, inputs, rows }) => [commit, inputs, rows.read]), [[1, 1, 300], [2, 1, 200]]);
  for (const { rows, bytes, when } of shown.commits) {
    assert.equal(rows.read, rows.counted + rows.duplicates + rows.rejected);
    assert.ok(bytes > 13 * rows.counted && rows.duplicates > 0 && rows.rejected > 0);
    assert.match(when, /^\d{4}-\d\d-\d\dT/);
  }
  assert.deepEqual(shown.inputs.map(({ path, rows, commit }) => [path, rows, commit]), [
    [join(place.logs, 'a.csv'), 300, 1], [join(place.logs, 'b.csv'), 200, 2],
  ]);
  assert.equal(shown.ids, shown.commits[0]!.rows.counted + shown.commits[1]!.rows.counted);
  assert.deepEqual([shown.rows.read, shown.inputCount, shown.schema?.groupBy], [500, 2, 'region']);
  assert.ok(shown.bytes.database > 0 && shown.bytes.totals > 0 && shown.bytes.rejects > 0);
  assert.ok(shown.bytes.ids >= shown.commits[0]!.bytes + shown.commits[1]!.bytes);
  assert.equal(shown.bytes.perId, (shown.bytes.ids + shown.bytes.database) / shown.ids);

  const person = await state(place, 'out');
  assert.deepEqual([person.code, person.stderr], [0, '']);
  for (const line of [/^commits +2$/m, /^rows +500 read, /m, /^inputs +2$/m, /^dataset .*\/out is that of the last commit$/m, /^1 +\S+ \S+ +1 +300 /m, /^2 +\S+ \S+ +1 +200 /m, /b\.csv +2 +\S+ \S+ +200 /m]) {
    assert.match(person.stdout, line);
  }
});

test('of many inputs and commits a person sees the last, JSON has all', async (t) => {
  const place = await twoCommits(t);
  const opened = await State.open(place.state);
  for (let number = 3; number <= 12; number++) {
    const { format, commit, ...content } = opened.head!;
    const inputs = [0, 1].map((n) => ({ path: `/logs/${number}-${n}`, size: 1, mtime: '1', fingerprint: '0', rows: 1 }));
    await opened.commit(content, { value: opened.index, addedBytes: 0 }, inputs);
  }
  await opened.close();
  const { stdout } = await state(place, 'out');
  assert.match(stdout, /^and 2 earlier: --json has all$/m);
  assert.match(stdout, /^and 12 earlier: --json has all$/m);
  assert.match(stdout, /out is that of an earlier commit/);
  assert.deepEqual([...stdout.matchAll(/^\/logs\/(\S+)/gm)].map((match) => match[1]), ['8-0', '8-1', '9-0', '9-1', '10-0', '10-1', '11-0', '11-1', '12-0', '12-1']);
  const all = JSON.parse((await state(place, 'out', '--json')).stdout) as StateDescription;
  assert.deepEqual([all.inputs.length, all.inputCount, all.commits.length], [22, 22, 12]);
});

test('check says what it has verified, or a line for each problem; compact, how large it was', async (t) => {
  const place = await twoCommits(t);
  for (const args of [['check', 'out'], ['check', place.output, '--state', '.out.state'], ['--state', place.state, 'check', 'out']]) {
    const good = await state(place, ...args);
    assert.deepEqual([good.code, good.stderr], [0, ''], args.join(' '));
    assert.match(good.stdout, /^nothing wrong: 2 commits, \d+ ids in [\d,]+ pages, \d+ rows of totals; the dataset has the same in \d+ files, /);
  }
  const compacted = await state(place, 'compact', 'out');
  assert.match(compacted.stdout, /^[\d,]+ bytes before, [\d,]+ after: .*\.out\.state$/m);
  assert.equal((await state(place, 'check', 'out')).code, 0);
  rmSync(join(place.output, '_rejects.jsonl'));
  writeFileSync(join(place.output, 'a\u001b[31m'), '');
  const wrong = await state(place, 'check', 'out');
  assert.deepEqual([wrong.code, wrong.stdout], [1, '']);
  assert.match(wrong.stderr, /^The dataset's file _rejects\.jsonl is missing\.$/m);
  assert.match(wrong.stderr, /^The dataset has a file that etl-stream did not write: a\\x1b\[31m\.$/m);
});

test('outputs that are called like the commands', async (t) => {
  const place = await twoCommits(t);
  const named = { ...place, output: join(place.folder, 'check'), state: join(place.folder, '.check.state') };
  await run(named);
  assert.match((await state(place, './check')).stdout, /^commits +1$/m);
  assert.match((await state(place, 'check', 'check')).stdout, /^nothing wrong: 1 commit, /);
  assert.match((await state(place, 'compact', './check')).stdout, /bytes before/);
});

test('what is no state, in use, damaged, or not said rightly', async (t) => {
  const place = await twoCommits(t);
  const cases: [string[], number, RegExp][] = [
    [[], 2, /output/],
    [['check'], 2, /output/],
    [['out', 'more'], 2, /Too many arguments for 'state'/],
    [[''], 2, /output must be the path of a folder.*\[ETL_USAGE\]/],
    [['out', '--state', 'out/state'], 2, /lies in the output folder.*\[ETL_USAGE\]/],
    [['nothing'], 1, /There is no state in .*\.nothing\.state\. \[ETL_STATE_READ\]\n.*--state/],
    [['forget', 'out'], 2, /--before/],
    [['forget', 'out', '--before', 'yesterday'], 2, /--before must be a date such as .*\[ETL_USAGE\]/],
    [['forget', 'nothing', '--before', '2026-01-01'], 1, /There is no state/],
    [['check', 'out', '--state', 'logs'], 1, /There is no state in .*logs\. \[ETL_STATE_READ\]/],
  ];
  for (const [args, code, message] of cases) {
    const result = await state(place, ...args);
    assert.deepEqual([result.code, result.stdout], [code, ''], `${args.join(' ')}: ${result.stderr}`);
    assert.match(result.stderr, message, args.join(' '));
  }
  assert.ok(!existsSync(join(place.folder, '.nothing.state')) && !existsSync(join(place.logs, 'level')), 'none is made');

  const held = await State.open(place.state);
  for (const args of [['out'], ['check', 'out'], ['compact', 'out'], ['forget', 'out', '--before', '2026-01-01']]) {
    const result = await state(place, ...args);
    assert.equal(result.code, 1);
    assert.match(result.stderr, new RegExp(`is in use by process ${process.pid} .*\\[ETL_STATE_LOCKED\\]`));
  }
  await held.close();

  const level = join(place.state, 'level');
  rmSync(join(level, 'CURRENT'));
  for (const args of [['out'], ['check', 'out'], ['compact', 'out'], ['forget', 'out', '--before', '2026-01-01']]) {
    const result = await state(place, ...args);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /CURRENT is missing\. \[ETL_STATE_DAMAGED\]/);
  }
  assert.match((await start(place).ended).stderr, /CURRENT is missing.*\[ETL_STATE_DAMAGED\]\n.*--overwrite/);
  await run(place, ['--overwrite']); // the way out that the message names
  assert.match((await state(place, 'check', 'out')).stdout, /^nothing wrong: 1 commit, /);
});

test('forget says what it forgot', async (t) => {
  const place = await twoCommits(t);
  const { ids } = JSON.parse((await state(place, 'out', '--json')).stdout) as StateDescription;
  assert.match((await state(place, 'forget', 'out', '--before', '2001-01-01')).stdout, /^0 ids forgotten that were counted before 2001-01-01: .*\.out\.state$/m);
  assert.match((await state(place, 'forget', 'out', '--before', '2999-12-31T23:59:59+01:00')).stdout, new RegExp(`^${ids} ids forgotten that were counted before 2999-12-31T22:59:59.000Z: `));
  assert.match((await state(place, 'out')).stdout, new RegExp(`^ids +0, and ${ids} forgotten$`, 'm'));
  assert.match((await state(place, 'check', 'out')).stdout, /^nothing wrong: 2 commits, 0 ids in 0 pages, /);
});

test('a state without a commit, and one whose dataset is gone', async (t) => {
  const place = await twoCommits(t);
  await (await State.open(join(place.folder, '.new.state'), { create: true })).close();
  assert.match((await state(place, 'new')).stdout, /^dataset .*new is not there$\n^commits +0$/m);
  assert.match((await state(place, 'check', 'new')).stdout, /^nothing wrong: 0 commits, 0 ids /);
  renameSync(place.output, `${place.output}.aside`);
  assert.match((await state(place, 'out')).stdout, /out is not there: the next run publishes the last commit$/m);
  assert.match((await state(place, 'check', 'out')).stderr, /^There is no dataset at .*out; it should be that of commit 2\./);
  mkdirSync(place.output);
  assert.match((await state(place, 'out')).stdout, /out is not of this state$/m);
  assert.match((await state(place, 'check', 'out')).stderr, /was not published from this state\./);
  assert.ok(readdirSync(place.output).length === 0);
  cpSync(`${place.output}.aside`, join(place.folder, 'copy'), { recursive: true, dereference: true });
  assert.equal((await state(place, 'check', 'copy', '--state', '.out.state')).code, 0);
});
