/**
 * What a run with a state continues from, and what it commits:
 *
 *   DIR/level/               LevelDB: ids, ledger of inputs, head (state/)
 *   DIR/totals-<n>.run       totals of commit n: sorted, by (region, user) (spill/kept-runs.ts)
 *   DIR/rejects-<n>.jsonl    what commit n rejected
 *   OUT/_etl/state.json      which commit of which state the dataset is (dataset/state-mark.ts)
 *
 * A commit is the head's: ids, ledger and totals become visible by one synced write. Before it, everything that it tells of is
 * on the disk, the dataset's files in their staging folder included; after it, that folder gets its name. So what a process leaves
 * that is killed
 *
 *   before the commit    pages, totals and a staging folder that nothing tells of: removed by the next run
 *   after the commit     a dataset of an earlier commit: published anew, from the totals, by the next run, before anything else;
 *                        after a checkpoint, when there is nothing more to be read
 */
import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import { availableMemory, defaultMemory } from '../core/memory-limit.ts';
import type { JobOptions } from '../core/options.ts';
import { makeFolders, removeEmpty } from '../core/own-folder.ts';
import { syncFolder } from '../core/sync-folder.ts';
import { putBack } from '../dataset/staging.ts';
import { readStateMark, type StateMark } from '../dataset/state-mark.ts';
import { isThere } from '../dataset/versions.ts';
import type { CountedHistory } from '../dedup/history.ts';
import type { PageMerger } from '../dedup/page-merger.ts';
import { fingerprintOf, sameFile, type Fingerprint } from '../source/fingerprint.ts';
import type { InputFile } from '../source/inputs.ts';
import type { KeptRun } from '../spill/kept-runs.ts';
import type { Head, NewCommit, RowCounts } from '../state/records.ts';
import { DATABASE_FOLDER } from '../state/open-state.ts';
import { State } from '../state/state.ts';

/** With so much memory, new ids may wait for LevelDB: others have work to do meanwhile. */
const QUEUE_FROM = 1e9;
const QUEUE_BYTES = 64 << 20;
export const NO_ROWS: RowCounts = { read: 0, counted: 0, duplicates: 0, rejected: 0 };
/** Files of ours in the state's folder that belong to one commit. */
const OF_COMMIT = /^(totals-\d+\.run|rejects-\d+\.jsonl)$/;

/** What all runs over a state have in common. */
export interface Schema {
  readonly columns: JobOptions['columns'];
  readonly groupBy: JobOptions['groupBy'];
  readonly valueScale: number;
}

/** What the last commit has, besides ids. */
export interface Committed {
  readonly commit: number;
  readonly scale: number;
  readonly regions: readonly string[];
  readonly geoDatabase: { readonly type: string; readonly buildDate: string };
  readonly rows: RowCounts;
  readonly totals: KeptRun;
  /** Names of files, in order. */
  readonly rejects: readonly string[];
  /** It ended a run; else it is a checkpoint of one that goes on, and not to be published while it may. */
  readonly isComplete: boolean;
}

/** What a run adds. */
export type Addition = Omit<Committed, 'commit'> & { readonly version: string };

export class Continuation {
  readonly folder: string;
  readonly history: CountedHistory;
  /** undefined when there is none, or when the run begins afresh. */
  readonly last: Committed | undefined;
  /** The dataset is not what the last commit says. */
  isUnpublished = false;
  readonly #options: JobOptions;
  readonly #state: State;
  readonly #id: string;
  readonly #isAfresh: boolean;
  /** The topmost folder that was made for the state, by this run. */
  #made: string | undefined;
  /** Of new inputs; and of those that the commit tells of. */
  readonly #fingerprints = new Map<InputFile, Fingerprint>();
  readonly #taken = new Map<InputFile, Fingerprint>();
  /** Of pages that the run adds. */
  #addedBytes = 0;

  private constructor(folder: string, state: State, options: JobOptions, afresh: boolean) {
    const head = state.head;
    this.folder = folder;
    this.#state = state;
    this.#options = options;
    this.#isAfresh = afresh && head !== undefined;
    this.#id = head ? idOf(head) : randomUUID();
    this.last = head && !afresh ? committed(head) : undefined;
    this.history = {
      ids: this.last?.rows.counted ?? 0,
      pages: this.#isAfresh ? async function* none() {} : (first, last) => state.pages(first, last, { reuse: true }),
      add: (slice, page) => {
        this.#addedBytes += page.length;
        return state.add(slice, page);
      },
    };
  }

