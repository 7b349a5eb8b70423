/**
 * Bounds the fan-in of a merge: while there are more runs than that, the smallest are merged into one new run file.
 * Takes runs and gives fewer, in any order; the totals and their order are the same. Memory: one buffer a run of the
 * fan-in, and one for writing. On failure all runs given are closed.
 */
import { withCleanupError } from '../core/errors.ts';
import type { SortedRun } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { MERGE_OPEN, MERGE_OUT, MERGE_OUT_END, MERGE_ROWS, STATUS_BATCH } from '../kernels/merge-layout.ts';
import type { MergeKernel } from '../kernels/twins/merge.ts';
import { Sources, stopped } from './sources.ts';

const WRITE_BYTES = 1 << 18;

/** Where merged runs are written: what RunFiles of the aggregate offers. */
export interface RunStore {
  create(): Promise<{ write(rows: Uint8Array): Promise<void>; finish(rows: number): SortedRun; discard(): Promise<void> }>;
}

export interface PassOptions {
  readonly memory: LinearMemory;
  readonly kernel: MergeKernel;
  readonly byUser: boolean;
  readonly bufferBytes: number;
  readonly fanIn: number;
  readonly temp: RunStore;
}

export interface PassObserver {
  /** Told the bytes of each run that was written. */
  written(bytes: number): void;
  /** Asked now and then; true makes the passes fail with ETL_ABORTED. */
  isStopped(): boolean;
}

/** Merges runs until `fanIn` (at least 2) or fewer are left. */
export async function reduceRuns(
  runs: readonly SortedRun[], options: PassOptions, observer: PassObserver,
): Promise<SortedRun[]> {
  const left = [...runs];
  let taken: SortedRun[] = [];
  try {
    while (left.length > options.fanIn) {
      left.sort((a, b) => a.rows - b.rows);
      taken = left.splice(0, Math.min(options.fanIn, left.length - options.fanIn + 1));
      left.push(await mergeToRun(taken, options, observer));
      taken = [];
    }
    return left;
  } catch (error) {
    const closed = await Promise.allSettled([...taken, ...left].map((run) => run.close()));
    throw closed.reduce<unknown>((first, end) => (end.status === 'rejected' ? withCleanupError(first, end.reason) : first), error);
  }
}

async function mergeToRun(runs: readonly SortedRun[], options: PassOptions, observer: PassObserver) {
  const { memory, kernel, byUser, bufferBytes, temp } = options;
  const sources = new Sources(memory, runs, byUser, bufferBytes);
  const out = memory.slab(WRITE_BYTES, 'writing runs');
  let writer: Awaited<ReturnType<RunStore['create']>> | undefined;
  try {
    writer = await temp.create();
    await sources.start(kernel);
    let written = 0;
    let status: number;
    do {
      if (observer.isStopped()) throw stopped();
      sources.set(MERGE_OUT, out);
      sources.set(MERGE_OUT_END, out + WRITE_BYTES);
      sources.set(MERGE_OPEN, 0);
      status = await sources.step(kernel.mergeRows);
      const bytes = sources.get(MERGE_OUT) - out;
      await writer.write(memory.bytes(out, bytes));
      written += bytes;
    } while (status === STATUS_BATCH);
    const run = writer.finish(sources.get(MERGE_ROWS));
    observer.written(written);
    return run;
  } catch (error) {
    await writer?.discard().catch(() => {}); // the first error says more
    throw error;
  } finally {
    await sources.close();
    memory.giveSlab(out, WRITE_BYTES);
  }
}
