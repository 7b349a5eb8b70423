/**
 * Pages on their way into the database: gathered, and written in batches of about BATCH_BYTES. While one batch is
 * written others are gathered, up to `queueBytes`; then whoever has a page more waits: memory is bounded by that, a batch and a page.
 *
 * Every batch is synced. It has to be: LevelDB syncs the log that a synced write goes to and no other, and begins a new one
 * when its write buffer is full (db_impl.cc: Write, MakeRoomForWrite). What stands unsynced in the log before may be lost
 * with the machine's power although a later commit is not (google/leveldb#193). It costs nothing that could be measured.
 *
 * After a write that failed there are no more: LevelDB goes on behind what it wrote in part (only a failed sync makes it
 * stop), and its recovery drops up to 32 KB that follow a part of a record (log_reader.cc), silently.
 */
import { EtlError } from '../core/errors.ts';
import type { Database, Operation } from './database.ts';

/** LevelDB's write buffer: larger ones gain nothing. */
export const BATCH_BYTES = 4 << 20;

type Put = Extract<Operation, { readonly type: 'put' }>;

export interface PageBatchesOptions {
  readonly database: Pick<Database, 'batch'>;
  /** Makes an error of a failed write. */
  readonly failed: (cause: unknown) => EtlError;
  /** Bytes of pages that may wait to be written, at least BATCH_BYTES, which is the default. */
  readonly queueBytes?: number | undefined;
}

export class PageBatches {
  readonly #options: PageBatchesOptions;
  #gathered: Put[] = [];
  #gatheredBytes = 0;
  #writingBytes = 0;
  /** Never rejects. */
  #writing: Promise<void> | undefined;
  #error: EtlError | undefined;
  #mostBytes = 0;
  #written = 0;
  #stopped = false;

  constructor(options: PageBatchesOptions) {
    this.#options = options;
  }

  /** Most bytes of pages that were held at a time. */
  get mostBytes(): number {
    return this.#mostBytes;
  }

  /** Batches that are, or may be, in the database. */
  get written(): number {
    return this.#written;
  }

  /** Copies the page when there is room for it; settled then. Throws ETL_STATE_WRITE when any write failed. */
  async add(key: Uint8Array, page: Uint8Array): Promise<void> {
    while (this.#gatheredBytes >= (this.#options.queueBytes ?? BATCH_BYTES)) await this.#next();
    this.#check();
    this.#gathered.push({ type: 'put', key, value: page.slice() });
    this.#gatheredBytes += page.length;
    this.#mostBytes = Math.max(this.#mostBytes, this.#gatheredBytes + this.#writingBytes);
    if (this.#gatheredBytes >= BATCH_BYTES && !this.#writing) this.#write();
  }

  /** Writes all that was added. Throws ETL_STATE_WRITE. */
  async flush(): Promise<void> {
    while (this.#writing || this.#gathered.length > 0) await this.#next();
    this.#check();
  }

  /** Drops what is not written, and waits for what is. Adding fails from now on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    await this.#writing;
  }

  async #next(): Promise<void> {
    this.#check();
    if (!this.#writing) this.#write();
    await this.#writing;
    this.#check();
  }

  #write(): void {
    let end = 0;
    let bytes = 0;
    while (end < this.#gathered.length && bytes < BATCH_BYTES) bytes += this.#gathered[end++]!.value.length;
    const batch = this.#gathered.splice(0, end);
    this.#writingBytes = bytes;
    this.#gatheredBytes -= bytes;
    this.#written++;
    this.#writing = this.#options.database
      .batch(batch, { sync: true })
      .catch((cause: unknown) => {
        this.#error = this.#options.failed(cause);
      })
      .finally(() => {
        this.#writing = undefined;
        this.#writingBytes = 0;
        if (this.#gatheredBytes >= BATCH_BYTES && !this.#error && !this.#stopped) this.#write();
      });
  }

  #check(): void {
    if (this.#error) throw this.#error;
    if (this.#stopped) throw new EtlError('ETL_ABORTED', 'A page was added to a commit that was given up.');
  }
}
