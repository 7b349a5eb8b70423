/**
 * Runs on their way from the thread that made them to the one that merges them. What is handed over is plain data, which can
 * be posted: a sealed table is an address in the memory that all threads share, a run file what it takes to read it. Whoever
 * made a run keeps its slabs and its file until it is told that the run was read (`giveBack`, of its aggregator).
 */
import type { SortedRun } from '../core/stage.ts';
import type { AggregateKernel } from '../kernels/twins/aggregate.ts';
import type { HandedFile, RunFiles } from '../spill/run-files.ts';

/** A run: `number` is what its aggregator knows it by. */
export type HandedRun = {
  readonly number: number;
  readonly rows: number;
} & ({ readonly table: number } | { readonly file: HandedFile });

export interface OpenRunOptions {
  /** Of the thread that reads: pages of groups go to its pool. */
  readonly kernel: AggregateKernel;
  readonly files: Pick<RunFiles, 'open'>;
  /** The run was read, or is not needed: its aggregator may have back what it kept. Called once. */
  giveBack(run: HandedRun): void | Promise<void>;
}

/** The run that was handed over, to be read by this thread; the caller owns it. One that is none of others' is as it is. */
export function openRun(handed: HandedRun | SortedRun, { kernel, files, giveBack }: OpenRunOptions): SortedRun {
  if ('fill' in handed) return handed;
  if ('file' in handed) return files.open(handed.file, handed.rows, async () => giveBack(handed));
  const { table, rows } = handed;
  let open = true;
  return {
    rows,
    fill: (ptr, capacity) => (open ? kernel.fillRun(table, ptr, capacity) : 0),
    close: async () => {
      if (!open) return;
      open = false;
      kernel.freeGroups(table);
      await giveBack(handed);
    },
  };
}
