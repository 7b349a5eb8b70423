/** One Parquet file on its way to the disk: row groups are written as they come, the footer at the end. */
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError } from '../core/errors.ts';
import type { EncodedRowGroup } from './encoder.ts';
import { Footer, MAGIC, type FooterOptions } from './footer.ts';

/** The calls that touch the disk, so that a test can make any of them fail. */
export interface PartFileSystem {
  mkdir(path: string): Promise<unknown>;
  open(path: string, flags: 'wx'): Promise<Pick<FileHandle, 'write' | 'sync' | 'close'>>;
}

type PartHandle = Awaited<ReturnType<PartFileSystem['open']>>;

export class PartWriter {
  /** Relative to the folder of the dataset. */
  readonly path: string;
  /** undefined when grouping by user. */
  readonly region: string | undefined;
  rows = 0;
  /** Bytes of the file so far, those that wait included. */
  bytes = 0;
  rowGroups = 0;
  readonly #fullPath: string;
  readonly #handle: PartHandle;
  readonly #footer: Footer;
  /** The last row group waits, to be written with the footer if there is no other. */
  #waiting: Uint8Array[] = [];
  #closed = false;

  private constructor(path: string, region: string | undefined, fullPath: string, handle: PartHandle, footer: FooterOptions) {
    this.path = path;
    this.region = region;
    this.#fullPath = fullPath;
    this.#handle = handle;
    this.#footer = new Footer(footer);
  }

  /** Creates the file; one that exists already is an error. */
  static async create(
    fs: PartFileSystem, folder: string, path: string, region: string | undefined, footer: FooterOptions,
  ): Promise<PartWriter> {
    const fullPath = join(folder, path);
    return new PartWriter(path, region, fullPath, await onDisk('create', fullPath, fs.open(fullPath, 'wx')), footer);
  }

  async append(group: EncodedRowGroup): Promise<void> {
    const begins = this.bytes === 0;
    const pages = this.#footer.add(group, begins ? MAGIC.length : this.bytes);
    const waiting = this.#waiting;
    this.#waiting = begins ? [MAGIC, pages] : [pages];
    this.bytes += pages.length + (begins ? MAGIC.length : 0);
    await this.#write(waiting);
    this.rows += group.rows;
    this.rowGroups++;
  }

  /** Writes the footer and closes. `durable`: only after the bytes are on the disk. */
  async finish(durable: boolean): Promise<void> {
    const footer = this.#footer.finish(this.bytes);
    for (const { length } of footer) this.bytes += length;
    await this.#write([...this.#waiting, ...footer]);
    if (durable) await onDisk('sync', this.#fullPath, this.#handle.sync());
    await this.close();
  }

  /** Closes the file as it is; idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await onDisk('close', this.#fullPath, this.#handle.close());
  }

  async #write(parts: Uint8Array[]): Promise<void> {
    if (parts.length === 0) return;
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    for (let at = 0; at < bytes.length; ) {
      at += (await onDisk('write', this.#fullPath, this.#handle.write(bytes, at))).bytesWritten;
    }
  }
}

/** Names the file and the action in what a file system call throws. */
export async function onDisk<T>(action: string, path: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    const full = (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOSPC';
    throw new EtlError('ETL_OUTPUT_WRITE', `Could not ${action} ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
      ...(full && { hint: 'Free some space on that disk, or choose another output.' }),
    });
  }
}
