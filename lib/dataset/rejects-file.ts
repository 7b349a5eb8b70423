/**
 * `_rejects.jsonl`: one JSON object a line for each rejected row, in input order. Lines are gathered and written in
 * large pieces; memory is bounded by two of them.
 */
import { createHash } from 'node:crypto';
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

/** Rejects of a commit, in a file of a state, on the disk. */
export interface KeptRejects {
  /** Its name. */
  readonly file: string;
  readonly bytes: number;
  /** SHA-256, in hexadecimal. */
  readonly hash: string;
}

/** What is to be kept of a file that is complete; undefined when it is empty. Throws what the file system throws. */
export async function rejectsIn(folder: string, file: string): Promise<KeptRejects | undefined> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of createReadStream(join(folder, file)) as AsyncIterable<Buffer>) {
    hash.update(piece);
    bytes += piece.length;
  }
  return bytes === 0 ? undefined : { file, bytes, hash: hash.digest('hex') };
}

/**
 * Makes the rejects file of the dataset in `folder` of those that the folder `kept` has, one behind the other. Throws
 * ETL_OUTPUT_WRITE, and ETL_STATE_DAMAGED when one is not what it was.
 */
export async function joinRejects(kept: string, files: readonly KeptRejects[], folder: string): Promise<void> {
  const path = join(folder, REJECTS_FILE);
  try {
    await writeFile(path, '', { flag: 'wx' });
    for (const { file, hash: expected } of files) {
      const hash = createHash('sha256');
      await pipeline(createReadStream(join(kept, file)), async function* hashed(pieces: AsyncIterable<Buffer>) {
        for await (const piece of pieces) {
          hash.update(piece);
          yield piece;
        }
      }, createWriteStream(path, { flags: 'a' }));
      if (hash.digest('hex') !== expected) throw damaged(join(kept, file), 'they are not the ones that were rejected');
    }
  } catch (cause) {
    if (cause instanceof EtlError) throw cause;
    const { code, path: missing } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' && missing !== path) throw damaged(missing!, 'the file is missing');
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot write ${path}: ${messageOf(cause)}.`, { cause });
  }
}

function damaged(path: string, what: string): EtlError {
  return new EtlError('ETL_STATE_DAMAGED', `The rejected rows in ${path} are damaged: ${what}.`, {
    hint: 'etl-stream state check says what else is. Build the result anew from all inputs with --overwrite.',
  });
}
