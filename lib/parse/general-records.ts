/**
 * Records of any other dialect, for the record stream: framed here, their fields read by csv-parse, in runs of whole, well-formed
 * records. Memory: the unfinished record and a piece, twice.
 */
import { isAscii } from 'node:buffer';
import { CsvBatch, recordTooLong, type RecordReader, type Records } from './csv-batch.ts';
import { Framer, type Frame } from './framer.ts';
import { loadFieldReader, textOf, type FieldReader } from './general-fields.ts';
import type { ReaderOptions } from './kernel-records.ts';
import type { FieldProblem } from './field-text.ts';

class GeneralRecords implements Records {
  readonly length: number;
  readonly #bytes: Buffer;
  /** Lines before the reader's first, and where `bytes` begin in the input. */
  readonly #lines: number;
  readonly #offset: number;
  readonly #frames: readonly Frame[];
  readonly #fields: readonly (string[] | undefined)[];
  readonly #isAscii: boolean;

  constructor(bytes: Buffer, before: ReaderOptions['before'], offset: number, frames: readonly Frame[], read: FieldReader) {
    this.#bytes = bytes;
    this.#lines = before.lines;
    this.#offset = before.bytes + offset;
    this.#frames = frames;
    this.length = frames.length;
    this.#fields = fieldsOf(bytes, frames, read);
    this.#isAscii = isAscii(bytes);
  }

  /** Those of a malformed record are the record, as it stands. */
  fields(record: number): string[] {
    const fields = this.#fields[record];
    if (!fields) return [this.raw(record).toString()];
    return this.#isAscii ? fields.slice() : fields.map(textOf);
  }

  raw(record: number): Buffer {
    const { start, end } = this.#frames[record]!;
    return this.#bytes.subarray(start, end);
  }

  line(record: number): number {
    return this.#lines + this.#frames[record]!.line;
  }

  byte(record: number): number {
    return this.#offset + this.#frames[record]!.start;
  }

  problem(record: number): FieldProblem | undefined {
    return (this.#frames[record]!.problem as FieldProblem | undefined) ?? (this.#fields[record] ? undefined : 'bad_quote');
  }
}

/** Of each frame of `bytes`, as latin1; undefined where the record is malformed. */
export function fieldsOf(bytes: Buffer, frames: readonly Frame[], read: FieldReader): (string[] | undefined)[] {
  const fields: (string[] | undefined)[] = [];
  for (let first = 0, end = 0; first < frames.length; first = end) {
    if (frames[first]!.problem) {
      fields.push(undefined);
      end = first + 1;
      continue;
    }
    while (end < frames.length && !frames[end]!.problem) end++;
    const run = read(bytes.subarray(frames[first]!.start, frames[end - 1]!.next), end - first);
    // csv-parse may find fault with one of them that is none here: it is malformed, the others are not.
    for (let at = first; at < end; at++) fields.push(run?.[at - first] ?? read(bytes.subarray(frames[at]!.start, frames[at]!.next), 1)?.[0]);
  }
  return fields;
}

export class GeneralReader implements RecordReader {
  readonly #options: ReaderOptions;
  readonly #framer: Framer;
  #read!: FieldReader;
  /** What is not done with, and its offset in the input. */
  #left: Buffer = Buffer.alloc(0);
  #offset = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#framer = new Framer(options.dialect, options.recordBytes);
    this.#framer.width = options.width;
  }

  async start(): Promise<void> {
    this.#read = await loadFieldReader(this.#options.dialect);
  }

  *batches(piece: Uint8Array, last: boolean): Generator<CsvBatch, void, undefined> {
    const bytes = Buffer.concat([this.#left, piece]);
    this.#left = bytes;
    const { frames, tooLong } = this.#frames(bytes, last);
    if (frames.length > 0) yield new CsvBatch(new GeneralRecords(bytes, this.#options.before, this.#offset, frames, this.#read));
    if (tooLong) {
      const { name, recordBytes, before } = this.#options;
      throw recordTooLong(name, before.lines + tooLong.line, before.bytes + this.#offset + tooLong.start, recordBytes);
    }
    this.#left = Buffer.from(bytes.subarray(this.#framer.resume));
    this.#offset += this.#framer.resume;
  }

  #frames(bytes: Buffer, last: boolean): { frames: Frame[]; tooLong?: Frame } {
    const framer = this.#framer;
    const frames: Frame[] = [];
    for (let at = 0; ; ) {
      const frame = framer.next(bytes, at, bytes.length, last);
      if (frame?.problem === 'record_too_long') return { frames, tooLong: frame };
      if (!frame) return { frames };
      if (framer.width === 0 && !frame.problem) framer.width = frame.fields;
      frames.push(frame);
      at = frame.next;
    }
  }
}
