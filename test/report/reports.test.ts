/** Reports of runs: what they say, how a dataset keeps those of earlier runs, and what else may stand among them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { DATASET_FILE, type DatasetDescription } from '../../lib/dataset/description.ts';
import { isReport, keepReports, MOST_EARLIER, MOST_REPORT_BYTES, REPORT_PAGE, REPORTS_FOLDER } from '../../lib/dataset/reports.ts';
import { STATE_MARK } from '../../lib/dataset/state-mark.ts';
import { checkState, readReports, run, type RunOptions, type RunReport } from '../../lib/index.ts';
import { asData } from '../../lib/report/page-text.ts';
import { jsonWithin } from '../../lib/report/shortened.ts';
import { temporaryFolder } from '../temporary.ts';

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';
const HOSTILE = '</script><script>alert(1)</script><!--\u2028';

function sceneIn(context: TestContext) {
  const folder = temporaryFolder(context);
  const [logs, output] = [join(folder, 'logs'), join(folder, 'out')];
  mkdirSync(logs);
  const options: RunOptions = { inputs: [logs], output, jobs: 1, maxRejects: { share: 1 } };
  const log = (name: string, text: string): void => writeFileSync(join(logs, name), name.endsWith('.gz') ? gzipSync(HEADER + text) : HEADER + text);
  const names = (): string[] => readdirSync(join(output, REPORTS_FOLDER)).sort();
  return { folder, logs, output, options, log, names };
}

async function only(output: string): Promise<RunReport> {
  const { reports, damaged } = await readReports(output);
  assert.deepEqual([reports.length, damaged], [1, []]);
  return reports[0]!;
}

test('a report says what was read, rejected by input and reason, and published', async (t) => {
  const { logs, output, options, log } = sceneIn(t);
  log('a.csv', `1,u,t,8.8.8.8,1.25\n2,u,t,8.8.8.8,x\n3,,t,8.8.8.8,1\n4,v,t,1.1.1.1,2000\n`);
  log('b.csv.gz', `1,u,t,8.8.8.8,1.25\n5,${HOSTILE.replace('\u2028', '')},t,,0.25\n`);
  const summary = await run({ ...options, state: false });
  const report = await only(output);
  const text = (value: RunReport['summary']): unknown => JSON.parse(JSON.stringify({ ...value, report: undefined, seconds: 0, phases: 0, memory: 0, megabytesPerSecond: 0, rowsPerSecond: 0 }));
  assert.deepEqual(text(report.summary), text(summary));
  assert.deepEqual(summary.report, { run: report.run, page: '_etl/report.html', warnings: report.warnings });
  assert.ok(report.summary.seconds > 0 && report.summary.seconds <= summary.seconds && report.summary.phases.publish <= summary.phases.publish);
  assert.deepEqual(report.inputs, { count: 2, listed: [
    { name: join(logs, 'a.csv'), bytes: statSync(join(logs, 'a.csv')).size, content: 'text', rows: 4, rejected: 3, rejectedBy: { missing_user: 1, bad_value: 1, 'rule watch_time(min):max=1440': 1 } },
    { name: join(logs, 'b.csv.gz'), bytes: statSync(join(logs, 'b.csv.gz')).size, content: 'gzip', rows: 2, rejected: 0, rejectedBy: {} },
  ] });
  assert.deepEqual(report.result, {
    total: '1.50', logs: 2, rows: 2, regions: { count: 2, listed: [{ region: 'US', total: '1.25', logs: 1, rows: 1 }, { region: 'ZZ', total: '0.25', logs: 1, rows: 1 }] },
    distribution: [{ from: '0.20', to: '0.50', rows: 1 }, { from: '0.50', to: '1.00', rows: 0 }, { from: '1.00', to: '2.00', rows: 1 }],
    top: [{ user: 'u', region: 'US', total: '1.25', logs: 1 }, { user: HOSTILE.replace('\u2028', ''), region: 'ZZ', total: '0.25', logs: 1 }],
  });
  const { files } = JSON.parse(readFileSync(join(output, DATASET_FILE), 'utf8')) as DatasetDescription;
  assert.deepEqual(report.files, { count: 2, listed: files.map(({ path, rows, bytes }) => ({ path, rows, bytes })) });
  assert.equal(report.options.jobs, 1);
  assert.equal(report.options.valueScale, 2);
  const seconds = report.samples.map((sample) => sample.seconds);
  assert.ok(seconds.length >= 4 && seconds.every((at, index) => index === 0 || at >= seconds[index - 1]!), 'samples in order of time');
  assert.ok(report.samples.at(-1)!.read === 6 && report.startedAt <= report.endedAt);
});

test('by user, a row counts for its main region; a run that counts nothing has an empty result', async (t) => {
  const { output, options, log } = sceneIn(t);
  log('a.csv', '1,u,t,8.8.8.8,5\n2,u,t,,1\n3,v,t,,2\n');
  await run({ ...options, state: false, groupBy: 'user' });
  assert.deepEqual((await only(output)).result.regions.listed, [{ region: 'US', total: '6', logs: 2, rows: 1 }, { region: 'ZZ', total: '2', logs: 1, rows: 1 }]);
  log('a.csv', '');
  await run({ ...options, state: false, overwrite: true });
  const { result, summary } = await only(output);
  assert.deepEqual([result.rows, result.regions.count, result.top, summary.rows.read], [0, 0, [], 0]);
});

test('a dataset that is continued keeps the reports of all runs that made it, and the page of the last', async (t) => {
  const { output, options, log, names } = sceneIn(t);
  log('a.csv', '1,u,t,8.8.8.8,5\n');
  await run(options);
  const [first] = names();
  const page = readFileSync(join(output, REPORT_PAGE), 'utf8');
  await run(options);
  assert.deepEqual(names(), [first], 'nothing new: no report');
  log('b.csv', '2,u,t,8.8.8.8,6\n');
  log('c.csv', '3,u,t,8.8.8.8,x\n');
  await run({ ...options, checkpoint: 1 });
  const { reports, damaged } = await readReports(output);
  assert.deepEqual(damaged, []);
  assert.deepEqual(reports.map(({ run }) => `${run}.json`), names());
  assert.deepEqual(reports.map(({ inputs, summary, result }) => [inputs.count, summary.rows.read, summary.rows.rejected, summary.state?.commit, result.logs]), [[1, 1, 0, 1, 1], [2, 2, 1, 3, 2]]);
  assert.deepEqual(reports[1]!.inputs.listed.map(({ rows, rejected }) => [rows, rejected]), [[1, 0], [1, 1]], 'of all its parts');
  assert.ok(readFileSync(join(output, REPORT_PAGE), 'utf8').includes(reports[1]!.run) && !page.includes(reports[1]!.run));
  const { ino, nlink } = statSync(join(output, REPORTS_FOLDER, first!));
  assert.ok(nlink >= 2 && ino > 0, 'not a copy where the file system has links');
  assert.deepEqual((await checkState({ output })).problems, []);

  // A commit that was not published is published with the reports there are.
  const mark = join(realpathSync(output), STATE_MARK);
  writeFileSync(mark, readFileSync(mark, 'utf8').replace('"commit":3', '"commit":2'));
  await run(options);
  assert.equal(names().length, 2);
  assert.ok(!existsSync(join(output, REPORT_PAGE)), 'the page is of a run that published');

  log('d.csv', '4,u,t,8.8.8.8,6\n');
  await run({ ...options, report: false });
  assert.equal(names().length, 2, 'without a report of its own');
  await run({ ...options, overwrite: true });
  assert.deepEqual((await readReports(output)).reports.map(({ inputs }) => inputs.count), [4], 'a dataset that is made anew has its own alone');
});

test('a run without a report leaves none', async (t) => {
  const { output, options, log } = sceneIn(t);
  log('a.csv', '1,u,t,8.8.8.8,5\n');
  await run({ ...options, report: false });
  assert.deepEqual([readdirSync(join(output, '_etl')).sort(), await readReports(output)], [['dataset.json', 'state.json'], { reports: [], damaged: [] }]);
  await assert.rejects(run({ ...options, report: 'no' as unknown as boolean }), { code: 'ETL_USAGE', message: /report must be true or false/ });
});

test('what is no report is not taken along, and what is a damaged one is told', { skip: process.platform === 'win32' }, async (t) => {
  const { folder, output, options, log, names } = sceneIn(t);
  log('a.csv', '1,u,t,8.8.8.8,5\n');
  await run(options);
  const reports = join(realpathSync(output), REPORTS_FOLDER);
  const named = (digit: number): string => join(reports, `20200101T000000000Z-00000${digit}.json`);
  writeFileSync(join(folder, 'secret'), 'secret');
  symlinkSync(join(folder, 'secret'), named(1));
  symlinkSync('nowhere', named(2));
  execFileSync('mkfifo', [named(3)]);
  mkdirSync(named(4));
  writeFileSync(named(5), '');
  truncateSync(named(5), MOST_REPORT_BYTES + 1);
  for (const [digit, text] of ['', '{"format":1}', 'null', '\u0000'].entries()) writeFileSync(join(reports, `20200102T000000000Z-00000${digit}.json`), text);
  const [own] = names().slice(-1);
  const report = JSON.parse(readFileSync(join(reports, own!), 'utf8')) as RunReport;
  writeFileSync(named(6), JSON.stringify({ ...report, result: { ...report.result, total: '1e9' } }));
  log('b.csv', '2,u,t,8.8.8.8,6\n');
  await run(options);
  assert.equal(names().filter((name) => name.startsWith('20200101')).join(), '20200101T000000000Z-000006.json');
  const read = await readReports(output);
  assert.equal(read.reports.length, 2);
  assert.deepEqual(read.damaged.map(({ file }) => file.slice(0, 8)), ['20200101', ...Array<string>(4).fill('20200102')]);
  assert.match(read.damaged[0]!.problem, /result\.total/);
  writeFileSync(join(realpathSync(output), REPORTS_FOLDER, 'notes.txt'), 'mine');
  await assert.rejects(run({ ...options, overwrite: true }), { code: 'ETL_OUTPUT_EXISTS', message: /notes\.txt/ });
});

test('the last reports are kept, at most so many', async (t) => {
  const folder = temporaryFolder(t);
  const [earlier, later] = [join(folder, 'earlier'), join(folder, 'later')];
  mkdirSync(join(earlier, REPORTS_FOLDER), { recursive: true });
  const name = (at: number): string => `20260101T${String(at).padStart(9, '0')}Z-00000a.json`;
  for (let at = 0; at < MOST_EARLIER + 20; at++) writeFileSync(join(earlier, REPORTS_FOLDER, name(at)), 'x');
  assert.equal(await keepReports(earlier, later), 0);
  assert.deepEqual(readdirSync(join(later, REPORTS_FOLDER)).sort(), Array.from({ length: MOST_EARLIER }, (_, at) => name(at + 20)));
  assert.equal(await keepReports(join(folder, 'none'), join(folder, 'nothing')), 0);
  assert.ok(!existsSync(join(folder, 'nothing')));
});

test('names of reports are theirs alone', () => {
  for (const path of [REPORT_PAGE, `${REPORTS_FOLDER}/20261130T045026123Z-3f2a9c.json`]) assert.ok(isReport(path), path);
  for (const path of ['report.html', `${REPORTS_FOLDER}/x.json`, `${REPORTS_FOLDER}/../20261130T045026123Z-3f2a9c.json`, `${REPORTS_FOLDER}/a/20261130T045026123Z-3f2a9c.json`, `${REPORTS_FOLDER}/20261130T045026123Z-3f2a9c.json\n`]) assert.ok(!isReport(path), path);
});

test('JSON has nothing that ends its block, and is as short as it must be', async (t) => {
  const { output, options, log } = sceneIn(t);
  assert.equal(asData({ a: HOSTILE }), '{"a":"\\u003c/script>\\u003cscript>alert(1)\\u003c/script>\\u003c!--\\u2028"}');
  assert.deepEqual(JSON.parse(asData({ a: HOSTILE })), { a: HOSTILE });
  for (let at = 0; at < 40; at++) log(`${'n'.repeat(100)}${at}.csv`, `${at},u,t,8.8.8.8,5\n`);
  await run({ ...options, state: false });
  const report = await only(output);
  const whole = Buffer.byteLength(jsonWithin(report, 1e6));
  const shorter = JSON.parse(jsonWithin(report, whole - 1)) as RunReport;
  assert.deepEqual([shorter.inputs.count, shorter.inputs.listed.length], [40, 20]);
  assert.equal((JSON.parse(jsonWithin(report, whole)) as RunReport).inputs.listed.length, 40);
});
