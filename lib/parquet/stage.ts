/**
 * The last stage of lane 3: ResultBatches -> Parquet files under a folder that exists and is empty.
 *
 *   by region   geo_region=<value>/part-00000.parquet   user_id, total_watch_time, log_count
 *   by user     part-00000.parquet                      the same and geo_region, the user's main one
 *
 * Takes batches in order: all of a region together. Each becomes exactly one row group; a file is closed for the next
 * part when it has PART_BYTES or PART_ROW_GROUPS, which depends on the data alone. Same batches and options, same bytes.
 * Row groups are encoded on this thread, one by one, or wherever `encode` does it, several at once; they are taken in the
 * order of the input. Files are written while others are encoded. None is open after the end, an error or destroy(), and no
 * batch is being encoded. What was written by then stays where it is: the folder belongs to whoever made it.
 *
 * Memory, besides the batches, encoding on this thread: 35 MB in tier `baseline`, at most 60 MB in `optimized` (see parquet-wasm.ts).
 *
 *   the encoder's module      15 MB, and 3 MB of code of what is called; `optimized` up to 25 MB more for a while
 *   the encoder's memory      10 MB for 65536 short users, 16 MB at most for zstd, 20 MB for random totals uncompressed;
 *                             by user, two copies of the names of regions more
 *   row groups to be written  WRITE_AHEAD_BYTES (write-ahead.ts), whatever `writesAtOnce` is
 *   metadata of open files    1.5 KB a row group, PART_ROW_GROUPS at most, and as much again when a file ends
 *
 * Nothing of the size of a row group is left to the garbage collector. Peak RSS of a process that only publishes (43 MB
 * at its start; Node 20 / Node 24; before this was so: 280 to 330 MB), optimized and baseline:
 *
 *   131 row groups of 65536 random users of 32 bytes   112 / 118   93 / 101 MB
 *   600 row groups of 512 random users of 4 KB         109 / 112   90 / 103 MB
 *   236 files of 4 users                               111 / 102   72 /  80 MB
 */
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import pLimit from 'p-limit';
import type { Counters } from '../core/counters.ts';
import { EtlError, withCleanupError } from '../core/errors.ts';
import type { Compression, GroupBy, ParquetEncoding } from '../core/options.ts';
import type { ResultBatch } from '../core/stage.ts';
import type { EncodedRowGroup, RowGroupEncoder } from './encoder.ts';
import { PARTITION_COLUMN, partitionFolder, partName } from './hive-path.ts';
import { giveSpare, loadWriter, takeSpare, type EncoderTier } from './parquet-wasm.ts';
import { onDisk, PartWriter, type Job, type PartFileSystem } from './part-writer.ts';
import { WriteAhead } from './write-ahead.ts';

export type { EncoderTier } from './parquet-wasm.ts';
export { ROW_GROUP_BYTES, ROW_GROUP_ROWS } from './row-group.ts';

/** About what one task of a cluster engine reads at once. */
export const PART_BYTES = 128 << 20;
/** Most regions are tiny, and what takes time is the disk's answers: some are waited for at once. */
const DEFAULT_WRITES_AT_ONCE = 4;
/** Bounds the metadata that is kept until the file ends (about 1 KB a row group). */
export const PART_ROW_GROUPS = 1024;

export interface ParquetStageOptions {
  /** Exists; nothing in it is called like what is written. */
  readonly folder: string;
  readonly groupBy: GroupBy;
  /** Decimal places of the totals, 0 to 6: 0 = INT64, else DECIMAL(18, scale). */
  readonly scale: number;
  readonly compression: Compression;
  readonly encoding: ParquetEncoding;
  /** Version of this program, for the files' created_by. */
  readonly version: string;
  /** Key-value metadata of every file. By region, the region's full name is added as `geo_region`. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly counters: Counters;
  /** A file that has so many bytes gets no more row groups. Default PART_BYTES. */
  readonly partBytes?: number;
  /** Files that are written at once. Default 4. */
  readonly writesAtOnce?: number;
  /** How the encoder is compiled, if it is not yet (see parquet-wasm.ts). Default 'optimized'. */
  readonly tier?: EncoderTier;
  /** Encodes elsewhere: the batch is kept until what this gives has been moved. Default: on this thread. */
  readonly encode?: (batch: ResultBatch) => Promise<EncodedRowGroup>;
  /** Batches that `encode` may have at once; each is an area of columns that the merge cannot fill. Default 1. */
  readonly encodesAtOnce?: number;
  /** Flush every file to the disk before it is closed. Default false. */
  readonly durable?: boolean;
  /** Default: node:fs. */
  readonly fs?: PartFileSystem;
}

