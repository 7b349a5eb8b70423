/** Arguments in, exit code out. Nothing else in the project touches the process's arguments or exit code. */
import { CommanderError } from 'commander';
import { EtlError } from '../core/errors.ts';
import { keepHeapSmall } from '../core/resident.ts';
import { EXIT_DONE, EXIT_USAGE, reportError } from './exit.ts';
import { createProgram } from './program.ts';

/** Runs the command line `args` (without node and script) and gives the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  keepHeapSmall();
  watchOutput();
  let code: number = EXIT_DONE;
  try {
    await createProgram((result) => {
      code = result;
    }).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
    code = reportError(error);
    // A read from an idle device cannot be taken back and would keep the process alive, on Windows one from a pipe, too.
    process.exit(code);
  }
  return code;
}

/**
 * A reader of standard output that has seen enough (`etl-stream parse … | head`) is no error, anything else that keeps
 * data from it is one. Messages that nobody reads are no reason to fail.
 */
function watchOutput(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT_DONE);
    const hint = 'If the run was done by then, its output is published.';
    process.exit(reportError(new EtlError('ETL_OUTPUT_WRITE', `Cannot write to standard output: ${error.message}.`, { cause: error, hint })));
  });
}
