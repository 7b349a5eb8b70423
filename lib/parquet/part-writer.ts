/**
 * One Parquet file on its way to the disk: row groups are written as they come, the footer at the end. What the file
 * will hold is decided at once; the writing itself is handed out as a job, to be run whenever there is a free hand.
 * Jobs of a file run one after the other, in the order in which they are started.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import { Footer, MAGIC, type FooterOptions, type RowGroupFile } from './footer.ts';

/** The calls that touch the disk, so that a test can make any of them fail. */
export interface PartFileSystem {
  mkdir(path: string): Promise<unknown>;
  open(path: string, flags: 'wx'): Promise<Pick<FileHandle, 'writev' | 'sync' | 'close'>>;
}

export type Job = () => Promise<void>;

/** A row group whose bytes are to be released, once they are written or never will be. */
export interface PendingRowGroup extends RowGroupFile {
  release(): void;
}

type PartHandle = Awaited<ReturnType<PartFileSystem['open']>>;

export interface PartOptions extends FooterOptions {
  readonly fs: PartFileSystem;
  /** Of the dataset. */
  readonly folder: string;
  /** Relative to the folder. */
  readonly path: string;
  /** undefined when grouping by user. */
  readonly region: string | undefined;
  /** Settles when the part's folder is there; the parts of a region share one. */
  readonly folderReady: () => Promise<void>;
  /** Close only after the bytes are on the disk. */
  readonly durable: boolean;
}

export class PartWriter {
  rows = 0;
  /** Bytes that the file has once all jobs are done. */
  bytes = 0;
  rowGroups = 0;
  readonly options: PartOptions;
  readonly #fullPath: string;
  readonly #footer: Footer;
  readonly #hash = createHash('sha256');
  /** The last row group waits, to be written with the footer if there is no other. */
  #waiting: { parts: Uint8Array[]; group: PendingRowGroup } | undefined;
  #handle: PartHandle | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(options: PartOptions) {
    this.options = options;
    this.#fullPath = join(options.folder, options.path);
    this.#footer = new Footer(options);
  }

  /** Adds a row group, which then waits: nothing else does, `flush` comes before. */
  append(group: PendingRowGroup): void {
    const begins = this.bytes === 0;
    const pages = this.#footer.add(group, begins ? MAGIC.length : this.bytes);
    const parts = begins ? [MAGIC, pages] : [pages];
    this.#waiting = { parts, group };
    this.#count(parts);
    this.rows += group.rows;
    this.rowGroups++;
  }

  /** Gives the job that writes the row group that waits. Call it when another one is to come. */
  flush(): Job {
    return this.#job([], async () => undefined);
  }

  /** Ends the file; gives the job that writes what is left and closes it, and the SHA-256 of all of it, in hexadecimal. */
  finish(): { job: Job; sha256: string } {
    const footer = this.#footer.finish(this.bytes);
    this.#count(footer);
    const job = this.#job(footer, async () => {
      if (this.options.durable) await onDisk('sync', this.#fullPath, this.#handle!.sync());
      await this.close();
    });
    return { job, sha256: this.#hash.digest('hex') };
  }

  /** Closes the file as it is, none of its jobs running; idempotent. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle) await onDisk('close', this.#fullPath, handle.close());
  }

  #count(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#hash.update(part);
      this.bytes += part.length;
    }
  }

  /** Writes what waits, then `more`. */
  #job(more: readonly Uint8Array[], end: Job): Job {
    const { parts, group } = this.#waiting!;
    this.#waiting = undefined;
    return async () => {
      try {
        await (this.#last = this.#last.then(() => this.#write([...parts, ...more])).then(end));
      } finally {
        group.release();
      }
    };
  }

  async #write(parts: readonly Uint8Array[]): Promise<void> {
    const handle = (this.#handle ??= await this.#create());
    const left = [...parts];
    while (left.length > 0) {
      let { bytesWritten } = await onDisk('write', this.#fullPath, handle.writev(left));
      while (left.length > 0 && bytesWritten >= left[0]!.length) bytesWritten -= left.shift()!.length;
      if (bytesWritten > 0) left[0] = left[0]!.subarray(bytesWritten);
    }
  }

  /** A file that exists already is an error. */
  async #create(): Promise<PartHandle> {
    const { fs, folderReady } = this.options;
    await folderReady();
    return onDisk('create', this.#fullPath, fs.open(this.#fullPath, 'wx'));
  }
}

/** Names the file and the action in what a file system call throws. */
export async function onDisk<T>(action: string, path: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    const full = (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOSPC';
    throw new EtlError('ETL_OUTPUT_WRITE', `Could not ${action} ${path}: ${messageOf(cause)}`, {
      cause,
      ...(full && { hint: 'Free some space on that disk, or choose another output.' }),
    });
  }
}