/** A finished file. */
export interface PartFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  /** undefined when grouping by user. */
  readonly region: string | undefined;
  readonly rows: number;
  readonly bytes: number;
  readonly rowGroups: number;
  /** Of its bytes, in hexadecimal. */
  readonly sha256: string;
}

export interface ParquetStage extends Writable {
  /** The files finished so far, in the order of the input. */
  readonly files: readonly PartFile[];
}

/**
 * Errors: ETL_OUTPUT_WRITE with the path and the cause; ETL_VALUE_OVERFLOW when a total does not fit DECIMAL(18).
 * Adds to `counters.files` and `counters.outputBytes`.
 */
export function createParquetStage(options: ParquetStageOptions): ParquetStage {
  return new PartitionedWriter(options);
}

/**
 * Loads the encoder (about 20 ms), which the stage otherwise does when it is created. Call it while others work, and when
 * this thread is to encode. The first call in a process decides the tier: memory that `baseline` promises is not given
 * back by a later `baseline`.
 */
export async function warmUp(tier?: EncoderTier): Promise<void> {
  await loadWriter(tier);
}

class PartitionedWriter extends Writable implements ParquetStage {
  readonly files: PartFile[] = [];
  readonly #options: ParquetStageOptions;
  readonly #fs: PartFileSystem;
  /** Of this thread, when there is no other. */
  #encoder: RowGroupEncoder | undefined;
  /** Batches that were taken, in order; each settles when all before it and the batch itself are done. */
  readonly #taken: Promise<void>[] = [];
  #region: string | undefined;
  /** Of the region, with a `/` at the end. */
  #subfolder = '';
  #folderReady: () => Promise<void> = async () => undefined;
  #partNumber = 0;
  /** The file that takes row groups. */
  #part: PartWriter | undefined;
  /** All files that may be open. */
  readonly #unfinished = new Set<PartWriter>();
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #ahead = new WriteAhead();
  #giveSpare = (): void => undefined;
  readonly #jobs = new Set<Promise<void>>();
  /** The first failure of a job. */
  #failure: Error | undefined;
  /** What is done for the stream just now; never rejects. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: ParquetStageOptions) {
    super({ objectMode: true, highWaterMark: 1 });
    this.#options = options;
    this.#limit = pLimit(options.writesAtOnce ?? DEFAULT_WRITES_AT_ONCE);
    this.#fs = options.fs ?? { mkdir, open };
  }

  override _construct(callback: (error?: Error) => void): void {
    this.#run(callback, async () => {
      if (!this.#options.encode) {
        const [writer, { RowGroupEncoder }] = await Promise.all([loadWriter(this.#options.tier), import('./encoder.ts')]);
        this.#encoder = new RowGroupEncoder(writer, this.#options);
      }
      const spare = takeSpare();
      if (!spare) return; // another run has it
      this.#ahead.lend(spare);
      this.#giveSpare = () => giveSpare(spare);
    });
  }

  override _write(batch: ResultBatch, _encoding: string, callback: (error?: Error) => void): void {
    const { encode, encodesAtOnce = 1 } = this.#options;
    this.#run(callback, async () => {
      const taken = this.#take(batch, batch.rows > 0 ? encode?.(batch) : undefined, this.#taken.at(-1));
      taken.catch(() => undefined); // told to who waits for it
      this.#taken.push(taken);
      while (this.#taken.length >= encodesAtOnce) await this.#taken.shift();
    });
  }

  override _final(callback: (error?: Error) => void): void {
    this.#run(callback, async () => {
      await this.#taken.at(-1);
      await this.#finishPart();
      await Promise.all(this.#jobs);
    });
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#close().then(
      () => callback(error),
      (extra: Error) => callback(error ? (withCleanupError(error, extra) as Error) : extra),
    );
  }

  #run(callback: (error?: Error) => void, work: () => Promise<void>): void {
    this.#work = work().then(() => callback(this.#failure), callback);
  }

  async #close(): Promise<void> {
    await this.#work;
    await Promise.allSettled(this.#taken);
    await Promise.all(this.#jobs);
    this.#ahead.free();
    this.#giveSpare();
    this.#giveSpare = () => undefined;
    await Promise.all([...this.#unfinished].map((part) => part.close()));
  }

  /** `elsewhere`: what other threads make of the batch. `before`: what has its turn first. */
  async #take(batch: ResultBatch, elsewhere?: Promise<EncodedRowGroup>, before?: Promise<void>): Promise<void> {
    elsewhere?.catch(() => undefined); // it may be before
    try {
      await before;
      if (batch.rows === 0) return;
      if ((this.#options.groupBy === 'region') !== (batch.region !== undefined)) {
        throw new EtlError('ETL_INTERNAL', 'A batch has a region exactly when grouping by region.');
      }
      // What waits gets under way first: it is written while the next is encoded, and room is a matter of time.
      const part = await this.#partFor(batch.region);
      const { file, rows, sorted } = await (elsewhere ?? this.#encoder!.encode(batch));
      const place = await this.#ahead.take(file.length);
      file.moveTo(place.bytes);
      part.append({ file: place.bytes, rows, sorted, release: place.release });
    } finally {
      await elsewhere?.catch(() => undefined); // until then, another thread has its hands on the batch
      batch.release();
    }
  }

  /** The file that takes the next row group, nothing waiting in it. */
  async #partFor(region: string | undefined): Promise<PartWriter> {
    if (this.#part && region === this.#region && !this.#isFull()) {
      await this.#start(this.#part.flush());
      return this.#part;
    }
    await this.#finishPart();
    return (this.#part = this.#newPart(region));
  }

  #isFull(): boolean {
    const { partBytes = PART_BYTES } = this.#options;
    return this.#part !== undefined && (this.#part.bytes >= partBytes || this.#part.rowGroups >= PART_ROW_GROUPS);
  }

