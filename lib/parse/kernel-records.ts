/**
 * Records of a dialect that the kernel takes, for the record stream: the same kernel as the stage's, on a small linear memory of
 * its own. Memory: a window of at most twice (the longest record + 1 MiB), of which only what is used is touched.
 */
import { isAscii } from 'node:buffer';
import type { Dialect } from '../core/dialect.ts';
import type { EtlError } from '../core/errors.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import { ENTRY_POSITION, STATE_START } from '../kernels/parse-layout.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import { CsvBatch, recordTooLong, type RecordReader, type Records } from './csv-batch.ts';
import { fieldProblem, isQuoted, unfold, type FieldProblem } from './field-text.ts';
import { INPUT_START } from './cut.ts';
import { Scanner } from './scanner.ts';

/** Most bytes of a piece. */
export const PIECE_BYTES = 1 << 20;
/** The unfinished record moves to the front once so many bytes before it are done with, or as many as it has itself. */
const DONE_BYTES = 1 << 18;

interface IndexedRecords {
  /** The records' bytes, and the input's offset of the first of them. */
  readonly bytes: Buffer;
  readonly offset: number;
  /** Entries of all fields; their positions count from `shift` bytes before `bytes`. */
  readonly entries: Uint32Array;
  readonly shift: number;
  /** Of each record: first byte in `bytes`; its entries, [first, next); line. Entries of empty lines are no record's. */
  readonly starts: readonly number[];
  readonly firsts: readonly number[];
  readonly nexts: readonly number[];
  readonly lines: readonly number[];
  readonly quote: string;
}

class KernelRecords implements Records {
  readonly length: number;
  readonly #of: IndexedRecords;
  /** All bytes as one string, when they are ASCII. */
  readonly #ascii: string | undefined;

  constructor(of: IndexedRecords) {
    this.#of = of;
    this.length = of.starts.length;
    this.#ascii = isAscii(of.bytes) ? of.bytes.toString('latin1') : undefined;
  }

  fields(record: number): string[] {
    const { entries, firsts, nexts, starts, bytes, quote, shift } = this.#of;
    const text = (from: number, to: number): string => this.#ascii?.slice(from, to) ?? bytes.toString('utf8', from, to);
    const fields: string[] = [];
    let from = starts[record]!;
    for (let at = firsts[record]!; at < nexts[record]!; at++) {
      const entry = entries[at]!;
      const to = (entry & ENTRY_POSITION) - shift;
      fields.push(isQuoted(entry) ? unfold(text(from + 1, to - 1), quote) : text(from, to));
      from = to + 1;
    }
    return fields;
  }

  raw(record: number): Buffer {
    const { bytes, starts, entries, nexts, shift } = this.#of;
    return bytes.subarray(starts[record]!, (entries[nexts[record]! - 1]! & ENTRY_POSITION) - shift);
  }

  line(record: number): number {
    return this.#of.lines[record]!;
  }

  byte(record: number): number {
    return this.#of.offset + this.#of.starts[record]!;
  }

  problem(record: number): FieldProblem | undefined {
    const { entries, firsts, nexts } = this.#of;
    for (let at = firsts[record]!; at < nexts[record]!; at++) {
      const problem = fieldProblem(entries[at]!);
      if (problem) return problem;
    }
    return undefined;
  }
}

export interface ReaderOptions {
  readonly dialect: Dialect;
  /** Most bytes of a record. */
  readonly recordBytes: number;
  /** Fields of a record; 0: as many as the first has that is well-formed. */
  readonly width: number;
  /** Of the input, for errors. */
  readonly name: string;
  /** Lines and bytes of the input before what the reader is given. */
  readonly before: { readonly lines: number; readonly bytes: number };
}

