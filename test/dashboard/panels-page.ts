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

/** In each view nothing sticks out, and nothing is wrong with the panels by axe, with all that can be opened in them open. ETL_SCREENSHOTS names a folder for pictures. */
export async function assertWell(page: Page, name: string, views: readonly View[]): Promise<void> {
  for (const { theme, width } of views) {
    const what = `${name}, ${theme}, ${width}`;
    await page.emulateMedia({ colorScheme: theme });
    await page.setViewportSize({ width, height: 900 });
    await open(page, false);
    const { ETL_SCREENSHOTS: pictures } = process.env;
    if (pictures) await page.screenshot({ path: join(pictures, `${what.replaceAll(', ', '-')}.png`), fullPage: true });
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width, `${what}: nothing sticks out`);
    await open(page, true);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width, `${what}: nor of what can be opened`);
    assert.deepEqual(await violations(page, PANELS), [], what);
  }
}

/** Opens or closes all that can be opened in the panels, and waits until that is drawn. */
async function open(page: Page, isOpen: boolean): Promise<void> {
  await page.evaluate(`for (const details of document.querySelectorAll('${PANELS.map((panel) => `${panel} details`).join()}')) details.open = ${isOpen}`);
  await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
  await settled(page);
}
