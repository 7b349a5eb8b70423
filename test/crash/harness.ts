/** A dataset with a state that a run adds to, in a folder of its own; and that run, interrupted and not. */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { REPORTS_FOLDER } from '../../lib/dataset/reports.ts';
import { contents } from '../job/contents.ts';
import { random } from '../random.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/bin/etl-stream.js', import.meta.url));
const PRELOAD = new URL('interrupt.mjs', import.meta.url).href;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a folder with a dataset, its state and its logs is. */
export interface Place {
  readonly folder: string;
  readonly logs: string;
  readonly output: string;
  readonly state: string;
}

export function placeIn(folder: string): Place {
  return { folder, logs: join(folder, 'logs'), output: join(folder, 'out'), state: join(folder, 'state') };
}

/** A log file: rows of few users, some of them bad, some of them copies of rows of `others`. */
export function writeLog(place: Place, name: string, rows: number, seed: number): void {
  mkdirSync(place.logs, { recursive: true });
  const next = random(seed);
  const pick = (most: number): number => Math.floor(next() * most);
  const lines = Array.from({ length: rows }, (_, row) => {
    const id = next() < 0.3 ? pick(300) : seed * 1000 + row;
    // Equal ids are equal rows, whichever file they are in: the answer does not depend on the order of runs.
    const same = random(id + 1);
    const address = [1 + same() * 222, same() * 256, same() * 256, 1 + same() * 254].map(Math.floor).join('.');
    return next() < 0.02 ? `${id},only two` : `${id},user_${Math.floor(same() * 40)},2026-01-01T00:00:00Z,${address},${Math.floor(same() * 500)}`;
  });
  writeFileSync(join(place.logs, name), `log_id,user_id,timestamp,ip_address,watch_time(min)\n${lines.join('\n')}\n`);
}

/** Runs over the place's logs, with its state; `environment` is the preload's. */
export function start(place: Place, environment: Record<string, string> = {}, more: readonly string[] = []) {
  const preload = environment.INTERRUPT_BELOW === undefined ? [] : ['--import', PRELOAD];
  const child = spawn(process.execPath, [...preload, PROGRAM, place.logs, '-o', place.output, '--state', place.state, '--json', '--max-rejects', '100%', ...more], {
    stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

/** Runs to the end, which must be a good one. */
export async function run(place: Place, more: readonly string[] = []): Promise<Ended> {
  const ended = await start(place, {}, more).ended;
  if (ended.code !== 0) throw new Error(`exit ${ended.code} ${ended.signal}: ${ended.stderr}`);
  return ended;
}

/** What a run may change, put aside. */
export function save(place: Place, aside: string): void {
  rmSync(aside, { recursive: true, force: true });
  for (const name of readdirSync(place.folder)) {
    if (name !== 'logs') cpSync(join(place.folder, name), join(aside, name), { recursive: true, verbatimSymlinks: true });
  }
}

/** The place as it was when it was saved. */
export function restore(place: Place, aside: string): void {
  for (const name of readdirSync(place.folder)) {
    if (name !== 'logs') rmSync(join(place.folder, name), { recursive: true, force: true });
  }
  for (const name of readdirSync(aside)) cpSync(join(aside, name), join(place.folder, name), { recursive: true, verbatimSymlinks: true });
}

/** How many runs a version of the dataset has reports of, each of which is whole. */
export function reportsIn(version: string): number {
  const folder = join(version, REPORTS_FOLDER);
  return readdirSync(folder).filter((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')).format === 1).length;
}

/** All files of the dataset but reports and the mark, which has the number of the commit; of the version that it is when this is called. */
export function answer(place: Place, version = realpathSync(place.output)): Record<string, string> {
  const { [join('_etl', 'state.json')]: mark, ...rest } = contents(version);
  return { ...rest, mark: mark === undefined ? 'missing' : 'there' };
}
