/**
 * The first view. It comes from the description and the last report alone, when that is of this dataset and says all of it: so it is there at
 * once, whatever the dataset's size. Else the views' process reads the files.
 */
import type { RunReport } from '../report/report.ts';
import { totalsOf } from '../pipeline/region-totals.ts';
import type { Overview, Selection } from './api.ts';
import { runOf } from './runs.ts';
import { regionsOf, selectionOf } from './selection.ts';
import type { Snapshot } from './snapshots.ts';
import type { Views } from './views.ts';

/** Type of the database that is embedded, for datasets without reports. */
const EMBEDDED = 'country ipvAll';

export async function overviewOf(snapshot: Snapshot, views: Views): Promise<Overview> {
  const { id, name, dataset } = snapshot;
  const { description: { version, groupBy, valueScale, geoDatabase, rows: read, files }, reports } = dataset;
  const report = reportOf(snapshot);
  const last = reports.at(-1);
  const regions = report?.result.regions.listed ?? await regionsOf(snapshot, views);
  const selection = report ? told(id, report) : await selectionOf(snapshot, null, views);
  const rows = sum(files, (file) => file.rows);
  return {
    snapshot: id, name, version, groupBy: groupBy as 'region' | 'user', valueScale,
    geoDatabase: { type: geoDatabase.type, buildDate: geoDatabase.buildDate, isEmbedded: last ? last.options.geoDb === null : geoDatabase.type === EMBEDDED },
    totals: {
      users: groupBy === 'user' ? rows : report?.summary.users ?? null, regions: regions.length, rows, logs: selection.logs, watchTime: selection.watchTime,
    },
    read: { read: read.read!, counted: read.counted!, duplicates: read.duplicates!, rejected: read.rejected! },
    files: { count: files.length, bytes: sum(files, ({ bytes }) => bytes) },
    lastRun: last ? runOf(last) : null,
    regions, selection, hasSql: await views.hasSql,
  };
}

/** The last report, if it says what the dataset is. */
export function reportOf({ dataset: { reports, description: { rows, files } } }: Snapshot): RunReport | undefined {
  const report = reports.at(-1);
  return totalsOf(report, { rows: sum(files, (file) => file.rows), logs: rows.counted! }) && report;
}

function told(snapshot: string, { result: { rows, logs, total, distribution, top } }: RunReport): Selection {
  return { snapshot, region: null, rows, logs, watchTime: total, distribution, top };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
