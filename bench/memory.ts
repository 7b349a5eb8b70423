/**
 * npm run bench -- memory [--sizes 0.1,1,10] [--budgets 128,256,512,2000] [--rounds N]: input size (GB) x budget (MB) ->
 * seconds, peak RSS, spilled bytes, beside DuckDB at the same memory_limit, which may spill too. Answers are checked:
 * every budget's files against those of the largest budget byte for byte, and that one against DuckDB row for row.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Summary } from '../lib/index.ts';
import { compareResults } from '../test/oracle/duckdb.ts';
import { benchmarkLogs, benchmarkRanges, warm, type Data } from './data.ts';
import { measureNode, median, type Measured } from './measure.ts';
import { duckdb, oneShot, outputs } from './programs.ts';
import { context, publish } from './report.ts';


interface Cell {
  gigabytes: number;
  budget: number;
  ours: Measured[];
  /** Runs, or why there is none. */
  theirs: Measured[] | string;
}

export interface MemoryOptions {
  /** Of input, in GB. */
  readonly sizes: readonly number[];
  /** In MB. */
  readonly budgets: readonly number[];
  readonly rounds: number;
}

export async function memoryBenchmark({ sizes, budgets, rounds }: MemoryOptions): Promise<void> {
  const about = context();
  const ranges = await benchmarkRanges();
  mkdirSync(outputs, { recursive: true });
  const cells: Cell[] = [];
  for (const gigabytes of sizes) {
    const data = await benchmarkLogs({ size: gigabytes * 1e9, files: gigabytes > 4 ? 16 : 4 });
    await warm([...data.files, ...readdirSync(ranges).map((file) => join(ranges, file))]);
    cells.push(...await sizeRow(data, gigabytes, [...budgets].sort((a, b) => b - a), ranges, rounds));
  }
  const lines = [
    '# memory: input size x budget', '',
    '| input | budget | etl-stream | a GB | peak RSS | spilled | DuckDB | a GB | peak RSS |', '| --: | --: | --: | --: | --: | --: | --: | --: | --: |',
    ...cells.map(line), '',
    `Whole processes; medians of ${rounds}; MB and GB are powers of ten. Every budget gives the same bytes; DuckDB agrees row for row where it finishes.`,
    `${about.machine}. ${about.date}. ${Object.entries(about.versions).map(([what, version]) => `${what} ${version}`).join(', ')}.`, '',
  ];
  publish('memory', lines.join('\n'), { mode: 'memory', ...about, cells: cells.map(({ ours, theirs, ...cell }) => ({ ...cell, ours: ours.map(figures), theirs: typeof theirs === 'string' ? theirs : theirs.map(figures) })) });
  rmSync(outputs, { recursive: true });
}

/** All budgets, the largest first, so that the others can be compared with it. */
async function sizeRow(data: Data, gigabytes: number, budgets: readonly number[], ranges: string, rounds: number): Promise<Cell[]> {
  const cells: Cell[] = [];
  const reference = join(outputs, 'reference');
  for (const budget of budgets) {
    process.stderr.write(`${gigabytes} GB at ${budget} MB\n`);
    const output = budget === budgets[0] ? reference : join(outputs, 'etl-stream');
    const peer = join(outputs, 'duckdb');
    const ours: Measured[] = [];
    let theirs: Measured[] | string = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await measureNode([...oneShot, data.folder, '-o', output, '--overwrite', '--json', '--memory', `${budget}MB`]));
      rmSync(peer, { recursive: true, force: true });
      if (typeof theirs !== 'string') {
        const run: Measured | string = await measureNode([duckdb, data.folder, peer, ranges, '', `${budget}MB`]).catch(reason);
        theirs = typeof run === 'string' ? run : [...theirs, run];
      }
    }
    if (output !== reference && digest(output) !== digest(reference)) throw new Error(`The result at ${budget} MB differs from that at ${budgets[0]} MB.`);
    if (typeof theirs !== 'string') {
      const differences = await compareResults(output, peer);
      if (differences.length > 0) throw new Error(`etl-stream and DuckDB disagree:\n${differences.join('\n')}`);
    }
    cells.push({ gigabytes, budget, ours, theirs });
  }
  return cells.reverse();
}

/** Why a run failed, in a few words. */
function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (/out of memory|could not allocate|failed to (pin|allocate|offload)/i.test(text)) return 'out of memory';
  return /error:? (.{0,60})/i.exec(text)?.[1] ?? 'failed';
}

/** Of all published files, names and bytes. */
function digest(folder: string): string {
  const hash = createHash('sha256');
  for (const path of (readdirSync(folder, { recursive: true }) as string[]).filter((name) => name.endsWith('.parquet')).sort()) {
    hash.update(`${path}\n`).update(readFileSync(join(folder, path)));
  }
  return hash.digest('hex');
}

function line({ gigabytes, budget, ours, theirs }: Cell): string {
  const seconds = median(ours.map(({ wallSeconds }) => wallSeconds));
  const rss = Math.max(...ours.map(({ peakRss }) => peakRss!)) / 1e6;
  const spilled = (JSON.parse(ours.at(-1)!.stdout) as Summary).spill.bytes / 1e6;
  const input = gigabytes < 1 ? `${gigabytes * 1000} MB` : `${gigabytes} GB`;
  const peer = typeof theirs === 'string' ? [`**${theirs}**`, '', ''] : [
    `${median(theirs.map(({ wallSeconds }) => wallSeconds)).toFixed(1)} s`,
    `${(median(theirs.map(({ wallSeconds }) => wallSeconds)) / gigabytes).toFixed(2)} s`,
    `${Math.max(...theirs.map(({ peakRss }) => peakRss!)) / 1e6 | 0} MB`,
  ];
  return `| ${[input, `${budget} MB`, `${seconds.toFixed(1)} s`, `${(seconds / gigabytes).toFixed(2)} s`, `${rss.toFixed(0)} MB`, `${spilled.toFixed(0)} MB`, ...peer].join(' | ')} |`;
}

function figures({ stdout, ...run }: Measured): object {
  const { phases, spill, runs } = (stdout.startsWith('{') ? JSON.parse(stdout) : {}) as Partial<Summary>;
  return { ...run, phases, spill, runs };
}
