/**
 * The record stream that stands on its own: CSV bytes, cut anywhere -> batches of records, fields as strings. The same
 * kernel as the stage's, on a small linear memory of its own; what a record is: README.md in this room.
 *
 * It is lenient: a field with malformed quotes comes as it stands, quotes included, and its record says so (`problem`).
 * Nothing is ever cut or left out silently: a record over `maxRecordBytes` ends the iteration with an error.
 * Memory: a window of at most twice (the longest record + 1 MiB), of which only what is used is touched.
 */
import { isAscii } from 'node:buffer';
import type { Readable } from 'node:stream';
import { EtlError } from '../core/errors.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import { ENTRY_POSITION, STATE_START } from '../kernels/parse-layout.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import { fieldProblem, isQuoted, unfold, type FieldProblem } from './field-text.ts';
import { INPUT_START, Scanner, type Dialect } from './scanner.ts';

export interface ParseCsvOptions extends Dialect {
  /** Most bytes of one record, line end excluded; default 1 MiB, at most 128 MiB. */
  readonly maxRecordBytes?: number | undefined;
  /** What error messages call the input; default `the input`. */
  readonly name?: string | undefined;
}

export interface CsvRecord {
  readonly fields: string[];
  /** Physical line of the record's first byte, from 1. */
  readonly line: number;
  /** Byte offset of the record's first byte in the input. */
  readonly byte: number;
  /** Why the record is malformed, if it is. */
  readonly problem: FieldProblem | undefined;
}

const DEFAULT_RECORD_BYTES = 1 << 20;
const MAX_RECORD_BYTES = 1 << 27;
/** A chunk is taken in by pieces of at most this. */
const PIECE_BYTES = 1 << 20;
/** The unfinished record moves to the front once so many bytes before it are done with, or as many as it has itself. */
const DONE_BYTES = 1 << 18;

/**
 * The records of `readable` in order, header included, empty lines left out, as batches of at least one record.
 * Leaving the loop early destroys a Readable (calls `return` on other iterables). Throws ETL_INPUT_READ, with line and
 * byte, at a record longer than `maxRecordBytes`; ETL_USAGE for options that are out of range; errors of the source as
 * they are.
 */
export async function* parseCsv(
  readable: Readable | AsyncIterable<Uint8Array | string>,
  options: ParseCsvOptions = {},
): AsyncGenerator<CsvBatch, void, undefined> {
  const reader = new RecordReader(options);
  const started = reader.start();
  started.catch(() => undefined); // told below; the source must be listened to at once, it may fail at once
  for await (const chunk of readable as AsyncIterable<Uint8Array | string>) {
    await started;
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      yield* reader.batches(bytes.subarray(from, from + PIECE_BYTES), false);
    }
  }
  await started;
  yield* reader.batches(new Uint8Array(0), true);
}

/**
 * Some records in the order of the input: iterate over it, or ask by index from 0. It has its own copy of the bytes and
 * stays valid. Texts are made when asked for; those of one batch may share memory, as slices of one string do.
 */
export class CsvBatch implements Iterable<CsvRecord> {
  /** Number of records, at least 1. */
  readonly length: number;
  readonly #source: BatchSource;
  /** All bytes as one string, when they are ASCII. */
  readonly #ascii: string | undefined;

  /** @internal */
  constructor(source: BatchSource) {
    this.#source = source;
    this.length = source.starts.length;
    this.#ascii = isAscii(source.bytes) ? source.bytes.toString('latin1') : undefined;
  }

  /** The fields of a record, quotes taken off and doubled ones folded. */
  fields(record: number): string[] {
    const { entries, firsts, nexts, starts, bytes, quote } = this.#source;
    const text = (from: number, to: number): string => this.#ascii?.slice(from, to) ?? bytes.toString('utf8', from, to);
    const fields: string[] = [];
    let from = starts[record]!;
    for (let at = firsts[record]!; at < nexts[record]!; at++) {
      const entry = entries[at]!;
      const to = (entry & ENTRY_POSITION) - this.#source.shift;
      fields.push(isQuoted(entry) ? unfold(text(from + 1, to - 1), quote) : text(from, to));
      from = to + 1;
    }
    return fields;
  }

