/**
 * What a dataset is, for who wants to know: by its description, the metadata of its files, and the reports of its runs, the last
 * of which says what regions add up to; where it does not, the files are read for it (region-totals.ts). Nothing is checked on the
 * way, and a state is not opened. Memory: some 100 bytes a file and region, the reports, and what one file takes.
 */
import { join } from 'node:path';
import { defaultState } from '../core/options.ts';
import { readDescription, type DatasetDescription } from '../dataset/description.ts';
import { readStateMark } from '../dataset/state-mark.ts';
import { isThere } from '../dataset/versions.ts';
import { publishedColumns } from '../parquet/check-part.ts';
import { PARTITION_COLUMN } from '../parquet/hive-path.ts';
import { openPart, type PartColumn } from '../parquet/read-part.ts';
import { COLUMNS } from '../parquet/writer-settings.ts';
import type { RunReport } from '../report/report.ts';
import { describedRegion } from './described-region.ts';
import { datasetAt } from './dataset-place.ts';
import { reading } from './published.ts';
import { readTotals, totalsOf } from './region-totals.ts';
import { readReports } from './reports.ts';

export interface InspectedFile {
  readonly path: string;
  /** undefined when grouping by user. */
  readonly region: string | undefined;
  readonly rows: number;
  readonly bytes: number;
  readonly rowGroups: number;
}

export interface InspectedRegion {
  readonly region: string;
  /** Of the result. By user: of users who have most of their watch time there. */
  readonly rows: number;
  /** Counted logs; by user all of those users. */
  readonly logs: number;
  /** Exact, as a decimal number. */
  readonly watchTime: string;
  /** Of all watch time, from 0 to 1. */
  readonly share: number;
  /** Of its files; undefined when grouping by user. */
  readonly bytes: number | undefined;
}

/** A run that made the dataset, by its report. */
export interface InspectedRun {
  readonly run: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly version: string;
  readonly inputs: number;
  readonly rows: { readonly read: number; readonly duplicates: number; readonly rejected: number; readonly counted: number };
  readonly seconds: number;
}

/** A dataset, as `inspectDataset` gives it. */
export interface DatasetInspection {
  /** Absolute; `folder` without links. */
  readonly output: string;
  readonly folder: string;
  /** Of etl-stream, that wrote it. */
  readonly version: string;
  /** `spark`: by a job on Apache Spark; undefined: itself. */
  readonly engine: 'spark' | undefined;
  readonly groupBy: 'region' | 'user';
  /** Of the files; grouped by region `geo_region` is the name of their folder, and not among them. */
  readonly columns: readonly Omit<PartColumn, 'isRequired'>[];
  readonly sortedBy: readonly string[];
  readonly partitionedBy: readonly string[];
  /** The user's names of the four columns of the logs. */
  readonly inputColumns: Readonly<Record<string, string>>;
  /** Decimal places of the watch time. */
  readonly valueScale: number;
  readonly geoDatabase: { readonly type: string; readonly buildDate: string };
  /** Codecs of the pages: `ZSTD`. */
  readonly compression: readonly string[];
  readonly files: readonly InspectedFile[];
  /** Those of most watch time first. */
  readonly regions: readonly InspectedRegion[];
  readonly totals: { readonly files: number; readonly rowGroups: number; readonly bytes: number; readonly rows: number; readonly logs: number; readonly watchTime: string };
  /** Of the logs. */
  readonly read: { readonly read: number; readonly counted: number; readonly duplicates: number; readonly rejected: number };
  /** Which commit of which state it is, by what it says itself; undefined without a state. */
  readonly state: { readonly id: string; readonly commit: number; /** Where it is by default. */ readonly folder: string; readonly isThere: boolean } | undefined;
  /** Those that have a report, at most the last 100, the newest last. */
  readonly runs: readonly InspectedRun[];
  /** Files that should be reports and are none. */
  readonly damagedReports: readonly string[];
}

/** Throws ETL_USAGE, ETL_INPUT_NOT_FOUND when there is no dataset, ETL_INPUT_READ when one cannot be read (`verifyDataset` says more). */
export async function inspectDataset(output: string): Promise<DatasetInspection> {
  const place = await datasetAt(output);
  const { folder } = place;
  const description = await reading(output, () => readDescription(folder));
  const { groupBy, version, engine, columns: inputColumns, valueScale, geoDatabase, rows: { read, counted, duplicates, rejected } } = description as DatasetDescription & { groupBy: 'region' | 'user' };
  const files: InspectedFile[] = [];
  const codecs = new Set<string>();
  let columns: readonly PartColumn[] = publishedColumns(groupBy === 'user', valueScale);
  const parts: { path: string; region: string | undefined }[] = [];
  for (const file of description.files) {
    const { path, rows, bytes } = file;
    const said = describedRegion(description, file);
    parts.push({ path: join(folder, path), region: said });
    const part = await reading(`${output}/${path}`, () => openPart(join(folder, path), said));
    columns = part.columns;
    for (const group of part.rowGroups) for (const codec of group.codecs) codecs.add(codec);
    files.push({ path, region: part.region, rows, bytes, rowGroups: part.rowGroups.length });
  }
  const { reports, damaged } = await readReports(folder);
  const rows = sum(files, (file) => file.rows);
  const totals = totalsOf(reports.at(-1), { rows, logs: counted! }) ?? await reading(output, () => readTotals(parts, valueScale));
  const mark = await readStateMark(folder).catch(() => undefined);
  const state = defaultState(output);
  const bytesOf = new Map<string | undefined, number>();
  for (const { region, bytes } of files) bytesOf.set(region, (bytesOf.get(region) ?? 0) + bytes);
  return {
    output: place.output, folder, version, engine, groupBy, inputColumns, valueScale, geoDatabase, files,
    columns: columns.map(({ name, type }) => ({ name, type })),
    sortedBy: [COLUMNS.user],
    partitionedBy: groupBy === 'region' ? [PARTITION_COLUMN] : [],
    compression: [...codecs].sort(),
    regions: totals.regions.map(({ region, total, logs, rows: of }): InspectedRegion => ({
      region, rows: of, logs, watchTime: total, share: Number(totals.total) === 0 ? 0 : Number(total) / Number(totals.total), bytes: groupBy === 'region' ? bytesOf.get(region) ?? 0 : undefined,
    })),
    totals: {
      files: files.length, rowGroups: sum(files, ({ rowGroups }) => rowGroups), bytes: sum(files, ({ bytes }) => bytes), rows, logs: totals.logs, watchTime: totals.total,
    },
    read: { read: read!, counted: counted!, duplicates: duplicates!, rejected: rejected! },
    state: mark && { id: mark.state, commit: mark.commit, folder: state, isThere: await isThere(state) },
    runs: reports.map(runOf),
    damagedReports: damaged.map(({ file }) => file),
  };
}

function runOf({ run, startedAt, version, summary: { inputs, rows, seconds } }: RunReport): InspectedRun {
  return { run, startedAt, version, inputs, rows, seconds };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
