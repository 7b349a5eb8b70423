/** How the pipeline has lanes 1 and 2 done, and row groups encoded: by itself, or by threads beside it. */
import type { Readable } from 'node:stream';
import type { HandedRun } from '../aggregate/runs.ts';
import type { RejectSink } from '../core/rejects.ts';
import type { ResultBatch, SortedRun } from '../core/stage.ts';
import type { EncodedRowGroup } from '../parquet/encoder.ts';

export interface Lanes {
  /**
   * Lane 1, once: all inputs; `source` gives their blocks, where it is this thread that reads them. Rejects come in input order;
   * all of them have come when it is done.
   */
  scatter(source: () => Readable, rejects: RejectSink & { append(lines: string): Promise<void> }): Promise<void>;
  /** Lane 2, once. Whoever reads a run has it given back. */
  reduce(): Promise<readonly MadeRun[]>;
  /** For lane 3, when it is not to be done by this thread. */
  readonly encoders: Encoders | undefined;
  /** Ends everything, wherever it is; idempotent. */
  close(): Promise<void>;
}

export interface MadeRun {
  /** Some thread's, to be opened; or open: all ranges, of which some may still be on their way. */
  readonly run: HandedRun | SortedRun;
  giveBack(run: HandedRun): void | Promise<void>;
}

export interface Encoders {
  /** How many batches are encoded at once. */
  readonly count: number;
  encode(batch: ResultBatch): Promise<EncodedRowGroup>;
}
