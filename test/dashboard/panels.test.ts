/**
 * Users, runs, rejects and the SQL box in a real browser against the real server, over a small dataset whose users are hostile. What is
 * shown is compared with a model of the rows, with summaries of the runs, and with files that other libraries read back.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { Browser, Locator, Page } from 'playwright-core';
import { startDashboard, type Dashboard } from '../../lib/index.ts';
import { chromiumPath, launch, type View } from '../report/browser.ts';
import { assertWell, openPage, settled, until } from './panels-page.ts';
import { HOSTILE, PLAIN, makeSmallDataset, type ModelRow, type SmallDataset } from './small-dataset.ts';

const path = chromiumPath();
const hasDuckDB = await import('@duckdb/node-api').then(() => true, () => false);
const skip = path === undefined ? 'there is no Chromium: CHROMIUM may name one' : !hasDuckDB && 'there is no DuckDB';
const WIDE: View = { theme: 'light', width: 1280 };
let folder: string;
let dataset: SmallDataset;
let dashboard: Dashboard;
let browser: Browser;

before(async () => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'etl-stream-test-'));
  browser = await launch(path!); // first: what fails here ends it, or the file would not end
  dataset = await makeSmallDataset(folder);
  dashboard = await startDashboard({ output: dataset.output });
});
after(async () => {
  await Promise.all([browser?.close(), dashboard?.close()]);
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** `expected`: parts of what the browser may complain of. */
async function withPage(query: string, body: (page: Page) => Promise<void>, expected = 'nothing'): Promise<void> {
  const { page, complaints, requests, close } = await openPage(browser, dashboard.url + query, WIDE);
  await body(page);
  assert.deepEqual(complaints.filter((complaint) => !complaint.includes(expected)), []);
  assert.ok(requests.every((request) => request.startsWith(dashboard.url) || request.startsWith('data:')), requests.join());
  await close();
}

const money = (hundredths: number): string => (hundredths / 100).toLocaleString('en-US', { minimumFractionDigits: 2 });
/** As the page writes text from outside. */
const visible = (text: string): string => text.replace(/[\u0000-\u001f\u202e]/g, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);

/** The table of users, row by row; of a long user its beginning. */
async function userRows(page: Page): Promise<string[][]> {
  await settled(page);
  return page.evaluate<string[][]>("[...document.querySelectorAll('.users tbody tr')].map((row) => [...row.children].map((cell) => cell.innerText))");
}

function assertRows(found: readonly string[][], expected: readonly ModelRow[], what: string): void {
  assert.equal(found.length, expected.length, what);
  for (const [at, { user, region, total, logs }] of expected.entries()) {
    const [name, where, time, count] = found[at]!;
    const whole = visible(user);
    assert.ok([...whole].length <= 80 ? name === whole : name!.startsWith(whole.slice(0, 70)) && name!.endsWith('…'), `${what}: ${name!.slice(0, 90)}`);
    assert.ok(where!.startsWith(region), `${what}: ${where}`);
    assert.deepEqual([time!.trim(), count], [money(total), String(logs)], what);
  }
}

const status = (page: Page): Locator => page.locator('.pager [role=status]');