/** One input's window: pieces are put behind one another; now and then the unfinished record moves back to the front. */
export class KernelReader implements RecordReader {
  readonly #memory = new LinearMemory();
  readonly #options: ReaderOptions;
  #scanner!: Scanner;
  /** Address of the room for windows. */
  #front = 0;
  /** Where the next piece goes, and its offset in the input. */
  #ptr = 0;
  #offset = 0;
  /** To be thrown once the records before it have been given. */
  #failure: EtlError | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { dialect: { delimiter, quote }, recordBytes, width } = this.#options;
    const kernel = await loadKernel<ParseKernel>('parse', this.#memory);
    this.#scanner = new Scanner({ memory: this.#memory, kernel, recordLimit: recordBytes, delimiter, quote });
    this.#expect(width);
    // Done with + unfinished + new bytes: see #takeIn.
    this.#front = this.#memory.slab(2 * (recordBytes + PIECE_BYTES) + DONE_BYTES, 'input window');
    this.#ptr = this.#front;
    this.#scanner.open(this.#front, 0, false, { ...INPUT_START, bom: false }); // what comes is behind the preamble
  }

  *batches(piece: Uint8Array, last: boolean): Generator<CsvBatch, void, undefined> {
    const scanner = this.#scanner;
    this.#takeIn(piece, last);
    for (let found = scanner.scan(last); found !== 'end'; found = scanner.scan(last)) {
      if (found === 'too_long') throw this.#tooLong(scanner.get(STATE_START));
      const batch = this.#takeBatch();
      if (batch) yield batch;
      if (this.#failure) throw this.#failure;
    }
  }

  /** From here on; 0 = it is not known yet. */
  #expect(fields: number): void {
    this.#scanner.expected = fields;
    this.#scanner.oneRecord = fields === 0;
  }

  #takeIn(piece: Uint8Array, last: boolean): void {
    const scanner = this.#scanner;
    const left = scanner.unfinished;
    const done = this.#ptr - this.#front - left;
    // Not before as much is done with as is copied and scanned again; then the two places are apart, too.
    if (done >= Math.max(left + piece.length, DONE_BYTES)) {
      const cut = scanner.cut();
      this.#memory.bytes(this.#front, left).set(this.#memory.bytes(this.#ptr - left, left));
      this.#ptr = this.#front + left;
      this.#memory.bytes(this.#ptr, piece.length).set(piece);
      scanner.open(this.#ptr, piece.length, last, cut);
    } else {
      this.#memory.bytes(this.#ptr, piece.length).set(piece);
      scanner.extend(piece.length, last);
    }
    this.#ptr += piece.length;
    this.#offset += piece.length;
  }

  /** The records that wait in the index, up to the first that is too long; undefined when there are none. */
  #takeBatch(): CsvBatch | undefined {
    const scanner = this.#scanner;
    const { before } = this.#options;
    const { record, window, index } = scanner;
    const starts: number[] = [];
    const firsts: number[] = [];
    const nexts: number[] = [];
    const lines: number[] = [];
    let end = 0;
    while (!this.#failure && scanner.next()) {
      if (record.end - record.start > this.#options.recordBytes) {
        this.#failure = this.#tooLong(record.start);
      } else {
        starts.push(record.start);
        firsts.push(record.first);
        lines.push(before.lines + scanner.lineOf(record.start));
        nexts.push(record.next);
        end = record.end;
      }
    }
    if (starts.length === 0) return undefined;
    const fields = index.subarray(firsts[0]!, nexts[0]!);
    if (scanner.expected === 0 && !fields.some(fieldProblem)) this.#expect(fields.length);
    const shift = starts[0]!;
    const first = firsts[0]!;
    return new CsvBatch(new KernelRecords({
      bytes: Buffer.from(window.subarray(shift, end)),
      offset: before.bytes + this.#offset - window.length + shift,
      entries: index.slice(first, nexts.at(-1)),
      shift,
      starts: starts.map((start) => start - shift),
      firsts: firsts.map((at) => at - first),
      nexts: nexts.map((at) => at - first),
      lines,
      quote: this.#options.dialect.quote,
    }));
  }

  #tooLong(position: number): EtlError {
    const { window } = this.#scanner;
    const { name, recordBytes, before } = this.#options;
    const byte = before.bytes + this.#offset - window.length + position;
    return recordTooLong(name, before.lines + this.#scanner.lineOf(position), byte, recordBytes);
  }
}
