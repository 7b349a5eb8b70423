/**
 * The page on a real dataset, from the real server: what it shows of all and of a region is what the run counted, and a second run is
 * shown without a reload.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { generateLogs, readReports, run, startDashboard } from '../../lib/index.ts';
import type { RunReport } from '../../lib/report/report.ts';
import { chromiumPath, launch, visit } from '../report/browser.ts';
import { temporaryFolder } from '../temporary.ts';
import { settled } from './settled.ts';

const path = chromiumPath();
const skip = path === undefined && 'there is no Chromium: CHROMIUM may name one';
const number = (value: number): string => value.toLocaleString('en-US');

/** What the report of a run says of all, and of Japan, is on the page. */
async function shows(page: Page, { summary, result }: RunReport, region: string | undefined): Promise<void> {
  const of = region === undefined ? result : result.regions.listed.find((one) => one.region === region)!;
  await page.locator('.figures', { hasText: number(of.logs) }).waitFor();
  await settled(page);
  const figures = await page.locator('.figures').innerText();
  for (const figure of [number(region === undefined ? summary.users : of.rows), of.total.replace(/\B(?=(\d{3})+(?!\d))/g, ',')]) assert.ok(figures.includes(figure), `${figure} is in ${figures}`);
  assert.ok((await page.locator('#users figcaption p').first().innerText()).includes(` of ${number(of.rows)} users`), 'the distribution is of as many');
}

test('a dataset, a region of it, and the next run', { skip, timeout: 60_000 }, async (t) => {
  const folder = temporaryFolder(t);
  const [logs, output] = [join(folder, 'logs'), join(folder, 'out')];
  await generateLogs({ folder: logs, files: 2, size: 4e5, users: 500, badRows: 0.01, seed: 8 });
  await run({ inputs: [join(logs, 'logs-0001.csv')], output, maxRejects: { share: 1 } });
  const dashboard = await startDashboard({ output });
  t.after(() => dashboard.close());
  const browser = await launch(path!);
  t.after(() => browser.close());
  const { page, complaints, close } = await visit(browser, dashboard.url, { theme: 'light', width: 1280 });
  const lastReport = async (): Promise<RunReport> => (await readReports(output)).reports.at(-1)!;
  const first = await lastReport();
  await shows(page, first, undefined);
  await page.locator('.regions').getByRole('button', { name: /^Japan/ }).click();
  await shows(page, first, 'JP');
  await run({ inputs: [logs], output, maxRejects: { share: 1 } });
  const second = await lastReport();
  assert.notEqual(second.result.logs, first.result.logs);
  await page.getByText(/^A new result was published/).waitFor();
  await shows(page, second, 'JP');
  await page.keyboard.press('Escape');
  await shows(page, second, undefined);
  assert.deepEqual(complaints, []);
  await close();
});
