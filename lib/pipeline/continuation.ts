/**
 * What a run with a state continues from, and what it commits. A commit is the head's: ids, ledger and totals become visible
 * by one synced write. Before it, everything that it tells of is on the disk, the dataset's files in their staging folder
 * included; after it, that folder gets its name (OUT/_etl/state.json says which commit of which state it is:
 * dataset/state-mark.ts). So what a process leaves that is killed
 *
 *   before the commit    files of ids and totals, and a staging folder, that nothing tells of: removed by the next run
 *   after the commit     a dataset of an earlier commit: published anew, from the totals, by the next run, before anything else;
 *                        after a checkpoint, when there is nothing more to be read
 */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { EtlError } from '../core/errors.ts';
import type { JobOptions } from '../core/options.ts';
import { syncFolder } from '../core/sync-folder.ts';
import { putBack } from '../dataset/staging.ts';
import { rejectsIn } from '../dataset/rejects-file.ts';
import { readStateMark, type StateMark } from '../dataset/state-mark.ts';
import { isThere } from '../dataset/versions.ts';
import { PART_BITS } from '../dedup/id-files.ts';
import { IdStore } from '../dedup/id-store.ts';
import type { PageIndex } from '../dedup/page-index.ts';
import type { PageMerger } from '../dedup/page-merger.ts';
import { pilesOf } from '../dedup/page-tiers.ts';
import { fingerprintOf, sameFile, type Fingerprint } from '../source/fingerprint.ts';
import type { InputFile } from '../source/inputs.ts';
import type { RowCounts } from '../state/records.ts';
import { stateError } from '../state/errors.ts';
import { DATABASE_FOLDER } from '../state/open-state.ts';
import { State } from '../state/state.ts';
import { Retention, type Forgotten } from './retention.ts';
import { committed, contentOf, idOf, indexOf, NO_ROWS, schemaOf, type Committed } from './state-content.ts';
import { atWrite, makeStateFolder, removeLeftovers, removeMade } from './state-folder.ts';

/** Of fewer bytes of inputs, ids are written to one file. */
const MANY_FILES_FROM = 8e6;

/** What a run adds. */
export type Addition = Omit<Committed, 'commit' | 'forgotten' | 'window'> & { readonly version: string };

export class Continuation {
  readonly folder: string;
  /** undefined when there is none, or when the run begins afresh. */
  readonly last: Committed | undefined;
  /** The dataset is not what the last commit says. */
  isUnpublished = false;
  readonly #options: JobOptions;
  readonly #state: State;
  readonly #id: string;
  readonly #isAfresh: boolean;
  /** Of the last commit. */
  readonly #index: PageIndex;
  readonly #retention: Retention | undefined;
  readonly #forgotten: Forgotten | undefined;
  /** The topmost folder that was made for the state, by this run. */
  #made: string | undefined;
  /** Of new inputs; and of those that the commit tells of. */
  readonly #fingerprints = new Map<InputFile, Fingerprint>();
  readonly #taken = new Map<InputFile, Fingerprint>();
  #ids: IdStore | undefined;
  #syncing: Promise<void> | undefined;
  #isCommitted = false;

  private constructor(state: State, options: JobOptions, afresh: boolean, retention: Retention | undefined) {
    const { head, folder } = state;
    this.folder = folder;
    this.#state = state;
    this.#options = options;
    this.#isAfresh = afresh && head !== undefined;
    this.#id = head ? idOf(head) : randomUUID();
    this.last = head && !afresh ? committed(head) : undefined;
    this.#index = indexOf(state);
    this.#retention = retention;
    this.#forgotten = this.#isAfresh ? undefined : retention?.before(Date.now() - options.dedupWindow!, this.#index);
  }

