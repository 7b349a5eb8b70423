/** The state that a run has when nobody asks for one, from outside: where it is, what the same command does again, and a run without. */
import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { StateDescription, Summary } from '../../lib/index.ts';
import { STATE_MARK } from '../../lib/dataset/state-mark.ts';
import { contents } from '../job/contents.ts';
import { temporaryFolder } from '../temporary.ts';
import { etlStream } from './program.ts';
import { residentProgram } from './resident.ts';

const resident = residentProgram();

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';
const MONDAY = `${HEADER}1,ann,t,8.8.8.8,10\n2,bob,t,1.1.1.1,20\n`;
const TUESDAY = `${HEADER}2,bob,t,1.1.1.1,20\n3,ann,t,8.8.8.8,5\n`;

function logsIn(context: TestContext): string {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'logs', 'monday.csv'), MONDAY);
  return folder;
}

/** The dataset but for what tells of commits and rows that were read. */
function totals(output: string): Record<string, string> {
  return Object.fromEntries(Object.entries(contents(realpathSync(output))).filter(([path]) => path.endsWith('.parquet')));
}

async function good(args: readonly string[], folder: string, input = ''): Promise<string> {
  const { code, stdout, stderr } = await (input === '' ? resident(args, folder) : etlStream(args, folder, input));
  assert.equal(code, 0, stderr);
  return stdout || stderr;
}

/** LevelDB writes when it is opened. */
function withoutDatabase(files: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([path]) => !path.includes('/level/')));
}

async function refused(args: readonly string[], folder: string, message: RegExp): Promise<void> {
  const before = readdirSync(folder);
  const { code, stderr } = await resident(args, folder);
  assert.equal(code, 1, stderr);
  assert.match(stderr, message);
  assert.deepEqual(readdirSync(folder), before, 'nothing is made or left');
}

test('the same command again: nothing new; a day later: what is new is added', async (t) => {
  const folder = logsIn(t);
  assert.match(await good(['logs/', '-o', 'totals'], folder), /^counted +2 /m);
  assert.deepEqual(readdirSync(folder), ['.totals.state', '.totals.versions', 'logs', 'totals']);
  assert.ok(lstatSync(join(folder, 'totals')).isSymbolicLink());
  const first = contents(realpathSync(join(folder, 'totals')));
  assert.match(await good(['logs/', '-o', 'totals'], folder), /^nothing new: 1 input was counted before, 2 logs by 1 commit: totals$/m);
  assert.deepEqual(contents(realpathSync(join(folder, 'totals'))), first);
  rmSync(join(folder, 'totals'));
  assert.match(await good(['logs/', '-o', 'totals'], folder), /^nothing new: 1 input .*: totals; the output was not there, and is published again$/m);

  writeFileSync(join(folder, 'logs', 'tuesday.csv'), TUESDAY);
  const { inputs, rows, state } = JSON.parse(await good(['logs/', '-o', 'totals/', '--json'], folder)) as Summary;
  assert.deepEqual([inputs, rows.duplicates, rows.counted, state], [1, 1, 1, { folder: join(folder, '.totals.state'), commit: 2, isUnchanged: false, isRepublished: false, knownInputs: 1, logs: 3, forgotten: 0 }]);
  await good(['logs/', '-o', 'whole', '--no-state'], folder);
  const { [STATE_MARK]: mark, ...published } = contents(realpathSync(join(folder, 'totals')));
  assert.ok(mark);
  assert.deepEqual(published, contents(join(folder, 'whole')));

  const shown = JSON.parse(await good(['state', 'totals', '--json'], folder)) as StateDescription;
  assert.deepEqual([shown.folder, shown.commits.length, shown.ids, shown.published], [join(folder, '.totals.state'), 2, 3, 'last']);
  assert.match(await good(['state', 'check', 'totals'], folder), /^nothing wrong: 2 commits, 3 ids /);
});

