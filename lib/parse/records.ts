/**
 * The record stream that stands on its own: CSV bytes, cut anywhere -> batches of records, fields as strings. What a record is:
 * README.md in this room.
 *
 * It is lenient: a field with malformed quotes comes as it stands, quotes included, and its record says so (`problem`).
 * Nothing is ever cut or left out silently: a record over `maxRecordBytes` ends the iteration with an error.
 * Memory is bounded by the longest record, not by the input.
 */
import type { Readable } from 'node:stream';
import { dialectFor, isKernelDialect, validateDialect, type DialectOptions } from '../core/dialect.ts';
import { EtlError } from '../core/errors.ts';
import type { CsvBatch, RecordReader } from './csv-batch.ts';
import { GeneralReader } from './general-records.ts';
import { KernelReader, PIECE_BYTES } from './kernel-records.ts';
import { Preamble } from './preamble.ts';

export { CsvBatch, type CsvRecord } from './csv-batch.ts';

export interface ParseCsvOptions extends DialectOptions {
  /** Most bytes of one record, line end excluded; default 1 MiB, at most 128 MiB. */
  readonly maxRecordBytes?: number | undefined;
  /** What error messages call the input; default `the input`. */
  readonly name?: string | undefined;
}

const DEFAULT_RECORD_BYTES = 1 << 20;
const MAX_RECORD_BYTES = 1 << 27;

/**
 * The records of `readable` in order, header included, empty lines and comments left out, as batches of at least one record. The
 * dialect is RFC 4180 but for what `options` say; `header` and `names` say how many fields records should have, no more. Lines and bytes count what is skipped.
 * Leaving the loop early destroys a Readable (calls `return` on other iterables). Throws ETL_INPUT_READ, with line and
 * byte, at a record longer than `maxRecordBytes`; ETL_USAGE for options that are out of range; errors of the source as
 * they are.
 */
export async function* parseCsv(
  readable: Readable | AsyncIterable<Uint8Array | string>,
  options: ParseCsvOptions = {},
): AsyncGenerator<CsvBatch, void, undefined> {
  const { reader, preamble } = readerFor(options);
  const started = reader.start();
  started.catch(() => undefined); // told below; the source must be listened to at once, it may fail at once
  for await (const chunk of readable as AsyncIterable<Uint8Array | string>) {
    await started;
    const bytes = preamble.rest(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      yield* reader.batches(bytes.subarray(from, from + PIECE_BYTES), false);
    }
  }
  await started;
  yield* reader.batches(preamble.rest(new Uint8Array(0), true), true);
}

function readerFor({ maxRecordBytes = DEFAULT_RECORD_BYTES, name = 'the input', ...given }: ParseCsvOptions): { reader: RecordReader; preamble: Preamble } {
  if (!Number.isInteger(maxRecordBytes) || maxRecordBytes < 1 || maxRecordBytes > MAX_RECORD_BYTES) {
    throw new EtlError('ETL_USAGE', `maxRecordBytes is ${maxRecordBytes}; it must be a whole number from 1 to ${MAX_RECORD_BYTES}.`);
  }
  const dialect = dialectFor('', validateDialect(given));
  const preamble = new Preamble(dialect.skipLines);
  const options = { dialect, recordBytes: maxRecordBytes, width: given.names?.length ?? 0, name, before: preamble.skipped };
  return { reader: isKernelDialect(dialect) ? new KernelReader(options) : new GeneralReader(options), preamble };
}
