/**
 * Guesses how an input's CSV is written from its start: delimiter, quote, and whether the first record has names.
 *
 * Every delimiter and quote that nothing was said of is tried. A good one divides most records into as many fields as the others, more
 * than one, and its fields look like something: numbers, times, addresses, words (van den Burg, Nazabal, Sutton: "Wrangling messy
 * CSV files by detecting row and type patterns", 2019, in small). A first record that holds the wanted columns is proof.
 *
 * A guess can be wrong; it must not be so in silence. A wrong delimiter or header lacks the wanted columns (ETL_HEADER), a wrong quote
 * makes rejects. An input is taken to have no header only when its fields look like the columns that it then would have.
 */
import { dialectFor, type Dialect, type DialectOptions } from '../core/dialect.ts';
import type { ColumnNames } from '../core/options.ts';
import { Framer, type Frame } from './framer.ts';
import { Preamble } from './preamble.ts';

/** How much of an input is looked at. */
export const SNIFF_BYTES = 1 << 16;
const MOST_RECORDS = 500;
/** In order of preference. */
const DELIMITERS = [',', ';', '\t', '|', ':', ' '];
const QUOTES = ['"', "'"];
/** A guess that fewer records agree with is none. */
const LEAST_AGREEMENT = 0.5;

export interface SniffOptions {
  /** What the user said, which is never guessed otherwise. */
  readonly given?: DialectOptions | undefined;
  /** Of the input. */
  readonly name?: string | undefined;
  /** The sample is all of the input. */
  readonly whole?: boolean | undefined;
  /** Columns that the input must have. */
  readonly columns?: ColumnNames | undefined;
}

interface Field {
  readonly text: string;
  readonly isQuoted: boolean;
}

interface Candidate {
  readonly dialect: Dialect;
  readonly records: readonly (readonly Field[])[];
  readonly malformed: number;
  /** Fields that are quoted as a whole. */
  readonly quoted: number;
}

/** The dialect of an input that begins with `sample`: what was said of it, and the best guess at the rest. */
export function sniffDialect(sample: Uint8Array, { given = {}, name = '', whole = false, columns }: SniffOptions = {}): Dialect {
  const known = dialectFor(name, given);
  const delimiters = given.delimiter === undefined ? [...new Set([known.delimiter, ...DELIMITERS])] : [known.delimiter];
  const bytes = textOf(sample.subarray(0, SNIFF_BYTES), known.skipLines);
  const ends = whole && sample.length <= SNIFF_BYTES;
  const dialects = delimiters.filter((delimiter) => delimiter !== known.quote && delimiter !== known.comment).map((delimiter) => ({ ...known, delimiter }));
  const proven = given.header === false ? undefined : dialects.find((dialect) => hasColumns(bytes, ends, dialect, given, columns));
  if (proven) return { ...bestQuote(bytes, ends, proven, given).dialect, header: true };
  const candidates = dialects.map((dialect) => bestQuote(bytes, ends, dialect, given));
  let [best, score] = [candidates[0]!, scoreOf(candidates[0]!)];
  for (const candidate of candidates.slice(1)) {
    const other = scoreOf(candidate);
    if (other > score) [best, score] = [candidate, other];
  }
  const { dialect, records } = score > 0 ? best : candidates[0]!;
  return { ...dialect, header: given.header ?? !hasNoHeader(records, dialect, columns) };
}

function textOf(sample: Uint8Array, skipLines: number): Buffer {
  return Buffer.from(new Preamble(skipLines).rest(sample, true));
}

/** Whether the first record names all of them. */
function hasColumns(bytes: Buffer, ends: boolean, dialect: Dialect, { quote }: DialectOptions, columns: ColumnNames | undefined): boolean {
  return columns !== undefined && (quote === undefined ? QUOTES : [quote]).filter((quote) => quote !== dialect.delimiter).some((quote) => {
    const [first] = candidateOf(bytes, ends, { ...dialect, quote, escape: dialect.escape === dialect.quote ? quote : dialect.escape }, 1).records;
    return first !== undefined && Object.values(columns).every((column) => first.some(({ text }) => text === column));
  });
}

/** The usual quote, unless another one, or none, fits better. */
function bestQuote(bytes: Buffer, ends: boolean, dialect: Dialect, { quote, escape }: DialectOptions): Candidate {
  const read = (quote: string): Candidate => candidateOf(bytes, ends, { ...dialect, quote, escape: escape ?? quote });
  if (quote !== undefined) return read(quote);
  const [usual, other] = QUOTES.filter((quote) => quote !== dialect.delimiter).map(read) as [Candidate, Candidate | undefined];
  if (other && usual.quoted === 0 && other.quoted > other.malformed) return other;
  // Quotes that stand anywhere but around fields mean nothing.
  return escape === undefined && usual.quoted === 0 && usual.malformed > 0 ? read('') : usual;
}

