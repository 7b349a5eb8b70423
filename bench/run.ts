/**
 * npm run bench [-- quick | full | small | formulations] [--rounds N] [--keep]
 * npm run bench -- memory: see memory.ts; -- scale: see scale.ts; -- state: see state.ts; -- dashboard: see dashboard.ts; -- spark: see spark.ts
 *
 * etl-stream beside its peers on the same files and the same output, turn by turn, each as a whole process. All answers
 * are compared row for row before a figure is printed. See README.md here for the method.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DUCKDB, ETL_STREAM, duckdbRunner, etlStreamRunner, peers, pythonRunner, race } from './contenders.ts';
import type { Runner } from './contenders.ts';
import { dashboardBenchmark } from './dashboard.ts';
import { benchmarkLogs, benchmarkRanges, oneFile, warm } from './data.ts';
import type { Data } from './data.ts';
import { measure, measureNode } from './measure.ts';
import type { Measured } from './measure.ts';
import { memoryBenchmark } from './memory.ts';
import { duckdb, etlStream, outputs, polars, pyspark, python, pythonEnvironment, pythonVersions } from './programs.ts';
import { chart, context, figures, otherWork, provenance, publish, ratios, table } from './report.ts';
import type { Contender } from './report.ts';
import { scaleBenchmark } from './scale.ts';
import { sparkBenchmark } from './spark.ts';
import { stateBenchmark } from './state.ts';

const modes = {
  /** 100 MB. */
  quick: { shape: { size: 1e8, files: 4 }, rounds: 3 },
  /** 1 GB, as `etl-stream generate` makes it by default. */
  full: { shape: { size: 1e9, files: 4 }, rounds: 5 },
  /** Start to exit: what a user waits for when there is next to nothing to do. */
  small: { shape: { size: 1e5, files: 1, users: 500, rows: 1000 }, rounds: 10 },
};
type Mode = keyof typeof modes;

const usage = `usage: npm run bench [-- ${[...Object.keys(modes), 'formulations', 'scale', 'memory', 'state', 'dashboard', 'spark'].join(' | ')}] [--rounds 1..] [--of duckdb|polars|pyspark] [--sizes GB,..] [--budgets MB,..] [--days N] [--users N] [--keep]`;

/** etl-stream in all its forms, then the peers. */
async function fieldOf(mode: Mode, data: Data, ranges: string, versions: Record<string, string>): Promise<{ ours: Runner[]; others: Runner[]; missing: string }> {
  const jobs = ['1', '2'].map((count) => etlStreamRunner(data.folder, { name: `${ETL_STREAM} -j ${count}`, flags: ['-j', count] }));
  const { runners, missing } = peers(data, ranges, versions);
  if (mode === 'small') return { ours: [etlStreamRunner(data.folder), jobs[0]!], others: runners.filter(({ rounds }) => rounds === undefined), missing: '' };
  const one = await oneFile(data);
  await warm([one]);
  const forms = [etlStreamRunner(one, { name: `${ETL_STREAM}, one file` }), etlStreamRunner(one, { name: `${ETL_STREAM}, stdin`, piped: true })];
  return { ours: [etlStreamRunner(data.folder), ...jobs, ...forms], others: runners, missing };
}

/** The floor: what it takes to look at every byte. */
async function floor(data: Data, rounds: number): Promise<Contender> {
  const runs: Measured[] = [];
  for (let round = 0; round <= rounds; round++) runs.push(await measure('wc', ['-l', ...data.files]));
  return { name: '`wc -l`', first: runs[0]!, warm: runs.slice(1) };
}

async function compete(mode: Mode, rounds: number): Promise<void> {
  if (!existsSync(etlStream)) throw new Error(`${etlStream} is not there: npm run build`);
  const versions = pythonVersions();
  const about = context(versions);
  const { data, ranges } = await prepare(modes[mode].shape);
  const { ours, others, missing } = await fieldOf(mode, data, ranges, versions);
  if (missing !== '') process.stderr.write(`${missing}\n`);

  const contenders = await race([...ours, ...others], rounds);
  const own = contenders[0]!;
  const all = [...contenders, await floor(data, rounds)];
  const title = `${mode}: ${data.rows.toLocaleString('en-US')} rows, ${(data.bytes / 1e6).toFixed(1)} MB in ${data.files.length} ${data.files.length === 1 ? 'file' : 'files'}`;
  const lines = [
    `# ${title}`, '',
    ...table(all, DUCKDB, data.bytes, data.rows), '',
    ...ratios(own, all.slice(1)), '',
    `Whole processes, interleaved; medians of the runs after the first; x: ratio to ${DUCKDB}. The answers agree row for row.`,
    provenance(about),
    ...(missing === '' ? [] : [missing]),
    otherWork(contenders), '',
  ];
  const captions = [
    `${data.rows.toLocaleString('en-US')} logs, ${(data.bytes / 1e6).toFixed(0)} MB of CSV in ${data.files.length} files, to partitioned Parquet; whole processes, medians; answers equal row for row.`,
    `${about.machine}. ${about.date}.`,
    `${Object.entries(about.versions).map(([what, version]) => `${what} ${version}`).join(', ')}.`,
  ];
  const shown = mode === 'small' ? contenders : contenders.filter(({ name }) => !/-j 2|stdin|one file/.test(name));
  const { shape, bytes, rows, duplicates } = data;
  publish(mode, lines.join('\n'), { mode, ...about, data: { shape, bytes, rows, duplicates }, contenders: all.map(figures) },
    chart(shown, ETL_STREAM, `etl-stream and its peers, ${mode === 'small' ? '1,000 rows' : `${(data.bytes / 1e9).toFixed(1)} GB of logs`}`, captions));
}

