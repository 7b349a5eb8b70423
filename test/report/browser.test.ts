/**
 * The page of a report in a real browser, offline and under its own policy: no complaint, no request, nothing wrong by axe, a drawing in
 * every chart, no sideways scrolling, in both themes, wide and narrow. CHROMIUM names the browser; ETL_SCREENSHOTS a folder for
 * pictures, to be looked at.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import type { Browser } from 'playwright-core';
import { generateLogs, readReports, run, type RunOptions } from '../../lib/index.ts';
import { pageOf } from '../../lib/report/page-text.ts';
import type { RunReport } from '../../lib/report/report.ts';
import { temporaryFolder } from '../temporary.ts';
import { chromiumPath, launch, open, violations, type View } from './browser.ts';

const path = chromiumPath();
const skip = path === undefined && 'there is no Chromium: CHROMIUM may name one';
const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';
const WIDE_LIGHT: View = { theme: 'light', width: 1280 };
const WIDE_DARK: View = { theme: 'dark', width: 1280 };
const NARROW_LIGHT: View = { theme: 'light', width: 360 };
const NARROW_DARK: View = { theme: 'dark', width: 360 };
let browser: Browser;

before(async () => {
  if (path !== undefined) browser = await launch(path);
});
after(() => browser?.close());

/** Opens a page in some views; gives what is to be read on it. */
async function look(name: string, file: string, ...views: readonly View[]): Promise<string> {
  let text = '';
  for (const view of views) {
    const what = `${name}, ${view.theme}, ${view.width}`;
    const { page, complaints, requests, close } = await open(browser, file, view);
    const { ETL_SCREENSHOTS: pictures } = process.env;
    if (pictures) await page.screenshot({ path: join(pictures, `${what.replaceAll(', ', '-')}.png`), fullPage: true });
    const drawn = await page.evaluate<number[]>("[...document.querySelectorAll('figure')].map((figure) => figure.querySelectorAll('svg path, svg rect').length)");
    assert.ok(drawn.every((marks) => marks > 0), `${what}: every chart has marks (${drawn.join()})`);
    assert.equal(await page.evaluate("[...document.querySelectorAll('[role=img]')].every((drawing) => /: .+\\.$/.test(drawing.getAttribute('aria-label')))"), true, what);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), view.width, `${what}: nothing sticks out`);
    await page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true");
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), view.width, `${what}: nor of tables`);
    assert.deepEqual(await violations(page), [], what);
    assert.deepEqual([complaints, requests], [[], []], what);
    text = await page.evaluate<string>('document.body.innerText');
    await close();
  }
  return text;
}

async function reportOf(context: TestContext, logs: string, more: Partial<RunOptions> = {}): Promise<{ file: string; report: RunReport }> {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, 'log.csv'), HEADER + logs);
  const output = join(folder, 'out');
  await run({ inputs: [join(folder, 'log.csv')], output, state: false, maxRejects: { share: 1 }, ...more });
  const { reports } = await readReports(output);
  return { file: join(output, '_etl', 'report.html'), report: reports[0]! };
}

test('the report of a run that added to a dataset', { skip }, async (t) => {
  const folder = temporaryFolder(t);
  const [logs, output] = [join(folder, 'logs'), join(folder, 'out')];
  await generateLogs({ folder: logs, files: 2, size: 4e5, users: 500, badRows: 0.01, seed: 1 });
  await run({ inputs: [join(logs, 'logs-0001.csv')], output });
  const { rows, state } = await run({ inputs: [logs], output, checkpoint: 1 });
  const text = await look('run', join(output, '_etl', 'report.html'), WIDE_LIGHT, NARROW_DARK);
  for (const figure of [rows.read, rows.counted, rows.duplicates, rows.rejected, state!.logs]) assert.ok(text.includes(figure.toLocaleString('en-US')), String(figure));
  for (const words of ['United States', 'scatter', 'logs-0002.csv', 'missing_user', 'IP Geolocation by DB-IP', 'Permission to use, copy']) assert.ok(text.includes(words), words);
  assert.ok(!text.includes('undefined') && !text.includes('NaN'));
});

test('text from a log is text', { skip }, async (t) => {
  const hostile = ['</script><script>document.title="broken"</script>', '<img src=x onerror=alert(1)>', '"><b>', '\u202egnp.exe', `${'x'.repeat(300)}`, '\u0001\u001b[2J', '--><!--', '🦜'.repeat(40)];
  const lines = hostile.map((user, at) => `${at},"${user.replaceAll('"', '""')}",t,8.8.8.8,${at + 1}\n`).join('');
  for (const groupBy of ['region', 'user'] as const) {
    const { file, report } = await reportOf(t, `${lines}x,u,t\n`, { groupBy });
    assert.equal(report.result.top.length, hostile.length);
    const text = await look(`hostile by ${groupBy}`, file, groupBy === 'user' ? NARROW_LIGHT : WIDE_DARK);
    for (const user of [...hostile.slice(0, 3), '\\u{202e}gnp.exe', '\\u{1}\\u{1b}[2J', '--><!--']) assert.ok(text.includes(user), user);
  }
});

