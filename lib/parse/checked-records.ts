/**
 * Records that are what they should be, each with as many fields as the first has or columns are named, and what is said of all
 * others: the rules of `reject` and `repair` (README.md), for records whose fields are texts.
 */
import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import { dialectFor, type Dialect } from '../core/dialect.ts';
import { EtlError } from '../core/errors.ts';
import type { OnError } from '../core/options.ts';
import { RAW_TEXT_BYTES, type RejectCode } from '../core/rejects.ts';
import type { CsvBatch } from './csv-batch.ts';
import { latin1Dialect, leastReading } from './least-reading.ts';
import { parseCsv, type ParseCsvOptions } from './records.ts';

export interface CheckCsvOptions extends ParseCsvOptions {
  /** What happens to a malformed record; default `reject`. */
  readonly onError?: OnError | undefined;
}

/** A record that is left out, or was repaired. */
export interface MalformedRecord {
  /** Physical line, and byte in the input, of its first byte. */
  readonly line: number;
  readonly byte: number;
  readonly code: RejectCode;
  readonly message: string;
  /** undefined: it is left out. */
  readonly repair: Repair | undefined;
  /** The record as text, cut at RAW_TEXT_BYTES. */
  readonly raw: string;
}

/**
 * `padded` with empty fields, `cut` behind the last column, `reread` with quotes as text (least-reading.ts), or `repeated_header`,
 * which is no record.
 */
export type Repair = 'padded' | 'cut' | 'reread' | 'repeated_header';

/** What a part of the input came to. */
export interface CheckedRecords {
  readonly records: string[][];
  readonly malformed: MalformedRecord[];
}

/**
 * The well-formed records of `readable`, header included, and the malformed ones, in order. With `fail` throws ETL_REJECTED at the
 * first malformed one, after those before it; otherwise as parseCsv does.
 */
export async function* checkCsv(
  readable: Readable | AsyncIterable<Uint8Array | string>, { onError = 'reject', ...options }: CheckCsvOptions = {},
): AsyncGenerator<CheckedRecords, void, undefined> {
  const checks = new RecordChecks(onError, dialectFor('', options), options.names);
  for await (const batch of parseCsv(readable, options)) {
    const checked = checks.of(batch);
    if (checked.records.length + checked.malformed.length > 0) yield checked;
    const [first] = checked.malformed;
    if (first && onError === 'fail') {
      throw new EtlError('ETL_REJECTED', `The record at line ${first.line} (byte ${first.byte}) of ${options.name ?? 'the input'} is malformed: ${first.message}`);
    }
  }
}

class RecordChecks {
  readonly #onError: OnError;
  readonly #dialect: Dialect;
  /** Names of the columns, when they are known. */
  #header: readonly string[] | undefined;
  /** Fields of a record; 0 until the first. */
  #width = 0;
  /** Fields of the records of another table that follows; 0 = there is none. */
  #otherWidth = 0;
  #out: CheckedRecords = { records: [], malformed: [] };

  constructor(onError: OnError, dialect: Dialect, names: readonly string[] | undefined) {
    this.#onError = onError;
    this.#dialect = { ...dialect, ...latin1Dialect(dialect) };
    if (names) this.#named(names);
  }

  of(batch: CsvBatch): CheckedRecords {
    this.#out = { records: [], malformed: [] };
    for (let record = 0; record < batch.length; record++) {
      this.#check(batch, record);
      if (this.#onError === 'fail' && this.#out.malformed.length > 0) break;
    }
    return this.#out;
  }

  #check(batch: CsvBatch, record: number): void {
    const problem = batch.problem(record);
    if (!isUtf8(batch.raw(record))) {
      this.#tell(batch, record, 'invalid_utf8', 'The record is not valid UTF-8.');
    } else if (problem) {
      this.#reread(batch, record, problem);
    } else {
      this.#count(batch, record, batch.fields(record));
    }
  }

  #count(batch: CsvBatch, record: number, fields: string[]): void {
    if (this.#width === 0) {
      if (this.#dialect.header) this.#named(fields);
      this.#width = fields.length;
    } else if (this.#onError === 'repair' && this.#header && isSame(fields, this.#header)) {
      return this.#tell(batch, record, 'field_count', 'The record repeats the header.', 'repeated_header');
    }
    if (fields.length === this.#width) {
      this.#otherWidth = 0;
      this.#out.records.push(fields);
      return;
    }
    const message = `The record has ${fields.length} ${fields.length === 1 ? 'field' : 'fields'}, not ${this.#width}.`;
    if (this.#onError !== 'repair') return this.#tell(batch, record, 'field_count', message);
    if (this.#header && isAnotherHeader(fields, this.#header)) this.#otherWidth = fields.length;
    if (fields.length === this.#otherWidth) {
      return this.#tell(batch, record, 'field_count', `${message} It belongs to another table, whose header is like the first one's.`);
    }
    this.#tell(batch, record, 'field_count', message, fields.length < this.#width ? 'padded' : 'cut');
    this.#out.records.push(Array.from({ length: this.#width }, (_, place) => fields[place] ?? ''));
  }

  #reread(batch: CsvBatch, record: number, code: 'bad_quote' | 'unterminated_quote'): void {
    const message = code === 'bad_quote' ? 'A quote stands inside an unquoted field, or something follows a closing quote.' : 'A quote is never closed.';
    const mayRead = this.#onError === 'repair' && this.#width > 0 && this.#otherWidth === 0;
    const read = mayRead ? leastReading(batch.raw(record).toString('latin1'), this.#dialect, this.#width) : undefined;
    this.#tell(batch, record, code, message, read && 'reread');
    for (const { fields } of read ?? []) this.#out.records.push(fields.map((field) => Buffer.from(field, 'latin1').toString()));
  }

  #named(names: readonly string[]): void {
    this.#header = names;
    this.#width = names.length;
  }

  #tell(batch: CsvBatch, record: number, code: RejectCode, message: string, repair?: Repair): void {
    const raw = batch.raw(record).toString('utf8', 0, RAW_TEXT_BYTES);
    this.#out.malformed.push({ line: batch.line(record), byte: batch.byte(record), code, message, repair, raw });
  }
}

function isSame(fields: readonly string[], header: readonly string[]): boolean {
  return fields.length === header.length && fields.every((field, place) => field === header[place]);
}

/** Whether they are the header of a table like this one, with more columns, or fewer. */
function isAnotherHeader(fields: readonly string[], header: readonly string[]): boolean {
  const both = Math.min(fields.length, header.length);
  return both >= 2 && fields.slice(0, both).every((field, place) => field === header[place]);
}
