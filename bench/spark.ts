/**
 * npm run bench -- spark [--sizes 0.1,0.3,1,2]: seconds of the same job on Apache Spark and by etl-stream itself, by size (GB) and cores, and a model of
 * them: seconds = a + b x GB / cores. The model is made of the smallest and the second largest size, and checked on the others. Spark is that of
 * `npm run test:spark` (test/spark/setup.sh), with `local[N]`; counts must be equal. One run each: Spark's start is in every one of them.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Summary } from '../lib/index.ts';
import { etlStream } from '../test/cli/program.ts';
import { pythonEnvironment, skip, sparkSubmit } from '../test/spark/python.ts';
import { benchmarkLogs, warm } from './data.ts';
import { outputs } from './programs.ts';
import { context, markdownTable, provenance, publish } from './report.ts';

interface Run { readonly gigabytes: number; readonly cores: number; readonly seconds: number; readonly local: number; readonly shuffled: number }

const FILES = 8;

export async function sparkBenchmark({ sizes }: { readonly sizes: readonly number[] }): Promise<void> {
  if (skip !== false) throw new Error(skip);
  const about = context();
  mkdirSync(outputs, { recursive: true });
  const runs: Run[] = [];
  for (const gigabytes of sizes) {
    const data = await benchmarkLogs({ size: gigabytes * 1e9, files: FILES });
    await warm(data.files);
    const local = await run(data.folder, ['--no-state']);
    for (const cores of gigabytes === sizes.at(-2) ? [1, 2] : [2]) {
      process.stderr.write(`${gigabytes} GB, local[${cores}]\n`);
      const spark = await run(data.folder, ['--engine', 'spark', '--master', `local[${cores}]`, '--spark-submit', sparkSubmit, '--conf', 'spark.driver.memory=3g']);
      for (const name of ['rows', 'users', 'groups'] as const) {
        if (JSON.stringify(spark.summary[name]) !== JSON.stringify(local.summary[name])) throw new Error(`${gigabytes} GB: ${name} of Spark differ`);
      }
      runs.push({ gigabytes, cores, seconds: spark.seconds, local: local.seconds, shuffled: spark.summary.spark!.shuffledBytes });
    }
  }
  const two = runs.filter(({ cores }) => cores === 2);
  const [small, large] = [two[0]!, two.at(-2)!];
  const perGigabyte = 2 * (large.seconds - small.seconds) / (large.gigabytes - small.gigabytes);
  const start = small.seconds - perGigabyte * small.gigabytes / 2;
  const lines = runs.map(({ gigabytes, cores, seconds, local, shuffled }) => {
    const model = start + perGigabyte * gigabytes / cores;
    return [`${gigabytes} GB`, `local[${cores}]`, `${seconds.toFixed(1)} s`, `${model.toFixed(1)} s`, `${(100 * (model / seconds - 1)).toFixed(0)} %`, `${(shuffled / gigabytes / 1e9).toFixed(2)} GB a GB`, `${local.toFixed(2)} s`];
  });
  const markdown = [
    '# spark: the same job on Apache Spark, by size and cores', '',
    ...markdownTable(['input', 'master', 'Spark', 'by the model', 'off by', 'shuffled', 'etl-stream itself, 2 cores'], lines), '',
    `Model: ${start.toFixed(1)} s + ${perGigabyte.toFixed(1)} s x GB / cores, of the runs over ${small.gigabytes} and ${large.gigabytes} GB with 2 cores.`, provenance(about), '',
  ];
  publish('spark', markdown.join('\n'), { mode: 'spark', ...about, runs, start, perGigabyte });
}

async function run(folder: string, args: readonly string[]): Promise<{ readonly summary: Summary; readonly seconds: number }> {
  const output = join(outputs, 'spark');
  rmSync(output, { recursive: true, force: true });
  const began = performance.now();
  const { code, stdout, stderr } = await etlStream([folder, ...args, '--no-config', '--json', '--quiet', '-o', output], outputs, '', pythonEnvironment());
  if (code !== 0) throw new Error(stderr);
  const seconds = (performance.now() - began) / 1000;
  rmSync(output, { recursive: true, force: true });
  return { summary: JSON.parse(stdout) as Summary, seconds };
}