  /**
   * Opens the state in `options.state`, or makes one there; in the `first` part of a run it looks whether that and the dataset
   * belong together. Throws ETL_USAGE, ETL_STATE_LOCKED, ETL_STATE_MISMATCH, ETL_STATE_DAMAGED, ETL_STATE_READ, ETL_STATE_WRITE, ETL_OUTPUT_EXISTS.
   */
  static async open(options: JobOptions, first: boolean): Promise<Continuation> {
    const { output, overwrite, memory = defaultMemory(availableMemory()) } = options;
    const folder = resolve(options.state!);
    let made: string | undefined;
    await atWrite(folder, async () => {
      made = makeFolders(folder);
      const names = made === undefined ? await readdir(folder) : [];
      if (names.length > 0 && !names.includes(DATABASE_FOLDER)) {
        throw new EtlError('ETL_USAGE', `--state ${options.state} is a folder with other things in it.`, { hint: 'Name one that is empty or not there, or that of an earlier run.' });
      }
      await putBack(output);
    });
    const mark = await readStateMark(output).catch((error: unknown) => {
      if (!overwrite) throw error;
      return undefined;
    });
    const state = await State.open(folder, { create: true, queueBytes: memory >= QUEUE_FROM ? QUEUE_BYTES : undefined });
    try {
      const continuation = new Continuation(folder, state, options, overwrite && first);
      if (first && !overwrite) continuation.#check(mark, await isThere(output));
      continuation.#made = made;
      continuation.isUnpublished = continuation.last !== undefined && mark?.commit !== continuation.last.commit;
      await continuation.#removeLeftovers();
      return continuation;
    } catch (error) {
      await state.close().catch(() => undefined); // told what failed first
      await removeMade(folder, made).catch(() => undefined);
      throw error;
    }
  }

  /** Where the run's rejects go. */
  get rejectsFile(): string {
    return join(this.folder, `rejects-${this.next}.jsonl`);
  }