test('little, nothing, and strange things', { skip }, async (t) => {
  const one = await reportOf(t, '1,u,t,8.8.8.8,5\n');
  assert.ok((await look('one row', one.file, NARROW_DARK)).includes('No row was rejected.'));
  const none = await reportOf(t, '1,u,t,8.8.8.8,x\n', { report: true });
  assert.ok((await look('nothing counted', none.file, WIDE_LIGHT)).includes('Nothing was counted.'));
  // What Spark says of a job.
  const job: RunReport = {
    ...one.report, memory: { ...one.report.memory, budget: {} },
    summary: { ...one.report.summary, engine: 'spark', parser: 'spark', spark: { version: '4.3.0', master: 'spark://10.0.0.1:7077', cores: 64, application: 'app-1', tasks: 900, failedTasks: 2, shuffledBytes: 3e9 }, spill: { bytes: 5e9, files: 0, rows: 0, splits: 0 } },
  };
  writeFileSync(one.file, Buffer.concat(await pageOf(job)));
  const ofSpark = await look('on Spark', one.file, NARROW_LIGHT);
  for (const words of ['on Spark, 64 cores', '4.3.0 at spark://10.0.0.1:7077', 'by Spark', 'of heap']) assert.ok(ofSpark.includes(words), words);
  assert.ok(!ofSpark.includes('sorted runs') && !ofSpark.includes('undefined') && !ofSpark.includes('Shares of memory'));
  // What no small run has: a single sample, buckets on both sides of 0, many of everything, no embedded database.
  const { report } = one;
  const many = <T>(of: number, make: (at: number) => T): T[] => Array.from({ length: of }, (_, at) => make(at));
  const strange: RunReport = {
    ...report, samples: report.samples.slice(0, 1), options: { ...report.options, geoDb: 'own.mmdb' }, warnings: ['This is a warning: <b>read it</b>.', 'Another one.'],
    inputs: { count: 40_000, listed: many(40, (at) => ({ ...report.inputs.listed[0]!, name: `${'very-long-'.repeat(20)}${at}.csv`, bytes: null, content: null })) },
    files: { count: 9000, listed: many(5, (at) => ({ path: `geo_region=${at}/part-00000.parquet`, rows: at, bytes: at })) },
    summary: { ...report.summary, rejectedBy: Object.fromEntries(many(50, (at) => [`rule column-${'x'.repeat(at)}:pattern`, 50 - at])) },
    result: {
      total: '-123456789012345678.25', logs: 5, rows: 12,
      regions: { count: 2000, listed: many(30, (at) => ({ region: at === 0 ? '' : `Region ${'long '.repeat(at % 9)}${at}`, total: `${100 - at}.25`, logs: at, rows: at })) },
      distribution: many(80, (at) => ({ from: String((at - 40) * 1e6), to: String((at - 39) * 1e6), rows: at * at })),
      top: many(20, (at) => ({ user: 'same', region: '', total: `-${at}.50`, logs: 1 })),
    },
  };
  const file = join(temporaryFolder(t), 'report.html');
  writeFileSync(file, Buffer.concat(await pageOf(strange)));
  const text = await look('strange', file, WIDE_DARK, NARROW_LIGHT);
  for (const words of ['2 warnings', '<b>read it</b>', '40,000 inputs', '-123,456,789,012,345,678.25', 'too short', '(empty)']) assert.ok(text.includes(words), words);
  assert.ok(!text.includes('DB-IP') && !text.includes('NaN'));
});

test('what threads tell late is not taken for speed', { skip }, async (t) => {
  const { file, report } = await reportOf(t, '1,u,t,8.8.8.8,5\n');
  const sample = (seconds: number, phase: 'plan' | 'scatter' | 'reduce', bytes: number) => ({ ...report.samples[0]!, seconds, phase, bytes });
  const samples = [sample(0, 'plan', 0), sample(0.001, 'plan', 0), sample(0.251, 'scatter', 20e6), sample(0.501, 'scatter', 50e6), sample(0.502, 'scatter', 60e6), sample(0.503, 'reduce', 60e6)];
  writeFileSync(file, Buffer.concat(await pageOf({ ...report, samples })));
  const { page, close } = await open(browser, file, WIDE_LIGHT);
  assert.match(await page.innerText('figcaption'), /at most 159 MB\/s/, '40 MB in 251 ms, not 10 MB in 1');
  await close();
});

test('without JavaScript it says where the JSON is; on paper it is light, and whole', { skip }, async (t) => {
  const { file } = await reportOf(t, '1,u,t,8.8.8.8,5\n');
  const context = await browser.newContext({ javaScriptEnabled: false, offline: true });
  const page = await context.newPage();
  await page.goto(`file://${file}`);
  assert.match(await page.innerText('body'), /stands in the folder reports beside it/);
  await context.close();
  const { page: printed, close } = await open(browser, file, { theme: 'dark', width: 1280 });
  await printed.emulateMedia({ media: 'print', colorScheme: 'dark' });
  assert.equal(await printed.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)');
  const { ETL_SCREENSHOTS: pictures } = process.env;
  const pdf = await printed.pdf(pictures ? { path: join(pictures, 'printed.pdf') } : {});
  assert.ok(pdf.length > 10_000);
  await close();
});
