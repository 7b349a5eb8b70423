/** What a run reports when it is done. */
import type { Counters } from './core/counters.ts';
import { rejectCodes, type RejectCode } from './core/rejects.ts';
import type { Phase } from './progress.ts';

export interface Summary {
  /** The folder that was published, as given. */
  readonly output: string;
  readonly inputs: number;
  /** Bytes read from the inputs. */
  readonly bytes: number;
  /** read = counted + duplicates + rejected, always. */
  readonly rows: { readonly read: number; readonly duplicates: number; readonly rejected: number; readonly counted: number };
  readonly rejectedBy: Readonly<Partial<Record<RejectCode, number>>>;
  readonly emptyLines: number;
  /** Counted logs whose address gave no region: they are in ZZ. */
  readonly unknownRegion: number;
  readonly users: number;
  readonly regions: number;
  /** Rows of the result: (region, user) pairs, or users. */
  readonly groups: number;
  readonly files: number;
  readonly outputBytes: number;
  /** Decimal places of the totals. */
  readonly valueScale: number;
  readonly geoDatabase: { readonly type: string; readonly buildDate: string };
  /** Sorted runs that were merged, and those of them that went through a file. */
  readonly runs: { readonly merged: number; readonly spilled: number; readonly spilledBytes: number };
  readonly seconds: number;
  /** Seconds of each phase. */
  readonly phases: Readonly<Record<Phase, number>>;
  readonly megabytesPerSecond: number;
  readonly rowsPerSecond: number;
  /** Most memory that the process ever had resident, in bytes. */
  readonly peakRss: number;
  readonly version: string;
}

/** What only the pipeline knows. */
export type Outcome = Pick<Summary, 'output' | 'inputs' | 'users' | 'regions' | 'valueScale' | 'geoDatabase' | 'seconds' | 'phases' | 'version'>;

export function summarize(counters: Readonly<Counters>, outcome: Outcome): Summary {
  const { bytes, read, duplicate, rejected, counted, rejectedBy, emptyLines, unknownRegion, groups, files, outputBytes } = counters;
  const { seconds } = outcome;
  return {
    ...outcome,
    bytes,
    rows: { read, duplicates: duplicate, rejected, counted },
    rejectedBy: Object.fromEntries([...rejectedBy].sort(([a], [b]) => a - b).map(([code, rows]) => [rejectCodes[code]!, rows])),
    emptyLines,
    unknownRegion,
    groups,
    files,
    outputBytes,
    runs: { merged: counters.runs, spilled: counters.runsSpilled, spilledBytes: counters.runBytesSpilled },
    megabytesPerSecond: bytes / 1e6 / seconds,
    rowsPerSecond: read / seconds,
    // Kilobytes on every platform that Node runs on.
    peakRss: process.resourceUsage().maxRSS * 1024,
  };
}
