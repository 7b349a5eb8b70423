import type { ColumnNames } from '../core/options.ts';

export interface DetectScaleOptions {
  readonly delimiter?: string;
  readonly quote?: string;
  /** What error messages call the input. */
  readonly name?: string;
}

/** What `detectScale` looks at: exactly this much of the first input that is not empty. */
export const SCALE_SAMPLE_BYTES = 1 << 20;

/**
 * Decimal places of the value column: the most significant ones (trailing zeros not counted) of any value of the good
 * rows in `sample`, at most MAX_VALUE_SCALE. `sample` is the start of an input; bytes past SCALE_SAMPLE_BYTES are not
 * looked at, and a sample shorter than that is taken for the whole input. Throws ETL_HEADER.
 */
export function detectScale(sample: Uint8Array, columns: ColumnNames, options: DetectScaleOptions = {}): number {
  void sample;
  void columns;
  void options;
  throw new Error('not yet');
}
