/**
 * npm run bench -- dashboard [--users N] [--rounds N]: how long a person waits for the dashboard, and what it takes.
 *
 * A dataset of so many users (default 10 M), made by two runs. Each round starts the server anew and asks for everything as the page
 * does: over HTTP, each request for the first time and again, and in Chromium, if there is one, from navigation until all is drawn.
 * Memory is the sum of what the server and its processes have resident, shared pages counted once for each: an upper bound.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import type { Overview, RowPage, Selection } from '../lib/dashboard/api.ts';
import type { RegionReport } from '../lib/report/report.ts';
import { chromiumPath, launch } from '../test/report/browser.ts';
import { benchmarkLogs } from './data.ts';
import { measureNode, median } from './measure.ts';
import { etlStream, outputs } from './programs.ts';
import { context, markdownTable, provenance, publish } from './report.ts';

/** Bytes of logs for each user, so that nearly all users have one: 12 M configured users are 10.7 M of 5 GB. */
const BYTES_A_USER = 420;
const USERS_SEEN = 0.89;

type Times = Record<string, number[]>;

export async function dashboardBenchmark({ users, rounds }: { readonly users: number; readonly rounds: number }): Promise<void> {
  const about = context();
  const output = await datasetOf(users);
  const times: Times = {};
  const browserTimes: Times = {};
  const peaks: number[] = [];
  const chromium = chromiumPath();
  const browser = chromium === undefined ? undefined : await launch(chromium);
  let overview: Overview | undefined;
  try {
    for (let round = 0; round < rounds; round++) {
      process.stderr.write(`round ${round + 1} of ${rounds}\n`);
      const server = await start(output);
      try {
        if (browser) await lookAt(browser, server.url, browserTimes);
        overview = await ask(server.url, times);
        peaks.push(server.peak());
      } finally {
        await server.stop();
      }
    }
  } finally {
    await browser?.close();
  }
  const { totals, files } = overview!;
  const lines = (of: Times): string[][] => Object.entries(of).map(([what, seconds]) => [what, `${(1000 * median(seconds)).toFixed(0)} ms`, `${(1000 * Math.max(...seconds)).toFixed(0)} ms`]);
  const markdown = [
    `# dashboard: ${totals.users!.toLocaleString('en-US')} users, ${totals.rows.toLocaleString('en-US')} rows in ${files.count} files, ${(files.bytes / 1e6).toFixed(0)} MB`, '',
    ...markdownTable(['in Chromium', 'median', 'longest'], browser ? lines(browserTimes) : [['there is none', '', '']]), '',
    ...markdownTable(['over HTTP', 'median', 'longest'], lines(times)), '',
    `Resident at most, server and its processes together: ${(Math.max(...peaks) / 1e6).toFixed(0)} MB. ${rounds} rounds, each with a server of its own.`,
    provenance(about), '',
  ];
  publish('dashboard', markdown.join('\n'), { mode: 'dashboard', ...about, totals, files, browser: browserTimes, http: times, peaks });
}

/** Two runs, a file each. */
async function datasetOf(users: number): Promise<string> {
  const { folder, files } = await benchmarkLogs({ size: Math.ceil(users / USERS_SEEN * BYTES_A_USER), users: Math.ceil(users / USERS_SEEN), files: 2, badRows: 0.002, seed: 3 });
  const place = join(outputs, 'dashboard');
  const [logs, output] = [join(place, 'logs'), join(place, 'totals')];
  rmSync(place, { recursive: true, force: true }); // with the state of an earlier dataset
  mkdirSync(logs, { recursive: true });
  for (const name of readdirSync(folder).sort().slice(0, files.length)) {
    linkSync(join(folder, name), join(logs, name));
    process.stderr.write(`a run over ${name}\n`);
    await measureNode([etlStream, logs, '-o', output, '-q', '--max-rejects', '100%']);
  }
  return output;
}

interface Server {
  readonly url: string;
  peak(): number;
  stop(): Promise<void>;
}

