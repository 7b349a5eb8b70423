/** Totals of an earlier run, whose regions had other numbers: an IP database of another day has some names more or fewer. */
import { EtlError } from '../core/errors.ts';
import type { SortedRun } from '../core/stage.ts';
import { RUN_REGION, RUN_USER, RUN_USER_LEN } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';

/**
 * The run with the numbers that its regions have in `now`. Both lists are in order of the names' bytes, so the order of rows
 * stays. Throws ETL_STATE_MISMATCH when a region of `before` is not among those of `now`.
 */
export function renumbered(run: SortedRun, before: readonly string[], now: readonly string[], memory: LinearMemory): SortedRun {
  if (before.length === now.length && before.every((name, number) => name === now[number])) return run;
  const places = new Map(now.map((name, number) => [name, number]));
  const numbers = before.map((name) => places.get(name) ?? missing(name));
  const rewrite = (ptr: number, bytes: number): number => {
    const rows = memory.view(ptr, bytes);
    for (let at = 0; at < bytes; at += RUN_USER + rows.getUint32(at + RUN_USER_LEN, true)) {
      rows.setUint32(at + RUN_REGION, numbers[rows.getUint32(at + RUN_REGION, true)]!, true);
    }
    return bytes;
  };
  return {
    rows: run.rows,
    fill: (ptr, capacity) => {
      const filled = run.fill(ptr, capacity);
      return typeof filled === 'number' ? rewrite(ptr, filled) : filled.then((bytes) => rewrite(ptr, bytes));
    },
    close: () => run.close(),
  };
}

function missing(name: string): never {
  throw new EtlError('ETL_STATE_MISMATCH', `Earlier runs counted logs of the region ${name}, which the IP database does not know.`, {
    hint: 'Use the database, or the --geo-field, of the earlier runs, or rebuild the dataset from all logs with --overwrite.',
  });
}