test('a pipe that comes again changes nothing; what else comes is added', async (t) => {
  const folder = temporaryFolder(t);
  const bad = `${MONDAY},no id,t,8.8.8.8,1\n`;
  const some = ['--max-rejects', '2'];
  await good(some, folder, bad);
  const first = contents(folder);
  assert.equal(Object.keys(totals(join(folder, 'etl-output'))).length, 2);
  for (const [input, rows] of [[bad, 3], [MONDAY, 2], [HEADER, 0]] as const) {
    assert.match(await good(some, folder, input), new RegExp(`^nothing new: ${rows} rows read, all counted or rejected before, 2 logs by 1 commit`));
    assert.deepEqual(withoutDatabase(contents(folder)), withoutDatabase(first));
  }
  await good(some, folder, `${MONDAY},another one,t,8.8.8.8,1\n`);
  assert.equal(readFileSync(join(folder, 'etl-output', '_rejects.jsonl'), 'utf8').trim().split('\n').length, 2, 'what is rejected anew is kept');
  await good([], folder, TUESDAY);
  await good(['-', '-o', 'whole', '--no-state'], folder, MONDAY + TUESDAY.slice(HEADER.length));
  assert.deepEqual(totals(join(folder, 'etl-output')), totals(join(folder, 'whole')));
  assert.match(await good(['state', 'etl-output'], folder), /^commits +3$/m);
});

test('--no-state leaves a plain folder and nothing beside it, and does not replace it', async (t) => {
  const folder = logsIn(t);
  const summary = JSON.parse(await good(['logs', '-o', 'totals', '--no-state', '--json'], folder)) as Summary;
  assert.deepEqual([summary.rows.counted, summary.state], [2, undefined]);
  assert.deepEqual(readdirSync(folder), ['logs', 'totals']);
  assert.ok(lstatSync(join(folder, 'totals')).isDirectory());
  const before = contents(join(folder, 'totals'));
  assert.equal(before[STATE_MARK], undefined);
  await refused(['logs', '-o', 'totals', '--no-state'], folder, /exists already\. \[ETL_OUTPUT_EXISTS\]\n.*--overwrite/);
  await refused(['logs', '-o', 'totals'], folder, /exists already\. \[ETL_OUTPUT_EXISTS\]\n.*has no state.*--overwrite/);
  assert.deepEqual(contents(join(folder, 'totals')), before);
  await refused(['state', 'totals'], folder, /There is no state in .*\.totals\.state\. \[ETL_STATE_READ\]/);
  await good(['logs', '-o', 'totals', '--overwrite'], folder);
  assert.match(await good(['logs', '-o', 'totals'], folder), /^nothing new/, 'from then on it has one');
});

test('--no-state over a dataset that has a state is refused; with --overwrite the state no longer goes with it, which later runs say', async (t) => {
  const folder = logsIn(t);
  await good(['logs', '-o', 'totals'], folder);
  await refused(['logs', '-o', 'totals', '--no-state'], folder, /\[ETL_OUTPUT_EXISTS\]\n.*leave out --no-state/);
  writeFileSync(join(folder, 'logs', 'tuesday.csv'), TUESDAY);
  await good(['logs', '-o', 'totals', '--no-state', '--overwrite'], folder);
  const replaced = contents(realpathSync(join(folder, 'totals')));
  assert.equal(replaced[STATE_MARK], undefined);
  await refused(['logs', '-o', 'totals'], folder, /was not made with the state .*\[ETL_OUTPUT_EXISTS\]\n.*--overwrite/);
  assert.deepEqual(contents(realpathSync(join(folder, 'totals'))), replaced, 'it may have logs that the state has not: it is not replaced unasked');
  assert.match(await good(['logs', '-o', 'totals', '--overwrite'], folder), /^counted +3 /m);
  assert.match(await good(['logs', '-o', 'totals'], folder), /^nothing new: 2 inputs/);
  assert.match(await good(['state', 'check', 'totals'], folder), /^nothing wrong/);
});

test('a state that stands elsewhere has to be named, by every run', async (t) => {
  const folder = logsIn(t);
  await good(['logs', '-o', 'totals', '--state', 'kept/state'], folder);
  assert.deepEqual(readdirSync(folder), ['.totals.versions', 'kept', 'logs', 'totals']);
  await refused(['logs', '-o', 'totals'], folder, /was not made with the state .*\.totals\.state\. \[ETL_STATE_MISMATCH\]\n.*--state/);
  assert.match(await good(['logs', '-o', 'totals', '--state', 'kept/state'], folder), /^nothing new/);
});

test('what etl-stream did not write is never replaced, and no state is made beside it', async (t) => {
  const folder = logsIn(t);
  mkdirSync(join(folder, 'totals'));
  writeFileSync(join(folder, 'totals', 'mine'), '');
  for (const more of [[], ['--overwrite']]) await refused(['logs', '-o', 'totals', ...more], folder, /never replaced.*\[ETL_OUTPUT_EXISTS\]/);
});
