/** Who takes part: each a whole process that makes its own output of the same logs. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { compareResults } from '../test/oracle/duckdb.ts';
import type { Data } from './data.ts';
import { measureNode, measureNodePiped, measureReporting } from './measure.ts';
import type { Measured } from './measure.ts';
import { duckdb, oneShot, outputs, polars, polarsPyspark, pyspark, python, pythonEnvironment } from './programs.ts';
import type { Contender } from './report.ts';

export const ETL_STREAM = 'etl-stream';
export const DUCKDB = 'DuckDB';

export interface Runner {
  name: string;
  output: string;
  /** Most runs after the first, for slow ones. */
  rounds?: number;
  run(): Promise<Measured>;
}

const folderOf = (name: string): string => join(outputs, name.toLowerCase().replace(/\W+/g, '-'));

/** etl-stream, without a state, on a folder or file, or on `cat file` in a pipe. */
export function etlStreamRunner(input: string, { name = ETL_STREAM, flags = [], piped = false }: { name?: string; flags?: readonly string[]; piped?: boolean } = {}): Runner {
  const output = folderOf(name);
  const rest = ['-o', output, '--overwrite', '--json', ...flags];
  return { name, output, run: () => (piped ? measureNodePiped(input, [...oneShot, ...rest]) : measureNode([...oneShot, input, ...rest])) };
}

export function duckdbRunner(data: Data, ranges: string, name = DUCKDB, formulation?: string): Runner {
  const output = folderOf(name);
  const args = [duckdb, data.folder, output, ranges, ...(formulation === undefined ? [] : [formulation])];
  return { name, output, run: () => measureNode(args) };
}

export function pythonRunner(script: string, data: Data, ranges: string, name: string, formulation?: string): Runner {
  const output = folderOf(name);
  const args = [script, data.folder, output, ranges, ...(formulation === undefined ? [] : [formulation])];
  return { name, output, run: () => measureReporting(python, args, pythonEnvironment) };
}

/** All peers that are there, by the versions found; and a sentence about those that are not. */
export function peers(data: Data, ranges: string, versions: Record<string, string>): { runners: Runner[]; missing: string } {
  const { polars: hasPolars, pyspark: hasPyspark } = versions;
  const candidates: [there: boolean, runner: Runner][] = [
    [hasPolars !== undefined, pythonRunner(polars, data, ranges, 'Polars')],
    [hasPyspark !== undefined, { ...pythonRunner(pyspark, data, ranges, 'PySpark'), rounds: 2 }],
    [hasPolars !== undefined && hasPyspark !== undefined, { ...pythonRunner(polarsPyspark, data, ranges, 'Polars + PySpark'), rounds: 1 }],
  ];
  const missing = candidates.filter(([there]) => !there).map(([, { name }]) => name);
  return {
    runners: [duckdbRunner(data, ranges), ...candidates.filter(([there]) => there).map(([, runner]) => runner)],
    missing: missing.length === 0 ? '' : `Not installed and left out: ${missing.join(', ')}. \`bench/peers/setup.sh\` adds what is missing.`,
  };
}

/** The first run of each, then `rounds` more: A B A B. Throws unless all agree with the first of them, row for row. */
export async function race(runners: readonly Runner[], rounds: number): Promise<Contender[]> {
  const runs = new Map<string, Measured[]>(runners.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    const turn = runners.filter((runner) => round <= (runner.rounds ?? rounds));
    for (const runner of turn) {
      for (const leftover of [runner.output, `${runner.output}.tmp`]) rmSync(leftover, { recursive: true, force: true });
      process.stderr.write(`${round === 0 ? 'first run' : `round ${round} of ${rounds}`}: ${runner.name}\n`);
      const measured = await runner.run();
      process.stderr.write(`  ${measured.wallSeconds.toFixed(2)} s\n`);
      runs.get(runner.name)!.push(measured);
    }
    if (round === 0 || round === rounds) await assertAgreement(runners);
  }
  return runners.map(({ name }) => {
    const [first, ...rest] = runs.get(name)!;
    return { name, first: first!, warm: rest };
  });
}

export async function assertAgreement([judge, ...others]: readonly Runner[]): Promise<void> {
  for (const runner of others) {
    if (!existsSync(runner.output)) throw new Error(`${runner.name} wrote nothing`);
    const differences = await compareResults(runner.output, judge!.output);
    if (differences.length > 0) throw new Error(`${runner.name} and ${judge!.name} disagree:\n${differences.join('\n')}`);
  }
}