  #newPart(region: string | undefined): PartWriter {
    const { folder, version, metadata, scale, durable = false } = this.#options;
    if (region !== undefined && region !== this.#region) {
      this.#subfolder = `${partitionFolder(region)}/`;
      this.#partNumber = 0;
      const path = join(folder, this.#subfolder);
      let made: Promise<void> | undefined;
      this.#folderReady = () => (made ??= onDisk('create', path, this.#fs.mkdir(path)).then(() => undefined));
    }
    this.#region = region;
    const part = new PartWriter({
      fs: this.#fs, folder, region, folderReady: this.#folderReady, durable, scale,
      path: this.#subfolder + partName(this.#partNumber++),
      createdBy: `etl-stream version ${version}`,
      metadata: region === undefined ? metadata : { ...metadata, [PARTITION_COLUMN]: region },
    });
    this.#unfinished.add(part);
    return part;
  }

  async #finishPart(): Promise<void> {
    const part = this.#part;
    if (!part) return;
    this.#part = undefined;
    const { job: finish, sha256 } = part.finish();
    const { rows, bytes, rowGroups, options: { path, region } } = part;
    this.files.push({ path, region, rows, bytes, rowGroups, sha256 });
    this.#options.counters.files++;
    this.#options.counters.outputBytes += bytes;
    await this.#start(async () => {
      await finish();
      this.#unfinished.delete(part);
    });
  }

  /** Waits until there is a free hand for the job, not for its end. Throws the first failure of any job. */
  async #start(job: Job): Promise<void> {
    await new Promise<void>((started) => {
      const done = this.#limit(() => {
        started();
        return job();
      }).catch((error: Error) => {
        this.#failure ??= error;
      });
      this.#jobs.add(done);
      void done.then(() => this.#jobs.delete(done));
    });
    if (this.#failure) throw this.#failure;
  }
}
