/** What a benchmark measured, as JSON, Markdown and SVG under bench/results/. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { version as duckdbVersion } from '@duckdb/node-api';
import { median } from './measure.ts';
import type { Measured } from './measure.ts';
import { barChart } from './plot.ts';
import type { Bar } from './plot.ts';

export interface Contender {
  name: string;
  /** The first run, which may find caches cold. */
  first: Measured;
  /** The others. */
  warm: Measured[];
}

export interface Context {
  machine: string;
  date: string;
  versions: Record<string, string>;
}

/** `others`: versions of what else takes part. */
export function context(others: Record<string, string> = {}): Context {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return {
    machine: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}, ${memory}, ${process.platform} ${release()}`,
    date: new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
    versions: { 'etl-stream': version, node: process.versions.node, duckdb: duckdbVersion(), ...others },
  };
}

/** The median of the warm runs; undefined where no run has the figure. */
export function medianOf({ warm }: Contender, figure: (run: Measured) => number | undefined): number | undefined {
  const values = warm.map(figure).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : median(values);
}

const wall = ({ wallSeconds }: Measured): number => wallSeconds;
const cpu = ({ cpuSeconds }: Measured): number | undefined => cpuSeconds;
const rss = ({ peakRss }: Measured): number | undefined => peakRss;

const show = (value: number | undefined, digits: number, unit = ''): string => (value === undefined ? '' : value.toFixed(digits) + unit);
const megabytes = (value: number | undefined): number | undefined => value && value / 1e6;
const ratio = (value: number | undefined, to: number | undefined): string =>
  value === undefined || to === undefined ? '' : (value / to).toFixed(value / to < 0.1 ? 3 : 2);

/** Lines of a Markdown table: medians of the warm runs, and (x) their ratios to those of the contender named `peer`. */
export function table(contenders: readonly Contender[], peer: string, bytes: number, rows: number): string[] {
  const base = contenders.find(({ name }) => name === peer)!;
  const lines = contenders.map((contender) => {
    const seconds = medianOf(contender, wall)!;
    const walls = contender.warm.map(wall);
    return [contender.name, `${walls.length}`, show(contender.first.wallSeconds, 2, ' s'), show(seconds, 2, ' s'),
      `${show(Math.min(...walls), 2)}-${show(Math.max(...walls), 2, ' s')}`,
      show(medianOf(contender, cpu), 2, ' s'), show(megabytes(medianOf(contender, rss)), 0, ' MB'),
      show(bytes / 1e6 / seconds, 0), show(rows / 1e6 / seconds, 2), ...[wall, cpu, rss].map((of) => ratio(medianOf(contender, of), medianOf(base, of)))];
  });
  return markdownTable(['', 'runs', 'first run', 'wall, median', 'range', 'CPU', 'peak RSS', 'MB/s', 'M rows/s', 'wall x', 'CPU x', 'RSS x'], lines);
}

/** Lines of a Markdown table: what `of` takes, as a ratio to each of the others. */
export function ratios(of: Contender, others: readonly Contender[]): string[] {
  const lines = others.map((other) => [`to ${other.name}`, ...[wall, cpu, rss].map((figure) => ratio(medianOf(of, figure), medianOf(other, figure)))]);
  return markdownTable([of.name, 'wall', 'CPU', 'peak RSS'], lines);
}

export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string[] {
  return [head, head.map((_, at) => (at === 0 ? '---' : '--:')), ...lines].map((cells) => `| ${cells.join(' | ')} |`);
}

/** Wall time and peak RSS of each, as an SVG. */
export function chart(contenders: readonly Contender[], own: string, title: string, captions: readonly string[]): string {
  const bars = (figure: (run: Measured) => number | undefined, label: (value: number) => string): Bar[] =>
    contenders.flatMap((contender) => {
      const value = medianOf(contender, figure);
      return value === undefined ? [] : [{ name: contender.name, value, label: label(value), own: contender.name === own }];
    });
  return barChart(title, [
    { title: 'Wall time, seconds (linear, from 0; shorter is better)', bars: bars(wall, (value) => `${value.toFixed(2)} s`) },
    { title: 'Peak memory of all processes, MB (linear, from 0)', bars: bars(rss, (value) => `${Math.round(value / 1e6).toLocaleString('en-US')} MB`) },
  ], captions);
}

/** One sentence: machine, date, versions. */
export function provenance({ machine, date, versions }: Context): string {
  return `${machine}. ${date}. ${Object.entries(versions).map(([what, version]) => `${what} ${version}`).join(', ')}.`;
}

/** How much other work the machine did meanwhile, as a sentence; it slows a contender with several threads the most. */
export function otherWork(contenders: readonly Contender[]): string {
  const threads = contenders.map((contender) => [contender.name, medianOf(contender, (run) => run.otherThreads) ?? 0] as const);
  // In the form by a pipe, `cat` is other work.
  const busy = threads.some(([name, other]) => other > 0.15 && !name.endsWith('stdin'));
  return `Threads kept busy by other work meanwhile: ${threads.map(([name, other]) => `${other.toFixed(2)} (${name})`).join(', ')}.`
    + (busy ? ' **The machine was not quiet: wall times are too long and their ratio is not to be trusted; compare CPU.**' : '');
}

/** What is kept of the runs: figures and phases, no paths. */
export function figures({ name, first, warm }: Contender): object {
  const of = ({ stdout, ...run }: Measured): object => {
    const { phases } = (stdout.startsWith('{') ? JSON.parse(stdout) : {}) as { phases?: object };
    return { ...run, phases };
  };
  return { name, first: of(first), warm: warm.map(of) };
}

/** Prints the Markdown and keeps it, with the raw figures and the plot beside it. */
export function publish(name: string, markdown: string, raw: object, svg?: string): void {
  const folder = fileURLToPath(new URL('results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.md`, markdown);
  writeFileSync(`${folder}${name}.json`, JSON.stringify(raw, null, 2) + '\n');
  if (svg !== undefined) writeFileSync(`${folder}${name}.svg`, svg);
  process.stdout.write(markdown);
}
