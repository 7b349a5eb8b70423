/**
 * Reads the bytes of one input, as they stand, front to back into memory that the caller owns, by file descriptor and straight
 * to its place: files (and devices) by the thread pool, what may be idle for long by the event loop. A file of text may instead be
 * opened here and read at any place by others (`readAt`).
 */
import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { EtlError, messageOf } from '../core/errors.ts';
import { contentOf, HEAD_BYTES } from './content.ts';
import type { InputFile } from './inputs.ts';
import { isPipe, PipeReader } from './pipe-reader.ts';

const [open, stat, fstat, read, close] = [promisify(fs.open), promisify(fs.stat), promisify(fs.fstat), promisify(fs.read), promisify(fs.close)];
const STDIN = 0;
/** Linux says nothing of a named pipe before it has a writer, so nobody has to wait for one; others would call it ended. */
const OPEN_PIPE = fs.constants.O_RDONLY | (process.platform === 'linux' ? fs.constants.O_NONBLOCK : 0);

export class InputReader {
  readonly #input: InputFile;
  #fd: number | undefined;
  #pipe: PipeReader | undefined;
  #filling: Promise<number> | undefined;
  #closed = false;

  constructor(input: InputFile) {
    this.#input = input;
  }

  /**
   * Fills `target` from its start; short only at the end of the input. Gives the number of bytes.
   * Throws ETL_INPUT_READ with the cause.
   */
  fill(target: Uint8Array): Promise<number> {
    this.#filling = this.#fill(target);
    return this.#filling;
  }

  /** Opens the input, a file, for others to read by its descriptor until `close`. Throws ETL_INPUT_READ with the cause. */
  async open(): Promise<number> {
    const opening = this.#open().catch((cause: unknown) => {
      throw unreadable(this.#input, cause);
    });
    this.#filling = opening.then(() => 0);
    await this.#filling;
    return this.#fd!;
  }

  /**
   * Ends a `fill` under way: `target` is the caller's again. That of a pipe rejects at once, any other is waited for and
   * goes on to nothing, which from an idle device may take for ever.
   */
  async close(): Promise<void> {
    this.#closed = true;
    const pipe = this.#pipe?.close();
    await this.#filling?.catch(() => undefined); // whoever asked for it is told
    await pipe;
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd === undefined || fd === STDIN || this.#pipe) return;
    await close(fd).catch((cause: unknown) => {
      throw unreadable(this.#input, cause);
    });
  }

  async #fill(target: Uint8Array): Promise<number> {
    let filled = 0;
    try {
      if (this.#fd === undefined) await this.#open();
      if (this.#pipe) filled = await this.#pipe.fill(target);
      else filled = await this.#readFile(target);
    } catch (cause) {
      throw unreadable(this.#input, cause);
    }
    return filled;
  }

  async #open(): Promise<void> {
    const { path, size } = this.#input;
    const info = size !== undefined ? undefined : await (path === undefined ? fstat(STDIN) : stat(path));
    const fd = path === undefined ? STDIN : await open(path, info?.isFIFO() ? OPEN_PIPE : 'r');
    this.#fd = fd;
    if (!info || !isPipe(fd, info)) return;
    this.#pipe = new PipeReader(fd);
    if (this.#closed) await this.#pipe.close(); // meanwhile: its `fill` rejects
  }

  async #readFile(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length && !this.#closed) {
      const count = await this.#readSome(target.subarray(filled));
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  async #readSome(target: Uint8Array): Promise<number> {
    try {
      return (await read(this.#fd!, target, 0, target.length, null)).bytesRead;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EOF') return 0; // how Windows ends a pipe
      throw error;
    }
  }
}

/** How a file is read that is open already: `fs.readSync`. */
export type ReadSync = (fd: number, target: Uint8Array, offset: number, length: number, position: number) => number;

/**
 * Fills `target` from its start with what the file `input`, open as `fd`, has at `position`; short only at its end. Holds
 * the thread up until then. Gives the number of bytes. Throws ETL_INPUT_READ with the cause, also for what is no text in UTF-8
 * (any more: it was looked into).
 */
export function readAt(input: InputFile, fd: number, target: Uint8Array, position: number, readSync: ReadSync = fs.readSync): number {
  let filled = 0;
  try {
    for (let count = -1; filled < target.length && count !== 0; filled += count) {
      count = readSync(fd, target, filled, target.length - filled, position + filled);
    }
  } catch (cause) {
    throw unreadable(input, cause);
  }
  if (position === 0 && contentOf(target.subarray(0, Math.min(filled, HEAD_BYTES)), input.encoding) !== 'text') {
    throw new EtlError('ETL_INPUT_READ', `The input ${input.name} was replaced while the run began.`);
  }
  return filled;
}

/** Whether so many bytes, read where `wanted` were asked for, are the input's last. Throws ETL_INPUT_READ when there should be more. */
export function endsInput({ name, size }: InputFile, offset: number, bytes: number, wanted: number): boolean {
  if (bytes === wanted) return false;
  if (size !== undefined && offset + bytes < size) {
    throw new EtlError('ETL_INPUT_READ', `The input ${name} got shorter while it was read: ${offset + bytes} of ${size} bytes.`);
  }
  return true;
}

/** What is thrown when reading an input, or looking at it, fails with `cause`. */
export function unreadable(input: Pick<InputFile, 'name'>, cause: unknown): EtlError {
  if (cause instanceof EtlError) return cause;
  return new EtlError('ETL_INPUT_READ', `Cannot read the input ${input.name}: ${messageOf(cause)}.`, { cause });
}
