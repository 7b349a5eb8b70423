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
import { putBack } from '../dataset/staging.ts';
import { rejectsIn } from '../dataset/rejects-file.ts';
import type { StateMark } from '../dataset/state-mark.ts';
import { isThere } from '../dataset/versions.ts';
import type { PageIndex } from '../dedup/page-index.ts';
import type { Fingerprint } from '../source/fingerprint.ts';
import type { InputFile } from '../source/inputs.ts';
import type { RowCounts } from '../state/records.ts';
import { stateError } from '../state/errors.ts';
import { DATABASE_FOLDER } from '../state/open-state.ts';
import { State } from '../state/state.ts';
import { markAt, standingOf, type Standing } from './agreement.ts';
import { newInputs } from './new-inputs.ts';
import { Retention } from './retention.ts';
import { RunIds } from './run-ids.ts';
import { committed, contentOf, idOf, indexOf, NO_ROWS, type Committed } from './state-content.ts';
import { atWrite, makeStateFolder, removeLeftovers, removeMade } from './state-folder.ts';

/** What a run adds. */
export type Addition = Omit<Committed, 'commit' | 'forgotten' | 'window'> & { readonly version: string };

export class Continuation {
  readonly folder: string;
  /** undefined when there is none, or when the run begins afresh. */
  readonly last: Committed | undefined;
  /** The dataset is not what the last commit says. */
  isUnpublished: boolean;
  readonly #options: JobOptions;
  readonly #state: State;
  readonly #id: string;
  readonly #isAfresh: boolean;
  /** Of the last commit, that of the run as soon as it is made. */
  #index: PageIndex;
  readonly #retention: Retention | undefined;
  /** The topmost folder that was made for the state, by this run. */
  #made: string | undefined;
  /** Of new inputs; and of those that the commit tells of. */
  readonly #fingerprints = new Map<InputFile, Fingerprint>();
  readonly #taken = new Map<InputFile, Fingerprint>();
  #ids: RunIds | undefined;
  #isCommitted = false;

  private constructor({ state, index }: Opened, options: JobOptions, { last, isAfresh, isUnpublished }: Standing, retention: Retention | undefined) {
    const { head, folder } = state;
    this.folder = folder;
    this.#state = state;
    this.#options = options;
    this.#isAfresh = isAfresh;
    this.#id = head ? idOf(head) : randomUUID();
    this.last = last;
    this.isUnpublished = isUnpublished;
    this.#index = index;
    this.#retention = retention;
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
    const mark = await markAt(output, options);
    const opened = await openState(folder, overwrite && first);
    const { state } = opened;
    try {
      const standing = standingOf({ options, folder, head: state.head, mark, outputExists: await isThere(output) }, first);
      const continuation = new Continuation(opened, options, standing, dedupWindow === undefined ? undefined : await Retention.of(state));
      continuation.#made = made;
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

  /** Of the run, when its inputs were taken. */
  get ids(): RunIds {
    return this.#ids!;
  }

  /** What says, in a dataset, that it is commit `commit` of this state. */
  mark(commit: number): StateMark {
    return { format: 1, state: this.#id, commit };
  }

  /** Those that no commit has read as they are. Throws ETL_INPUT_READ, ETL_STATE_READ, ETL_STATE_DAMAGED. */
  async newInputs(inputs: readonly InputFile[]): Promise<InputFile[]> {
    const fresh = await newInputs(inputs, this.#isAfresh ? undefined : this.#state);
    for (const [input, fingerprint] of fresh) if (fingerprint) this.#fingerprints.set(input, fingerprint);
    return [...fresh.keys()];
  }

  /** Some of `newInputs`, as the inputs of the run: numbered, and in the ledger by its commit. Once; and the run's ids. */
  take(inputs: readonly InputFile[]): InputFile[] {
    const bytes = inputs.reduce((sum, { size = Infinity }) => sum + size, 0);
    this.#ids = new RunIds({
      folder: this.folder, index: this.#index, isAfresh: this.#isAfresh, window: this.#options.dedupWindow, retention: this.#retention, commit: this.next, bytes,
    });
    return inputs.map((input, number) => {
      const numbered = { ...input, number };
      const fingerprint = this.#fingerprints.get(input);
      if (fingerprint) this.#taken.set(numbered, fingerprint);
      return numbered;
    });
  }

  /**
   * Whether a run that counted nothing need not be committed: it read pipes only, which no ledger tells of, and what it rejected, if
   * anything, an earlier commit has rejected in the same words. Throws ETL_STATE_READ.
   */
  async isRepeated(inputs: readonly InputFile[]): Promise<boolean> {
    if (!this.last?.isComplete || this.isUnpublished || this.ids.forgets > 0 || inputs.some(({ size }) => size !== undefined)) return false;
    const { folder } = this;
    const rejects = await rejectsIn(folder, basename(this.rejectsFile)).catch((error: unknown) => {
      throw stateError(folder, 'Reading', error);
    });
    return !rejects || this.last.rejects.some(({ hash, bytes }) => hash === rejects.hash && bytes === rejects.bytes);
  }

  /** The commit. `rowsOf`: how many an input has. When it is done it survives a crash; what was there before is forgotten if the run began afresh. */
  async commit({ version, ...addition }: Addition, rowsOf: (input: InputFile) => number): Promise<void> {
    const { columns, groupBy } = this.#options;
    const { ids } = this;
    const index = await ids.finish();
    const content = contentOf(this.#id, { columns, groupBy, valueScale: addition.scale }, index.ids, {
      ...addition, forgotten: (this.last?.forgotten ?? 0) + this.ids.forgets, window: this.#options.dedupWindow,
    }, { version, when: new Date().toISOString() });
    const inputs = Array.from(this.#taken, ([input, { ends, ...file }]) => ({ ...file, fingerprint: ends, rows: rowsOf(input) }));
    this.#isCommitted = true; // or nobody knows: the files stay
    await this.#state.commit(content, { value: index.encoded, addedBytes: ids.store.addedBytes() }, inputs, { afresh: this.#isAfresh });
    this.#index = index;
  }

  /** Removes what only earlier commits needed. What cannot be removed goes with a later run. */
  async tidy(): Promise<void> {
    await this.#removeLeftovers().catch(() => undefined);
  }

  /** A state that was made for a run which committed nothing is gone then. */
  async close(): Promise<void> {
    const isEmpty = this.#state.head === undefined;
    try {
      this.#ids?.store.close({ committed: this.#isCommitted });
      if (!this.#isCommitted && !isEmpty) await this.tidy();
    } finally {
      await this.#state.close();
    }
    if (isEmpty) await removeMade(this.folder, this.#made);
  }

  #removeLeftovers(): Promise<void> {
    const { head } = this.#state;
    return removeLeftovers(this.folder, head && committed(head), this.#index);
  }
}

interface Opened {
  readonly state: State;
  readonly index: PageIndex;
}

/** `anew`: of a state that is damaged nothing is kept, and there is a new one in its place. */
async function openState(folder: string, anew: boolean): Promise<Opened> {
  let state: State | undefined;
  try {
    state = await State.open(folder, { create: true });
    return { state, index: indexOf(state) };
  } catch (error) {
    await state?.close();
    if (!anew || !(error instanceof EtlError && error.code === 'ETL_STATE_DAMAGED')) throw error;
    await atWrite(folder, () => rm(join(folder, DATABASE_FOLDER), { recursive: true, force: true }));
    return openState(folder, false);
  }
}
