import type { Transform } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import type { ColumnNames } from '../core/options.ts';
import type { RejectSink } from '../core/rejects.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';

/** Most bytes of one record; blocks need as much headroom. */
export const MAX_RECORD_BYTES = 1 << 20;

export interface ParseStageOptions {
  readonly memory: LinearMemory;
  /** `loadKernel('parse', memory)` or `createParseTwin(memory)`. */
  readonly kernel: ParseKernel;
  readonly counters: Counters;
  readonly rejects: RejectSink;
  readonly columns: ColumnNames;
  /** Decimal places that values keep, see `detectScale`. */
  readonly scale: number;
  readonly delimiter?: string;
  readonly quote?: string;
  /** Default MAX_RECORD_BYTES. */
  readonly maxRecordBytes?: number;
  /** Batches that may be out at once. */
  readonly slots?: number;
}

export function createParseStage(options: ParseStageOptions): Transform {
  void options;
  throw new Error('not yet');
}
