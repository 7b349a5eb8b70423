/** A real browser, for the page of a report and that of the dashboard: Chromium of this machine, if it has one. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** What environment variable CHROMIUM names, or what stands in PATH. */
export function chromiumPath(): string | undefined {
  const { CHROMIUM, PATH = '' } = process.env;
  return [CHROMIUM, ...PATH.split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)))].find((path) => path && existsSync(path));
}

export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}

export interface Opened {
  readonly page: Page;
  /** What the browser complained of. */
  readonly complaints: readonly string[];
  /** What it asked for, the page itself left out. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export interface View {
  readonly theme: 'light' | 'dark';
  readonly width: number;
}

/** Opens a file as it is, its policy in force, offline, and waits until all charts are drawn. */
export async function open(browser: Browser, path: string, view: View): Promise<Opened> {
  const opened = await visit(browser, pathToFileURL(path).href, { ...view, offline: true });
  await opened.page.waitForFunction("document.querySelector('footer') && [...document.querySelectorAll('.drawing')].every((drawing) => drawing.querySelector('svg'))");
  return opened;
}

/** Goes to an address, in a context of its own. */
export async function visit(browser: Browser, url: string, { theme, width, offline = false }: View & { readonly offline?: boolean }): Promise<Opened> {
  const context = await browser.newContext({ colorScheme: theme, viewport: { width, height: 900 }, offline, reducedMotion: 'reduce' });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (request.url() !== url) requests.push(request.url());
  });
  await page.goto(url);
  return { page, complaints, requests, close: () => context.close() };
}

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds wrong, of the page with all that can be opened in it open; or of some elements of it. Run by the debugger: the page's policy stays in force. */
export async function violations(page: Page, within?: readonly string[]): Promise<string[]> {
  await page.evaluate(axe);
  const found = await page.evaluate(async (selectors) => {
    const { axe } = globalThis as unknown as { axe: { run(context?: object): Promise<{ violations: Violation[] }> } };
    return (await (selectors ? axe.run({ include: selectors.map((selector) => [selector]) }) : axe.run())).violations;
  }, within);
  return found.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary ?? ''}`).join(' | ')}`);
}
