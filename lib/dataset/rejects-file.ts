/**
 * `_rejects.jsonl`, in a dataset that asks for it `_rejects.csv` (rejects-csv.ts): one JSON object a line for each rejected row, in input order. Lines are gathered and written in
 * large pieces; memory is bounded by two of them.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished, pipeline } from 'node:stream/promises';
import { EtlError, messageOf } from '../core/errors.ts';
import type { RejectsFormat } from '../core/options.ts';
import { rejectLine, type Reject, type RejectSink } from '../core/rejects.ts';
import { rejectsAsCsv } from './rejects-csv.ts';

/** Where they stand in a dataset, by the format that it was written with; a run and a state have lines of JSON. */
export const REJECTS_FILES: Readonly<Record<RejectsFormat, string>> = { jsonl: '_rejects.jsonl', csv: '_rejects.csv' };
export const REJECTS_FILE = REJECTS_FILES.jsonl;

/** How a dataset has them. `columns`: the four by the user's names, in order. */
export interface RejectsForm {
  readonly format: RejectsFormat;
  readonly columns: readonly string[];
}

const PIECE_CHARACTERS = 1 << 16;

export class RejectsFile implements RejectSink {
  readonly #stream: WriteStream;
  readonly #path: string;
  #piece = '';
  #error: unknown;
  #watch: ((lines: string) => void) | undefined;

  /** Nothing stands at `path` yet. */
  constructor(path: string) {
    this.#path = path;
    this.#stream = createWriteStream(this.#path, { flags: 'wx', highWaterMark: PIECE_CHARACTERS * 2 });
    this.#stream.on('error', (error) => {
      this.#error ??= error;
    });
  }

  /** `see` is told all lines from now on, before they are taken; what it throws is thrown where they come from. */
  watch(see: (lines: string) => void): void {
    this.#watch = see;
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
    this.#watch?.(lines);
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
export async function joinRejects(kept: string, files: readonly KeptRejects[], folder: string, form: RejectsForm): Promise<void> {
  const path = join(folder, REJECTS_FILES[form.format]);
  try {
    await writeFile(path, '', { flag: 'wx' });
    await pipeline(inForm(keptLines(kept, files), form), createWriteStream(path, { flags: 'a' }));
  } catch (cause) {
    if (cause instanceof EtlError) throw cause;
    const { code, path: missing } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' && missing !== path) throw damaged(missing!, 'the file is missing');
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot write ${path}: ${messageOf(cause)}.`, { cause });
  }
}

/** Makes the lines that a run wrote into the folder of its dataset what the dataset is to have. Throws ETL_OUTPUT_WRITE. */
export async function formRejects(folder: string, form: RejectsForm): Promise<void> {
  if (form.format === 'jsonl') return;
  const [from, to] = [join(folder, REJECTS_FILE), join(folder, REJECTS_FILES[form.format])];
  try {
    await pipeline(inForm(createReadStream(from), form), createWriteStream(to, { flags: 'wx' }));
    await rm(from);
  } catch (cause) {
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot write ${to}: ${messageOf(cause)}.`, { cause });
  }
}

/** Pieces of lines as pieces of a file of that form. */
export function inForm(lines: AsyncIterable<Buffer>, { format, columns }: RejectsForm): AsyncIterable<Buffer | string> {
  return format === 'csv' ? rejectsAsCsv(lines, columns) : lines;
}

/** Throws ETL_STATE_DAMAGED when a file is not what it was. */
async function* keptLines(folder: string, files: readonly KeptRejects[]): AsyncGenerator<Buffer> {
  for (const { file, hash: expected } of files) {
    const hash = createHash('sha256');
    for await (const piece of createReadStream(join(folder, file)) as AsyncIterable<Buffer>) {
      hash.update(piece);
      yield piece;
    }
    if (hash.digest('hex') !== expected) throw damaged(join(folder, file), 'they are not the ones that were rejected');
  }
}

function damaged(path: string, what: string): EtlError {
  return new EtlError('ETL_STATE_DAMAGED', `The rejected rows in ${path} are damaged: ${what}.`, {
    hint: 'etl-stream state check says what else is. Build the result anew from all inputs with --overwrite.',
  });
}
