/**
 * Sorted runs that outlive the process that made them: each in a file of its own, packed and checksummed as any run file
 * (kernels/spill-layout.ts), on the disk before it is relied on. What it takes to open one again is plain data, which its
 * owner keeps where a commit makes it visible.
 */
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError } from '../core/errors.ts';
import type { SortedRun } from '../core/stage.ts';
import { stateFileError } from '../core/state-file-error.ts';
import { packInto, RunFile, type Area, type RunMemory, type RunSection, type RunStore, type RunWriter } from './run-files.ts';

/** The calls that touch the disk, so that a test can make any of them fail. */
export interface KeptFileSystem {
  open(path: string, flags: 'w+' | 'r'): Promise<KeptHandle>;
  unlink(path: string): Promise<void>;
}

export type KeptHandle = Pick<FileHandle, 'write' | 'read' | 'sync' | 'stat' | 'close'>;

/** What it takes to read a kept run. */
export interface KeptRun {
  /** Name of its file. */
  readonly file: string;
  readonly rows: number;
  readonly bytes: number;
  readonly salt: number;
}

export interface KeptRunsOptions extends RunMemory {
  /** Where the files are; it exists. */
  readonly folder: string;
  /** Default: node:fs. */
  readonly fs?: KeptFileSystem;
}

export class KeptRuns {
  readonly #options: KeptRunsOptions;
  readonly #fs: KeptFileSystem;

  constructor(options: KeptRunsOptions) {
    this.#options = options;
    this.#fs = options.fs ?? { open, unlink };
  }

  /**
   * Where one run is written, to a file of this name; what a killed process left under it is overwritten. `kept` is told what
   * to keep once all of it is on the disk, but for the folder's entry. Throws ETL_STATE_WRITE.
   */
  store(file: string, kept: (run: KeptRun) => void): RunStore {
    return {
      create: async (area?: Area): Promise<RunWriter> => {
        let section: KeptFile | undefined;
        const writer = await packInto(this.#options, area, async () => (section = await this.#create(file)));
        return {
          write: (ptr, bytes) => writer.write(ptr, bytes),
          finish: async (rows) => {
            const run = await writer.finish(rows);
            try {
              await section!.sync();
            } catch (error) {
              await run.close().catch(() => undefined); // told what failed first
              throw error;
            }
            kept({ file, rows, bytes: section!.size, salt: writer.salt });
            return run;
          },
          discard: () => writer.discard(),
        };
      },
    };
  }

  /** The run, to be read once. Throws ETL_STATE_READ, or ETL_STATE_DAMAGED when the file is not as long as it was. */
  async open({ file, rows, bytes, salt }: KeptRun): Promise<SortedRun> {
    const path = join(this.#options.folder, file);
    const section = new KeptFile(path, await this.#call(path, 'read', () => this.#fs.open(path, 'r')), bytes);
    try {
      const length = await section.length();
      if (length !== bytes) throw section.damaged(Math.min(length, bytes));
      return new RunFile(this.#options, section, salt, rows);
    } catch (error) {
      await section.close().catch(() => undefined); // told what failed first
      throw error;
    }
  }

  /** Removes a run's file, if it is there. Throws ETL_STATE_WRITE. */
  async remove(file: string): Promise<void> {
    const path = join(this.#options.folder, file);
    await this.#fs.unlink(path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') throw stateFileError(path, 'write', cause);
    });
  }

  async #create(file: string): Promise<KeptFile> {
    const path = join(this.#options.folder, file);
    return new KeptFile(path, await this.#call(path, 'write', () => this.#fs.open(path, 'w+')), 0);
  }

  async #call<T>(path: string, doing: 'read' | 'write', call: () => Promise<T>): Promise<T> {
    return call().catch((cause: unknown) => {
      throw stateFileError(path, doing, cause);
    });
  }
}

class KeptFile implements RunSection {
  /** Bytes appended, those on their way included. */
  size: number;
  readonly #path: string;
  readonly #handle: KeptHandle;
  #closed: Promise<void> | undefined;

  constructor(path: string, handle: KeptHandle, size: number) {
    this.#path = path;
    this.#handle = handle;
    this.size = size;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      const at = this.size;
      this.size += part.length;
      for (let done = 0; done < part.length; ) {
        const { bytesWritten } = await this.#on('write', this.#handle.write(part, done, part.length - done, at + done));
        if (bytesWritten === 0) throw stateFileError(this.#path, 'write', new Error('the file system takes no more bytes'));
        done += bytesWritten;
      }
    }
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const { bytesRead } = await this.#on('read', this.#handle.read(target, done, target.length - done, position + done));
      if (bytesRead === 0) throw this.damaged(position + done);
      done += bytesRead;
    }
  }

  sync(): Promise<void> {
    return this.#on('write', this.#handle.sync());
  }

  /** Bytes of the file as it is. */
  async length(): Promise<number> {
    return Number((await this.#on('read', this.#handle.stat())).size);
  }

  damaged(position: number): EtlError {
    return new EtlError('ETL_STATE_DAMAGED', `The totals in ${this.#path} are damaged at byte ${position}: what was read is not what was written.`, {
      hint: 'Rebuild the dataset from its logs with --overwrite.',
    });
  }

  complete(): void {
    // A file takes one run.
  }

  close(): Promise<void> {
    return this.#closed ??= this.#on('write', this.#handle.close());
  }

  async #on<T>(doing: 'read' | 'write', call: Promise<T>): Promise<T> {
    return call.catch((cause: unknown) => {
      throw stateFileError(this.#path, doing, cause);
    });
  }
}
