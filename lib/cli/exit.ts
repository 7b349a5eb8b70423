/** How a command ends: exit codes, and messages of errors for a person. */
import { EtlError, messageOf, nextSteps } from '../core/errors.ts';
import { isJsonLog, tell, tellBlock, tellFault, tellProblem } from './messages.ts';
import { printableLines } from './printable.ts';

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_REJECTED = 3;
/** 128 + the signal's number, as shells report a process that a signal ended. */
export const EXIT_SIGNAL = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export type StopSignal = keyof typeof EXIT_SIGNAL;

/** Thrown into a job by a signal: `AbortSignal.reason`. */
export class StoppedBySignal extends Error {
  readonly signal: StopSignal;

  constructor(signal: StopSignal) {
    super(`stopped by ${signal}`);
    this.signal = signal;
  }
}

/** Prints an error the way every command does and gives the exit code for it. */
export function reportError(error: unknown): number {
  if (error instanceof EtlError) {
    const stopped = error.cause instanceof StoppedBySignal ? error.cause : undefined;
    tellError(error);
    if (stopped) return EXIT_SIGNAL[stopped.signal];
    return error.code === 'ETL_USAGE' ? EXIT_USAGE : error.code === 'ETL_REJECTED' ? EXIT_REJECTED : EXIT_FAILED;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (isJsonLog()) tellProblem('An unexpected error, which is a bug in etl-stream.', { code: 'ETL_INTERNAL', hint: nextSteps.ETL_INTERNAL, stack: text });
  else tellBlock(`etl-stream: an unexpected error, which is a bug in etl-stream [ETL_INTERNAL]\n${printableLines(text)}\n`, '', {});
  return EXIT_FAILED;
}

function tellError({ message, code, hint = nextSteps[code], cause, suppressed }: EtlError): void {
  const extras = suppressed.map(messageOf);
  tellFault(message, { code, hint, ...(cause !== undefined && { cause: messageOf(cause) }), ...(extras.length > 0 && { suppressed: extras }) }, 'etl-stream: ');
  if (!isJsonLog()) for (const extra of extras) tellProblem(`  cleaning up failed too: ${extra}`);
}

/**
 * As process 1 of a container the kernel drops each signal that nobody listens to, so that what should stop would go on. There, whatever
 * does not listen itself ends as it would elsewhere.
 */
export function endAsFirstProcess(): void {
  if (process.pid !== 1) return;
  for (const name of Object.keys(EXIT_SIGNAL) as StopSignal[]) {
    process.on(name, () => {
      if (process.listenerCount(name) === 1) process.exit(EXIT_SIGNAL[name]);
    });
  }
}

/**
 * Runs `work` with a signal that SIGINT, SIGTERM and SIGHUP abort. A second one ends the process without waiting for
 * what is under way; its folders are removed all the same (core/own-folder.ts). Where it `pauses`, a first SIGINT only aborts
 * `pause`.
 */
export async function untilSignalled<T>(work: (signal: AbortSignal, pause: AbortSignal) => Promise<T>, pauses = false): Promise<T> {
  const controller = new AbortController();
  const pause = new AbortController();
  const stop = (signal: StopSignal): void => {
    const reason = new StoppedBySignal(signal);
    if (pauses && signal === 'SIGINT' && !pause.signal.aborted) {
      pause.abort(reason);
      tell('stops at the next checkpoint, or when it is done; once more stops it at once');
      return;
    }
    if (controller.signal.aborted) process.exit(EXIT_SIGNAL[signal]);
    controller.abort(reason);
  };
  const names = Object.keys(EXIT_SIGNAL) as StopSignal[];
  for (const name of names) process.on(name, stop);
  try {
    return await work(controller.signal, pause.signal);
  } finally {
    for (const name of names) process.off(name, stop);
  }
}
