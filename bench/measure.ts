/** One command as a whole process, from start to exit. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Measured {
  wallSeconds: number;
  /** User and system time of all threads; undefined when the command does not report it. */
  cpuSeconds: number | undefined;
  peakRss: number | undefined;
  /** Threads that everything else on the machine kept busy meanwhile; undefined when the command does not report it. */
  otherThreads: number | undefined;
  stdout: string;
}

const reporter = fileURLToPath(new URL('report-usage.cjs', import.meta.url));

/** Runs `node script ...args`. Throws what it wrote to stderr unless it exits with 0. */
export function measureNode(args: readonly string[]): Promise<Measured> {
  return measureReporting(process.execPath, ['--require', reporter, ...args]);
}

/** The same with `cat file` in a pipe before it; the CPU time of `cat` counts as other work. */
export function measureNodePiped(file: string, args: readonly string[]): Promise<Measured> {
  const script = 'file=$1; shift; cat "$file" | "$@"';
  return measureReporting('/bin/sh', ['-c', script, 'sh', file, process.execPath, '--require', reporter, ...args]);
}

/** Runs a command that writes what it used to $BENCH_USAGE: report-usage.cjs does, and peers/usage.py. */
export async function measureReporting(command: string, args: readonly string[], environment: Record<string, string> = {}): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    const usage = join(folder, 'usage.json');
    const busyBefore = busySeconds();
    const measured = await measure(command, args, { ...environment, BENCH_USAGE: usage });
    const busy = busySeconds() - busyBefore;
    const own = JSON.parse(await readFile(usage, 'utf8')) as { cpuSeconds: number; peakRss: number };
    return { ...measured, ...own, otherThreads: Math.max(0, busy - own.cpuSeconds) / measured.wallSeconds };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Runs any command; only its wall time is known. */
export async function measure(command: string, args: readonly string[], environment: Record<string, string> = {}): Promise<Measured> {
  const started = process.hrtime.bigint();
  const child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let exited = started;
  child.once('exit', () => (exited = process.hrtime.bigint()));
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${[command, ...args].join(' ')} exited with ${code}:\n${stderr}`);
  return { wallSeconds: Number(exited - started) / 1e9, cpuSeconds: undefined, peakRss: undefined, otherThreads: undefined, stdout };
}

/** CPU time that all processes together have had since the machine started. */
function busySeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