function candidateOf(bytes: Buffer, ends: boolean, dialect: Dialect, most = MOST_RECORDS): Candidate {
  const framer = new Framer(dialect, SNIFF_BYTES);
  const records: Field[][] = [];
  let [malformed, quoted] = [0, 0];
  let frame: Frame | undefined;
  for (let at = 0; records.length + malformed < most && (frame = framer.next(bytes, at, bytes.length, ends)); at = frame.next) {
    if (frame.problem) {
      malformed++;
      continue;
    }
    const fields = fieldsOf(bytes.toString('utf8', frame.start, frame.end), dialect);
    records.push(fields);
    for (const { isQuoted } of fields) if (isQuoted) quoted++;
  }
  return { dialect, records, malformed, quoted };
}

/** Of a well-formed record. */
function fieldsOf(record: string, { delimiter, quote, escape }: Dialect): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at <= record.length; at += delimiter.length) {
    const from = at;
    const isQuoted = quote !== '' && record.startsWith(quote, at);
    if (isQuoted) {
      for (at += quote.length; at < record.length; at++) {
        if (escape !== quote && record.startsWith(escape, at)) at++;
        else if (record.startsWith(quote + quote, at) && escape === quote) at++;
        else if (record.startsWith(quote, at)) break;
      }
      at += quote.length;
    } else {
      const end = record.indexOf(delimiter, at);
      at = end < 0 ? record.length : end;
    }
    const text = isQuoted ? record.slice(from + quote.length, at - quote.length) : record.slice(from, at);
    fields.push({ text: escape === quote ? text.replaceAll(quote + quote, quote) : text, isQuoted });
  }
  return fields;
}

/** Above 0 when it divides records alike, into fields that look like something. */
function scoreOf({ records, malformed }: Candidate): number {
  const counts = new Map<number, number>();
  for (const { length } of records) counts.set(length, (counts.get(length) ?? 0) + 1);
  const [width, alike] = [...counts].reduce((best, each) => (each[1] > best[1] ? each : best), [0, 0]);
  const agreement = alike / (records.length + malformed);
  if (width < 2 || agreement < LEAST_AGREEMENT) return 0;
  let [fields, known] = [0, 0];
  for (const record of records) {
    for (const field of record) {
      fields++;
      if (field.isQuoted || isKnown(field.text)) known++;
    }
  }
  return agreement ** 2 * ((width - 1) / width) * (known / fields);
}

const NUMBER = /^[-+]?(\d+([.,]\d+)*|[.,]\d+)([eE][-+]?\d+)?$/;
const TIME = /^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|[-+]\d{2}:?\d{2}))?)?$|^\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?$/;
const ADDRESS = /^\d{1,3}(\.\d{1,3}){3}$|^[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}$/i;
const WORDS = /^[$€£]?[\p{L}\p{N}_][\p{L}\p{N}_.'!?()@#%&+/\- ]*$/u;
const LINK = /^[a-z]+:\/\/\S+$|^\S+@\S+\.\S+$/i;

function isKnown(field: string): boolean {
  return field === '' || [NUMBER, TIME, ADDRESS, LINK, WORDS].some((type) => type.test(field));
}

/** Whether the first record is one like the others: it has no names, but what looks like what the columns hold. */
function hasNoHeader(records: readonly (readonly Field[])[], { names }: Dialect, columns: ColumnNames | undefined): boolean {
  const [first, ...others] = records;
  if (!first || first.length < 2) return false;
  if (columns) {
    const [ip, value] = [names.indexOf(columns.ip), names.indexOf(columns.value)];
    const fits = records.filter((record) => record.length === names.length && ADDRESS.test(record[ip]?.text ?? '') && NUMBER.test(record[value]?.text ?? ''));
    return fits.includes(first) && 2 * fits.length > records.length;
  }
  const types = [NUMBER, TIME, ADDRESS];
  return first.some((field, place) => types.some((type) => (
    type.test(field.text) && others.filter((record) => type.test(record[place]?.text ?? '')).length * 2 >= others.length
  )));
}

/** What was guessed, for a person. */
export function describeDialect({ delimiter, quote, header }: Pick<Dialect, 'delimiter' | 'quote' | 'header'>): string {
  const shown = delimiter === '\t' ? 'tab' : delimiter === ' ' ? 'space' : delimiter;
  return `delimiter ${shown}, quote ${quote === '' ? 'none' : quote}, header: ${header ? 'yes' : 'no'}`;
}
