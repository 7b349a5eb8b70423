/**
 * The last stage of lane 3: ResultBatches -> Parquet files under a folder that exists and is empty.
 *
 *   by region   geo_region=<value>/part-00000.parquet   user_id, total_watch_time, log_count
 *   by user     part-00000.parquet                      the same and geo_region, the user's main one
 *
 * Takes batches in order: all of a region together. Each becomes exactly one row group; a file is closed for the next
 * part when it has PART_BYTES or PART_ROW_GROUPS, which depends on the data alone. Same batches and options, same bytes.
 * Memory: a row group as columns and two encoded, and two files' metadata: a file is finished while the next begins. No
 * file is open after the end, an error or destroy(). What was written by then stays where it is: the folder belongs to whoever made it.
 */
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { EtlError, withCleanupError } from '../core/errors.ts';
import type { Compression, GroupBy, ParquetEncoding } from '../core/options.ts';
import type { ResultBatch } from '../core/stage.ts';
import type { RowGroupEncoder } from './encoder.ts';
import { PARTITION_COLUMN, partitionFolder, partName } from './hive-path.ts';
import { onDisk, PartWriter, type PartFileSystem } from './part-writer.ts';

export { ROW_GROUP_BYTES, ROW_GROUP_ROWS } from './row-group.ts';

/** About what one task of a cluster engine reads at once. */
export const PART_BYTES = 128 << 20;
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

/** Loads the encoder (about 30 ms), which the stage otherwise does when it is created. Call it while others work. */
export async function warmUp(): Promise<void> {
  await (await import('./encoder.ts')).loadWriter();
}

class PartitionedWriter extends Writable implements ParquetStage {
  readonly files: PartFile[] = [];
  readonly #options: ParquetStageOptions;
  readonly #fs: PartFileSystem;
  #encoder!: RowGroupEncoder;
  #region: string | undefined;
  /** Of the region, with a `/` at the end. */
  #subfolder = '';
  #partNumber = 0;
  /** The file that takes row groups. */
  #part: PartWriter | undefined;
  /** All files that are not closed yet: that one, and the one before while it is being finished. */
  readonly #open = new Set<PartWriter>();
  /** What is being done; destroy() waits for it before it closes the files. */
  #busy: Promise<void> = Promise.resolve();

  constructor(options: ParquetStageOptions) {
    super({ objectMode: true, highWaterMark: 1 });
    this.#options = options;
    this.#fs = options.fs ?? { mkdir, open };
  }

  override _construct(callback: (error?: Error) => void): void {
    this.#run(callback, async () => {
      const { loadWriter, RowGroupEncoder } = await import('./encoder.ts');
      this.#encoder = new RowGroupEncoder(await loadWriter(), this.#options);
    });
  }

  override _write(batch: ResultBatch, _encoding: string, callback: (error?: Error) => void): void {
    this.#run(callback, () => this.#take(batch));
  }

  override _final(callback: (error?: Error) => void): void {
    this.#run(callback, () => this.#finish(this.#part));
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const close = this.#busy.then(() => Promise.all([...this.#open].map((part) => part.close())));
    close.then(
      () => callback(error),
      (extra: Error) => callback(error ? (withCleanupError(error, extra) as Error) : extra),
    );
  }

  #run(callback: (error?: Error) => void, work: () => Promise<void>): void {
    const done = work();
    this.#busy = done.catch(() => undefined); // the failure goes to the callback
    done.then(() => callback(), callback);
  }

  async #take(batch: ResultBatch): Promise<void> {
    let group;
    try {
      if (batch.rows === 0) return;
      if ((this.#options.groupBy === 'region') !== (batch.region !== undefined)) {
        throw new EtlError('ETL_INTERNAL', 'A batch has a region exactly when grouping by region.');
      }
      group = this.#encoder.encode(batch);
    } finally {
      batch.release();
    }
    if (!this.#part || batch.region !== this.#region || this.#isFull()) await this.#nextPart(batch.region);
    await this.#part!.append(group);
  }

  #isFull(): boolean {
    const { partBytes = PART_BYTES } = this.#options;
    return this.#part !== undefined && (this.#part.bytes >= partBytes || this.#part.rowGroups >= PART_ROW_GROUPS);
  }

  /** Finishes the file before and opens the next at once: most regions are tiny, and what takes time is the disk's answers. */
  async #nextPart(region: string | undefined): Promise<void> {
    const [finished, opened] = await Promise.allSettled([this.#finish(this.#part), this.#openPart(region)]);
    if (finished.status === 'rejected') throw finished.reason;
    if (opened.status === 'rejected') throw opened.reason;
  }

  async #openPart(region: string | undefined): Promise<void> {
    const { folder, version, metadata, scale } = this.#options;
    if (region !== undefined && region !== this.#region) {
      this.#subfolder = `${partitionFolder(region)}/`;
      this.#partNumber = 0;
      const path = join(folder, this.#subfolder);
      await onDisk('create', path, this.#fs.mkdir(path));
    }
    this.#region = region;
    const path = this.#subfolder + partName(this.#partNumber++);
    this.#part = await PartWriter.create(this.#fs, folder, path, region, {
      createdBy: `etl-stream version ${version}`,
      metadata: region === undefined ? metadata : { ...metadata, [PARTITION_COLUMN]: region },
      scale,
    });
    this.#open.add(this.#part);
  }

  async #finish(part: PartWriter | undefined): Promise<void> {
    if (!part) return;
    await part.finish(this.#options.durable ?? false);
    this.#open.delete(part);
    const { path, region, rows, bytes, rowGroups } = part;
    this.files.push({ path, region, rows, bytes, rowGroups });
    this.#options.counters.files++;
    this.#options.counters.outputBytes += bytes;
  }
}