  /**
   * Opens the state in `options.state`, or makes one there; in the `first` part of a run it looks whether that and the dataset
   * belong together. Throws ETL_USAGE, ETL_STATE_LOCKED, ETL_STATE_MISMATCH, ETL_STATE_DAMAGED, ETL_STATE_READ, ETL_STATE_WRITE, ETL_OUTPUT_EXISTS.
   */
  static async open(options: JobOptions, first: boolean): Promise<Continuation> {
    const { output, overwrite, dedupWindow } = options;
    const folder = resolve(options.state!);
    const made = await makeStateFolder(folder);
    await atWrite(folder, () => putBack(output));
    const mark = await readStateMark(output).catch((error: unknown) => {
      if (!overwrite) throw error;
      return undefined;
    });
    const state = await openState(folder, overwrite && first);
    try {
      const continuation = new Continuation(state, options, overwrite && first, dedupWindow === undefined ? undefined : await Retention.of(state));
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

  /** Ids that the run's commit forgets. */
  get forgets(): number {
    return this.#forgotten?.ids ?? 0;
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

  /** Some of `newInputs`, as the inputs of the run: numbered, and in the ledger by its commit. Once. */
  take(inputs: readonly InputFile[]): { readonly inputs: InputFile[]; readonly ids: IdStore } {
    const bytes = inputs.reduce((sum, { size = Infinity }) => sum + size, 0);
    this.#ids = new IdStore({
      folder: this.folder, index: this.#index, commit: this.next, partBits: bytes < MANY_FILES_FROM ? PART_BITS.one : PART_BITS.many,
      forgotten: this.#isAfresh ? new Set(Array.from(this.#index.all(), ({ entry }) => entry)) : this.#forgotten?.entries,
    });
    const taken = inputs.map((input, number) => {
      const numbered = { ...input, number };
      const fingerprint = this.#fingerprints.get(input);
      if (fingerprint) this.#taken.set(numbered, fingerprint);
      return numbered;
    });
    return { inputs: taken, ids: this.#ids };
  }

  /**
   * Whether a run that counted nothing need not be committed: it read pipes only, which no ledger tells of, and what it rejected, if
   * anything, an earlier commit has rejected in the same words. Throws ETL_STATE_READ.
   */
  async isRepeated(inputs: readonly InputFile[]): Promise<boolean> {
    if (!this.last?.isComplete || this.isUnpublished || this.forgets > 0 || inputs.some(({ size }) => size !== undefined)) return false;
    const { folder } = this;
    const rejects = await rejectsIn(folder, basename(this.rejectsFile)).catch((error: unknown) => {
      throw stateError(folder, 'Reading', error);
    });
    return !rejects || this.last.rejects.some(({ hash, bytes }) => hash === rejects.hash && bytes === rejects.bytes);
  }

  /** New ids are all there: makes them durable while others work. */
  startSync(): void {
    this.#syncing = this.#ids!.sync();
    this.#syncing.catch(() => undefined); // told to who commits
  }

  /** Merges pages of earlier commits, as a part of the commit. Throws ETL_STATE_DAMAGED, ETL_STATE_READ, ETL_STATE_WRITE. */
  async mergePages(merger: PageMerger): Promise<void> {
    const ids = this.#ids!;
    const { dedupWindow } = this.#options;
    const eraOf = dedupWindow === undefined ? undefined : this.#retention?.eraOf(dedupWindow);
    await merger.merge(ids, pilesOf({ commit: this.next, addedBytes: ids.addedBytes, eraOf }, (slice) => ids.committed(slice)));
  }

  /** The commit. `rowsOf`: how many an input has. When it is done it survives a crash; what was there before is forgotten if the run began afresh. */
  async commit({ version, ...addition }: Addition, rowsOf: (input: InputFile) => number): Promise<void> {
    const { columns, groupBy } = this.#options;
    const ids = this.#ids!;
    await this.#syncing;
    await ids.sync();
    await atWrite(this.folder, () => syncFolder(this.folder));
    const index = ids.next();
    const content = contentOf(this.#id, { columns, groupBy, valueScale: addition.scale }, index.ids, {
      ...addition, forgotten: (this.last?.forgotten ?? 0) + this.forgets, window: this.#options.dedupWindow,
    }, { version, when: new Date().toISOString() });
    const inputs = Array.from(this.#taken, ([input, { ends, ...file }]) => ({ ...file, fingerprint: ends, rows: rowsOf(input) }));
    this.#isCommitted = true; // or nobody knows: the files stay
    await this.#state.commit(content, { value: index.encoded, addedBytes: ids.addedBytes }, inputs, { afresh: this.#isAfresh });
  }

  /** Removes what only earlier commits needed. What cannot be removed goes with a later run. */
  async tidy(): Promise<void> {
    await this.#removeLeftovers().catch(() => undefined);
  }

  /** A state that was made for a run which committed nothing is gone then. */
  async close(): Promise<void> {
    const isEmpty = this.#state.head === undefined;
    try {
      this.#ids?.close({ committed: this.#isCommitted });
      if (!this.#isCommitted && !isEmpty) await this.tidy();
    } finally {
      await this.#state.close();
    }
    if (isEmpty) await removeMade(this.folder, this.#made);
  }

  #removeLeftovers(): Promise<void> {
    const { head } = this.#state;
    return removeLeftovers(this.folder, head && committed(head), indexOf(this.#state));
  }

  /** Throws ETL_STATE_MISMATCH, ETL_STATE_DAMAGED, ETL_OUTPUT_EXISTS. */
  #check(mark: StateMark | undefined, outputExists: boolean): void {
    const { output } = this.#options;
    const head = this.#state.head;
    if (mark && mark.state !== (head && idOf(head))) {
      throw mismatch(`The dataset ${output} was not made with the state ${this.folder}`, 'Name its own state with --state, or another output with -o. If that state is gone, --overwrite begins afresh.');
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
    const { columns, groupBy, valueScale } = schemaOf(head);
    for (const role of Object.keys(columns) as (keyof typeof columns)[]) {
      if (columns[role] !== this.#options.columns[role]) throw differs(`--${role}-column`, columns[role]);
    }
    if (groupBy !== this.#options.groupBy) throw differs('--group-by', groupBy);
    if (this.#options.valueScale !== undefined && this.#options.valueScale !== valueScale) throw differs('--value-scale', valueScale);
  }
}

/** `anew`: of a state that is damaged nothing is kept, and there is a new one in its place. */
async function openState(folder: string, anew: boolean): Promise<State> {
  let state: State | undefined;
  try {
    state = await State.open(folder, { create: true });
    indexOf(state);
    return state;
  } catch (error) {
    await state?.close();
    if (!anew || !(error instanceof EtlError && error.code === 'ETL_STATE_DAMAGED')) throw error;
    await atWrite(folder, () => rm(join(folder, DATABASE_FOLDER), { recursive: true, force: true }));
    return State.open(folder, { create: true });
  }
}

function differs(option: string, value: string | number): EtlError {
  return mismatch(`Earlier runs over this state had ${option} ${JSON.stringify(value)}`, 'Give the same, or rebuild the dataset from all logs with --overwrite.');
}

function mismatch(what: string, hint: string): EtlError {
  return new EtlError('ETL_STATE_MISMATCH', `${what}.`, { hint });
}
