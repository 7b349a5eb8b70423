/**
 * What there is to say of a run under way, as fields of a line: what matters least goes first where there is no room for all. Nothing
 * is said that nobody knows: duplicates are found when partitions are reduced, so there is no word of them before; and only what is
 * read has a share of something known. While totals are added up and written, figures are told, and no percentage is made of them.
 */
import { count, number, size } from '../../core/figures.ts';
import type { Progress } from '../../index.ts';
import { clock, short, shortSize } from './figures.ts';
import { Speed, type Speeds } from './speed.ts';

/** From what goes first to what stays. */
const IMPORTANCE = ['elapsed', 'spilled', 'duplicates', 'memory', 'rejected', 'rows', 'speed', 'left', 'done', 'phase'] as const;
export type FactName = (typeof IMPORTANCE)[number];

export interface Fact {
  readonly name: FactName;
  /** For a wide line, and for a narrow one. */
  readonly long: string;
  readonly short: string;
}

export interface Facts {
  /** In the order in which they stand. */
  readonly facts: readonly Fact[];
  /** Of the inputs, from 0 to 1; undefined when it is not known, or all are read. */
  readonly share: number | undefined;
}

/** What every job tells of itself. */
export interface Moment {
  readonly phase: string;
  /** Since it began. */
  readonly seconds: number;
}

/** Makes facts of what a job tells, in order. */
export interface FactsTeller<M extends Moment> {
  /** `data`: the same for programs. */
  tell(moment: M): { readonly facts: Facts; readonly data: object };
}

/** Of a run of this process. */
export class RunFacts implements FactsTeller<Progress> {
  readonly #speed = new Speed();

  tell(progress: Progress): { facts: Facts; data: object } {
    const speeds = this.#speed.add(progress);
    return { facts: factsOf(progress, speeds), data: { ...progress, ...speeds } };
  }
}

export function importanceOf({ name }: Fact): number {
  return IMPORTANCE.indexOf(name);
}

export function factsOf(progress: Progress, speeds: Speeds): Facts {
  const { phase, seconds, totalBytes, counters, memory } = progress;
  const { inputBytes, counted, duplicate, rejected, spilledBytes } = counters;
  const isReading = phase === 'plan' || phase === 'scatter' || (totalBytes !== undefined && inputBytes < totalBytes);
  const share = isReading && totalBytes !== undefined ? Math.min(1, totalBytes === 0 ? 1 : inputBytes / totalBytes) : undefined;
  const facts: Fact[] = [fact('phase', phase), ...(isReading ? reading(progress, speeds, share) : afterwards(progress))];
  if (counted + duplicate > 0) facts.push(fact('duplicates', count(duplicate, 'duplicate'), `${short(duplicate)} dup`));
  facts.push(fact('rejected', `${number(rejected)} rejected`, `${short(rejected)} rej`));
  if (spilledBytes > 0) facts.push(fact('spilled', `${size(spilledBytes)} spilled`, `${shortSize(spilledBytes)} spilled`));
  facts.push(fact('memory', `${size(memory.resident)} of ${size(memory.limit)} memory`, shortMemory(memory)));
  const { secondsLeft } = speeds;
  if (share === undefined) facts.push(fact('elapsed', `for ${clock(seconds)}`, clock(seconds)));
  else if (secondsLeft !== undefined) facts.push(fact('left', `all read in ${clock(secondsLeft)}`, `eta ${clock(secondsLeft)}`));
  return { facts, share };
}

function reading({ counters: { inputBytes } }: Progress, { bytesPerSecond, rowsPerSecond }: Speeds, share: number | undefined): Fact[] {
  // 100 % only when all is read.
  const done = share === undefined ? fact('done', `${size(inputBytes)} read`, shortSize(inputBytes)) : fact('done', `${Math.floor(100 * share)} %`, `${Math.floor(100 * share)}%`);
  if (bytesPerSecond === undefined || rowsPerSecond === undefined) return [done];
  return [done, fact('speed', `${shortSize(bytesPerSecond)}/s`), fact('rows', `${short(rowsPerSecond)} rows/s`)];
}

function afterwards({ phase, counters }: Progress): Fact[] {
  const { read, rejected, counted, duplicate, groups, files, outputBytes } = counters;
  if (phase === 'reduce') {
    const done = counted + duplicate;
    const all = Math.max(done, read - rejected); // threads tell theirs one after the other
    // Threads that are busy with a partition do not come to tell: nothing is said of a part that nobody knows.
    const of = done === 0 ? ['', ''] : [`${number(done)} of `, `${short(done)} of `];
    return [fact('done', `${of[0]}${number(all)} rows`, `${of[1]}${short(all)} rows`)];
  }
  return [fact('done', `${count(groups, 'row')} in ${count(files, 'file')}, ${size(outputBytes)}`, `${short(groups)} ${groups === 1 ? 'row' : 'rows'} in ${short(files)} ${files === 1 ? 'file' : 'files'}`)];
}

function shortMemory({ resident, limit }: Progress['memory']): string {
  const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);
  return limit < 1e9 ? `${Math.round(resident / 1e6)}/${Math.round(limit / 1e6)} MB` : `${gigabytes(resident)}/${gigabytes(limit)} GB`;
}

function fact(name: FactName, long: string, short = long): Fact {
  return { name, long, short };
}
