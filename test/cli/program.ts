/** Runs the built program as a user would. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Readable } from 'node:stream';

export const PROGRAM = fileURLToPath(new URL('../../dist/bin/etl-stream.js', import.meta.url));

export interface Result {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** `input` is the descriptor that becomes its stdin; without one, `child.stdin` is. */
export function start(args: readonly string[], cwd: string, input?: number, environment: Readonly<Record<string, string>> = {}): { child: ChildProcess; result: Promise<Result> } {
  const child = spawn(process.execPath, [PROGRAM, ...args], { cwd, stdio: [input ?? 'pipe', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
  const text = async (stream: Readable): Promise<string> => Buffer.concat(await stream.toArray() as Buffer[]).toString();
  const result = Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')]).then(
    ([stdout, stderr, [code, signal]]): Result => ({ stdout, stderr, code: code as number | null, signal: signal as NodeJS.Signals | null }),
  );
  return { child, result };
}

/** Runs to the end; `input` is what stdin gives. */
export async function etlStream(args: readonly string[], cwd: string, input: string | Buffer = '', environment: Readonly<Record<string, string>> = {}): Promise<Result> {
  const { child, result } = start(args, cwd, undefined, environment);
  child.stdin!.on('error', () => undefined); // a program that ends before it has read everything
  child.stdin!.end(input);
  return result;
}
