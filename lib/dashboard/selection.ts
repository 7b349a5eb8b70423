/** What is shown of a region, or of all: sums, how totals are distributed, and the first rows by watch time. Made once for each snapshot. */
import { BOUNDS, bucketsOf } from '../report/buckets.ts';
import { decimal } from '../report/decimal.ts';
import type { RegionReport } from '../report/report.ts';
import { PAGE_ROWS, type Selection } from './api.ts';
import type { Snapshot } from './snapshots.ts';
import { topRowsOf } from './top.ts';
import type { Views } from './views.ts';

/** Bounds that the column's type has: decimals of 18 digits. */
const OF_DECIMALS = BOUNDS.filter((bound) => bound <= 10n ** 17n);

/** `region`: null = all. */
export function selectionOf(snapshot: Snapshot, region: string | null, views: Views): Promise<Selection> {
  return snapshot.answers.selections.get(keyOf(region), async () => {
    const [sums, top] = await Promise.all([sumsOf(snapshot, region, views), topRowsOf(snapshot, region, PAGE_ROWS, views)]);
    return { snapshot: snapshot.id, region, ...sums, top };
  }, ({ rows }) => rows === 0);
}

/** All regions, the most watch time first. */
export async function regionsOf(snapshot: Snapshot, views: Views): Promise<RegionReport[]> {
  const rows = await views.rows(snapshot, `
    SELECT geo_region, sum(total_watch_time) AS total, sum(log_count), count(*) FROM watch_time GROUP BY geo_region ORDER BY total DESC, geo_region`, {});
  return rows.map(([region, total, logs, count]) => ({ region: region ?? '', total: total!, logs: Number(logs), rows: Number(count) }));
}

/** Of a key of answers: no region is like null. */
export function keyOf(region: string | null): string {
  return region === null ? '' : `=${region}`;
}

/** A condition for the rows of a region, and what is bound to it. */
export function inRegion(region: string | null): { readonly where: string; readonly parameters: { readonly region?: string } } {
  return region === null ? { where: 'true', parameters: {} } : { where: 'geo_region = $region', parameters: { region } };
}

/**
 * In one pass. The distribution is as a report has it: a bucket's bound that is nearer to 0 is included. DuckDB's bins have their upper bound: of positive ones that is
 * the last number below the next.
 */
async function sumsOf(snapshot: Snapshot, region: string | null, views: Views): Promise<Omit<Selection, 'snapshot' | 'region' | 'top'>> {
  const { where, parameters } = inRegion(region);
  const { valueScale: scale } = snapshot.dataset.description;
  const bounds = scale === 0 ? BOUNDS : OF_DECIMALS;
  const uppers = [...bounds.map((bound) => -bound).reverse(), 0n, ...bounds.slice(1).map((bound) => bound - 1n)];
  const bins = uppers.map((upper) => decimal(upper, scale)).join(', ');
  const [found] = await views.rows(snapshot, `
    SELECT count(*), coalesce(sum(log_count), 0), coalesce(sum(total_watch_time), 0),
      map_values(histogram(total_watch_time, [${bins}]::${scale === 0 ? 'BIGINT' : `DECIMAL(18,${scale})`}[]))::VARCHAR
    FROM watch_time WHERE ${where}`, parameters);
  const [rows, logs, watchTime, counts] = found!;
  const [positive, negative] = [zeros(), zeros()];
  for (const [at, count] of (JSON.parse(counts ?? '[]') as number[]).entries()) {
    if (at < bounds.length) negative[bounds.length - at] = count;
    else positive[at - bounds.length] = count; // the last one is of all that is more
  }
  return { rows: Number(rows), logs: Number(logs), watchTime: watchTime!, distribution: bucketsOf(positive, negative, scale) };
}

function zeros(): number[] {
  return Array.from({ length: BOUNDS.length + 1 }, () => 0);
}
