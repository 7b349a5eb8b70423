/** The record stream that stands on its own: CSV bytes -> batches of records, fields as strings. */
import type { Readable } from 'node:stream';

export interface ParseCsvOptions {
  /** One ASCII character; default `,`. */
  readonly delimiter?: string;
  /** One ASCII character; default `"`. */
  readonly quote?: string;
  /** Most bytes of one record; a longer one ends the iteration with ETL_INPUT_READ. Default 1 MiB. */
  readonly maxRecordBytes?: number;
  /** What error messages call the input; default `input`. */
  readonly name?: string;
}

export type RecordProblem = 'bad_quote' | 'unterminated_quote';

export interface CsvRecord {
  readonly fields: string[];
  /** Physical line of the record's first byte, from 1. */
  readonly line: number;
  /** Byte offset of the record's first byte in the input. */
  readonly byte: number;
  /** Why the record is malformed; the fields at fault are kept as raw text, quotes included. */
  readonly problem: RecordProblem | undefined;
}

/** Some records in the order of the input. Owns its memory: it stays valid for as long as it is referred to. */
export interface CsvBatch extends Iterable<CsvRecord> {
  /** Number of records, at least 1. */
  readonly length: number;
  fields(index: number): string[];
  line(index: number): number;
  byte(index: number): number;
  problem(index: number): RecordProblem | undefined;
}

/** The records of `readable`, header included, empty lines left out. */
export function parseCsv(readable: Readable | AsyncIterable<Uint8Array>, options: ParseCsvOptions = {}): AsyncIterable<CsvBatch> {
  void readable;
  void options;
  throw new Error('not yet');
}
