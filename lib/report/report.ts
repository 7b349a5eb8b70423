/**
 * What a run says of itself, for people and for later commands: `_etl/reports/<run>.json`, and the same as a page, `_etl/report.html`.
 * Unlike everything else in a dataset it tells of one run: when, where and how fast. It is written before the dataset is committed
 * and published: what that takes, some milliseconds, is in the summary that the run gives, not here.
 *
 * Totals are decimal texts, as exact as in the Parquet files. Bytes are bytes, seconds have fractions.
 */
import type { Sample } from '../progress.ts';
import type { Summary } from '../summary.ts';

export interface RunReport {
  /** Version of this format. */
  readonly format: 1;
  /** Name of the run: when it began, UTC, to the millisecond, and six random digits, as in `20261130T045026123Z-3f2a9c`. Names sort by time. */
  readonly run: string;
  /** Of etl-stream, and of Node. */
  readonly version: string;
  readonly node: string;
  /** `processors`: those that the process may use. `memoryBytes`: of the machine, or its control group. On Spark: of the driver. */
  readonly machine: { readonly platform: string; readonly arch: string; readonly processors: number; readonly memoryBytes: number };
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly endedAt: string;
  /** As they were in effect, by the names that the library has for them; null: not set. Of many inputs only the first ones. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What the run counted, as `--json` tells it; seconds and peak memory as they were when this was written. */
  readonly summary: Omit<Summary, 'report'>;
  /** Where the run was, from its beginning to its end, at most 600 times. */
  readonly samples: readonly Sample[];
  /** What the run was allowed to have resident, the most that the process ever had, and who was given how much: shares of core/memory-budget.ts. */
  readonly memory: { readonly limitBytes: number; readonly peakBytes: number; readonly budget: Readonly<Record<string, number | boolean>> };
  /** Those that the run read, in order. */
  readonly inputs: Listed<InputReport>;
  /** What is published: with a state, of all runs. */
  readonly result: ResultReport;
  /** Parquet files, by path. */
  readonly files: Listed<{ readonly path: string; readonly rows: number; readonly bytes: number }>;
  /** Sentences. */
  readonly warnings: readonly string[];
}

/** The first ones of a list, and how many there are in all. */
export interface Listed<T> {
  readonly count: number;
  readonly listed: readonly T[];
}

export interface InputReport {
  readonly name: string;
  /** On the disk; null: not a file. */
  readonly bytes: number | null;
  /** `text` (UTF-8), `transcoded` (another encoding), `gzip`, `zstd` or `bzip2`, on Spark by its name; null: not a file. */
  readonly content: string | null;
  readonly rows: number;
  readonly rejected: number;
  /** By reject code, and by rule: `rule COLUMN:RULE`. */
  readonly rejectedBy: Readonly<Record<string, number>>;
}

export interface ResultReport {
  /** Of all rows. */
  readonly total: string;
  readonly logs: number;
  readonly rows: number;
  /** The most watch time first. With `groupBy: user` a row, with all of its total, is of the user's main region. */
  readonly regions: Listed<RegionReport>;
  /** Rows by their total, from the smallest to the largest there is. Empty without rows. */
  readonly distribution: readonly Bucket[];
  /** Those with the most watch time, at most 20. */
  readonly top: readonly TopRow[];
}

export interface RegionReport {
  readonly region: string;
  readonly total: string;
  readonly logs: number;
  /** Users, as far as they are of this region. */
  readonly rows: number;
}

/** Bounds are 1, 2 and 5 times powers of ten, and 0; the one that is nearer to 0 is included. */
export interface Bucket {
  readonly from: string;
  readonly to: string;
  readonly rows: number;
}

export interface TopRow {
  readonly user: string;
  readonly region: string;
  readonly total: string;
  readonly logs: number;
}