test('users: by watch time, by prefix and by user, in pages, of a region', { skip }, async () => {
  await withPage('', async (page) => {
    const rows = dataset.rows;
    const [previous, next] = [page.getByRole('button', { name: 'Previous' }), page.getByRole('button', { name: 'Next' })];
    const first = await userRows(page);
    assertRows(first, rows.slice(0, first.length), 'the first page');
    assert.ok(first.length >= 20 && await previous.isDisabled());
    // By keyboard, to the end and back.
    let seen = first.length;
    await next.focus();
    while (await next.isEnabled()) {
      await page.keyboard.press('Enter');
      await status(page).filter({ hasText: `Rows ${seen + 1} to` }).waitFor();
      const found = await userRows(page);
      assertRows(found, rows.slice(seen, seen + found.length), `from ${seen}`);
      seen += found.length;
    }
    assert.equal(seen, rows.length);
    assert.match(await status(page).innerText(), new RegExp(` to ${seen} of ${seen}\\.$`));
    assert.equal(await page.evaluate("document.activeElement.textContent"), 'Previous', 'focus stays where it can go on');
    while (await previous.isEnabled()) {
      await page.keyboard.press('Enter');
      await until(page, `!document.querySelector('.pager [role=status]').textContent.startsWith('Rows ${seen - 1}')`);
      await settled(page);
    }
    assert.deepEqual(await userRows(page), first);
    // A prefix, which stands in the address; no step of its own in the history.
    const find = page.getByRole('searchbox', { name: 'User begins with' });
    for (const prefix of ['user_00', '<img', '\u202e', "'; DROP", '_']) {
      const expected = rows.filter(({ user }) => user.startsWith(prefix)).sort((a, b) => (a.user < b.user ? -1 : a.user > b.user ? 1 : a.region < b.region ? -1 : 1));
      await find.fill(prefix);
      await status(page).filter({ hasText: `of those that begin with ${visible(prefix)}.` }).waitFor();
      assertRows(await userRows(page), expected, prefix);
    }
    assert.equal(new URL(page.url()).searchParams.get('find'), '_');
    await find.fill('nobody');
    await page.getByText('No user begins with nobody').waitFor();
    await find.fill('');
    await page.getByRole('button', { name: 'By user' }).click();
    await status(page).filter({ hasText: `Rows 1 to 50 of ${rows.length}.` }).waitFor();
    const byUser = rows.toSorted((a, b) => Buffer.compare(Buffer.from(a.user), Buffer.from(b.user)) || (a.region < b.region ? -1 : 1));
    assertRows(await userRows(page), byUser.slice(0, 50), 'by user');
    // A region is picked by its cell.
    await page.locator('.users tbody tr').nth(0).getByRole('button').click();
    const { region } = byUser[0]!;
    const ofRegion = byUser.filter((row) => row.region === region);
    await status(page).filter({ hasText: `of ${ofRegion.length}.` }).waitFor();
    assertRows(await userRows(page), ofRegion.slice(0, 50), region);
    await page.goBack();
    await status(page).filter({ hasText: `of ${rows.length}.` }).waitFor();
  });
});

test('an address shows what it says', { skip }, async () => {
  await withPage('?region=DE&find=user_0&reason=bad_value', async (page) => {
    const expected = dataset.rows.filter(({ user, region }) => user.startsWith('user_0') && region === 'DE').sort((a, b) => (a.user < b.user ? -1 : 1));
    assertRows(await userRows(page), expected, 'by the address');
    assert.equal(await page.getByRole('searchbox', { name: 'User begins with' }).inputValue(), 'user_0');
    assert.equal(await page.locator('.reasons [aria-pressed=true] .name').innerText(), 'bad_value');
    assert.match(await page.locator('#rejects').innerText(), /A row that was rejected has no region/);
  });
});

test('runs: their figures as charts and as tables; the watch time of a region', { skip }, async () => {
  await withPage('', async (page) => {
    const runs = page.locator('#runs');
    assert.equal(await runs.locator('figure').count(), 4);
    for (const figure of await runs.locator('figure').all()) assert.ok(await figure.locator('svg rect').count() >= 2, await figure.innerText());
    const [a, b] = dataset.summaries.map(({ rows }) => rows) as [SmallDataset['summaries'][0]['rows'], SmallDataset['summaries'][0]['rows']];
    assert.ok((await runs.innerText()).includes(`The 2 runs read ${a.read + b.read} rows: ${a.counted + b.counted} were counted, ${b.duplicates} were duplicates and ${a.rejected + b.rejected} were rejected.`));
    assert.deepEqual([a.duplicates, b.duplicates, b.rejected], [0, 2, 1]);
    await runs.getByText('Show as a table').first().click();
    const cells = await runs.locator('figure').first().locator('tbody tr').allInnerTexts();
    assert.deepEqual(cells.map((row) => row.split('\t').slice(1)), [a, b].map(({ read, counted, duplicates, rejected }) => [1, read, counted, duplicates, rejected].map(String)));
    const total = (region?: string): string => money(dataset.rows.filter((row) => region === undefined || row.region === region).reduce((sum, row) => sum + row.total, 0));
    assert.ok((await runs.innerText()).includes(`After the last run there were ${total()},`));
    await page.locator('.users .pick').filter({ hasText: 'DE' }).first().click();
    await runs.getByText(`After the last run there were ${total('DE')} in Germany`).waitFor();
  });
});

