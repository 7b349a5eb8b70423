/**
 * Bounds the fan-in of a merge: while there are more runs than that, the smallest are merged into one new run file.
 *
 * Takes runs and gives `fanIn` or fewer, in any order; the totals and their order are the same. As few rows are rewritten
 * as can be: the runs are the leaves of a Huffman tree with `fanIn` branches, so the smallest are merged first, and the
 * first merge takes just so many that all after it are full. What is still in memory as a table comes last in `runs`: it
 * is rewritten only if it is smaller than the others, when that saves rewriting one of them.
 * Memory: buffers of the sources, and WRITE_BYTES. Closes the runs that it used up; on failure, all that it made.
 */
import type { Counters } from '../core/counters.ts';
import { withCleanupError } from '../core/errors.ts';
import { Resources } from '../core/resources.ts';
import type { SortedRun } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { MERGE_OPEN, MERGE_OUT, MERGE_OUT_END, MERGE_ROWS, STATUS_BATCH } from '../kernels/merge-layout.ts';
import type { MergeKernel } from '../kernels/twins/merge.ts';
import type { RunStore } from '../spill/run-files.ts';
import { closeRuns, Sources, stopped } from './sources.ts';

/** Rows on their way to the file, and the area that they are packed in. */
const ROWS_BYTES = 1 << 17;
const PACK_BYTES = 1 << 17;
export const WRITE_BYTES = ROWS_BYTES + PACK_BYTES;

export interface PassOptions {
  readonly memory: LinearMemory;
  readonly kernel: MergeKernel;
  readonly byUser: boolean;
  readonly bufferBytes: number;
  readonly fanIn: number;
  readonly temp: RunStore;
  readonly counters: Pick<Counters, 'mergePasses'>;
  /** Asked now and then; true makes the passes fail with ETL_ABORTED. */
  isStopped(): boolean;
}

/** Merges runs until `fanIn` (at least 2) or fewer are left. */
export async function reduceRuns(runs: readonly SortedRun[], options: PassOptions): Promise<SortedRun[]> {
  const { fanIn } = options;
  const left = [...runs];
  const made: SortedRun[] = [];
  const surplus = (left.length - 1) % (fanIn - 1);
  try {
    for (let count = surplus > 0 ? surplus + 1 : fanIn; left.length > fanIn; count = fanIn) {
      left.sort((a, b) => a.rows - b.rows); // stable: of equals, the earlier
      const merged = await mergeToRun(left.splice(0, count), options);
      left.push(merged);
      made.push(merged);
    }
    return left;
  } catch (error) {
    throw await closeRuns(made).then(() => error, (extra: unknown) => withCleanupError(error, extra));
  }
}

/** All runs as one, in `store`: of the caller, who closes it. */
export async function mergeInto(store: RunStore, runs: readonly SortedRun[], options: PassOptions): Promise<SortedRun> {
  return mergeToRun(await reduceRuns(runs, options), { ...options, temp: store });
}

async function mergeToRun(runs: readonly SortedRun[], options: PassOptions): Promise<SortedRun> {
  const { memory, kernel, byUser, bufferBytes, temp, counters } = options;
  const resources = new Resources();
  let run: SortedRun | undefined;
  let failure: unknown;
  try {
    const sources = new Sources(memory, runs, byUser, bufferBytes);
    resources.add(() => sources.close());
    const out = memory.slab(WRITE_BYTES, 'writing a merged run');
    resources.add(() => memory.giveSlab(out, WRITE_BYTES));
    const writer = await temp.create({ at: out + ROWS_BYTES, bytes: PACK_BYTES });
    resources.add(() => (run ? undefined : writer.discard()));
    await sources.start(kernel);
    counters.mergePasses++;
    let status: number;
    do {
      if (options.isStopped()) throw stopped();
      sources.set(MERGE_OUT, out);
      sources.set(MERGE_OUT_END, out + ROWS_BYTES);
      sources.set(MERGE_OPEN, 0);
      status = await sources.step(kernel.mergeRows);
      await writer.write(out, sources.get(MERGE_OUT) - out);
    } while (status === STATUS_BATCH);
    run = await writer.finish(sources.get(MERGE_ROWS));
  } catch (error) {
    failure = error;
  }
  failure = await resources.close(failure);
  if (run && failure === undefined) return run;
  throw run ? await run.close().then(() => failure, (extra: unknown) => withCleanupError(failure, extra)) : failure;
}
