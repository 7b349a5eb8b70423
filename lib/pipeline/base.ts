/** What all parts of a job share. */
import type { Counters } from '../core/counters.ts';
import type { MemoryBudget } from '../core/memory-budget.ts';
import type { JobOptions } from '../core/options.ts';
import type { Resources } from '../core/resources.ts';
import type { JobListener, ProgressTeller } from '../progress.ts';
import type { RunRecorder } from '../report/recorder.ts';
import type { Guess } from './sniffed.ts';

export interface JobContext {
  readonly signal?: AbortSignal | undefined;
  /** Stops the run at the next checkpoint, if it has any before its end. */
  readonly pause?: AbortSignal | undefined;
  readonly events?: JobListener | undefined;
  /** Told each different guess of `sniff`, before a row is read. */
  readonly onGuess?: ((guess: Guess) => void) | undefined;
  /** Tests tighten shares of the memory budget; nothing in a result depends on them. */
  readonly limits?: Partial<MemoryBudget>;
  /** And have threads for inputs of any size. */
  readonly threadsFrom?: number;
}

export interface JobBase {
  readonly options: JobOptions;
  readonly context: JobContext;
  /** Closed at the end, whatever it is, in the reverse order. */
  readonly resources: Resources;
  readonly counters: Counters;
  readonly progress: ProgressTeller;
  /** Of the run, for its report; undefined: there is none. */
  readonly recorder: RunRecorder | undefined;
  /** Of etl-stream. */
  readonly version: string;
  /** Of the process before the run. */
  readonly process: { readonly resident: number; readonly warm: boolean };
}

/** What stops a stream of the job. */
export function stoppable({ context: { signal } }: JobBase): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}
