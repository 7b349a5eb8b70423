/**
 * Run files: sorted runs that did not fit memory, rows in run format (kernels/layout.ts) back to back.
 *
 * Takes whole rows in order, in large writes, and gives them back as a SortedRun, once, front to back. One open file a
 * run. A file's name is removed as soon as it is open, so that nothing is left behind however the process ends; where an
 * open file cannot be removed (some Windows file systems), it is removed on close, and a killed process leaves it in the
 * temporary folder. Knows bytes and where rows end, nothing of their order.
 */
import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import type { SortedRun } from '../core/stage.ts';
import { MAX_USER_BYTES, RUN_USER } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { AggregateKernel } from '../kernels/twins/aggregate.ts';

export interface RunFilesOptions {
  /** An existing folder. */
  readonly folder: string;
  readonly memory: LinearMemory;
  readonly kernel: Pick<AggregateKernel, 'wholeRows'>;
}

/** A run that is being written. Ends with `finish` or `discard`, exactly one of them. */
export interface RunWriter {
  /** Appends whole rows. Throws ETL_TEMP_WRITE. */
  write(rows: Uint8Array): Promise<void>;
  /** The run that was written; `rows` is how many rows that is. */
  finish(rows: number): SortedRun;
  /** Gives the file up. */
  discard(): Promise<void>;
}

export class RunFiles {
  readonly #options: RunFilesOptions;

  constructor(options: RunFilesOptions) {
    this.#options = options;
  }

  /** Opens a new file. Throws ETL_TEMP_WRITE. */
  async create(): Promise<RunWriter> {
    const path = join(this.#options.folder, `run-${randomUUID()}.tmp`);
    try {
      const file = await open(path, 'wx+', 0o600);
      const removed = await unlink(path).then(() => true, () => false);
      return new RunFile(this.#options, file, path, removed);
    } catch (cause) {
      throw tempError(path, 'Opening', cause);
    }
  }
}

class RunFile implements RunWriter, SortedRun {
  rows = 0;
  readonly #memory: LinearMemory;
  readonly #kernel: Pick<AggregateKernel, 'wholeRows'>;
  readonly #path: string;
  readonly #removed: boolean;
  #file: FileHandle | undefined;
  #size = 0;
  #position = 0;

  constructor({ memory, kernel }: RunFilesOptions, file: FileHandle, path: string, removed: boolean) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#file = file;
    this.#path = path;
    this.#removed = removed;
  }

  async write(rows: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < rows.length; ) {
        const { bytesWritten } = await this.#opened.write(rows, at, rows.length - at, this.#size);
        at += bytesWritten;
        this.#size += bytesWritten;
      }
    } catch (cause) {
      throw tempError(this.#path, 'Writing', cause);
    }
  }

  finish(rows: number): SortedRun {
    this.rows = rows;
    return this;
  }

  discard(): Promise<void> {
    return this.close();
  }

  async fill(ptr: number, capacity: number): Promise<number> {
    const wanted = Math.min(capacity, this.#size - this.#position);
    if (wanted === 0) return 0;
    const bytes = this.#memory.bytes(ptr, wanted);
    let read = 0;
    try {
      while (read < wanted) {
        const { bytesRead } = await this.#opened.read(bytes, read, wanted - read, this.#position + read);
        if (bytesRead === 0) throw new Error(`the file ends at ${this.#position + read} of ${this.#size} bytes`);
        read += bytesRead;
      }
    } catch (cause) {
      throw tempError(this.#path, 'Reading', cause);
    }
    const whole = this.#kernel.wholeRows(ptr, read) >>> 0;
    const enough = read === this.#size - this.#position || read >= RUN_USER + MAX_USER_BYTES;
    if (whole > read || (whole === 0 && enough)) {
      throw tempError(this.#path, 'Reading', new Error(`the row at byte ${this.#position} is damaged`));
    }
    if (whole === 0) throw new EtlError('ETL_INTERNAL', `A buffer of ${capacity} bytes cannot hold a row of a run.`);
    this.#position += whole;
    return whole;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    await file.close();
    if (!this.#removed) await unlink(this.#path).catch(ignoreMissing);
  }

  get #opened(): FileHandle {
    if (!this.#file) throw new Error('the file is closed');
    return this.#file;
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

function tempError(path: string, doing: string, cause: unknown): EtlError {
  return new EtlError('ETL_TEMP_WRITE', `${doing} the temporary file ${path} failed: ${messageOf(cause)}.`, {
    cause,
    hint: 'Check free space and permissions of the temporary folder, or choose another one with --temp.',
  });
}