test('rejects: by reason, with examples that are text', { skip }, async () => {
  await withPage('', async (page) => {
    const reasons = new Map<string, number>();
    for (const { rejectedBy } of dataset.summaries) for (const [reason, rows] of Object.entries(rejectedBy)) reasons.set(reason, (reasons.get(reason) ?? 0) + rows);
    const buttons = page.locator('.reasons button');
    const found = new Map<string, number>();
    for (const button of (await buttons.all()).slice(1)) found.set(await button.locator('.name').innerText(), Number.parseInt(await button.locator('.figure').innerText()));
    assert.deepEqual([...found].sort(), [...reasons].sort());
    const examples = page.locator('.examples');
    assert.equal(await examples.locator('tbody tr').count(), 6);
    const text = await examples.innerText();
    for (const part of ['bad-3,<img src=x onerror=alert(1)>', '=1+1', '\\u{202e}yyy', 'is not at most 1440']) assert.ok(text.includes(part), part);
    // By keyboard; the focus stays, and what is cut opens.
    await buttons.filter({ hasText: 'missing_value' }).focus();
    await page.keyboard.press('Enter');
    await examples.getByText('The row has an empty value.').waitFor();
    assert.equal(await page.evaluate("document.activeElement.querySelector('.name')?.textContent"), 'missing_value');
    assert.equal(new URL(page.url()).searchParams.get('reason'), 'missing_value');
    assert.match(await examples.locator('tbody tr').innerText(), /second\.csv, line 5/);
    await examples.locator('code summary').press('Enter');
    await until(page, "document.querySelector('.examples code').textContent.includes('y'.repeat(1500))");
  });
});

/** Runs a query by the keyboard; gives what the status says. */
async function ask(page: Page, sql: string): Promise<string> {
  await page.getByRole('textbox', { name: 'SQL' }).fill(sql);
  await page.keyboard.press('Control+Enter');
  await until(page, "document.querySelector('.sql .actions > [role=status]').textContent !== 'Running…'");
  return page.locator('.sql .actions > [role=status]').innerText();
}

