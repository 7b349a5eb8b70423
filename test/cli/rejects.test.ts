/** Options of rejects and rules, and `validate`, as a user meets them: exit codes, what goes where. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Summary, Validation } from '../../lib/index.ts';
import { temporaryFolder } from '../temporary.ts';
import { etlStream } from './program.ts';

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';

function logsIn(context: TestContext): string {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'logs', 'a.csv'), `${HEADER}1,ann,t,8.8.8.8,10\n2,bob,t,8.8.8.8,1441\n3,bob,t,8.8.8.8,-1\n4,only\u001b[31m\n`);
  writeFileSync(join(folder, 'logs', 'b.csv'), `${HEADER}5,ann,t,8.8.8.8,10\n`);
  return folder;
}

test('too many rejects are exit code 3, with the reasons, the first rows and what to do; nothing is written', async (t) => {
  const folder = logsIn(t);
  for (const [args, message] of [
    [[], /^etl-stream: 3 of 5 rows were rejected, more than --max-rejects allows \(5%\): 1 field_count, 1 rule watch_time\(min\):min=0, 1 rule watch_time\(min\):max=1440\. The first are \(1\) logs\/a\.csv, line 3 \(byte 71\): rule .* \(2\) .* \(3\) logs\/a\.csv, line 5 \(byte 111\): field_count: The record has 2 fields; the header has 5\. \[ETL_REJECTED\]/],
    [['--max-rejects', '2'], /^etl-stream: 3 rows were rejected before all were read, more than --max-rejects allows \(2\): .*validate/s],
    [['--on-error', 'fail'], /^etl-stream: The row at logs\/a\.csv, line 3 \(byte 71\), its field "watch_time\(min\)" at byte 87 is rejected, and with --on-error fail the first one ends the run: rule watch_time\(min\):max=1440: /],
    [['--rule', 'watch_time(min):max=none', '--max-rejects', '0.5%'], /^etl-stream: 2 of 5 rows .*\(0\.5%\)/],
  ] as const) {
    const { code, stderr, stdout } = await etlStream(['logs', '-o', 'out', ...args], folder);
    assert.deepEqual([code, stdout], [3, ''], stderr);
    assert.match(stderr, message);
    assert.match(stderr, /\[ETL_REJECTED\]\n/);
    assert.deepEqual(readdirSync(folder), ['logs']);
  }
});

test('rules and the form of rejects', async (t) => {
  const folder = logsIn(t);
  const args = ['logs', '-o', 'out', '--json', '--no-state', '--overwrite', '--max-rejects', '100%', '--rule', 'watch_time(min):max=2000'];
  const { code, stdout, stderr } = await etlStream([...args, '--rule', 'user_id:one-of=ann|bob', '--rule', 'log_id:pattern=[1-4]', '--rejects-format', 'csv'], folder);
  assert.equal(code, 0, stderr);
  const { rejectedBy, rows, rejectsFile } = JSON.parse(stdout) as Summary;
  assert.deepEqual([rows.counted, rejectedBy, rejectsFile], [2, { field_count: 1, 'rule watch_time(min):min=0': 1, 'rule log_id:pattern=[1-4]': 1 }, '_rejects.csv']);
  assert.match(readFileSync(join(folder, 'out', '_rejects.csv'), 'utf8'), /^log_id,user_id,ip_address,watch_time\(min\),_reject_file,/);
  assert.equal((await etlStream(args, folder)).code, 0, 'an output with the one form is replaced by one with the other');
  assert.deepEqual(readdirSync(join(folder, 'out')).filter((name) => name.startsWith('_r')), ['_rejects.jsonl']);
  for (const [option, message] of [
    ['--rule=x', /--rule must be COLUMN:RULE/], ['--rule=a:type=date', /must be one of integer, number/], ['--rule=log_id:optional', /cannot be counted/],
    ['--max-rejects=x', /--max-rejects/], ['--rejects-format=xml', /rejects-format/],
  ] as const) {
    const wrong = await etlStream([...args, option], folder);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, message);
  }
});

test('validate reads what a run reads: compressed, tabs, what is guessed', async (t) => {
  const folder = temporaryFolder(t);
  const rows = Array.from({ length: 30 }, (_, i) => `${i},u${i % 3},2026-11-29,8.8.8.8,${i === 7 ? 'x' : 5}\n`).join('');
  const text = `${HEADER}${rows}`;
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'logs', 'a.csv.gz'), gzipSync(text));
  writeFileSync(join(folder, 'logs', 'b.tsv'), text.replaceAll(',', '\t'));
  writeFileSync(join(folder, 'logs', 'c.csv'), text.replaceAll(',', ';'));
  const said = await etlStream(['validate', 'logs', '--json'], folder);
  assert.equal(said.code, 3, 'c.csv is no such log');
  const guessed = await etlStream(['validate', 'logs', '--json', '--sniff'], folder);
  assert.equal(guessed.code, 0, guessed.stderr);
  assert.match(guessed.stderr, /sniffed: delimiter ;.*c\.csv/);
  for (const { rows: read, rejected } of (JSON.parse(guessed.stdout) as { inputs: { rows: number; rejected: number }[] }).inputs) assert.deepEqual([read, rejected], [30, 1]);
});

test('validate prints a table, and 3 when a run would not take it', async (t) => {
  const folder = logsIn(t);
  const bad = await etlStream(['validate', 'logs'], folder);
  assert.deepEqual([bad.code, bad.stderr], [3, '']);
  assert.equal(bad.stdout, [
    'input       reason                         rows  first in line  which says',
    'logs/a.csv  read                              4',
    '            field_count                       1              5  The record has 2 fields; the header has 5.',
    '            rule watch_time(min):min=0        1              4  The column "watch_time(min)" has "-1", which is not at least 0.',
    '            rule watch_time(min):max=1440     1              3  The column "watch_time(min)" has "1441", which is not at most 1440.',
    'logs/b.csv  good                              1',
    '',
    '2 inputs, 5 rows, 3 rejected (60.00 %), at most 5% may be: a run would not take them',
    '',
  ].join('\n'));
  const good = await etlStream(['validate', 'logs/b.csv', '--json'], folder);
  assert.equal(good.code, 0);
  assert.equal((JSON.parse(good.stdout) as Validation).isAccepted, true);
  writeFileSync(join(folder, 'logs', 'c.csv'), 'a;b\n\u001b[31m1;2\n');
  const unread = await etlStream(['validate', 'logs', '--max-rejects', '100%'], folder);
  assert.equal(unread.code, 3);
  assert.match(unread.stdout, /^logs\/c\.csv +read +0\n +ETL_HEADER +The header of logs\/c\.csv has no column `log_id`/m);
  assert.match(unread.stdout, /; 1 input cannot be read as a log: a run would not take them\n$/);
  assert.equal((await etlStream(['validate'], folder, `${HEADER}1,u,t,8.8.8.8,5\n`)).code, 0, 'standard input');
  assert.equal((await etlStream(['validate', 'nothing'], folder)).code, 1);
  assert.equal((await etlStream(['validate', 'logs', '--rule', 'x'], folder)).code, 2);
  assert.ok(!existsSync(join(folder, '.etl-output.state')));
  assert.deepEqual(readdirSync(folder), ['logs']);
});
