/** What a run reports when it is done. */
import type { Counters } from './core/counters.ts';
import { reasonsOf } from './core/rejects.ts';
import type { Rule } from './core/rules.ts';
import { peakResidentBytes } from './core/resident.ts';
import type { Phase } from './progress.ts';

export interface Summary {
  /** The folder that was published, as given. */
  readonly output: string;
  readonly inputs: number;
  /** Threads that worked at once, at most as many as asked for: as memory and inputs allowed. */
  readonly jobs: number;
  /** What parsed them: with a dialect that the kernel does not take csv-parse did, in one thread, at some 15 MB/s. `spark`: the job on Spark. */
  readonly parser: 'kernel' | 'csv-parse' | 'spark';
  /** `spark`: Apache Spark did it all, with `jobs` tasks at once; `memory` is that of its driver. Not there: etl-stream itself. */
  readonly engine?: 'spark' | undefined;
  readonly spark?: SparkRun | undefined;
  /** Bytes read from the inputs: as they stand, compressed ones as such; and of text, decompressed, as UTF-8. */
  readonly inputBytes: number;
  readonly bytes: number;
  /** read = counted + duplicates + rejected, always. */
  readonly rows: { readonly read: number; readonly duplicates: number; readonly rejected: number; readonly counted: number };
  /** By reject code, and by rule: `rule COLUMN:RULE`. */
  readonly rejectedBy: Readonly<Record<string, number>>;
  /** Where rejects are, in the output. */
  readonly rejectsFile: string;
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
  /** Bytes: what the process was allowed to have resident, and the most that it ever had. */
  readonly memory: { readonly limit: number; readonly peakRss: number };
  /**
   * What went to temporary files: bytes and files in all, rows of partitions, and how often a partition had more ids than
   * fit memory at once, so that it was split.
   */
  readonly spill: { readonly bytes: number; readonly files: number; readonly rows: number; readonly splits: number };
  /** Sorted runs that were made, those of them that went to a file, and merges that it took to make one of them. */
  readonly runs: { readonly made: number; readonly spilled: number; readonly merges: number };
  readonly seconds: number;
  /** Seconds of each phase. */
  readonly phases: Readonly<Record<Phase, number>>;
  readonly megabytesPerSecond: number;
  readonly rowsPerSecond: number;
  /** What the run continued from and committed to; undefined without a state. */
  readonly state: {
    readonly folder: string;
    /** Number of the last commit. */
    readonly commit: number;
    /** Nothing was new: no commit was made, and what is published is what it was. */
    readonly isUnchanged: boolean;
    /** And what is published was not there, or was that of an earlier commit: it is there again. */
    readonly isRepublished: boolean;
    /** Inputs that were counted before and have not changed: not read. */
    readonly knownInputs: number;
    /** Logs counted by all commits. */
    readonly logs: number;
    /** Ids that this run forgot, since they were counted before the window. */
    readonly forgotten: number;
  } | undefined;
  /** What the run wrote of itself: its name, the page in the output, and what somebody should look at; undefined: none, or nothing was new. */
  readonly report: { readonly run: string; readonly page: string; readonly warnings: readonly string[] } | undefined;
  /** Hidden folders that killed runs had left, and that this one removed. */
  readonly leftBehind: readonly string[];
  readonly version: string;
}

/** Where Spark ran a job: its version, the master's address, cores of all executors, and its name for the application. */
export interface SparkRun {
  readonly version: string;
  readonly master: string;
  readonly cores: number;
  readonly application: string;
  /** Of all stages; those that failed were done again, or the job would have. */
  readonly tasks: number;
  readonly failedTasks: number;
  /** Bytes that went from one task to another. */
  readonly shuffledBytes: number;
}

/** What only the pipeline knows. */
export type Outcome = Pick<Summary, 'output' | 'rejectsFile' | 'inputs' | 'jobs' | 'parser' | 'users' | 'regions' | 'valueScale' | 'geoDatabase' | 'seconds' | 'phases' | 'state' | 'report' | 'leftBehind' | 'version'>;

/** `rules`: of the run. */
export function summarize(counters: Readonly<Counters>, rules: readonly Rule[], memoryLimit: number, outcome: Outcome): Summary {
  const { inputBytes, bytes, read, duplicate, rejected, counted, rejectedBy, emptyLines, unknownRegion, groups, files, outputBytes } = counters;
  const { seconds } = outcome;
  return {
    ...outcome,
    inputBytes,
    bytes,
    rows: { read, duplicates: duplicate, rejected, counted },
    rejectedBy: reasonsOf(rejectedBy, rules),
    emptyLines,
    unknownRegion,
    groups,
    files,
    outputBytes,
    memory: { limit: memoryLimit, peakRss: peakResidentBytes() },
    spill: { bytes: counters.spilledBytes, files: counters.spilledFiles, rows: counters.rowsSpilled, splits: counters.splits },
    runs: { made: counters.runs, spilled: counters.runsSpilled, merges: counters.mergePasses },
    megabytesPerSecond: bytes / 1e6 / seconds,
    rowsPerSecond: read / seconds,
  };
}
