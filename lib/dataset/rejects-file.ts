/**
 * `_rejects.jsonl`: one JSON object a line for each rejected row, in input order. Lines are gathered and written in
 * large pieces; memory is bounded by two of them.
 */
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished, pipeline } from 'node:stream/promises';
import { EtlError, messageOf } from '../core/errors.ts';
import { rejectLine, type Reject, type RejectSink } from '../core/rejects.ts';

/** Where they stand in a dataset. */
export const REJECTS_FILE = '_rejects.jsonl';
const PIECE_CHARACTERS = 1 << 16;

export class RejectsFile implements RejectSink {
  readonly #stream: WriteStream;
  readonly #path: string;
  #piece = '';
  #error: unknown;

  /** Nothing stands at `path` yet. */
  constructor(path: string) {
    this.#path = path;
    this.#stream = createWriteStream(this.#path, { flags: 'wx', highWaterMark: PIECE_CHARACTERS * 2 });
    this.#stream.on('error', (error) => {
      this.#error ??= error;
    });
  }

  begin(): void {
    // One thread has all blocks, in order.
  }

  write(reject: Reject): boolean {
    return this.#add(rejectLine(reject));
  }

  /** Whole lines that others made. Wait for it before the next. Throws ETL_OUTPUT_WRITE. */
  async append(lines: string): Promise<void> {
    if (this.#add(lines)) await this.drained();
  }

  end(): void {
    // What is left goes with the next block's.
  }

  async drained(): Promise<void> {
    this.#check();
    if (this.#stream.writableNeedDrain) await once(this.#stream, 'drain').catch(() => this.#check());
    this.#check();
  }

  /** Writes what is left and closes the file. Throws ETL_OUTPUT_WRITE if any write failed. */
  async close(): Promise<void> {
    this.#flush();
    this.#stream.end();
    await finished(this.#stream).catch(() => undefined);
    this.#check();
  }

  /** Closes the file without caring for its content. */
  async abandon(): Promise<void> {
    this.#stream.destroy();
    await finished(this.#stream).catch(() => undefined);
  }

  #add(lines: string): boolean {
    this.#piece += lines;
    if (this.#piece.length < PIECE_CHARACTERS) return false;
    return !this.#flush();
  }

  #flush(): boolean {
    const piece = this.#piece;
    this.#piece = '';
    return piece === '' || this.#stream.write(piece);
  }

  #check(): void {
    if (this.#error === undefined) return;
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot write ${this.#path}: ${messageOf(this.#error)}.`, { cause: this.#error });
  }
}

/** Makes the rejects file of the dataset in `folder` of several, one behind the other. Throws ETL_OUTPUT_WRITE. */
export async function joinRejects(files: readonly string[], folder: string): Promise<void> {
  const path = join(folder, REJECTS_FILE);
  try {
    await writeFile(path, '', { flag: 'wx' });
    for (const file of files) await pipeline(createReadStream(file), createWriteStream(path, { flags: 'a' }));
  } catch (cause) {
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot write ${path}: ${messageOf(cause)}.`, { cause });
  }
}
