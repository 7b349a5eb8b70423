/**
 * What must survive a crash: the last commit, the ids that were counted, which inputs were read, and when. One LevelDB in
 * a folder, opened by one process, and in it by the main thread.
 *
 * A commit is made of pages of ids that are added to it and of one last batch, synced, with its head, its index of pages
 * and its records. All of it counts by that batch and nothing before: until then the index has none of its pages. A process
 * killed at any time leaves the state of the last commit; pages of a commit that was not made are removed by the next run
 * that opens it.
 *
 * Memory: two batches of pages of 4 MB on their way, the same twice in LevelDB (its write buffers), its cache of 8 MB,
 * 4 MB of pages for each who reads them, some 120 bytes an input and a page. Pages are read from LevelDB's tables, not
 * through it, unless they were committed since the state was opened: LevelDB maps tables, without bound.
 */
import { EtlError } from '../core/errors.ts';
import { checkAll } from './check.ts';
import { bytesOf, type Operation } from './database.ts';
import { damaged, stateError } from './errors.ts';
import { ALL_KEYS, COMMITS, commitKey, HEAD_KEY, INDEX_KEY, pageKey, pagesFrom } from './keys.ts';
import { databaseIn, openState, type OpenState, type StateOptions } from './open-state.ts';
import { PageBatches } from './page-batches.ts';
import { PageFiles } from './page-files.ts';
import { SLICES, type PageIndex, type PageRef } from './page-index.ts';
import { readPages, type SlicePage } from './page-reader.ts';
import {
  decodeRecord, encodeRecord, rowsSince, type CommitRecord, type Head, type InputRecord, type NewCommit, type NewInput, type StoredHead,
} from './records.ts';
import { sealText } from './seal.ts';

/** Too little to be compacted for: LevelDB's logs and newest tables are as much. */
const SPARE_BYTES = 32e6;

export class State {
  readonly #open: OpenState;
  #head: StoredHead;
  #index: PageIndex;
  /** What the commit under way has so far. */
  #batches: PageBatches;
  #added: PageRef[] = [];
  readonly #replaced = new Set<PageRef>();
  readonly #adding = new Set<Promise<void>>();
  #number = 0;
  /** Keys of pages that commits have removed since `compact`: the first and the last. */
  #removed: readonly [Uint8Array, Uint8Array] | undefined;
  /** Of readers, who may have been left where they were. */
  readonly #files = new Set<PageFiles>();
  /** A commit, an abandon or an abandon under way. */
  #busy: Promise<unknown> | undefined;
  /** Of a write that failed: nothing can be written any more. */
  #broken: EtlError | undefined;
  #closed: Promise<void> | undefined;

