/**
 * npm run bench -- scale [--sizes 0.1,1,3,10] [--rounds N]: seconds per GB of etl-stream by the size of its input (GB).
 *
 * Starting up is told apart: a run of 1,000 rows. Flatness is the largest cost per GB by the smallest, of the whole time and of
 * what is left when starting up is taken off. Answers are checked against DuckDB up to 3 GB; beyond, by the balance that
 * etl-stream itself keeps and by the rows that the generator counted.
 */
import { mkdirSync, rmSync } from 'node:fs';
import type { Summary } from '../lib/index.ts';
import { assertAgreement, duckdbRunner, etlStreamRunner } from './contenders.ts';
import { benchmarkLogs, benchmarkRanges, warm } from './data.ts';
import type { Data } from './data.ts';
import { median } from './measure.ts';
import type { Measured } from './measure.ts';
import { outputs } from './programs.ts';
import { context, figures, markdownTable, otherWork, provenance, publish } from './report.ts';
import type { Contender } from './report.ts';

const CHECKED_BYTES = 3e9;

export async function scaleBenchmark({ sizes, rounds }: { readonly sizes: readonly number[]; readonly rounds: number }): Promise<void> {
  const about = context();
  const ranges = await benchmarkRanges();
  mkdirSync(outputs, { recursive: true });
  const tiny = await benchmarkLogs({ size: 1e5, files: 1, users: 500, rows: 1000 });
  const startup = await series(tiny, 'start-up (1,000 rows)', rounds * 3);
  const contenders: Contender[] = [];
  const lines: string[][] = [];
  const startSeconds = seconds(startup);
  for (const gigabytes of sizes) {
    const data = await benchmarkLogs({ size: gigabytes * 1e9, files: gigabytes > 4 ? 16 : 4 });
    await warm(data.files);
    const contender = await series(data, `${gigabytes} GB`, rounds);
    await check(data, ranges, contender);
    contenders.push(contender);
    const wall = seconds(contender);
    const cpu = median(contender.warm.map(({ cpuSeconds }) => cpuSeconds!));
    const rss = median(contender.warm.map(({ peakRss }) => peakRss!));
    lines.push([contender.name, `${wall.toFixed(2)} s`, `${(wall / gigabytes).toFixed(2)} s`, `${((wall - startSeconds) / gigabytes).toFixed(2)} s`,
      `${(cpu / gigabytes).toFixed(2)} s`, `${(rss / 1e6).toFixed(0)} MB`, data.bytes <= CHECKED_BYTES ? 'DuckDB' : 'row counts']);
  }
  const flatness = (cost: (wall: number) => number): string => {
    const costs = contenders.map((contender, at) => cost(seconds(contender)) / sizes[at]!);
    return (Math.max(...costs) / Math.min(...costs)).toFixed(2);
  };
  const markdown = [
    '# scale: seconds per GB', '',
    ...markdownTable(['input', 'wall', 'a GB', 'a GB without start-up', 'CPU a GB', 'peak RSS', 'checked by'], lines), '',
    `Start-up (1,000 rows, start to exit): ${startSeconds.toFixed(2)} s. Most by least cost per GB: ${flatness((wall) => wall)}; without start-up: ${flatness((wall) => wall - startSeconds)}.`,
    `Whole processes with default options but for \`--no-state\`; medians of ${rounds} after a first.`,
    provenance(about), otherWork(contenders), '',
  ];
  publish('scale', markdown.join('\n'), { mode: 'scale', ...about, startup: figures(startup), contenders: contenders.map(figures) });
}

async function series(data: Data, name: string, rounds: number): Promise<Contender> {
  const { run } = etlStreamRunner(data.folder);
  const runs: Measured[] = [];
  for (let round = 0; round <= rounds; round++) {
    process.stderr.write(`${name}: ${round === 0 ? 'first run' : `round ${round} of ${rounds}`}\n`);
    runs.push(await run());
  }
  return { name, first: runs[0]!, warm: runs.slice(1) };
}

async function check(data: Data, ranges: string, { name, warm: runs }: Contender): Promise<void> {
  const { rows } = JSON.parse(runs.at(-1)!.stdout) as Summary;
  const found = [rows.read, rows.duplicates, rows.rejected].join(', ');
  const made = [data.rows, data.duplicates, data.bad].join(', ');
  if (found !== made) throw new Error(`${name}: rows, duplicates, rejected are ${found}, not ${made} as generated.`);
  if (data.bytes > CHECKED_BYTES) return;
  const peer = duckdbRunner(data, ranges);
  rmSync(peer.output, { recursive: true, force: true });
  await peer.run();
  await assertAgreement([etlStreamRunner(data.folder), peer]);
  rmSync(peer.output, { recursive: true });
}

function seconds({ warm: runs }: Contender): number {
  return median(runs.map(({ wallSeconds }) => wallSeconds));
}
