/** What a benchmark measured, as JSON and as Markdown under bench/results/. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { version as duckdbVersion } from '@duckdb/node-api';
import { median } from './measure.ts';
import type { Measured } from './measure.ts';

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

export function context(): Context {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return {
    machine: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}, ${memory}, ${process.platform} ${release()}`,
    date: new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
    versions: { 'etl-stream': version, node: process.versions.node, duckdb: duckdbVersion() },
  };
}

/** Lines of a Markdown table: medians of the warm runs, and (x) their ratios to those of the contender named `peer`. */
export function table(contenders: readonly Contender[], peer: string, bytes: number, rows: number): string[] {
  const of = (contender: Contender, figure: (run: Measured) => number | undefined): number | undefined => {
    const values = contender.warm.map(figure).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : median(values);
  };
  const base = contenders.find(({ name }) => name === peer)!;
  const show = (value: number | undefined, digits: number, unit = ''): string => (value === undefined ? '' : value.toFixed(digits) + unit);
  const ratio = (value: number | undefined, to: number | undefined): string =>
    value === undefined || to === undefined ? '' : (value / to).toFixed(2);
  const lines = contenders.map((contender) => {
    const wall = of(contender, (run) => run.wallSeconds)!;
    const cpu = of(contender, (run) => run.cpuSeconds);
    const rss = of(contender, (run) => run.peakRss);
    const megabytes = (value: number | undefined): number | undefined => value && value / 1e6;
    return [contender.name, show(contender.first.wallSeconds, 2, ' s'), show(wall, 2, ' s'),
      `${show(Math.min(...contender.warm.map((run) => run.wallSeconds)), 2)}-${show(Math.max(...contender.warm.map((run) => run.wallSeconds)), 2, ' s')}`,
      show(cpu, 2, ' s'), show(megabytes(rss), 0, ' MB'), show(bytes / 1e6 / wall, 0), show(rows / 1e6 / wall, 2),
      ratio(wall, of(base, (run) => run.wallSeconds)), ratio(cpu, of(base, (run) => run.cpuSeconds)), ratio(rss, of(base, (run) => run.peakRss))];
  });
  const head = ['', 'first run', 'wall, median', 'range', 'CPU', 'peak RSS', 'MB/s', 'M rows/s', 'wall x', 'CPU x', 'RSS x'];
  return [head, head.map((_, i) => (i === 0 ? '---' : '--:')), ...lines].map((cells) => `| ${cells.join(' | ')} |`);
}

/** How much other work the machine did meanwhile, as a sentence; it slows a contender with several threads the most. */
export function otherWork(contenders: readonly Contender[]): string {
  const threads = contenders.map(({ name, warm }) => [name, median(warm.map((run) => run.otherThreads ?? 0))] as const);
  const busy = threads.some(([, other]) => other > 0.15);
  return `Threads kept busy by other work meanwhile: ${threads.map(([name, other]) => `${other.toFixed(2)} (${name})`).join(', ')}.`
    + (busy ? ' **The machine was not quiet: wall times are too long and their ratio is not to be trusted; compare CPU.**' : '');
}

/** Prints the Markdown and keeps it, with the raw figures beside it. */
export function publish(name: string, markdown: string, raw: object): void {
  const folder = fileURLToPath(new URL('results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.md`, markdown);
  writeFileSync(`${folder}${name}.json`, JSON.stringify(raw, null, 2) + '\n');
  process.stdout.write(markdown);
}
