/** The dashboard's page in a real browser, its policy in force; what is said of its frame and map is in page.test.ts. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { violations, visit, type Opened, type View } from '../report/browser.ts';

const PANELS = ['#users', '#runs', '#rejects', '#query'];

/** Opens an address of the dashboard, and waits until everything in it has come. */
export async function openPage(browser: Browser, url: string, view: View): Promise<Opened> {
  const opened = await visit(browser, url, view);
  await settled(opened.page);
  return opened;
}

/** Waits for an expression to hold. Not by waitForFunction: that needs `eval` in the page, which its policy forbids. */
export async function until(page: Page, expression: string, seconds = 15): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await page.evaluate(expression))) {
    if (Date.now() > end) throw new Error(`never so: ${expression}`);
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 15))');
  }
}

/** Nothing is being asked for, and every chart that can be seen is drawn. */
export function settled(page: Page): Promise<void> {
  return until(page, "!document.querySelector('[aria-busy]') && document.querySelector('.runs figure') && [...document.querySelectorAll('.drawing')].every((drawing) => drawing.clientWidth === 0 || drawing.querySelector('svg'))");
}

/** Nothing sticks out, and nothing is wrong with the panels by axe, with all that can be opened in it open. ETL_SCREENSHOTS names a folder for pictures. */
export async function assertWell(page: Page, what: string, width: number): Promise<void> {
  const { ETL_SCREENSHOTS: pictures } = process.env;
  if (pictures) await page.screenshot({ path: join(pictures, `${what.replaceAll(/[^a-z0-9]+/gi, '-')}.png`), fullPage: true });
  assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width, `${what}: nothing sticks out`);
  await page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true");
  await settled(page);
  assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width, `${what}: nor of what can be opened`);
  assert.deepEqual(await violations(page, PANELS), [], what);
}