  /** Physical line of the record's first byte, from 1. */
  line(record: number): number {
    return this.#source.lines[record]!;
  }

  /** Byte offset of the record's first byte in the input. */
  byte(record: number): number {
    return this.#source.offset + this.#source.starts[record]!;
  }

  /** Why the record is malformed: the problem of its first malformed field. */
  problem(record: number): FieldProblem | undefined {
    const { entries, firsts, nexts } = this.#source;
    for (let at = firsts[record]!; at < nexts[record]!; at++) {
      const problem = fieldProblem(entries[at]!);
      if (problem) return problem;
    }
    return undefined;
  }

  *[Symbol.iterator](): Generator<CsvRecord, void, undefined> {
    for (let record = 0; record < this.length; record++) {
      yield { fields: this.fields(record), line: this.line(record), byte: this.byte(record), problem: this.problem(record) };
    }
  }
}

interface BatchSource {
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

/** One input's window: pieces are put behind one another; now and then the unfinished record moves back to the front. */
class RecordReader {
  readonly #memory = new LinearMemory();
  readonly #recordBytes: number;
  readonly #name: string;
  readonly #dialect: Dialect;
  #scanner!: Scanner;
  /** Address of the room for windows. */
  #front = 0;
  /** Where the next piece goes, and its offset in the input. */
  #ptr = 0;
  #offset = 0;
  /** To be thrown once the records before it have been given. */
  #failure: EtlError | undefined;

  constructor({ maxRecordBytes = DEFAULT_RECORD_BYTES, name = 'the input', ...dialect }: ParseCsvOptions) {
    if (!Number.isInteger(maxRecordBytes) || maxRecordBytes < 1 || maxRecordBytes > MAX_RECORD_BYTES) {
      throw new EtlError(
        'ETL_USAGE',
        `maxRecordBytes is ${maxRecordBytes}; it must be a whole number from 1 to ${MAX_RECORD_BYTES}.`,
      );
    }
    this.#recordBytes = maxRecordBytes;
    this.#name = name;
    this.#dialect = dialect;
  }

  async start(): Promise<void> {
    const kernel = await loadKernel<ParseKernel>('parse', this.#memory);
    this.#scanner = new Scanner({ memory: this.#memory, kernel, recordLimit: this.#recordBytes, ...this.#dialect });
    // Done with + unfinished + new bytes: see #takeIn.
    this.#front = this.#memory.slab(2 * (this.#recordBytes + PIECE_BYTES) + DONE_BYTES, 'input window');
    this.#ptr = this.#front;
    this.#scanner.open(this.#front, 0, false, INPUT_START);
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
    const { record, window, index } = scanner;
    const starts: number[] = [];
    const firsts: number[] = [];
    const nexts: number[] = [];
    const lines: number[] = [];
    let end = 0;
    while (!this.#failure && scanner.next()) {
      if (record.end - record.start > this.#recordBytes) {
        this.#failure = this.#tooLong(record.start);
      } else {
        starts.push(record.start);
        firsts.push(record.first);
        lines.push(scanner.lineOf(record.start));
        nexts.push(record.next);
        end = record.end;
      }
    }
    if (starts.length === 0) return undefined;
    const shift = starts[0]!;
    const first = firsts[0]!;
    return new CsvBatch({
      bytes: Buffer.from(window.subarray(shift, end)),
      offset: this.#offset - window.length + shift,
      entries: index.slice(first, nexts.at(-1)),
      shift,
      starts: starts.map((start) => start - shift),
      firsts: firsts.map((at) => at - first),
      nexts: nexts.map((at) => at - first),
      lines,
      quote: this.#dialect.quote ?? '"',
    });
  }

  #tooLong(position: number): EtlError {
    const { window } = this.#scanner;
    const line = this.#scanner.lineOf(position);
    const byte = this.#offset - window.length + position;
    return new EtlError(
      'ETL_INPUT_READ',
      `The record at line ${line} (byte ${byte}) of ${this.#name} is longer than ${this.#recordBytes} bytes.`,
      { hint: 'Is a quote never closed? `maxRecordBytes` allows longer records.' },
    );
  }
}
