/**
 * Where the fields of one record are, by the rules of README.md: for what is looked at one record at a time, so that it is
 * written to be read, not to be fast. The kernel's `scan` says the same for a whole window.
 */
import { RFC_4180, type DialectOptions } from '../core/dialect.ts';

/** Bytes that divide a record; -1: there is none. */
export interface FieldMarks {
  readonly delimiter: number;
  readonly quote: number;
}

export interface RecordField {
  /** Of its first byte, a quote included, and of the byte behind it. */
  readonly start: number;
  readonly end: number;
  /** It has quotes to take off. */
  readonly quoted: boolean;
  /** Its quotes are malformed. */
  readonly bad: boolean;
}

/** Of what the parse kernel takes. */
export function marksOf({ delimiter = RFC_4180.delimiter, quote = RFC_4180.quote }: DialectOptions): FieldMarks {
  return { delimiter: delimiter.charCodeAt(0), quote: quote === '' ? -1 : quote.charCodeAt(0) };
}

/** The fields of `record`, which has no line end. Doubled quotes count as they stand. */
export function* recordFields(record: Uint8Array, { delimiter, quote }: FieldMarks): Generator<RecordField> {
  let start = 0;
  for (;;) {
    let at = start;
    let bad = false;
    let closed = false;
    if (record[at] === quote) {
      for (at++; at < record.length; at++) {
        if (record[at] !== quote) continue;
        if (record[at + 1] === quote) at++;
        else break;
      }
      closed = at < record.length;
      bad = !closed; // ended inside
      if (closed) at++;
    }
    const unquoted = at;
    while (at < record.length && record[at] !== delimiter) bad = record[at++] === quote || bad;
    if (closed && at > unquoted) bad = true;
    yield { start, end: at, quoted: closed && !bad, bad };
    if (at >= record.length) return;
    start = at + 1;
  }
}

/** The field in a place, from 0; undefined when there are fewer. */
export function fieldAt(record: Uint8Array, place: number, marks: FieldMarks): RecordField | undefined {
  for (const field of recordFields(record, marks)) if (place-- === 0) return field;
  return undefined;
}

/** The first field whose quotes are malformed. */
export function firstBadField(record: Uint8Array, marks: FieldMarks): RecordField | undefined {
  for (const field of recordFields(record, marks)) if (field.bad) return field;
  return undefined;
}

/** What a field holds: its quotes taken off, doubled ones made single. */
export function contentOf(record: Uint8Array, { start, end, quoted }: RecordField, { quote }: FieldMarks): Buffer {
  if (!quoted) return Buffer.from(record.slice(start, end));
  const content = Buffer.from(record.slice(start + 1, end - 1));
  let to = 0;
  for (let from = 0; from < content.length; from++) {
    content[to++] = content[from]!;
    if (content[from] === quote) from++;
  }
  return content.subarray(0, to);
}