async function start(output: string): Promise<Server> {
  const child = spawn(process.execPath, [etlStream, 'dashboard', output], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data') as [Buffer];
  let most = 0;
  const look = setInterval(() => (most = Math.max(most, residentOf(child.pid!))), 20);
  return {
    url: line.toString().trim(),
    peak: () => most,
    async stop() {
      clearInterval(look);
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** Bytes, of a process and all that it started. */
function residentOf(pid: number): number {
  const read = (file: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8');
    } catch {
      return ''; // it has ended
    }
  };
  const own = 1024 * Number(/VmRSS:\s+(\d+)/.exec(read('status'))?.[1] ?? 0);
  return read(`task/${pid}/children`).trim().split(' ').filter((child) => child !== '').reduce((sum, child) => sum + residentOf(Number(child)), own);
}

/** As the page asks, one request after the other. */
async function ask(url: string, times: Times): Promise<Overview> {
  const timed = async <T>(what: string, path: string, init?: RequestInit): Promise<T> => {
    const began = performance.now();
    const answer = await fetch(new URL(path, url), init);
    const body = await answer.text();
    (times[what] ??= []).push((performance.now() - began) / 1000);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${body}`);
    return JSON.parse(body) as T;
  };
  const overview = await timed<Overview>('overview', '/api/overview');
  // The browser has asked for the two before them.
  const [first, second, third] = overview.regions as readonly RegionReport[] as [RegionReport, RegionReport, RegionReport];
  const last = overview.regions.at(-1)!;
  const selection = await timed<Selection>('the largest region, known by now', `/api/selection?region=${first.region}`);
  if (selection.rows !== overview.regions[0]!.rows || selection.watchTime !== overview.regions[0]!.total) throw new Error('the selection differs from the report');
  await timed(`the third largest region, ${(third.rows / 1e6).toFixed(1)} M rows`, `/api/selection?region=${third.region}`);
  await timed('the first rows of the second largest, in pages', `/api/top?region=${second.region}&offset=50`);
  await timed('the smallest region', `/api/selection?region=${last.region}`);
  await timed('top rows 51 to 100 of all', '/api/top?offset=50');
  await timed('top rows 101 to 150 of all', '/api/top?offset=100');
  const page = await timed<RowPage>('users in order, the first page', '/api/users');
  await timed('users in order, the next page', `/api/users?after=${encodeURIComponent(page.next!)}`);
  const user = selection.top[0]!.user;
  const found = await timed<RowPage>('users by all but their last character', `/api/users?prefix=${encodeURIComponent(user.slice(0, -1))}`);
  if (!found.rows.some((row) => row.user === user)) throw new Error(`${user} was not found`);
  await timed('one user', `/api/users?prefix=${encodeURIComponent(user)}`);
  const query = (sql: string): RequestInit => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql }) });
  await timed('SQL: sums by region, with the start of its process', '/api/query', query('SELECT geo_region, count(*), sum(total_watch_time) FROM watch_time GROUP BY 1 ORDER BY 3 DESC'));
  await timed('SQL: all rows, cut', '/api/query', query('FROM watch_time'));
  return overview;
}

/** From navigation to a view without anything that is still to come, and from a click to that of a region. */
async function lookAt(browser: Browser, url: string, times: Times): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  const page = await context.newPage();
  const timed = async (what: string, act: () => Promise<unknown>, pressed: number): Promise<void> => {
    const began = performance.now();
    await act();
    await page.waitForFunction(isSettled, pressed, { polling: 'raf' });
    (times[what] ??= []).push((performance.now() - began) / 1000);
  };
  await timed('the first view, complete', () => page.goto(url, { waitUntil: 'commit' }), -1);
  const regions = page.locator('.regions button');
  await timed('the largest region picked', () => regions.nth(0).click(), 0);
  await timed('the second largest picked', () => regions.nth(1).click(), 1);
  await timed('the largest again', () => regions.nth(0).click(), 0);
  await context.close();
}

interface Found {
  getAttribute(name: string): string | null;
  querySelector(selector: string): Found | null;
}

/** In the page: nothing is on its way, every chart is drawn, and of the regions this one is picked. */
function isSettled(pressed: number): boolean {
  const { document } = globalThis as unknown as { document: Found & { querySelectorAll(selector: string): ArrayLike<Found> } };
  const regions = Array.from(document.querySelectorAll('.regions button'));
  const drawings = Array.from(document.querySelectorAll('.drawing'));
  return regions.length > 0 && drawings.length > 0 && drawings.every((drawing) => drawing.querySelector('svg') !== null) && document.querySelector('[aria-busy=true]') === null
    && regions.every((region, at) => (region.getAttribute('aria-pressed') === 'true') === (at === pressed));
}