test('SQL: results, and what is wrong with a query', { skip }, async () => {
  await withPage('', async (page) => {
    const result = page.locator('.result');
    assert.match(await ask(page, "SELECT '' AS a, NULL AS b, 9223372036854775807::BIGINT AS c, repeat('é', 10000) AS d, '<b>' || chr(8238) AS e"), /^1 row in /);
    assert.deepEqual((await result.locator('thead th').allInnerTexts()).map((text) => text.split('\n')), [['a', 'VARCHAR'], ['b', 'INTEGER'], ['c', 'BIGINT'], ['d', 'VARCHAR'], ['e', 'VARCHAR']]);
    const cells = await result.locator('tbody tr > *').allInnerTexts();
    assert.deepEqual([cells[0], cells[1], cells[2], cells[4]], ['(empty)', 'NULL', '9223372036854775807', '<b>\\u{202e}']);
    assert.ok(cells[3]!.endsWith('…') && cells[3]!.length < 200);
    assert.equal(await result.locator('tbody .figure').count(), 2, 'figures stand at the right');
    await result.locator('summary').press('Enter');
    await until(page, "document.querySelector('.result').textContent.includes('é'.repeat(10000))");
    assert.match(await ask(page, 'SELECT * FROM range(5000)'), /^More than 1,000 rows in /);
    assert.equal(await result.locator('tbody tr').count(), 1000);
    assert.match(await page.locator('.sql').innerText(), /The first 1,000 rows are shown/);
    for (const [sql, says] of [['SELECT oops FROM watch_time', /oops/], ['DROP VIEW watch_time', /./], ["SELECT * FROM read_csv('/etc/passwd')", /./]] as const) {
      await ask(page, sql);
      assert.match(await page.locator('.sql .problem').innerText(), says);
      assert.equal(await result.count(), 0, 'an earlier result is not that of another query');
    }
    await ask(page, 'SELECT oops FROM watch_time');
    assert.match(await page.locator('.sql .problem pre').innerText(), /LINE 1: SELECT oops FROM watch_time\n +\^/);
    await ask(page, 'EXPLAIN SELECT count(*) FROM watch_time');
    assert.match(await page.locator('.sql .result').innerText(), /^┌─+┐\n│.*\n/, 'a plan is as it is drawn');
    assert.equal(await ask(page, '  '), 'There is no query yet.');
    // What hangs is cancelled, and the next one runs.
    await page.getByRole('textbox', { name: 'SQL' }).fill('SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('.sql [role=status]').filter({ hasText: 'Cancelled.' }).waitFor();
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Run');
    assert.match(await ask(page, 'SELECT 1'), /^1 row/);
    // Examples, and what there is to ask for.
    for (const example of await page.getByRole('group', { name: 'Examples' }).getByRole('button').all()) {
      await example.click();
      const sql = await page.getByRole('textbox', { name: 'SQL' }).inputValue();
      assert.match(await ask(page, sql), /^\d+ rows? in /, sql);
    }
    await page.getByText('Tables and columns').click();
    await page.locator('.tables li').first().waitFor();
    assert.deepEqual(await page.locator('.tables dt').allInnerTexts(), ['watch_time', 'inputs', 'rejects', 'runs']);
    assert.match(await page.locator('.tables dd').first().innerText(), /user_id VARCHAR\s+geo_region VARCHAR\s+total_watch_time DECIMAL\(18,2\)\s+log_count BIGINT/);
  }, 'the server responded with a status of 4');
});

test('SQL: a link shows the same; downloads have all of it, exactly, and no formulas', { skip }, async () => {
  const sql = 'SELECT user_id, geo_region, total_watch_time, log_count FROM watch_time ORDER BY total_watch_time DESC';
  await withPage(`?sql=${encodeURIComponent(sql)}#query`, async (page) => {
    assert.match(await page.locator('.sql .actions > [role=status]').innerText(), new RegExp(`^${dataset.rows.length} rows in `));
    assert.equal(await page.getByRole('textbox', { name: 'SQL' }).inputValue(), sql);
    const file = async (name: string): Promise<string> => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: `Download ${name}` }).click()]);
      return (await download.path());
    };
    const csv = parse(readFileSync(await file('CSV')), { columns: true }) as Record<string, string>[];
    const escaped = (user: string): string => (/^[=@\t\r\n']/.test(user) || /^[+-]/.test(user) && !/^[+-]\d+$/.test(user) ? `'${user}` : user);
    assert.deepEqual(csv, dataset.rows.map(({ user, region, total, logs }) => ({ user_id: escaped(user), geo_region: region, total_watch_time: (total / 100).toFixed(2), log_count: String(logs) })));
    const bytes = readFileSync(await file('Parquet'));
    const parquet = await parquetReadObjects({ file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), compressors });
    assert.deepEqual(parquet.map((row) => ({ ...row, total_watch_time: (row.total_watch_time as number).toFixed(2) })), dataset.rows.map(({ user, region, total, logs }) => ({ user_id: user, geo_region: region, total_watch_time: (total / 100).toFixed(2), log_count: BigInt(logs) })));
    // Without a clipboard the address stands there, selected, and opens to the same.
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    await page.getByRole('button', { name: 'Copy link' }).click();
    const address = await page.evaluate<string>('document.getSelection().toString() || document.activeElement.value');
    await page.goto(address);
    await until(page, "document.querySelector('.result')");
    assert.equal(await page.locator('.result tbody tr').count(), dataset.rows.length);
  });
});

test('nothing is wrong by axe, and nothing sticks out', { skip }, async () => {
  const sql = encodeURIComponent('SELECT *, repeat(user_id, 2) AS twice FROM watch_time ORDER BY total_watch_time DESC LIMIT 8');
  await withPage(`?sql=${sql}`, (page) => assertWell(page, 'panels', [WIDE, { theme: 'dark', width: 360 }]));
  await withPage('?region=DE&find=zzz&reason=bad_value&sql=SELECT%20oops', (page) => assertWell(page, 'little', [{ theme: 'light', width: 360 }, { theme: 'dark', width: 1280 }]), 'the server responded with a status of 4');
});

test('a newer result: figures follow, a page of users stays where it is, an answer stays and says that it is earlier', { skip }, async () => {
  await withPage('?sql=SELECT%20count(*)%20FROM%20watch_time', async (page) => {
    const count = page.locator('.result tbody th');
    assert.equal(await count.innerText(), String(dataset.rows.length));
    await page.getByRole('button', { name: 'By user' }).click();
    await status(page).filter({ hasText: 'Rows 1 to 50' }).waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await status(page).filter({ hasText: `Rows 51 to 100 of ${dataset.rows.length}.` }).waitFor();
    const users = await userRows(page);
    const { length } = dataset.rows;
    await dataset.runAgain('zz');
    const again = page.getByRole('button', { name: 'Run again' });
    await again.waitFor();
    await status(page).filter({ hasText: `Rows 51 to 100 of ${length + 1}.` }).waitFor();
    assert.deepEqual(await userRows(page), users);
    await page.getByRole('searchbox', { name: 'User begins with' }).fill('zz');
    await status(page).filter({ hasText: 'Row 1 of those' }).waitFor();
    await page.getByText('The 3 runs read').waitFor();
    assert.equal(await count.innerText(), String(length), 'as it was');
    await again.click();
    await until(page, `document.querySelector('.result tbody th').textContent === '${length + 1}'`);
    assert.equal(await again.count(), 0);
  });
  assert.ok(HOSTILE.length + PLAIN < dataset.rows.length);
});
