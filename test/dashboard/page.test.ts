/**
 * The dashboard's frame, map, list of regions and distribution in a real browser, under the server's policy: what they show, how a region is
 * picked and left by pointer, keyboard and back button, that nothing is lost by a new result, and that text is text. CHROMIUM names the
 * browser; ETL_SCREENSHOTS a folder for pictures, to be looked at.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Locator, Page } from 'playwright-core';
import { chromiumPath, launch, violations, visit, type Opened, type View } from '../report/browser.ts';
import { settled } from './settled.ts';
import { standIn, type Said } from './stand-in.ts';

const path = chromiumPath();
const skip = path === undefined && 'there is no Chromium: CHROMIUM may name one';
const WIDE: View = { theme: 'light', width: 1400 };
const HOSTILE = ['<img src=x onerror=alert(1)>', '</script><script>document.title="broken"</script>', '"><b>', '\u202egnp.exe', "'; DROP TABLE x; --", '', `${'x'.repeat(300)}`];
let browser: Browser;

before(async () => {
  if (path !== undefined) browser = await launch(path);
});
after(() => browser?.close());

/** The first has the most. */
function said(regions: readonly string[], more: Said['more'] = {}): Said {
  return { regions: regions.map((region, at) => ({ region, total: 10_000 * (regions.length - at) + 7, rows: 1000 + at })), more };
}

async function look(url: string, view: View = WIDE): Promise<Opened> {
  const opened = await visit(browser, url, view);
  await settled(opened.page);
  return opened;
}

const textOf = (page: Page, selector: string): Promise<string> => page.locator(selector).first().innerText();
const inList = (page: Page, name: RegExp): Locator => page.locator('.regions').getByRole('button', { name });
const pressed = (page: Page): Promise<string[]> => page.locator('.regions [aria-pressed=true] .name').allTextContents();
const activeText = (page: Page): Promise<string> => page.evaluate("document.activeElement.textContent || document.activeElement.id");

test('it is whole in every view, and text is text', { skip }, async (t) => {
  const { url } = await standIn(t, said(['US', 'DE', ...HOSTILE, 'SG', 'MT', 'GF', 'XK', 'ZZ', 'AQ', 'FR', 'BR', 'IN', 'JP', 'CN', 'ZA', 'AU', 'IS', 'NO'], { name: '<b>totals</b>' }));
  for (const view of [WIDE, { theme: 'dark', width: 1400 }, { theme: 'light', width: 320 }, { theme: 'dark', width: 360 }] as const) {
    const what = `${view.theme}, ${view.width}`;
    const { page, complaints, requests, close } = await look(`${url}?region=${encodeURIComponent(view.theme === 'dark' ? HOSTILE[0]! : 'SG')}`, view);
    await page.getByRole('button', { name: /^Show all/ }).click();
    const { ETL_SCREENSHOTS: pictures } = process.env;
    if (pictures) await page.screenshot({ path: join(pictures, `dashboard-${view.theme}-${view.width}.png`), fullPage: true });
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), view.width, `${what}: nothing sticks out`);
    // What of the list is out of sight is rendered when it is scrolled to, or some frames later: until then it is no part of innerText.
    const text = `${await textOf(page, 'body')} ${await page.locator('.regions').textContent()}`;
    for (const shown of ['<b>totals</b>', 'United States', 'Singapore', ...HOSTILE.slice(0, 3), '\\u{202e}gnp.exe', '(empty)', 'IP Geolocation by DB-IP', 'Natural Earth', 'Not on the map:']) assert.ok(text.includes(shown), `${what}: ${shown}`);
    assert.ok(!text.includes('undefined') && !text.includes('NaN'), what);
    assert.equal(await page.evaluate("document.querySelectorAll('#page img, .regions img, script:not([src])').length"), 0, what);
    // GF is a part of a shape of France, MT and SG are points; ZZ, AQ and the strange ones are on no map.
    assert.deepEqual((await page.evaluate<string[]>("[...document.querySelectorAll('.map .has')].map((mark) => mark.dataset.region)")).sort(), ['AU', 'BR', 'CN', 'DE', 'FR', 'GF', 'IN', 'IS', 'JP', 'MT', 'NO', 'SG', 'US', 'XK', 'ZA'], what);
    assert.equal(await page.locator('.map .is-picked').count(), view.theme === 'dark' ? 0 : 1, what);
    await page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true");
    await settled(page);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), view.width, `${what}: nor of what can be opened`);
    if (what === 'light, 1400' || what === 'dark, 360') assert.deepEqual(await violations(page), [], what);
    assert.deepEqual(complaints, [], what);
    assert.ok(requests.every((request) => request.startsWith(url) || request.startsWith('data:')), requests.join());
    await close();
  }
});