/** Every way of saying it to a peer that we tried, on 1 GB. */
async function formulations(of: string, rounds: number): Promise<void> {
  const versions = pythonVersions();
  const { data, ranges } = await prepare(modes.full.shape);
  const scripts: Record<string, string> = { polars, pyspark };
  const script = scripts[of];
  if (script !== undefined && versions[of] === undefined) throw new Error(`${of} is not installed: bench/peers/setup.sh`);
  const listed = script === undefined ? await measureNode([duckdb, '--list']) : await measure(python, [script, '--list'], pythonEnvironment);
  const runners = listed.stdout.trim().split('\n')
    .map((name) => (script === undefined ? duckdbRunner(data, ranges, name, name) : pythonRunner(script, data, ranges, name, name)));
  const contenders = await race(runners, rounds);
  const about = context(versions);
  const lines = [
    `# Formulations of ${of}: ${data.rows.toLocaleString('en-US')} rows, ${(data.bytes / 1e6).toFixed(1)} MB in ${data.files.length} files`, '',
    ...table(contenders, contenders[0]!.name, data.bytes, data.rows), '',
    'Whole processes, interleaved; medians of the runs after the first; x: ratio to the first line. The answers agree row for row.',
    provenance(about), otherWork(contenders), '',
  ];
  publish(of === 'duckdb' ? 'formulations' : `formulations-${of}`, lines.join('\n'), { mode: 'formulations', of, ...about, contenders: contenders.map(figures) });
}

async function prepare(shape: Parameters<typeof benchmarkLogs>[0]): Promise<{ data: Data; ranges: string }> {
  const data = await benchmarkLogs(shape);
  const ranges = await benchmarkRanges();
  mkdirSync(outputs, { recursive: true });
  await warm([...data.files, ...readdirSync(ranges).map((file) => join(ranges, file))]);
  return { data, ranges };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string' }, keep: { type: 'boolean', default: false }, of: { type: 'string', default: 'duckdb' },
      sizes: { type: 'string' }, budgets: { type: 'string' }, days: { type: 'string', default: '30' },
      users: { type: 'string', default: '10000000' },
    },
  });
  const mode = positionals[0] ?? 'full';
  const numbers = (text: string): number[] => text.split(',').map(Number);
  const rounds = (fallback: number): number => {
    const count = Number(values.rounds ?? fallback);
    if (!Number.isInteger(count) || count < 1) throw new Error(usage);
    return count;
  };
  if (positionals.length > 1 || !['duckdb', 'polars', 'pyspark'].includes(values.of)) throw new Error(usage);
  if (mode === 'memory') {
    await memoryBenchmark({ sizes: numbers(values.sizes ?? '0.1,1,10'), budgets: numbers(values.budgets ?? '128,256,512,2000'), rounds: rounds(1) });
  } else if (mode === 'scale') {
    await scaleBenchmark({ sizes: numbers(values.sizes ?? '0.1,1,3'), rounds: rounds(3) });
  } else if (mode === 'state') {
    await stateBenchmark({ days: Number(values.days), rounds: rounds(5) });
  } else if (mode === 'dashboard') {
    await dashboardBenchmark({ users: Number(values.users), rounds: rounds(5) });
  } else if (mode === 'spark') {
    await sparkBenchmark({ sizes: numbers(values.sizes ?? '0.1,0.3,1,2') });
  } else if (mode === 'formulations') {
    await formulations(values.of, rounds(2));
  } else if (Object.hasOwn(modes, mode)) {
    await compete(mode as Mode, rounds(modes[mode as Mode].rounds));
  } else {
    throw new Error(usage);
  }
  if (!values.keep) rmSync(outputs, { recursive: true, force: true });
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
