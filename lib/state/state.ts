/**
 * What must survive a crash: the last commit, which ids it has (an index, whose pages stand in files beside it), which inputs
 * were read, and when. One LevelDB in a folder, opened by one process, and in it by the main thread.
 *
 * A commit is one batch, synced: its head, its index and its records. So it counts as a whole, or not at all; what it tells of must
 * be on the disk before. A process killed at any time leaves the state of the last commit.
 *
 * Memory: LevelDB's (some megabytes), the index, some 120 bytes an input.
 */
import { EtlError } from '../core/errors.ts';
import { checkAll } from './check.ts';
import { bytesOf, type Operation } from './database.ts';
import { damaged, stateError } from './errors.ts';
import { ALL_KEYS, COMMITS, commitKey, HEAD_KEY, INDEX_KEY } from './keys.ts';
import { databaseIn, openState, type OpenState, type StateOptions } from './open-state.ts';
import {
  decodeRecord, encodeRecord, FORMAT, rowsSince, type CommitRecord, type Head, type InputRecord, type NewCommit, type NewIndex, type NewInput, type StoredHead,
} from './records.ts';
import { sealText } from './seal.ts';

export class State {
  readonly #open: OpenState;
  #head: StoredHead;
  #index: Uint8Array;
  /** A commit under way. */
  #busy: Promise<unknown> | undefined;
  /** Of a write that failed: nothing can be written any more. */
  #broken: EtlError | undefined;
  #closed: Promise<void> | undefined;

  private constructor(open: OpenState) {
    this.#open = open;
    this.#head = open.head;
    this.#index = open.index;
  }

  /** Throws ETL_STATE_LOCKED, ETL_STATE_DAMAGED, ETL_STATE_READ (there is none, and `create` is not set), ETL_STATE_WRITE. */
  static async open(folder: string, options: StateOptions = {}): Promise<State> {
    return new State(await openState(folder, options));
  }

  get folder(): string {
    return this.#open.folder;
  }

  /** The last commit; undefined before the first. */
  get head(): Head | undefined {
    const { format, commit, content } = this.#head;
    return content && { format, commit, ...content };
  }

  /** That of the last commit; empty before the first. What is in it is its owner's business. */
  get index(): Uint8Array {
    return this.#index;
  }

  /** undefined when no commit has read it. Throws ETL_STATE_READ, ETL_STATE_DAMAGED. */
  async input(path: string): Promise<InputRecord | undefined> {
    await this.#settled();
    return this.#reading(() => this.#open.ledger.get(path));
  }

  /** All inputs, in the order of their paths' bytes. Throws ETL_STATE_READ, ETL_STATE_DAMAGED, maybe at the end only. */
  async *inputs(): AsyncGenerator<InputRecord> {
    await this.#settled();
    yield* this.#readingAll(this.#open.ledger.all());
  }

  /** All commits, the first first. Throws ETL_STATE_READ, ETL_STATE_DAMAGED, maybe at the end only. */
  async *commits(): AsyncGenerator<CommitRecord> {
    await this.#settled();
    yield* this.#readingAll(this.#allCommits(this.#head.commit));
  }