test('a region is picked on the map and left by all ways', { skip }, async (t) => {
  const server = await standIn(t, said(['US', 'DE', 'BR', 'ZZ']));
  const { page, complaints, close } = await look(server.url);
  const regionInAddress = (): string | null => new URL(page.url()).searchParams.get('region');
  const isAll = async (): Promise<void> => {
    await settled(page);
    assert.deepEqual([regionInAddress(), await pressed(page), await textOf(page, '.chip')], [null, [], 'all regions']);
    assert.match(await textOf(page, '.figures'), /Users\s+4,005/);
  };
  await isAll();
  await page.locator('.map [data-region=BR]').click();
  await settled(page);
  assert.deepEqual([regionInAddress(), await pressed(page)], ['BR', ['Brazil BR']]);
  assert.match(await textOf(page, '.figures'), /Watch time in Brazil\s+20,007\s+20.00\u00a0% of all/);
  assert.match(await textOf(page, '#users h3'), /^Distribution of totals in Brazil \(BR\)$/);
  assert.equal(await page.locator('[role=status]', { hasText: 'Showing Brazil: 1,002 users.' }).count(), 1, 'it is said');
  await page.locator('.map [data-region=DE]').hover();
  assert.match(await textOf(page, '.tooltip'), /Germany \(DE\)\s+30,007/);
  await page.locator('.map [data-region=BR]').click();
  await isAll();
  await inList(page, /^Germany/).click();
  assert.equal(regionInAddress(), 'DE');
  await page.getByRole('button', { name: 'Germany (DE) , show all regions' }).click();
  await isAll();
  assert.equal(await activeText(page), 'all regions', 'who pressed it keeps the focus');
  await page.goBack();
  await settled(page);
  assert.deepEqual([regionInAddress(), await pressed(page)], ['DE', ['Germany DE']]);
  await page.keyboard.press('Escape');
  await isAll();
  await page.goBack();
  await page.goBack();
  await settled(page);
  assert.equal(regionInAddress(), null);
  assert.equal(await page.title(), 'totals – etl-stream dashboard');
  await page.locator('.map [data-region=FR]').click();
  assert.equal(regionInAddress(), null, 'a country without data cannot be picked');
  assert.deepEqual(complaints, []);
  await close();
});

test('by keyboard alone: to the list, along it, and the focus stays', { skip }, async (t) => {
  const { url } = await standIn(t, said(['US', 'DE', 'BR']));
  const { page, close } = await look(url, { theme: 'dark', width: 900 });
  await page.keyboard.press('Tab');
  assert.equal(await activeText(page), 'Skip to the figures');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.match(await activeText(page), /^United States US/, 'the first after the figures');
  await page.keyboard.press('ArrowDown');
  assert.match(await activeText(page), /^Germany DE/);
  await page.keyboard.press('Space');
  await settled(page);
  assert.deepEqual([await pressed(page), new URL(page.url()).searchParams.get('region')], [['Germany DE'], 'DE']);
  assert.match(await activeText(page), /^Germany DE/);
  assert.notEqual(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'none', 'and is to be seen');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  assert.match(await activeText(page), /show all regions/, 'the way back is before the figures');
  await page.keyboard.press('Enter');
  await settled(page);
  assert.deepEqual(await pressed(page), []);
  await close();
});

