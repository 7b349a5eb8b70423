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
  open(path: string, flags: 'wx+', mode: number): Promise<SpillHandle>;
  unlink(path: string): Promise<void>;
}

export type SpillHandle = Pick<FileHandle, 'fd' | 'writev' | 'read' | 'close'>;

export interface SpillSpaceOptions {
  /** An existing folder. */
  readonly folder: string;
  /** Most bytes that all files together may have at a time. */
  readonly maxBytes?: number | undefined;
  /** One number, their bytes: in shared memory, when the spaces of several threads have one quota. Default: its own. */
  readonly used?: BigInt64Array;
  readonly counters: Pick<Counters, 'spilledBytes' | 'spilledFiles'>;
  /** Default: node:fs. */
  readonly fs?: SpillFileSystem;
}

export class SpillSpace {
  readonly #options: SpillSpaceOptions;
  readonly #fs: SpillFileSystem;
  readonly #files = new Set<SpillFile>();
  readonly #used: BigInt64Array;

  constructor(options: SpillSpaceOptions) {
    this.#options = options;
    this.#fs = options.fs ?? { open, unlink };
    this.#used = options.used ?? new BigInt64Array(1);
  }

  /** Bytes of all files that are open, those on their way to the disk included; of all threads' that share the quota. */
  get bytes(): number {
    return Number(Atomics.load(this.#used, 0));
  }

  /** A new, empty file; `purpose` is part of its name. Throws ETL_TEMP_WRITE. */
  async create(purpose: string): Promise<SpillFile> {
    const path = join(this.#options.folder, `${purpose}-${randomUUID()}.tmp`);
    const handle = await this.#fs.open(path, 'wx+', 0o600).catch((cause: unknown) => {
      throw tempError(path, 'Opening', cause);
    });
    const removed = await this.#fs.unlink(path).then(() => true, () => false);
    const file: SpillFile = new SpillFile(handle, path, {
      reserve: (bytes) => this.#reserve(bytes),
      written: (bytes) => void (this.#options.counters.spilledBytes += bytes),
      closed: async () => {
        Atomics.sub(this.#used, 0, BigInt(file.size));
        this.#files.delete(file);
        // What cannot be removed now, the owner of the folder removes with the folder, or reports.
        if (!removed) await this.#fs.unlink(path).catch(() => undefined);
      },
    });
    this.#files.add(file);
    this.#options.counters.spilledFiles++;
    return file;
  }

  /** Closes every file that is still open: before the folder is removed, whatever happened. Idempotent. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#files, (file) => file.close()));
  }

  #reserve(bytes: number): void {
    const { maxBytes = Infinity } = this.#options;
    for (;;) {
      const used = this.bytes;
      if (used + bytes > maxBytes) {
        const use = `${readable(used)} are in use, ${readable(bytes)} more are needed`;
        throw new EtlError('ETL_MAX_SPILL', `Temporary files would take more than --max-spill ${readable(maxBytes)}: ${use}.`, {
          hint: 'Raise --max-spill, or --memory, so that less has to go to disk.',
        });
      }
      if (Atomics.compareExchange(this.#used, 0, BigInt(used), BigInt(used + bytes)) === BigInt(used)) return;
    }
  }
}

/** What another thread reads a file by: plain data. */
export interface HandedSpillFile {
  readonly path: string;
  readonly fd: number;
}

/** What is read at once with others. */
export interface Piece {
  readonly target: Uint8Array;
  readonly position: number;
}

/** What a file tells the space it is in. */
interface Account {
  /** Before bytes are written. Throws ETL_MAX_SPILL. */
  reserve(bytes: number): void;
  written(bytes: number): void;
  closed(): Promise<void>;
}

/** One temporary file. Reads and appends may overlap; each append has its own place, in the order of the calls. */
export class SpillFile {
  readonly path: string;
  readonly #account: Account;
  #handle: SpillHandle | undefined;
  #size = 0;
  #closed: Promise<void> | undefined;

  /** Made by SpillSpace.create. */
  constructor(handle: SpillHandle, path: string, account: Account) {
    this.#handle = handle;
    this.path = path;
    this.#account = account;
  }

  /** Bytes appended, those on their way to the disk, or lost on it, included: until `close` they count against the quota. */
  get size(): number {
    return this.#size;
  }

  /**
   * Writes the parts one behind the other at the end. They must stay as they are until the promise is settled. Throws
   * ETL_TEMP_WRITE (then the file is good for nothing but `close`), or ETL_MAX_SPILL.
   */
  async append(parts: readonly Uint8Array[]): Promise<void> {
    const handle = this.#opened('Writing');
    let left = parts.filter(({ length }) => length > 0);
    const total = left.reduce((sum, { length }) => sum + length, 0);
    this.#account.reserve(total);
    let at = this.#size;
    this.#size += total;
    try {
      while (left.length > 0) {
        const { bytesWritten } = await handle.writev(left, at);
        if (bytesWritten === 0) throw new Error('the file system takes no more bytes');
        at += bytesWritten;
        left = after(left, bytesWritten);
      }
    } catch (cause) {
      throw tempError(this.path, 'Writing', cause);
    }
    this.#account.written(total);
  }

  /** Fills `target` with what stands at `position`, all of it written before. Throws ETL_TEMP_WRITE or ETL_TEMP_DAMAGED. */
  async read(target: Uint8Array, position: number): Promise<void> {
    if (position < 0 || position + target.length > this.#size) {
      throw new EtlError('ETL_INTERNAL', `${target.length} bytes at ${position} were read of ${this.#size} in ${this.path}.`);
    }
    const handle = this.#opened('Reading');
    await readAt(this.path, (offset, length, at) => handle.read(target, offset, length, at), target.length, position);
  }

  /** Fills several targets at once. When it ends, with an error too, no read is under way. Throws as `read` does. */
  async readAll(pieces: readonly Piece[]): Promise<void> {
    await readPieces(this, pieces);
  }

  /** What to throw when what was read is not what was written. */
  damaged(position: number): EtlError {
    return tempDamaged(this.path, position);
  }

  /** For a BorrowedFile in another thread; the file must stay open while it is read. Throws ETL_TEMP_WRITE. */
  handOver(): HandedSpillFile {
    return { path: this.path, fd: this.#opened('Reading').fd };
  }

  /** Frees the space. What is under way ends first, or fails. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const handle = this.#opened('Closing');
    this.#handle = undefined;
    try {
      await handle.close();
    } catch (cause) {
      throw tempError(this.path, 'Closing', cause);
    } finally {
      await this.#account.closed();
    }
  }

  #opened(doing: string): SpillHandle {
    if (!this.#handle) throw tempError(this.path, doing, new Error('the file is closed'));
    return this.#handle;
  }
}

type ReadCall = (offset: number, length: number, position: number) => Promise<{ readonly bytesRead: number }>;

/** Reads `bytes` bytes, all of them, by as many calls as it takes. Throws ETL_TEMP_WRITE or ETL_TEMP_DAMAGED. */
export async function readAt(path: string, read: ReadCall, bytes: number, position: number): Promise<void> {
  for (let done = 0; done < bytes; ) {
    let bytesRead: number;
    try {
      ({ bytesRead } = await read(done, bytes - done, position + done));
    } catch (cause) {
      throw tempError(path, 'Reading', cause);
    }
    if (bytesRead === 0) throw tempDamaged(path, position + done);
    done += bytesRead;
  }
}

/** Reads all of them at once. When it ends, with an error too, no read is under way. */
export async function readPieces(file: Pick<SpillFile, 'read'>, pieces: readonly Piece[]): Promise<void> {
  const reads = await Promise.allSettled(pieces.map(({ target, position }) => file.read(target, position)));
  for (const read of reads) if (read.status === 'rejected') throw read.reason;
}

export function tempDamaged(path: string, position: number): EtlError {
  return new EtlError('ETL_TEMP_DAMAGED', `The temporary file ${path} is damaged at byte ${position}: what was read is not what was written.`, {
    hint: 'Check the disk of the temporary folder, or choose another one with --temp, and run again: nothing was published.',
  });
}

/** What is left of the parts behind their first `bytes` bytes. */
function after(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let first = 0;
  while (first < parts.length && bytes >= parts[first]!.length) bytes -= parts[first++]!.length;
  const left = parts.slice(first);
  if (bytes > 0) left[0] = left[0]!.subarray(bytes);
  return left;
}

const FULL = 'Free space, choose another folder with --temp, or give more --memory so that less has to go to disk.';
const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: `The disk of the temporary folder is full. ${FULL}`,
  EDQUOT: `The disk quota of the temporary folder is used up. ${FULL}`,
  EFBIG: 'The file system of the temporary folder, or ulimit -f, allows no larger file. Choose another folder with --temp, or give more --memory.',
  EMFILE: 'Raise the limit of open files (ulimit -n), or give more --memory so that fewer files are needed.',
};

function tempError(path: string, doing: string, cause: unknown): EtlError {
  const { code = '' } = cause as NodeJS.ErrnoException;
  return new EtlError('ETL_TEMP_WRITE', `${doing} the temporary file ${path} failed: ${messageOf(cause)}.`, {
    cause,
    hint: HINTS[code] ?? 'Check permissions and the disk of the temporary folder, or choose another one with --temp.',
  });
}

/** Bytes for a person: in the units that --max-spill takes. */
function readable(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let power = 0;
  while (power < units.length - 1 && bytes >= 1000 ** (power + 1)) power++;
  return `${Number((bytes / 1000 ** power).toFixed(2))} ${units[power]}`;
}
