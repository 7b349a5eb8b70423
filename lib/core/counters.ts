/**
 * What a run counted. Every stage adds to the one object that the pipeline gives it; nobody else keeps counts.
 * The promise: `read = counted + duplicate + rejected`, and all that was counted is published: checked by `assertBalanced` at the end of every run.
 */
import { EtlError } from './errors.ts';

export interface Counters {
  /** Bytes of inputs as they stand, on the disk or in a pipe: compressed ones as such. What is read before the run to look at it does not count. */
  inputBytes: number;
  /** Bytes of text that inputs have: decompressed, as UTF-8. */
  bytes: number;
  /** Records read, headers and empty lines excluded. */
  read: number;
  /** The same by the number of the input. */
  readBy: Map<number, number>;
  emptyLines: number;
  counted: number;
  duplicate: number;
  rejected: number;
  /** Rows per status (kernels/layout.ts REJECT_*). */
  rejectedBy: Map<number, number>;
  /** The same by input, too: by its number * STATUSES (core/rejects.ts) + the code. */
  rejectedIn: Map<number, number>;
  /** Counted rows whose address gave no region. */
  unknownRegion: number;
  /** What went to temporary files, all together. */
  spilledBytes: number;
  spilledFiles: number;
  /** Rows of partitions that went to a file at least once, those that were put off later not counted again. */
  rowsSpilled: number;
  /** Partitions, or parts of them, that had more ids than fit memory at once, so that some of their rows were put off. */
  splits: number;
  /** Sorted runs that the aggregate made, and how many of them were written to a file. */
  runs: number;
  runsSpilled: number;
  /** Merges, the last one included: more than 1 when there were more runs than can be merged at once. */
  mergePasses: number;
  /** Logs in the rows that were published. */
  published: number;
  /** Rows, files and bytes published. */
  groups: number;
  files: number;
  outputBytes: number;
}

/** Counters that are kept by something. */
const BY = ['rejectedBy', 'rejectedIn', 'readBy'] as const;

/** Counters that are one number: few, however many inputs there are. */
export type Figures = Omit<Counters, (typeof BY)[number]>;
const FIGURES = (Object.keys(newCounters()) as (keyof Counters)[]).filter((name): name is keyof Figures => !(BY as readonly string[]).includes(name));

export function newCounters(): Counters {
  return {
    inputBytes: 0, bytes: 0, read: 0, readBy: new Map(), emptyLines: 0, counted: 0, duplicate: 0, rejected: 0, rejectedBy: new Map(), rejectedIn: new Map(), unknownRegion: 0,
    spilledBytes: 0, spilledFiles: 0, rowsSpilled: 0, splits: 0, runs: 0, runsSpilled: 0, mergePasses: 0, published: 0, groups: 0, files: 0, outputBytes: 0,
  };
}

/** Adds what another thread, or part of the run, has counted since it told `before`. */
export function addCounters(total: Counters, now: Readonly<Counters>, before: Readonly<Counters> | undefined): void {
  addFigures(total, now, before);
  for (const name of BY) {
    for (const [key, rows] of now[name]) addTo(total[name], key, rows - (before?.[name].get(key) ?? 0));
  }
}

/** The same of figures alone. */
export function addFigures(total: Figures, now: Readonly<Figures>, before?: Readonly<Figures>): void {
  for (const name of FIGURES) total[name] += now[name] - (before?.[name] ?? 0);
}

/** A copy. */
export function figuresOf(counters: Readonly<Figures>): Figures {
  return Object.fromEntries(FIGURES.map((name) => [name, counters[name]])) as unknown as Figures;
}

export function addTo(counts: Map<number, number>, key: number, rows: number): void {
  counts.set(key, (counts.get(key) ?? 0) + rows);
}

const UNBALANCED_HINT = 'Nothing was published. Please report this with the input, if you can share it.';

/** Throws ETL_UNBALANCED unless every record read is accounted for, and every one counted is in the result, with those `before` the run. */
export function assertBalanced(counters: Counters, before = 0): void {
  assertRead(counters);
  const { counted, published } = counters;
  if (published !== before + counted) {
    throw new EtlError('ETL_UNBALANCED', `${before + counted} rows were counted, but the result has ${published}.`, { hint: UNBALANCED_HINT });
  }
}

/** Throws ETL_UNBALANCED unless every record read is accounted for. */
export function assertRead({ read, counted, duplicate, rejected }: Counters): void {
  if (read === counted + duplicate + rejected) return;
  throw new EtlError(
    'ETL_UNBALANCED',
    `${read} rows were read, but ${counted} counted + ${duplicate} duplicate + ${rejected} rejected = ${counted + duplicate + rejected}.`,
    { hint: UNBALANCED_HINT },
  );
}
