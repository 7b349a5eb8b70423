/** `--explain` for a person: what it says, no wider than 80 columns, and no control code of a name among it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatExplanation } from '../../lib/cli/explain.ts';
import type { Explanation } from '../../lib/index.ts';
import { temporaryFolder } from '../temporary.ts';
import { treeOf } from '../tree.ts';

const input = { name: 'logs/a.csv', bytes: 12_345_678, content: 'text', encoding: 'auto', dialect: 'delimiter ,, quote ", header: yes', isGuessed: false, columns: ['id', 'user', 'ip', 'minutes'] } as const;
const explanation: Explanation = {
  version: '1.0.0', inputs: [input], knownInputs: [], bytes: 12_345_678, columns: { id: 'id', user: 'user', ip: 'ip', value: 'minutes' }, valueScale: 2, parser: 'kernel',
  memory: { limit: 2e9, from: 'control group', available: 4e9, shares: [{ name: 'process', bytes: 60e6 }, { name: 'linear threads', bytes: 1.9e9 }, { name: 'left', bytes: 40e6 }] },
  jobs: { asked: 8, from: 'option', got: 1, fewer: 'small', isCertain: true }, partitions: 16,
  rows: { count: 200_000, bytes: 5.4e6, kept: 1e6, spilled: 5.4e6 }, parts: [{ inputs: 1, bytes: 12_345_678 }, { inputs: 3, bytes: 1 }],
  state: { folder: '/data/.totals.state', isThere: true, commit: 3, isAfresh: false, ids: 1_234_567, forgets: 5 },
  temp: { folder: '/scratch', free: 5e9, most: 1e9 }, output: { folder: 'totals', effect: 'continued', groupBy: 'region', compression: 'zstd' },
  geoDatabase: { path: 'embedded', type: 'country', buildDate: '2026-06-01T00:00:00.000Z', regions: 251 }, rejects: { limit: '5%', onError: 'reject', format: 'jsonl' }, rules: ['minutes:min=0'],
};

function linesOf(changes: Partial<Explanation> = {}): string[] {
  return formatExplanation({ ...explanation, ...changes }).split('\n');
}

test('each thing has its line, aligned', () => {
  const lines = linesOf();
  for (const line of [
    'would       read 1 file, 12.3 MB on the disk, and publish the totals at totals',
    '  logs/a.csv  UTF-8    12.3 MB',
    'columns     id (id), user (user), ip (IP address), minutes (value)',
    'jobs        1 (--jobs 8): so little input is done before threads have started',
    'memory      2.0 GB: half of the 4.0 GB that the control group has, from 128 MB',
    '            linear memory of all other threads   1.9 GB',
    'state       /data/.totals.state: 3 commits, 1,234,567 ids known, 5 forgotten',
    'temporary   /scratch: 5.0 GB free, at most 1.0 GB of it (--max-spill)',
    'regions     251, by the IP database embedded: country, built 2026-06-01',
  ]) assert.ok(lines.includes(line), `${line}\n\n${lines.join('\n')}`);
});

test('at most 80 columns, whatever names there are; nothing that a terminal acts on', () => {
  const hostile = Array.from({ length: 30 }, (_, at) => ({ ...input, name: `logs/${'long'.repeat(40)}\x1b[2J${at}.csv`, columns: Array.from({ length: 300 }, (_, n) => `column\x07 ${n}`) }));
  const lines = linesOf({ inputs: hostile, valueScale: undefined, jobs: { ...explanation.jobs, isCertain: false }, rows: undefined, parser: 'csv-parse' });
  for (const line of lines) assert.ok(line.length <= 80 && !/[\x00-\x1f]/.test(line), `${line.length}: ${JSON.stringify(line)}`);
  assert.ok(lines.some((line) => line.includes('and 10 more: --json has all')) && lines.some((line) => line.includes('and 280 more')));
});

test('nothing new, and only a pipe', () => {
  assert.equal(linesOf({ inputs: [], knownInputs: [{ name: 'a', bytes: 1 }], parts: [], partitions: undefined, geoDatabase: undefined })[0], 'would       read nothing: 1 input was counted before: left out');
  const pipe = { ...input, name: '<stdin>', bytes: undefined, content: undefined, dialect: undefined, isGuessed: true, columns: undefined };
  const lines = linesOf({ inputs: [pipe], bytes: 0 });
  assert.ok(lines.includes('would       read 1 pipe, unknown until read, and publish the totals at totals') && lines.includes('columns     unknown until it is read'));
});

test('it goes to stdout, errors and their exit codes are those of a run, and no folder is made', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'a.csv'), 'log_id,user_id,timestamp,ip_address,watch_time(min)\nx,y,t,8.8.8.8,1.5\n');
  const before = treeOf(folder);
  const call = (...args: string[]) => spawnSync(process.execPath, [join(import.meta.dirname, '../../dist/bin/etl-stream.js'), 'a.csv', '-o', 'made/out', ...args], { cwd: folder, encoding: 'utf8' });
  const explained = call('--explain', '-q');
  assert.deepEqual([explained.status, explained.stderr], [0, '']);
  assert.match(explained.stdout, /^would {7}read 1 file, 70 B on the disk, and publish the totals at made\/out\n/);
  assert.equal((JSON.parse(call('--explain', '--json').stdout) as Explanation).valueScale, 1);
  const wrong = [['--user-column', 'nobody'], ['--memory', '20MB'], ['--geo-db', 'a.csv']];
  const told = wrong.map((args) => call(...args, '--explain'));
  assert.deepEqual(treeOf(folder), before);
  for (const [at, { status, stdout, stderr }] of told.entries()) {
    const run = call(...wrong[at]!);
    assert.deepEqual([status, stdout, stderr.split(' needs: ')[0]], [run.status, '', run.stderr.split(' needs: ')[0]]);
    assert.match(stderr, /\[ETL_(HEADER|USAGE|GEO_DATABASE)\]/);
  }
});
