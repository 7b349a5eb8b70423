/**
 * The runs of one merge, each with a buffer of linear memory that is refilled from the run as the kernel uses it up.
 * Owns the runs: `close` closes them, after a refill under way has ended, and gives the memory back: one slab.
 *
 *   | state: a page | buffer of run 0 | buffer of run 1 | ...
 */
import { EtlError, withCleanupError } from '../core/errors.ts';
import type { SortedRun } from '../core/stage.ts';
import { MAX_USER_BYTES, PAGE_BYTES, RUN_USER } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import {
  MERGE_BY_USER, MERGE_RUN, MERGE_RUNS, MERGE_SOURCES, SOURCE_BYTES, SOURCE_END, SOURCE_NEXT, STATUS_REFILL,
} from '../kernels/merge-layout.ts';
import type { MergeKernel } from '../kernels/twins/merge.ts';

/** A run row with the longest user: a buffer must hold it. */
export const MIN_BUFFER_BYTES = RUN_USER + MAX_USER_BYTES;

/** What a merge fails with that was closed before its end. */
export function stopped(): EtlError {
  return new EtlError('ETL_ABORTED', 'The merge was stopped before its end.');
}

/** Closes all, also when some fail to; throws the first failure. */
export async function closeRuns(runs: readonly SortedRun[]): Promise<void> {
  const ends = await Promise.allSettled(runs.map((run) => run.close()));
  const failures = ends.flatMap((end): unknown[] => (end.status === 'rejected' ? [end.reason] : []));
  if (failures.length > 0) throw failures.reduce(withCleanupError);
}

export class Sources {
  /** Address of the kernel's state: a page, zero but for what concerns the sources. */
  readonly state: number;
  readonly #memory: LinearMemory;
  readonly #runs: readonly SortedRun[];
  readonly #bufferBytes: number;
  #filling: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  /** `bufferBytes` for each run, at least MIN_BUFFER_BYTES. */
  constructor(memory: LinearMemory, runs: readonly SortedRun[], byUser: boolean, bufferBytes: number) {
    if (bufferBytes < MIN_BUFFER_BYTES) {
      throw new EtlError('ETL_INTERNAL', `A merge buffer of ${bufferBytes} bytes cannot hold every row.`);
    }
    this.#memory = memory;
    this.#runs = runs;
    this.#bufferBytes = Math.ceil(bufferBytes / 8) * 8;
    this.state = memory.slab(this.#slabBytes, 'merging runs');
    memory.bytes(this.state, PAGE_BYTES).fill(0);
    this.set(MERGE_RUNS, runs.length);
    this.set(MERGE_BY_USER, byUser ? 1 : 0);
  }

  /** Fills all buffers and starts the kernel. */
  async start(kernel: MergeKernel): Promise<void> {
    for (let run = 0; run < this.#runs.length; run++) await this.#refill(run);
    kernel.startMerge(this.state);
  }

  /**
   * Calls `merge` until it returns something else than that a source is to be refilled, and gives that status. Throws
   * ETL_ABORTED when closed meanwhile.
   */
  async step(merge: (state: number) => number): Promise<number> {
    for (;;) {
      const status = merge(this.state);
      if (status !== STATUS_REFILL) return status;
      const filling = this.#refill(this.get(MERGE_RUN));
      if (filling) await filling;
      if (this.#closed) throw stopped();
    }
  }

  /** A u32 of the state. */
  get(field: number): number {
    return this.#memory.view(this.state + field, 4).getUint32(0, true);
  }

  set(field: number, value: number): void {
    this.#memory.view(this.state + field, 4).setUint32(0, value, true);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#filling?.catch(() => {}); // whoever waits for it has the error
    try {
      await closeRuns(this.#runs);
    } finally {
      this.#memory.giveSlab(this.state, this.#slabBytes);
    }
  }

  #refill(run: number): Promise<void> | undefined {
    const at = this.state + PAGE_BYTES + run * this.#bufferBytes;
    const bytes = this.#runs[run]!.fill(at, this.#bufferBytes);
    if (typeof bytes === 'number') {
      this.#setRows(run, at, bytes);
      return undefined;
    }
    this.#filling = bytes.then((read) => this.#setRows(run, at, read));
    return this.#filling;
  }

  #setRows(run: number, at: number, bytes: number): void {
    if (bytes < 0 || bytes > this.#bufferBytes) {
      throw new EtlError('ETL_INTERNAL', `A run filled ${bytes} bytes into a buffer of ${this.#bufferBytes}.`);
    }
    const source = MERGE_SOURCES + run * SOURCE_BYTES;
    this.set(source + SOURCE_NEXT, bytes === 0 ? 0 : at);
    this.set(source + SOURCE_END, at + bytes);
  }

  get #slabBytes(): number {
    return PAGE_BYTES + this.#runs.length * this.#bufferBytes;
  }
}
