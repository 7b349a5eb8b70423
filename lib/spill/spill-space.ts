/**
 * Where a run puts what does not fit its memory: files in its own temporary folder, with one quota for all of them.
 *
 * A file is written from front to back in large pieces and read at any place. Its name is removed as soon as it is
 * open, so that nothing is left behind however the process ends; where an open file cannot be removed (some Windows file
 * systems) it is removed on close, and a killed process leaves it in the temporary folder. Knows nothing of what is in
 * a file: whoever writes it puts checksums there and reports damage by `damaged`. Nothing survives a crash.
 */
import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Counters } from '../core/counters.ts';
import { EtlError, messageOf } from '../core/errors.ts';

/** The calls that touch the disk, so that a test can make any of them fail. */
export interface SpillFileSystem {
  open(path: string, flags: 'wx+', mode: number): Promise<Pick<FileHandle, 'writev' | 'read' | 'close'>>;
  unlink(path: string): Promise<void>;
}

export interface SpillSpaceOptions {
  /** An existing folder. */
  readonly folder: string;
  /** Most bytes that all files together may have at a time. */
  readonly maxBytes?: number | undefined;
  readonly counters: Pick<Counters, 'spilledBytes' | 'spilledFiles'>;
  /** Default: node:fs. */
  readonly fs?: SpillFileSystem;
}

export class SpillSpace {
  readonly #options: SpillSpaceOptions;
  readonly #fs: SpillFileSystem;
  /** Bytes in all files that are open. */
  bytes = 0;

  constructor(options: SpillSpaceOptions) {
    this.#options = options;
    this.#fs = options.fs ?? { open, unlink };
  }

  /** A new, empty file; `purpose` is part of its name. Throws ETL_TEMP_WRITE. */
  async create(purpose: string): Promise<SpillFile> {
    const path = join(this.#options.folder, `${purpose}-${randomUUID()}.tmp`);
    try {
      const file = await this.#fs.open(path, 'wx+', 0o600);
      const removed = await this.#fs.unlink(path).then(() => true, () => false);
      this.#options.counters.spilledFiles++;
      return new SpillFile(this, file, path, removed);
    } catch (cause) {
      throw tempError(path, 'Opening', cause);
    }
  }

  /** Accounts for bytes that are about to be written. Throws ETL_MAX_SPILL. */
  reserve(bytes: number): void {
    const { maxBytes = Infinity, counters } = this.#options;
    if (this.bytes + bytes > maxBytes) {
      throw new EtlError('ETL_MAX_SPILL', `Temporary files would take more than --max-spill ${maxBytes} bytes: ${this.bytes} are in use, ${bytes} more are needed.`, {
        hint: 'Raise --max-spill, or --memory, so that less has to go to disk.',
      });
    }
    this.bytes += bytes;
    counters.spilledBytes += bytes;
  }

  /** Gives back the bytes of a file that was closed. */
  release(bytes: number): void {
    this.bytes -= bytes;
  }

  removeFile(path: string): Promise<void> {
    return this.#fs.unlink(path);
  }
}

/** One temporary file. One call of `append` at a time; reads may overlap it and each other. */
export class SpillFile {
  /** Bytes appended. */
  size = 0;
  readonly path: string;
  readonly #space: SpillSpace;
  readonly #removed: boolean;
  #file: Awaited<ReturnType<SpillFileSystem['open']>> | undefined;

  /** Made by SpillSpace.create. */
  constructor(space: SpillSpace, file: Awaited<ReturnType<SpillFileSystem['open']>>, path: string, removed: boolean) {
    this.#space = space;
    this.#file = file;
    this.path = path;
    this.#removed = removed;
  }

  /** Writes the parts one behind the other at the end. Throws ETL_TEMP_WRITE or ETL_MAX_SPILL. */
  async append(parts: readonly Uint8Array[]): Promise<void> {
    const total = parts.reduce((sum, { length }) => sum + length, 0);
    this.#space.reserve(total);
    let left = [...parts];
    const end = this.size + total;
    try {
      for (let at = this.size; at < end; ) {
        let { bytesWritten } = await this.#opened.writev(left, at);
        at += bytesWritten;
        while (left.length > 0 && bytesWritten >= left[0]!.length) bytesWritten -= left.shift()!.length;
        if (bytesWritten > 0) left = [left[0]!.subarray(bytesWritten), ...left.slice(1)];
      }
    } catch (cause) {
      throw tempError(this.path, 'Writing', cause);
    } finally {
      this.size = end; // what was reserved is given back on close
    }
  }

  /** Fills `target` with what stands at `position`. Throws ETL_TEMP_WRITE. */
  async read(target: Uint8Array, position: number): Promise<void> {
    try {
      for (let done = 0; done < target.length; ) {
        const { bytesRead } = await this.#opened.read(target, done, target.length - done, position + done);
        if (bytesRead === 0) throw new Error(`the file ends at ${position + done} of ${this.size} bytes`);
        done += bytesRead;
      }
    } catch (cause) {
      throw tempError(this.path, 'Reading', cause);
    }
  }

  /** What to throw when what was read is not what was written. */
  damaged(position: number): EtlError {
    return new EtlError('ETL_TEMP_DAMAGED', `The temporary file ${this.path} is damaged at byte ${position}: what was read is not what was written.`, {
      hint: 'Check the disk of the temporary folder, or choose another one with --temp, and run again: nothing was published.',
    });
  }

  /** Frees the space; idempotent. Reads and writes that are under way must have ended. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    this.#space.release(this.size);
    await file.close();
    if (!this.#removed) await this.#space.removeFile(this.path).catch(ignoreMissing);
  }

  get #opened(): Awaited<ReturnType<SpillFileSystem['open']>> {
    if (!this.#file) throw new Error('the file is closed');
    return this.#file;
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

function tempError(path: string, doing: string, cause: unknown): EtlError {
  const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes((cause as NodeJS.ErrnoException | undefined)?.code ?? '');
  return new EtlError('ETL_TEMP_WRITE', `${doing} the temporary file ${path} failed: ${messageOf(cause)}.`, {
    cause,
    hint: full
      ? 'The disk of the temporary folder is full. Free space, choose another folder with --temp, or give more --memory so that less has to go to disk.'
      : 'Check permissions and the disk of the temporary folder, or choose another one with --temp.',
  });
}
