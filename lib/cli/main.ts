/** Arguments in, exit code out. Nothing else in the project touches the process's arguments or exit code. */
import { CommanderError } from 'commander';
import { EXIT_DONE, EXIT_USAGE, reportError, StoppedBySignal } from './exit.ts';
import { createProgram } from './program.ts';

/** Runs the command line `args` (without node and script) and gives the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  ignoreBrokenPipe();
  let code: number = EXIT_DONE;
  try {
    await createProgram((result) => {
      code = result;
    }).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
    code = reportError(error);
    // A read from an idle standard input cannot be taken back and would keep the process alive.
    if (error instanceof Error && error.cause instanceof StoppedBySignal) process.exit(code);
  }
  return code;
}

/** A reader that has seen enough (`etl-stream parse … | head`) is not an error. */
function ignoreBrokenPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT_DONE);
    throw error;
  });
}
