/**
 * npm run bench [-- quick | full | small | formulations] [--rounds N] [--keep]
 * npm run bench -- memory: see memory.ts
 *
 * etl-stream beside DuckDB on the same files and the same output, turn by turn, each as a whole process. Both answers
 * are compared row for row before a figure is printed. See README.md here for the method.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareResults } from '../test/oracle/duckdb.ts';
import { benchmarkLogs, benchmarkRanges, warm } from './data.ts';
import type { Data } from './data.ts';
import { measure, measureNode } from './measure.ts';
import type { Measured } from './measure.ts';
import { memoryBenchmark } from './memory.ts';
import { duckdb, etlStream, outputs } from './programs.ts';
import { context, otherWork, publish, table } from './report.ts';
import type { Contender } from './report.ts';

const modes = {
  /** 100 MB. */
  quick: { shape: { size: 1e8, files: 4 }, rounds: 3 },
  /** 1 GB, as `etl-stream generate` makes it by default. */
  full: { shape: { size: 1e9, files: 4 }, rounds: 3 },
  /** Start to exit: what a user waits for when there is next to nothing to do. */
  small: { shape: { size: 1e5, files: 1, users: 500, rows: 1000 }, rounds: 10 },
  /** Every way of saying it to DuckDB that we tried, on 1 GB. */
  formulations: { shape: { size: 1e9, files: 4 }, rounds: 2 },
};
type Mode = keyof typeof modes;

const DUCKDB = 'DuckDB';

interface Runner {
  name: string;
  output: string;
  run(): Promise<Measured>;
}

function etlStreamRunner(data: Data): Runner {
  const output = join(outputs, 'etl-stream');
  return { name: 'etl-stream', output, run: () => measureNode([etlStream, data.folder, '-o', output, '--overwrite', '--json']) };
}

function duckdbRunner(data: Data, ranges: string, name = DUCKDB, formulation?: string): Runner {
  const output = join(outputs, `duckdb-${name.replace(/\W+/g, '-')}`);
  const args = [duckdb, data.folder, output, ranges, ...(formulation === undefined ? [] : [formulation])];
  return { name, output, run: () => measureNode(args) };
}

/** The first run of each, then `rounds` more: A B A B. Throws unless all agree with the last, row for row. */
async function race(runners: readonly Runner[], rounds: number): Promise<Contender[]> {
  const runs = new Map<string, Measured[]>(runners.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const runner of runners) {
      rmSync(runner.output, { recursive: true, force: true });
      process.stderr.write(`${round === 0 ? 'first run' : `round ${round} of ${rounds}`}: ${runner.name}\n`);
      runs.get(runner.name)!.push(await runner.run());
    }
    if (round === 0 || round === rounds) await assertAgreement(runners);
  }
  return runners.map(({ name }) => {
    const [first, ...rest] = runs.get(name)!;
    return { name, first: first!, warm: rest };
  });
}

async function assertAgreement(runners: readonly Runner[]): Promise<void> {
  const judge = runners.at(-1)!;
  for (const runner of runners.slice(0, -1)) {
    const differences = await compareResults(runner.output, judge.output);
    if (differences.length > 0) throw new Error(`${runner.name} and ${judge.name} disagree:\n${differences.join('\n')}`);
  }
}

/** The floor: what it takes to look at every byte. */
async function floor(data: Data, rounds: number): Promise<Contender> {
  const runs: Measured[] = [];
  for (let round = 0; round <= rounds; round++) runs.push(await measure('wc', ['-l', ...data.files]));
  return { name: '`wc -l`', first: runs[0]!, warm: runs.slice(1) };
}

/** What is kept of the runs: figures and phases, no paths. */
function figures({ name, first, warm }: Contender): object {
  const of = ({ stdout, ...run }: Measured): object => {
    const { phases } = (stdout.startsWith('{') ? JSON.parse(stdout) : {}) as { phases?: object };
    return { ...run, phases };
  };
  return { name, first: of(first), warm: warm.map(of) };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: 'string' }, keep: { type: 'boolean', default: false }, sizes: { type: 'string' }, budgets: { type: 'string' } },
  });
  const numbers = (text: string): number[] => text.split(',').map(Number);
  if (positionals[0] === 'memory') {
    return memoryBenchmark({
      sizes: numbers(values.sizes ?? '0.1,1,10'), budgets: numbers(values.budgets ?? '128,256,512,2000'), rounds: Number(values.rounds ?? 1),
    });
  }
  const mode = (positionals[0] ?? 'full') as Mode;
  const rounds = Number(values.rounds ?? modes[mode]?.rounds);
  if (!Object.hasOwn(modes, mode) || positionals.length > 1 || !Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`usage: npm run bench [-- ${[...Object.keys(modes), 'memory'].join(' | ')}] [--rounds 1..] [--keep]`);
  }
  if (mode !== 'formulations' && !existsSync(etlStream)) throw new Error(`${etlStream} is not there: npm run build`);

  const about = context();
  const data = await benchmarkLogs(modes[mode].shape);
  const ranges = await benchmarkRanges();
  mkdirSync(outputs, { recursive: true });
  await warm([...data.files, ...readdirSync(ranges).map((file) => join(ranges, file))]);

  const runners = mode === 'formulations'
    ? (await measureNode([duckdb, '--list'])).stdout.trim().split('\n').reverse().map((name) => duckdbRunner(data, ranges, name, name))
    : [etlStreamRunner(data), duckdbRunner(data, ranges)];
  const contenders = await race(runners, rounds);
  if (mode === 'formulations') contenders.reverse();
  const all = [...contenders, await floor(data, rounds)];

  const peer = mode === 'formulations' ? contenders[0]!.name : DUCKDB;
  const lines = [
    `# ${mode}: ${data.rows.toLocaleString('en-US')} rows, ${(data.bytes / 1e6).toFixed(1)} MB in ${data.files.length} ${data.files.length === 1 ? 'file' : 'files'}`,
    '',
    ...table(all, peer, data.bytes, data.rows),
    '',
    `Whole processes, interleaved; medians of ${rounds} ${rounds === 1 ? 'run' : 'runs'} after the first; x: ratio to ${peer}. The answers agree row for row.`,
    `${about.machine}. ${about.date}. ${Object.entries(about.versions).map(([what, version]) => `${what} ${version}`).join(', ')}.`,
    otherWork(contenders),
    '',
  ];
  const { shape, bytes, rows, duplicates } = data;
  publish(mode, lines.join('\n'), { mode, ...about, data: { shape, bytes, rows, duplicates }, contenders: all.map(figures) });
  if (!values.keep) rmSync(outputs, { recursive: true });
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