  private constructor(open: OpenState) {
    this.#open = open;
    this.#head = open.head;
    this.#index = open.index;
    this.#batches = this.#newBatches();
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

  /** Which pages a slice has by the last commit, the oldest first. */
  committed(slice: number): readonly PageRef[] {
    return this.#index.of(slice);
  }

  /**
   * The pages of slices `first` to `last` that were committed, slice after slice, the oldest first. They are what they were
   * when the first was asked for, whatever is committed meanwhile. A megabyte is read at once, and as much ahead. `reuse`: a page
   * is good until the next one is asked for, and memory is bounded; else it stays. Throws ETL_STATE_READ, ETL_STATE_DAMAGED.
   */
  async *pages(first: number, last = first, { reuse = false }: { readonly reuse?: boolean } = {}): AsyncGenerator<SlicePage> {
    await this.#settled();
    yield* this.#pages(this.#index.from(first, last), reuse);
  }

  /** Some pages of a slice that `committed` gave, in their order. Else as `pages`. */
  async *pagesAt(slice: number, pages: readonly PageRef[]): AsyncGenerator<Uint8Array> {
    await this.#settled();
    const of = this.#index.of(slice);
    if (!pages.every((page) => of.includes(page))) throw new EtlError('ETL_INTERNAL', `A page of slice ${slice} was read that is not there.`);
    for await (const { page } of this.#pages(pages, false)) yield page;
  }

  async *#pages(pages: Iterable<PageRef>, reuse: boolean): AsyncGenerator<SlicePage> {
    const { databaseFolder, places, findAgain } = this.#open;
    const files = new PageFiles({ folder: databaseFolder, places, findAgain, reuse });
    this.#files.add(files);
    try {
      yield* readPages(pages, { ...this.#open, files, reading: (read) => this.#reading(read) });
    } finally {
      this.#files.delete(files);
      await files.close();
    }
  }

  /**
   * Adds a page of ids, of slices 0..1023, to the commit under way. The page is copied when there is room for it; its
   * bytes may be reused when the promise is settled. Throws ETL_STATE_WRITE, ETL_ABORTED (the commit was given up).
   */
  add(slice: number, page: Uint8Array): Promise<void> {
    const adding = this.#add(slice, page);
    this.#adding.add(adding);
    const done = (): void => void this.#adding.delete(adding);
    adding.then(done, done);
    return adding;
  }

  async #add(slice: number, page: Uint8Array): Promise<void> {
    this.#checkWritable();
    if (!(Number.isInteger(slice) && slice >= 0 && slice < SLICES)) throw new EtlError('ETL_INTERNAL', `A page of slice ${slice} was added to the state.`);
    const place = { slice, commit: this.#head.commit + 1, number: this.#number++ };
    const key = pageKey(place);
    const ref: PageRef = { ...place, bytes: page.length, seal: this.#open.seals.of(key, page) };
    const added = this.#added;
    await this.#batches.add(key, page);
    added.push(ref);
  }

  /**
   * Adds a page in the place of some that `committed` gave: the commit removes those and has this one. Until then they
   * stay, and may be read. Else as `add`.
   */
  async replace(slice: number, pages: readonly PageRef[], page: Uint8Array): Promise<void> {
    const of = this.#index.of(slice);
    for (const old of pages) {
      if (!of.includes(old) || this.#replaced.has(old)) throw new EtlError('ETL_INTERNAL', `A page of slice ${slice} was replaced that is not there.`);
    }
    const added = this.add(slice, page);
    for (const old of pages) this.#replaced.add(old);
    await added;
  }

  /**
   * Makes the commit: when the promise is fulfilled it survives a crash of the machine. Inputs that were committed before
   * get new records. `afresh`: of earlier commits nothing is left but their records. Throws ETL_STATE_WRITE; then only opening the state again tells whether the commit is there.
   */
  commit(content: NewCommit, inputs: Iterable<NewInput>, { afresh = false }: { readonly afresh?: boolean } = {}): Promise<Head> {
    return this.#alone(() => this.#commit(content, inputs, afresh));
  }

  async #commit(content: NewCommit, inputs: Iterable<NewInput>, afresh: boolean): Promise<Head> {
    const { database, seals, ledger } = this.#open;
    await Promise.all(this.#adding);
    await this.#batches.flush();
    const commit = this.#head.commit + 1;
    const { when } = content;
    const records = Array.from(inputs, (input): InputRecord => ({ ...input, commit, when }));
    const change = afresh ? await ledger.replacement(records) : ledger.change(records);
    const replaced = afresh ? new Set(this.#index.all()) : this.#replaced;
    const before = afresh ? undefined : this.#head.content;
    const index = this.#index.with(this.#added, replaced);
    const sealedIndex = seals.seal(INDEX_KEY, index.encode());
    const head: StoredHead = { format: 1, commit, content, ledger: change.sum, index: sealText(sealedIndex.seal) };
    const record: CommitRecord = {
      commit,
      when,
      inputs: records.length,
      rows: rowsSince(content.rows, before?.rows),
      ids: content.ids - (before?.ids ?? 0),
      bytes: this.#added.reduce((sum, { bytes }) => sum + bytes, 0),
    };
    const operations: Operation[] = [
      ...change.operations,
      ...Array.from(replaced, (page): Operation => ({ type: 'del', key: pageKey(page) })),
      { type: 'put', key: commitKey(commit), value: encodeRecord(seals, commitKey(commit), record).bytes },
      { type: 'put', key: INDEX_KEY, value: sealedIndex.bytes },
      { type: 'put', key: HEAD_KEY, value: encodeRecord(seals, HEAD_KEY, head).bytes },
    ];
    await this.#writing(() => database.batch(operations, { sync: true }));
    await this.#open.syncNames();
    change.apply();
    const removed = [...this.#removed ?? [], ...Array.from(this.#replaced, pageKey)].sort(Buffer.compare);
    if (removed.length > 0) this.#removed = [removed[0]!, removed.at(-1)!];
    this.#head = head;
    this.#index = index;
    this.#startAnew();
    return this.head!;
  }

  /**
   * Gives up what was added since the last commit. Throws ETL_STATE_WRITE; not after a write that failed, when what is
   * left is removed by whoever opens the state next.
   */
  abandon(): Promise<void> {
    return this.#alone(async () => {
      const batches = this.#batches;
      this.#startAnew();
      await batches.stop();
      if (batches.written === 0 || this.#broken) return;
      await this.#writing(() => this.#open.database.clear(pagesFrom(this.#head.commit + 1)));
    }, false);
  }

  /**
   * Gives the disk space of replaced pages back, that of commits since the state was opened; `all`: of whatever was ever
   * removed or written anew. Else LevelDB does so when its tables there are full, which may be never. Throws ETL_STATE_WRITE.
   */
  compact({ all = false }: { readonly all?: boolean } = {}): Promise<void> {
    return this.#alone(async () => {
      const range = all ? ALL_KEYS : this.#removed;
      this.#removed = undefined;
      if (range) await this.#writing(() => this.#open.database.compactRange(...range));
    });
  }

  /**
   * Compacts all of it if a third of what it takes, and SPARE_BYTES, are no pages of the last commit: after a commit afresh, above
   * all; of pages that are replaced bit by bit LevelDB frees most by itself. Gives whether it did. Throws ETL_STATE_READ,
   * ETL_STATE_WRITE.
   */
  async compactIfWorth(): Promise<boolean> {
    if (await this.bytes() < 1.5 * this.#index.bytes + SPARE_BYTES) return false;
    await this.compact({ all: true });
    return true;
  }

  /** What the database takes on the disk just now, in bytes. Throws ETL_STATE_READ. */
  bytes(): Promise<number> {
    return this.#reading(() => bytesOf(databaseIn(this.folder)));
  }

  /** Goes over all of it, at the pace of the disk; gives what is wrong, a sentence each. Throws ETL_STATE_READ when it is closed. */
  async check(): Promise<string[]> {
    await this.#settled();
    const { database, seals } = this.#open;
    return this.#reading(async () => {
      const problems = await checkAll({ database, seals, head: this.#head, index: this.#index });
      this.#checkOpen(); // else it was closed meanwhile, and that is the problem
      return problems;
    });
  }

  /** Waits for what is under way; what was added and not committed is lost. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#settled();
    await this.#batches.stop();
    await Promise.all(Array.from(this.#files, (files) => files.close()));
    await this.#open.release();
  }

  #newBatches(): PageBatches {
    return new PageBatches({ database: this.#open.database, queueBytes: this.#open.queueBytes, failed: (cause) => this.#break(cause) });
  }

  #startAnew(): void {
    this.#batches = this.#newBatches();
    this.#added = [];
    this.#replaced.clear();
    this.#number = 0;
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
      throw this.#break(error);
    }
  }

  #break(cause: unknown): EtlError {
    this.#broken ??= stateError(this.folder, 'Writing', cause);
    return this.#broken;
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error('it is closed');
  }

  /** Runs a commit, an abandon or a compaction: one at a time, and nothing is added meanwhile. */
  async #alone<T>(work: () => Promise<T>, writable = true): Promise<T> {
    if (writable) this.#checkWritable();
    else if (this.#busy || this.#closed) throw new EtlError('ETL_INTERNAL', 'A commit was given up while it was made.');
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

  #checkWritable(): void {
    if (this.#broken) throw this.#broken;
    if (this.#closed) throw stateError(this.folder, 'Writing', new Error('it is closed'));
    if (this.#busy) throw new EtlError('ETL_INTERNAL', 'The state was written to while a commit was made.');
  }
}