  async *#allCommits(last: number): AsyncGenerator<CommitRecord> {
    const { database, seals, folder } = this.#open;
    let commit = 0;
    for await (const [key, bytes] of database.iterator(COMMITS)) {
      const record = decodeRecord<CommitRecord>(seals, key, bytes, folder, 'a commit');
      if (record.commit !== ++commit) throw damaged(folder, `the record of commit ${commit} is missing`);
      yield record;
    }
    if (commit !== last) throw damaged(folder, `it has records of ${commit} commits and should have ${last}`);
  }

  /**
   * Makes a commit: when the promise is fulfilled it survives a crash of the machine. Inputs that were committed before get new
   * records. `afresh`: of earlier commits nothing is left but their records. Throws ETL_STATE_WRITE; then only opening the state
   * again tells whether the commit is there.
   */
  commit(content: NewCommit, index: NewIndex, inputs: Iterable<NewInput>, { afresh = false }: { readonly afresh?: boolean } = {}): Promise<Head> {
    return this.#alone(async () => {
      const { seals, ledger } = this.#open;
      const commit = this.#head.commit + 1;
      const { when } = content;
      const records = Array.from(inputs, (input): InputRecord => ({ ...input, commit, when }));
      const change = afresh ? await ledger.replacement(records) : ledger.change(records);
      const record: CommitRecord = {
        commit, when, inputs: records.length, rows: rowsSince(content.rows, afresh ? undefined : this.#head.content?.rows), bytes: index.addedBytes,
      };
      await this.#write({ commit, content, ledger: change.sum }, index.value, [
        ...change.operations,
        { type: 'put', key: commitKey(commit), value: encodeRecord(seals, commitKey(commit), record).bytes },
      ]);
      change.apply();
      return this.head!;
    });
  }

  /** Gives the last commit another index, and what belongs to it, as safely as a commit is made. Throws ETL_STATE_WRITE. */
  amend(content: NewCommit, index: Uint8Array): Promise<Head> {
    return this.#alone(async () => {
      if (this.#head.commit === 0) throw new EtlError('ETL_INTERNAL', 'There is no commit to be amended.');
      await this.#write({ commit: this.#head.commit, content, ledger: this.#head.ledger }, index, []);
      return this.head!;
    });
  }

  async #write(next: Pick<StoredHead, 'commit' | 'content' | 'ledger'>, index: Uint8Array, operations: readonly Operation[]): Promise<void> {
    const { database, seals } = this.#open;
    const sealed = seals.seal(INDEX_KEY, index);
    const head: StoredHead = { format: FORMAT, ...next, index: sealText(sealed.seal) };
    const all: Operation[] = [
      ...operations,
      { type: 'put', key: INDEX_KEY, value: sealed.bytes },
      { type: 'put', key: HEAD_KEY, value: encodeRecord(seals, HEAD_KEY, head).bytes },
    ];
    await this.#writing(() => database.batch(all, { sync: true }));
    await this.#open.syncNames();
    this.#head = head;
    this.#index = index;
  }

  /** Gives back the space of whatever was ever removed or written anew. Throws ETL_STATE_WRITE. */
  compact(): Promise<void> {
    return this.#alone(() => this.#writing(() => this.#open.database.compactRange(...ALL_KEYS)));
  }

  /** What the database takes on the disk just now, in bytes. Throws ETL_STATE_READ. */
  bytes(): Promise<number> {
    return this.#reading(() => bytesOf(databaseIn(this.folder)));
  }

  /** Goes over all of it; gives what is wrong, a sentence each. Throws ETL_STATE_READ when it is closed. */
  async check(): Promise<string[]> {
    await this.#settled();
    const { database, seals } = this.#open;
    return this.#reading(async () => {
      const problems = await checkAll({ database, seals, head: this.#head });
      this.#checkOpen(); // else it was closed meanwhile, and that is the problem
      return problems;
    });
  }

  /** Waits for what is under way. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#settled().then(() => this.#open.release());
    return this.#closed;
  }

  async #reading<T>(read: () => Promise<T>): Promise<T> {
    try {
      this.#checkOpen();
      return await read();
    } catch (error) {
      throw stateError(this.folder, 'Reading', error);
    }
  }

  async *#readingAll<T>(values: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      this.#checkOpen();
      yield* values;
    } catch (error) {
      throw stateError(this.folder, 'Reading', error);
    }
  }

  async #writing(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      throw this.#broken ??= stateError(this.folder, 'Writing', error);
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error('it is closed');
  }

  /** Writes one at a time. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#broken) throw this.#broken;
    if (this.#closed) throw stateError(this.folder, 'Writing', new Error('it is closed'));
    if (this.#busy) throw new EtlError('ETL_INTERNAL', 'The state was written to while a commit was made.');
    const busy = work();
    this.#busy = busy;
    try {
      return await busy;
    } finally {
      this.#busy = undefined;
    }
  }

  async #settled(): Promise<void> {
    while (this.#busy) await this.#busy.then(() => undefined, () => undefined);
  }
}