test('thousands of regions: the first ones, a field to find others, all of them', { skip }, async (t) => {
  const cities = Array.from({ length: 3000 }, (_, at) => `City ${at}`);
  const { url } = await standIn(t, said(cities));
  const { page, close } = await look(`${url}?region=City+2500`);
  assert.equal(await page.locator('.map').isHidden(), true, 'no region is a country');
  const items = page.locator('.regions li');
  assert.equal(await items.count(), 21, 'the first 20, and the one that is picked');
  const field = page.getByLabel('Find a region');
  await field.fill('city 299');
  assert.deepEqual([await items.count(), await page.locator('[role=status]', { hasText: '11 regions of 3,000.' }).count()], [11, 1]);
  await items.nth(3).getByRole('button').click();
  await settled(page);
  assert.deepEqual([await pressed(page), await field.inputValue()], [['City 2992'], 'city 299']);
  await field.press('Escape');
  assert.deepEqual([await field.inputValue(), await pressed(page), await items.count()], ['', ['City 2992'], 21], 'Escape in a field is of the field');
  await page.getByRole('button', { name: 'Show all 3,000' }).click();
  assert.equal(await items.count(), 3000);
  const table = page.getByRole('region', { name: 'Watch time by region' });
  assert.equal(await table.count(), 0, 'the table is made when it is opened');
  await page.getByText('Show all regions as a table').click();
  await table.waitFor();
  assert.match(await table.locator('tbody tr').nth(2992).innerText(), /^City 2992\s+80,007\s+<\u00a00\.01\u00a0%\s+7,984\s+3,992$/);
  await close();
});

test('two letters that are of no country are not taken for countries', { skip }, async (t) => {
  const { url } = await standIn(t, said(['CA', 'TX', 'NY', 'FL', 'AL', 'ZZ']));
  const { page, close } = await look(`${url}?region=CA`);
  assert.equal(await page.locator('.map').isHidden(), true);
  const text = await textOf(page, 'body');
  assert.ok(text.includes('Watch time in CA') && text.includes('no region') && !text.includes('Canada') && !text.includes('Albania'));
  await close();
});

test('answers that fail are told, those that are late are not shown', { skip }, async (t) => {
  const server = await standIn(t, said(['US', 'DE', 'BR']));
  const { page, close } = await look(server.url);
  let answerLate: () => void = () => undefined;
  const late = new Promise<void>((resolve) => (answerLate = resolve));
  server.instead = async (path, parameters) => {
    if (path !== 'selection' || parameters.get('region') !== 'US') return undefined;
    await late;
    return undefined;
  };
  await inList(page, /^United States/).click();
  await page.locator('.answer[aria-busy=true]').first().waitFor();
  assert.match(await textOf(page, '.figures'), /Users in United States\s+1,000/, 'what is known is there at once');
  await inList(page, /^Germany/).click();
  await settled(page);
  answerLate();
  assert.match(await textOf(page, '#users h3'), /in Germany/);
  server.instead = async (path) => (path === 'selection' ? { status: 422, problem: { code: 'ETL_SQL_LIMIT', message: 'It took <b>too long</b>.', hint: 'Ask for less.' } } : undefined);
  await inList(page, /^Brazil/).click();
  await settled(page);
  assert.match(await page.locator('#users').getByRole('alert').first().innerText(), /^ETL_SQL_LIMIT It took <b>too long<\/b>\.\s+Ask for less\.\s+Try again$/);
  server.instead = async () => undefined;
  await page.getByRole('button', { name: 'Try again' }).first().click();
  await page.locator('#users h3', { hasText: 'in Brazil' }).waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
  await close();
});

