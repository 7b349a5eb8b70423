/** Panels where something is not there, fails, or comes late: in a real browser, against a server whose answers the test says. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { chromiumPath, launch, type View } from '../report/browser.ts';
import { openPage, settled, until } from './panels-page.ts';
import { standIn, type Said } from './stand-in.ts';

const path = chromiumPath();
const skip = path === undefined && 'there is no Chromium: CHROMIUM may name one';
const VIEW: View = { theme: 'light', width: 1280 };
const SAID: Said = { regions: [{ region: 'US', total: 20, rows: 2000 }, { region: 'DE', total: 10, rows: 3 }] };
const MISSING = { code: 'ETL_SQL_MISSING', message: 'Queries need DuckDB.', hint: 'Add it.' };
let browser: Browser;

before(async () => {
  if (path !== undefined) browser = await launch(path);
});
after(() => browser?.close());

test('without DuckDB there is what a report says, and what to add', { skip }, async (t) => {
  const server = await standIn(t, { ...SAID, more: { hasSql: false } });
  server.instead = async (path) => (path === 'query' || path === 'rejects' ? { status: 503, problem: MISSING } : undefined);
  const { page, close } = await openPage(browser, `${server.url}?find=a&sort=user&sql=SELECT%201`, VIEW);
  assert.match(await page.locator('.users').innerText(), /Without DuckDB these are the first ones/);
  assert.equal(await page.locator('.users tbody tr').count(), 2);
  for (const name of ['Next', 'Previous', 'By user', 'Run', 'Cancel', 'Copy link']) assert.ok(await page.getByRole('button', { name, exact: true }).isHidden(), name);
  assert.equal(await page.locator('.users button.pick').count(), 0, 'no region can be picked');
  for (const section of ['#query', '#rejects']) assert.match(await page.locator(section).innerText(), /ETL_SQL_MISSING Queries need DuckDB\.\s+Add it\./);
  assert.ok(!server.asked.some((asked) => /^(users|top|export)/.test(asked)), server.asked.join());
  await close();
});

test('one run, and no rejects', { skip }, async (t) => {
  const { url } = await standIn(t, SAID);
  const { page, complaints, close } = await openPage(browser, `${url}?region=FR`, VIEW);
  assert.equal(await page.locator('#rejects .good').innerText(), 'No row was rejected.');
  const runs = (await page.locator('#runs').innerText()).replaceAll('\u00a0', ' ');
  for (const words of ['The run read 4,036 rows', 'The run read 90 MB/s of text', 'The run had at most 120.0 MB resident, 24.00 % of the 500.0 MB', 'No report tells of watch time in France.']) assert.ok(runs.includes(words), words);
  assert.match(await page.locator('.users').innerText(), /There are no users\.\s+.*\s+No rows\./s);
  assert.deepEqual(complaints, []);
  await close();
});

test('what fails can be tried again, and what comes late is not shown', { skip }, async (t) => {
  const server = await standIn(t, SAID);
  let answer: () => void = () => undefined;
  const late = new Promise<void>((resolve) => (answer = resolve));
  let failures = 1;
  server.instead = async (path, parameters) => {
    if (path !== 'users') return undefined;
    if (parameters.get('prefix') === 'fails' && failures-- > 0) return { status: 500, problem: { code: 'ETL_INPUT_READ', message: 'It <b>failed</b>.' } };
    if (parameters.get('prefix') === 'late') await late;
    return undefined;
  };
  const { page, close } = await openPage(browser, server.url, VIEW);
  const find = page.getByRole('searchbox', { name: 'User begins with' });
  await find.fill('fails');
  await page.locator('.users .problem').filter({ hasText: 'It <b>failed</b>.' }).waitFor();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.users tbody tr').first().waitFor();
  assert.match(await page.locator('.pager [role=status]').innerText(), /that begin with fails\.$/);
  // The older question is cancelled; its answer, when it comes, changes nothing.
  await find.fill('late');
  await until(page, "document.querySelector('.users .answer[aria-busy]')");
  await find.fill('later');
  await page.locator('.pager [role=status]').filter({ hasText: 'that begin with later.' }).waitFor();
  answer();
  await page.evaluate("fetch('api/users?prefix=x').then((response) => response.text())");
  await settled(page);
  assert.match(await page.locator('.pager [role=status]').innerText(), /that begin with later\.$/);
  assert.ok(server.asked.includes('users?prefix=late'), 'it was asked');
  await close();
});