  /** Number of the commit that the run makes. */
  get next(): number {
    return (this.#state.head?.commit ?? 0) + 1;
  }

  /** Rows of earlier commits. */
  get before(): RowCounts {
    return this.last?.rows ?? NO_ROWS;
  }

  /** What says, in a dataset, that it is commit `commit` of this state. */
  mark(commit: number): StateMark {
    return { format: 1, state: this.#id, commit };
  }

  /** Those that no commit has read as they are. Throws ETL_INPUT_READ, ETL_STATE_READ, ETL_STATE_DAMAGED. */
  async newInputs(inputs: readonly InputFile[]): Promise<InputFile[]> {
    const fresh: InputFile[] = [];
    for (const input of inputs) {
      const fingerprint = input.size === undefined ? undefined : await fingerprintOf(input.path!);
      const known = fingerprint && !this.#isAfresh ? await this.#state.input(fingerprint.path) : undefined;
      if (known && sameFile(fingerprint!, { ...known, ends: known.fingerprint })) continue;
      fresh.push(input);
      if (fingerprint) this.#fingerprints.set(input, fingerprint);
    }
    return fresh;
  }

  /** Merges pages of earlier commits, as a part of the commit. Throws ETL_STATE_DAMAGED, ETL_STATE_READ, ETL_STATE_WRITE. */
  async mergePages(merger: PageMerger): Promise<void> {
    if (!this.#isAfresh) await merger.merge(this.#state, { commit: this.next, addedBytes: this.#addedBytes });
  }

  /** Some of `newInputs`, as the inputs of the run: numbered, and in the ledger by its commit. */
  take(inputs: readonly InputFile[]): InputFile[] {
    return inputs.map((input, number) => {
      const taken = { ...input, number };
      const fingerprint = this.#fingerprints.get(input);
      if (fingerprint) this.#taken.set(taken, fingerprint);
      return taken;
    });
  }

  /** The commit. `rowsOf`: how many an input has. When it is done it survives a crash; what was there before is forgotten if the run began afresh. */
  async commit(addition: Addition, rowsOf: (input: InputFile) => number): Promise<void> {
    const { columns, groupBy } = this.#options;
    const schema: Schema = { columns, groupBy, valueScale: addition.scale };
    const { version, rows, totals, regions, geoDatabase, rejects, isComplete } = addition;
    await atWrite(this.folder, () => syncFolder(this.folder));
    const content: NewCommit = {
      version, when: new Date().toISOString(), schema: { ...schema }, ids: rows.counted, rows, totals: [{ ...totals }], regions,
      published: { state: this.#id, geoDatabase, rejects, isComplete },
    };
    const inputs = Array.from(this.#taken, ([input, { ends, ...file }]) => ({ ...file, fingerprint: ends, rows: rowsOf(input) }));
    await this.#state.commit(content, inputs, { afresh: this.#isAfresh });
  }

  /** Removes what only earlier commits needed. What cannot be removed goes with a later run. */
  async tidy(): Promise<void> {
    await this.#removeLeftovers().catch(() => undefined);
    await this.#state.compactIfWorth().catch(() => undefined);
  }

  /** A state that was made for a run which committed nothing is gone then. */
  async close(): Promise<void> {
    const isEmpty = this.#state.head === undefined;
    await this.#state.close();
    if (isEmpty) await removeMade(this.folder, this.#made);
  }

  /** Throws ETL_STATE_MISMATCH, ETL_STATE_DAMAGED, ETL_OUTPUT_EXISTS. */
  #check(mark: StateMark | undefined, outputExists: boolean): void {
    const { output } = this.#options;
    const head = this.#state.head;
    if (mark && mark.state !== (head && idOf(head))) {
      throw mismatch(`The dataset ${output} was not made with the state ${this.folder}`, 'Name its own state with --state, or another output with -o.');
    }
    if (!head) return;
    if (mark && mark.commit > head.commit) {
      throw new EtlError('ETL_STATE_DAMAGED', `The dataset ${output} is commit ${mark.commit} of the state ${this.folder}, whose last commit is ${head.commit}.`, {
        hint: 'The state went back: put back the folder that belongs to the dataset, or rebuild both from all logs with --overwrite.',
      });
    }
    if (!mark && outputExists) {
      throw new EtlError('ETL_OUTPUT_EXISTS', `The output ${output} exists already, and was not made with the state ${this.folder}.`, {
        hint: 'Add --overwrite to begin afresh, with all inputs. Or name another output with -o and this state with --state: what it has is published there.',
      });
    }
    const { columns, groupBy, valueScale } = head.schema as unknown as Schema;
    for (const role of Object.keys(columns) as (keyof typeof columns)[]) {
      if (columns[role] !== this.#options.columns[role]) throw differs(`--${role}-column`, columns[role]);
    }
    if (groupBy !== this.#options.groupBy) throw differs('--group-by', groupBy);
    if (this.#options.valueScale !== undefined && this.#options.valueScale !== valueScale) throw differs('--value-scale', valueScale);
  }

  async #removeLeftovers(): Promise<void> {
    const head = this.#state.head;
    const last = head && committed(head);
    const kept = new Set(last ? [last.totals.file, ...last.rejects] : []);
    await atWrite(this.folder, async () => {
      for (const name of await readdir(this.folder)) {
        if (OF_COMMIT.test(name) && !kept.has(name)) await rm(join(this.folder, name), { force: true });
      }
    });
  }
}

/** Throws ETL_USAGE when the state would be replaced with the dataset, or stand in what is searched for it. */
export function assertStateOutside(output: string, state: string): void {
  const [dataset, folder] = [resolve(output), resolve(state)];
  if (`${folder}${sep}`.startsWith(`${dataset}${sep}`)) throw new EtlError('ETL_USAGE', `The state ${state} lies in the output folder ${output}.`);
  if (`${dataset}${sep}`.startsWith(`${folder}${sep}`)) throw new EtlError('ETL_USAGE', `The output folder ${output} lies in the state ${state}.`);
}

/** Removes a folder that this run made, if it did, and what it made above it as far as that is empty. */
async function removeMade(folder: string, topmost: string | undefined): Promise<void> {
  if (topmost === undefined) return;
  await rm(folder, { recursive: true, force: true });
  await removeEmpty(dirname(folder), topmost);
}

/** What the head says besides. */
export function committed(head: Head): Committed {
  const { geoDatabase, rejects, isComplete } = head.published as unknown as Pick<Committed, 'geoDatabase' | 'rejects' | 'isComplete'>;
  const { valueScale } = head.schema as unknown as Schema;
  return {
    commit: head.commit, scale: valueScale, regions: head.regions, geoDatabase, rows: head.rows,
    totals: head.totals[0] as unknown as KeptRun, rejects, isComplete,
  };
}

/** The state's own id. */
export function idOf(head: Head): string {
  return String(head.published?.state);
}

function differs(option: string, value: string | number): EtlError {
  return mismatch(`Earlier runs over this state had ${option} ${JSON.stringify(value)}`, 'Give the same, or rebuild the dataset from all logs with --overwrite.');
}

function mismatch(what: string, hint: string): EtlError {
  return new EtlError('ETL_STATE_MISMATCH', `${what}.`, { hint });
}

async function atWrite<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof EtlError) throw cause;
    throw new EtlError('ETL_STATE_WRITE', `Writing the state ${folder} failed: ${messageOf(cause)}.`, { cause });
  }
}
