/**
 * Reads one input front to back into memory that the caller owns. Files, pipes and standard input alike are read by
 * file descriptor, straight to their place: no copy, no stream in between.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { read as readDescriptor } from 'node:fs';
import { promisify } from 'node:util';
import { EtlError, messageOf } from '../core/errors.ts';
import type { InputFile } from './inputs.ts';

const read = promisify(readDescriptor);
const STDIN = 0;

/** First bytes of formats that are not CSV, with what to do about them. */
const SIGNATURES: readonly { bytes: readonly number[]; format: string; tool: string }[] = [
  { bytes: [0x1f, 0x8b], format: 'gzip', tool: 'gzip -dc' },
  { bytes: [0x28, 0xb5, 0x2f, 0xfd], format: 'Zstandard', tool: 'zstd -dc' },
  { bytes: [0x42, 0x5a, 0x68], format: 'bzip2', tool: 'bzip2 -dc' },
];

export class InputReader {
  readonly #input: InputFile;
  #handle: FileHandle | undefined;
  /** Set once standard input turned out to be non-blocking: its chunks then come through the stream. */
  #chunks: AsyncIterator<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #begun = false;
  #filling: Promise<number> | undefined;
  #closed = false;

  constructor(input: InputFile) {
    this.#input = input;
  }

  /**
   * Fills `target` from its start; short only at the end of the input. Gives the number of bytes.
   * Throws ETL_INPUT_READ with the cause, also for a compressed input.
   */
  fill(target: Uint8Array): Promise<number> {
    this.#filling = this.#fill(target);
    return this.#filling;
  }

  /** Waits for a `fill` under way, which goes on to nothing: `target` is the caller's again. From an idle pipe it may wait for ever. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#filling?.catch(() => undefined); // whoever asked for it is told
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
    await this.#chunks?.return?.();
  }

  async #fill(target: Uint8Array): Promise<number> {
    let filled = 0;
    try {
      if (this.#input.path !== undefined) this.#handle ??= await open(this.#input.path, 'r');
      while (filled < target.length && !this.#closed) {
        const count = await this.#readSome(target.subarray(filled));
        if (count === 0) break;
        filled += count;
      }
    } catch (cause) {
      if (cause instanceof EtlError) throw cause;
      throw new EtlError('ETL_INPUT_READ', `Cannot read the input ${this.#input.name}: ${messageOf(cause)}.`, { cause });
    }
    if (!this.#begun) this.#refuseCompressed(target.subarray(0, filled));
    this.#begun = true;
    return filled;
  }

  async #readSome(target: Uint8Array): Promise<number> {
    if (this.#handle) return (await this.#handle.read(target, 0, target.length, null)).bytesRead;
    if (!this.#chunks) {
      try {
        return (await read(STDIN, target, 0, target.length, null)).bytesRead;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EOF') return 0; // how Windows ends a pipe
        if (code !== 'EAGAIN') throw error;
        this.#chunks = process.stdin[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
      }
    }
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return 0;
      this.#rest = next.value;
    }
    const count = Math.min(target.length, this.#rest.length);
    target.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  #refuseCompressed(head: Uint8Array): void {
    for (const { bytes, format, tool } of SIGNATURES) {
      if (!bytes.every((byte, at) => head[at] === byte)) continue;
      throw new EtlError('ETL_INPUT_READ', `The input ${this.#input.name} is ${format} data, not CSV.`, {
        hint: `Decompress it on the way in: ${tool} ${this.#input.path ?? 'FILE'} | etl-stream`,
      });
    }
  }
}