test('a new result: figures change, and filter, focus and scrolling stay', { skip }, async (t) => {
  const server = await standIn(t, said(['US', 'DE', 'BR']));
  const { page, complaints, close } = await look(server.url);
  await inList(page, /^Brazil/).click();
  await settled(page);
  await page.evaluate('scrollTo(0, 300)');
  await page.getByText('Show as a table').first().click();
  await inList(page, /^Brazil/).focus();
  const top = await page.evaluate('scrollY');
  server.publish({ regions: [{ region: 'BR', total: 900_000, rows: 7777 }, ...said(['US', 'DE', 'JP']).regions] });
  await page.getByText(/^A new result was published with \d+,\d+ more logs/).waitFor();
  await page.locator('.figures', { hasText: '7,777' }).waitFor();
  await settled(page);
  assert.deepEqual([await pressed(page), new URL(page.url()).searchParams.get('region')], [['Brazil BR'], 'BR']);
  assert.match(await activeText(page), /^Brazil BR/);
  assert.equal(await page.evaluate('scrollY'), top);
  assert.equal(await page.locator('.regions li').first().innerText(), await page.locator('.regions [aria-pressed=true]').innerText(), 'it is the first one now');
  assert.equal(await page.locator('#users details').first().getAttribute('open'), '', 'a table that was opened is open');
  assert.equal(await page.locator('.map .has[data-region=JP]').count(), 1);
  server.drop();
  await page.locator('.live.lost').waitFor();
  await page.locator('.live.live').waitFor();
  assert.ok(complaints.every((complaint) => /net::ERR_/.test(complaint)), complaints.join());
  await close();
});

test('a page that is behind loads anew when it is told that its snapshot is gone', { skip }, async (t) => {
  const server = await standIn(t, said(['US', 'DE']));
  const { page, close } = await look(`${server.url}#rejects`);
  const below = await page.evaluate<number>("document.getElementById('rejects').getBoundingClientRect().top");
  assert.ok(below > 0 && below < 900, `an address that ends with a section begins there, ${below}`);
  server.publish(said(['DE', 'FR']), { isTold: false });
  const before = server.asked.length;
  await inList(page, /^Germany/).click();
  await page.locator('#users h3', { hasText: 'in Germany' }).waitFor();
  await settled(page);
  assert.equal(await page.locator('.regions li', { hasText: 'France' }).count(), 1);
  assert.deepEqual(server.asked.slice(before).filter((asked) => /^(overview|selection)/.test(asked)), ['selection?region=DE', 'overview', 'selection?region=DE']);
  await close();
});

test('without DuckDB nothing is picked; where there is nothing it says so', { skip }, async (t) => {
  const none = await standIn(t, said(['US', 'DE'], { hasSql: false }));
  const { page, close } = await look(none.url, { theme: 'light', width: 360 });
  assert.match(await textOf(page, '#regions'), /npm install @duckdb\/node-api/);
  assert.equal(await inList(page, /^Germany/).isDisabled(), true);
  assert.deepEqual(await violations(page), []);
  await close();
  const failing = await standIn(t, said([], { totals: { users: 0, regions: 0, rows: 0, logs: 0, watchTime: '0' } }));
  failing.instead = async (path) => (path === 'overview' ? { status: 401, problem: { code: 'ETL_USAGE', message: 'The dashboard needs its token.' } } : undefined);
  const opened = await visit(browser, failing.url, WIDE);
  await opened.page.getByRole('alert').waitFor();
  assert.match(await textOf(opened.page, '[role=alert]'), /needs its token/);
  assert.equal(await opened.page.locator('.bar').isHidden(), true);
  assert.deepEqual(await violations(opened.page), []);
  failing.instead = async () => undefined;
  await opened.page.getByRole('button', { name: 'Try again' }).click();
  await opened.page.getByText('Nothing was counted.').first().waitFor();
  assert.equal(await opened.page.locator('.map').isHidden(), true);
  await opened.close();
});
