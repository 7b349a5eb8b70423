/**
 * Rejected rows that were written as CSV (dataset/rejects-csv.ts), mended by somebody and fed back: an input whose header has the
 * column MENDED_COLUMN (header.ts). What was put before fields because of spreadsheets (core/spreadsheet.ts) is taken off the four columns again.
 */
import { escapedBytes } from '../core/spreadsheet.ts';
import { BATCH_STATUS, REJECT_NONE } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { BATCH_FIELDS } from './batch-fields.ts';

/** The good rows of a batch, before their values are read: makes their fields begin behind what was put before them. */
export function unescapeRows(memory: LinearMemory, batch: number, rows: number): void {
  const statuses = memory.u32(batch + BATCH_STATUS, rows);
  for (const [ptr, length] of Object.values(BATCH_FIELDS)) {
    const [starts, lengths] = [memory.u32(batch + ptr, rows), memory.u32(batch + length, rows)];
    for (let row = 0; row < rows; row++) {
      if (statuses[row] !== REJECT_NONE) continue;
      const escaped = escapedBytes(memory.bytes(starts[row]!, lengths[row]!));
      starts[row]! += escaped;
      lengths[row]! -= escaped;
    }
  }
}
