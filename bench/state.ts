/**
 * npm run bench -- state [--rounds N] [--days N]: what a state costs.
 *
 *   one run       1 GB with a state and without, in turn
 *   increments    so many days (default 30) of 100 MB, one file a day, a run each; then one run over everything, without a
 *                 state: both must publish the same bytes
 */
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { defaultState } from '../lib/core/options.ts';
import type { Summary } from '../lib/index.ts';
import { benchmarkLogs, warm } from './data.ts';
import { measureNode, median } from './measure.ts';
import type { Measured } from './measure.ts';
import { etlStream, oneShot, outputs } from './programs.ts';
import { context, figures, markdownTable, otherWork, provenance, publish } from './report.ts';
import type { Contender } from './report.ts';

const DAY_BYTES = 1e8;

export async function stateBenchmark({ days, rounds }: { readonly days: number; readonly rounds: number }): Promise<void> {
  const about = context();
  const once = await onceWithAndWithout(rounds);
  const daily = await increments(days);
  const [without, withState] = once as [Contender, Contender];
  const ratio = median(withState.warm.map(({ wallSeconds }, i) => wallSeconds / without.warm[i]!.wallSeconds));
  const markdown = [
    '# state: what it costs', '',
    ...markdownTable(['1 GB', 'wall', 'CPU', 'peak RSS'], once.map((contender) => [contender.name, ...figuresOf(contender.warm)])), '',
    `With a state by without, median of pairs: ${ratio.toFixed(2)}.`, '',
    ...markdownTable(['day', 'wall', 'plan', 'scatter', 'reduce', 'publish', 'ids', 'state', 'bytes an id', 'peak RSS'], daily.lines), '',
    `${days} days of 100 MB; one run over all of it without a state publishes the same bytes. The state: LevelDB and files of ids; bytes an id: both by all ids.`,
    provenance(about), otherWork(once), '',
  ];
  publish('state', markdown.join('\n'), { mode: 'state', ...about, once: once.map(figures), daily: daily.summaries });
}

async function onceWithAndWithout(rounds: number): Promise<Contender[]> {
  const data = await benchmarkLogs({ size: 1e9, files: 4 });
  await warm(data.files);
  const runs: [Measured[], Measured[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    for (const [kind, measured] of runs.entries()) {
      process.stderr.write(`1 GB ${kind === 0 ? 'without' : 'with'} a state: ${round === 0 ? 'first run' : `round ${round} of ${rounds}`}\n`);
      const folder = freshFolder(kind === 0 ? 'without' : 'with');
      measured.push(await measureNode([...(kind === 0 ? oneShot : [etlStream]), data.folder, '-o', join(folder, 'out'), '--json']));
      process.stderr.write(`  ${measured.at(-1)!.wallSeconds.toFixed(2)} s\n`);
    }
  }
  const names = ['without a state', 'with a state'];
  return runs.map(([first, ...rest], kind) => ({ name: names[kind]!, first: first!, warm: rest }));
}

async function increments(days: number): Promise<{ lines: string[][]; summaries: Summary[] }> {
  const data = await benchmarkLogs({ size: days * DAY_BYTES, files: days });
  const folder = freshFolder('daily');
  const [logs, output] = [join(folder, 'logs'), join(folder, 'out')];
  const state = defaultState(output);
  mkdirSync(logs);
  const summaries: Summary[] = [];
  const lines: string[][] = [];
  for (const [day, file] of data.files.entries()) {
    linkSync(file, join(logs, basename(file)));
    await warm([file]);
    const { stdout, wallSeconds } = await measureNode([etlStream, logs, '-o', output, '--json']);
    const summary = JSON.parse(stdout) as Summary;
    summaries.push(summary);
    process.stderr.write(`day ${day + 1} of ${days}: ${wallSeconds.toFixed(2)} s\n`);
    const files = [...readdirSync(join(state, 'level')).map((name) => join('level', name)), ...readdirSync(state).filter((name) => name.endsWith('.pages'))];
    const bytes = files.reduce((sum, name) => sum + statSync(join(state, name)).size, 0);
    const ids = summary.state!.logs;
    const { plan, scatter, reduce, publish: published } = summary.phases;
    lines.push([String(day + 1), ...[wallSeconds, plan, scatter, reduce, published].map((time) => `${time.toFixed(2)} s`), ids.toLocaleString('en-US'),
      `${(bytes / 1e6).toFixed(1)} MB`, (bytes / ids).toFixed(2), `${(summary.memory.peakRss / 1e6).toFixed(0)} MB`]);
  }
  const whole = join(folder, 'whole');
  await measureNode([...oneShot, data.folder, '-o', whole, '--json']);
  assertSame(output, whole);
  return { lines, summaries };
}

/** The same files, but for the mark of the state and reports of runs. */
function assertSame(output: string, whole: string): void {
  const files = (folder: string): string[] => readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'state.json').map(({ parentPath, name }) => join(parentPath, name).slice(folder.length))
    .filter((path) => !/^\/?_etl\/report/.test(path)).sort();
  const expected = files(whole);
  if (files(`${output}/`).join() !== files(`${whole}/`).join()) throw new Error('Day by day there are other files than all at once.');
  for (const file of expected) {
    if (!readFileSync(join(output, file)).equals(readFileSync(join(whole, file)))) throw new Error(`Day by day ${file} is another one than all at once.`);
  }
}

function freshFolder(name: string): string {
  const folder = join(outputs, 'state', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

function figuresOf(runs: readonly Measured[]): string[] {
  return [
    `${median(runs.map(({ wallSeconds }) => wallSeconds)).toFixed(2)} s`, `${median(runs.map(({ cpuSeconds }) => cpuSeconds!)).toFixed(2)} s`,
    `${(median(runs.map(({ peakRss }) => peakRss!)) / 1e6).toFixed(0)} MB`,
  ];
}
