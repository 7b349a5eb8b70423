/**
 * What the regions of a dataset add up to: as its last report says, or, where it says nothing of it, from two columns of the files
 * (three by user), at half a second a million rows. Memory of that: the columns of a row group.
 */
import { PARTITION_COLUMN } from '../parquet/hive-path.ts';
import { openPart } from '../parquet/read-part.ts';
import { COLUMNS } from '../parquet/writer-settings.ts';
import { decimal } from '../report/decimal.ts';
import type { RegionReport, RunReport } from '../report/report.ts';

export interface Totals {
  /** Exact, as a decimal number. */
  readonly total: string;
  readonly logs: number;
  /** The most watch time first; of equal ones in the order of their bytes. */
  readonly regions: readonly RegionReport[];
}

/** By the report, if it is of a dataset of so many rows and logs, and has all regions. */
export function totalsOf(report: RunReport | undefined, of: { readonly rows: number; readonly logs: number }): Totals | undefined {
  if (!report) return undefined;
  const { total, logs, rows, regions } = report.result;
  return rows === of.rows && logs === of.logs && regions.count === regions.listed.length ? { total, logs, regions: regions.listed } : undefined;
}

interface Sum {
  rows: number;
  logs: bigint;
  total: bigint;
}

/** Of files, each with the region that it is said to be of where it does not say so itself. Throws what hyparquet and the file system throw. */
export async function readTotals(files: readonly { readonly path: string; readonly region: string | undefined }[], scale: number): Promise<Totals> {
  const sums = new Map<string, Sum>();
  const of = (region: string): Sum => {
    let sum = sums.get(region);
    if (!sum) sums.set(region, (sum = { rows: 0, logs: 0n, total: 0n }));
    return sum;
  };
  for (const { path, region: said } of files) {
    const { region, rowGroups } = await openPart(path, said);
    for (const group of rowGroups) {
      const [totals, logs] = [await group.integers(COLUMNS.total), await group.integers(COLUMNS.count)];
      if (region !== undefined) add(of(region), group.rows, sumOf(totals), sumOf(logs));
      else addRows(await group.texts(PARTITION_COLUMN), totals, logs, of);
    }
  }
  const all = [...sums];
  return {
    total: decimal(all.reduce((sum, [, { total }]) => sum + total, 0n), scale),
    logs: Number(all.reduce((sum, [, { logs }]) => sum + logs, 0n)),
    regions: all.sort(byTotal).map(([region, { rows, logs, total }]) => ({ region, total: decimal(total, scale), logs: Number(logs), rows })),
  };
}

/** Each row to its region; a dictionary gives the same bytes for the same text, mostly. */
function addRows(names: readonly Uint8Array[], totals: BigInt64Array, logs: BigInt64Array, of: (region: string) => Sum): void {
  const known = new Map<Uint8Array, Sum>();
  for (const [row, name] of names.entries()) {
    let region = known.get(name);
    if (!region) known.set(name, (region = of(Buffer.from(name).toString())));
    add(region, 1, totals[row]!, logs[row]!);
  }
}

function add(sum: Sum, rows: number, total: bigint, logs: bigint): void {
  sum.rows += rows;
  sum.total += total;
  sum.logs += logs;
}

const HALF = 2n ** 32n;

/** By halves: a BigInt a value would take longer than to decode it. At most 2^20 values: a row group has fewer. */
function sumOf(values: BigInt64Array): bigint {
  const halves = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  let [low, high] = [0, 0];
  for (let at = 0; at < halves.length; at += 2) {
    low += halves[at]!;
    high += halves[at + 1]! | 0;
  }
  return BigInt(high) * HALF + BigInt(low);
}

function byTotal([a, { total: totalA }]: [string, Sum], [b, { total: totalB }]: [string, Sum]): number {
  return totalA === totalB ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : totalA < totalB ? 1 : -1;
}
