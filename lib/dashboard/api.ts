/**
 * What the dashboard's server and page say to each other: JSON over HTTP on one origin. Every answer is of one snapshot, the dataset
 * as one publication left it, and names it; a page that asks for another than there is (`snapshot=`) is answered 410, and loads anew.
 *
 *   GET  /api/overview                                        Overview
 *   GET  /api/selection?region=US                             Selection; without a region, of all
 *   GET  /api/top?region=US&offset=0                          RowPage: rows with the most watch time, at most MOST_TOP of them
 *   GET  /api/users?region=US&prefix=ab&after=CURSOR          RowPage: rows in the order of their users
 *   GET  /api/runs                                            Runs
 *   GET  /api/rejects?reason=bad_value                        Rejects
 *   POST /api/query      {"sql": "...", "snapshot": "..."}    QueryAnswer; closing the connection cancels the query
 *   GET  /api/export?sql=...&format=csv|parquet               a file
 *   GET  /api/events                                          server-sent events: `snapshot`, data: Announcement, at once and for every new one
 *
 * An error is a status with {"error": Problem}. Totals are decimal texts, exact; figures that count are numbers.
 */
import type { Bucket, RegionReport, TopRow } from '../report/report.ts';

/** Rows of a page of users. */
export const PAGE_ROWS = 50;
/** Of rows by watch time; who wants more asks in the order of users. */
export const MOST_TOP = 1000;
/** Rows of an answer to a query; all of them are in an export. */
export const MOST_ANSWER_ROWS = 1000;

export interface Problem {
  /** Of core/errors.ts. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

export interface Announcement {
  readonly snapshot: string;
}

/** Of what an answer is. */
export interface OfSnapshot {
  readonly snapshot: string;
}

/** All that the first view shows but charts of runs and rejects. */
export interface Overview extends OfSnapshot {
  /** Name of the dataset's folder. */
  readonly name: string;
  /** Of etl-stream, that wrote it. */
  readonly version: string;
  readonly groupBy: 'region' | 'user';
  readonly valueScale: number;
  readonly geoDatabase: { readonly type: string; readonly buildDate: string; /** DB-IP's, which is to be named. */ readonly isEmbedded: boolean };
  /** `users`: null where nobody counted them. `logs`: counted ones. */
  readonly totals: { readonly users: number | null; readonly regions: number; readonly rows: number; readonly logs: number; readonly watchTime: string };
  readonly read: { readonly read: number; readonly counted: number; readonly duplicates: number; readonly rejected: number };
  readonly files: { readonly count: number; readonly bytes: number };
  /** The last one that has a report. */
  readonly lastRun: Run | null;
  /** The most watch time first, all of them. */
  readonly regions: readonly RegionReport[];
  /** Of all. */
  readonly selection: Selection;
  /** Whether DuckDB is there: without it there are no queries, and no selection of a region. */
  readonly hasSql: boolean;
}

/** What is shown of a region, or of all of them. */
export interface Selection extends OfSnapshot {
  readonly region: string | null;
  readonly rows: number;
  readonly logs: number;
  readonly watchTime: string;
  readonly distribution: readonly Bucket[];
  /** The first ones, as /api/top has them. */
  readonly top: readonly TopRow[];
}

export interface RowPage extends OfSnapshot {
  readonly rows: readonly TopRow[];
  /** What to ask for to have the next ones; null: there are none. */
  readonly next: string | null;
}

/** A run by its report. */
export interface Run {
  readonly run: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly version: string;
  readonly inputs: number;
  readonly rows: { readonly read: number; readonly counted: number; readonly duplicates: number; readonly rejected: number };
  readonly seconds: number;
  readonly megabytesPerSecond: number;
  readonly rowsPerSecond: number;
  readonly memory: { readonly limit: number; readonly peak: number };
  readonly warnings: readonly string[];
  /** After it, by region where it has said so; the watch time of all. */
  readonly watchTime: string;
  readonly regions: Readonly<Record<string, string>>;
}

export interface Runs extends OfSnapshot {
  /** At most the last 100, the newest last. */
  readonly runs: readonly Run[];
  /** Files that should be reports and are none. */
  readonly damaged: number;
}

export interface Rejects extends OfSnapshot {
  /** Of all that the dataset's file of rejects has; the most first. Rules are told as `rule COLUMN:RULE`. */
  readonly reasons: readonly { readonly reason: string; readonly rows: number }[];
  readonly rows: number;
  /** The first ones, of one reason where it was asked for. */
  readonly examples: readonly RejectExample[];
}

export interface RejectExample {
  readonly reason: string;
  readonly file: string;
  readonly line: number;
  readonly column: string | null;
  readonly message: string;
  readonly raw: string;
}

export interface QueryAnswer extends OfSnapshot {
  readonly columns: readonly { readonly name: string; /** DuckDB's: `DECIMAL(18,2)`. */ readonly type: string; readonly isNumber: boolean }[];
  /** Values as text, as DuckDB writes them; null: NULL. At most MOST_ANSWER_ROWS. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** There are more. */
  readonly isCut: boolean;
  readonly seconds: number;
}
