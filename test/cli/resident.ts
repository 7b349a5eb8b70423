/**
 * Runs the built program as `etlStream` does, but each command line in the same process, one after the other: most of what a run over a
 * few rows takes is the start of a process. For what reads no standard input, tells nothing by --log-format json, which would hold for
 * the next one, and ends by itself; that a process ends, its memory, and signals are for `etlStream` and `start`.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROGRAM, type Result } from './program.ts';

export type Run = (args: readonly string[], folder: string, environment?: Readonly<Record<string, string>>) => Promise<Result>;

const RESIDENT = fileURLToPath(new URL('resident.mjs', import.meta.url));

/** One for the tests of a file, started when it is first asked. */
export function residentProgram(): Run {
  let started: { readonly child: ChildProcess; readonly ended: Promise<never> } | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const start = (): NonNullable<typeof started> => {
    const child = fork(RESIDENT, [PROGRAM], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    return { child, ended: once(child, 'exit').then(([code, signal]) => { throw new Error(`the process ended with ${code ?? signal}`); }) };
  };
  after(() => started?.child.disconnect());
  return (args, folder, environment = {}) => {
    const result = last.then(async (): Promise<Result> => {
      const { child, ended } = started ??= start();
      const answer = once(child, 'message') as Promise<[Result & { readonly thrown?: string }]>;
      child.send({ args, folder, environment });
      const [{ thrown, ...printed }] = await Promise.race([answer, ended]);
      if (thrown !== undefined) throw new Error(thrown);
      return printed;
    });
    last = result.catch(() => undefined);
    return result;
  };
}
