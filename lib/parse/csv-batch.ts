/** What the record stream gives: records of a part of the input, whichever parser made them. */
import { EtlError } from '../core/errors.ts';
import type { FieldProblem } from './field-text.ts';

export interface CsvRecord {
  readonly fields: string[];
  /** Physical line of the record's first byte, from 1. */
  readonly line: number;
  /** Byte offset of the record's first byte in the input. */
  readonly byte: number;
  /** Why the record is malformed, if it is. */
  readonly problem: FieldProblem | undefined;
}

/** What a parser has of some records; `record` counts from 0. */
export interface Records {
  readonly length: number;
  fields(record: number): string[];
  raw(record: number): Buffer;
  line(record: number): number;
  byte(record: number): number;
  problem(record: number): FieldProblem | undefined;
}

/** Takes an input in, piece by piece, and gives its records. */
export interface RecordReader {
  start(): Promise<void>;
  /** The records that end in this piece; `last`: the input ends with it. Throws when one is too long, after those before it. */
  batches(piece: Uint8Array, last: boolean): Iterable<CsvBatch>;
}

/**
 * Some records in the order of the input: iterate over it, or ask by index from 0. It has its own copy of the bytes and
 * stays valid. Texts are made when asked for; those of one batch may share memory, as slices of one string do.
 */
export class CsvBatch implements Iterable<CsvRecord> {
  /** Number of records, at least 1. */
  readonly length: number;
  readonly #records: Records;

  /** @internal */
  constructor(records: Records) {
    this.#records = records;
    this.length = records.length;
  }

  /** The fields of a record, quotes taken off and doubled (or escaped) ones folded. */
  fields(record: number): string[] {
    return this.#records.fields(record);
  }

  /** The bytes of a record as they stand in the input, line end excluded. */
  raw(record: number): Buffer {
    return this.#records.raw(record);
  }

  /** Physical line of the record's first byte, from 1. */
  line(record: number): number {
    return this.#records.line(record);
  }

  /** Byte offset of the record's first byte in the input. */
  byte(record: number): number {
    return this.#records.byte(record);
  }

  /** Why the record is malformed: the problem of its first malformed field. */
  problem(record: number): FieldProblem | undefined {
    return this.#records.problem(record);
  }

  *[Symbol.iterator](): Generator<CsvRecord, void, undefined> {
    for (let record = 0; record < this.length; record++) {
      yield { fields: this.fields(record), line: this.line(record), byte: this.byte(record), problem: this.problem(record) };
    }
  }
}

/** Why the record stream ends at this record. */
export function recordTooLong(input: string, line: number, byte: number, most: number): EtlError {
  return new EtlError('ETL_INPUT_READ', `The record at line ${line} (byte ${byte}) of ${input} is longer than ${most} bytes.`, {
    hint: 'Is a quote never closed? `maxRecordBytes` allows longer records.',
  });
}
