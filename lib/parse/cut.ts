/** What passes from one window over an input to the next. */
import { MODE_FIELD_START, MODE_PLACE, MODE_QUOTED, MODE_SKIP } from '../kernels/parse-layout.ts';

/** Where an input's bytes were cut: what the reader of the next ones has to know. */
export interface Cut {
  /** Length of the unfinished record, whose bytes have to stand just before the next ones (but see BlockParser when they find no room). */
  readonly bytes: number;
  /** Where a scan from its first byte on stands, MODE_*; and where the scan stands behind it. */
  readonly mode: number;
  readonly endMode: number;
  /** Physical line of its first byte, from 1. */
  readonly line: number;
  /** Whether it may be the beginning of a byte order mark. */
  readonly bom: boolean;
  /** Lines still to be passed over before the first record. */
  readonly skip: number;
}

export const INPUT_START: Cut = { bytes: 0, mode: MODE_FIELD_START, endMode: MODE_FIELD_START, line: 1, bom: true, skip: 0 };

/** Whether the input is lost from this cut on if it ends there: inside quotes, in a record that is too long. */
export function isLost({ mode }: Cut): boolean {
  return (mode & MODE_SKIP) !== 0 && (mode & MODE_PLACE) === MODE_QUOTED;
}
