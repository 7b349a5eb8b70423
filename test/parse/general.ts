/** Random CSV in dialects that the kernel does not take, and what csv-parse makes of it. */
import { parse } from 'csv-parse/sync';
import { RFC_4180, type Dialect } from '../../lib/core/dialect.ts';

export const generalDialects: readonly Dialect[] = [
  [', ', '"', '"', ''], ['||', '"', '\\', '#'], ['¦', "'", "'", '//'], [',', '"', '\\', ''], ['ab', '“', '“', '# '], [',', '', '', '#'], ['\t', '"', '"', '--'],
].map(([delimiter, quote, escape, comment]) => ({ ...RFC_4180, delimiter: delimiter!, quote: quote!, escape: escape!, comment: comment! }));

export type Pick = <T>(of: readonly T[]) => T;

export function picker(next: () => number): Pick {
  return (of) => of[Math.floor(next() * of.length)]!;
}

/** A field that is well-formed in the dialect, as it stands in a record. */
export function randomField({ delimiter, quote, escape, comment }: Dialect, pick: Pick): string {
  const several = (most: number, of: readonly string[]): string => Array.from({ length: pick([...Array(most).keys()]) }, () => pick(of)).join('');
  if (quote === '' || pick([0, 1, 2]) > 0) return several(4, ['a', 'é', ' ', 'x', '7', delimiter.length > 1 ? `${delimiter[0]}z` : '']);
  const escaped = escape === quote ? escape + quote : pick([escape + quote, escape + escape, `${escape}x`]);
  return quote + several(5, ['a', delimiter, '\n', '\r\n', '\r', 'é', ' ', escaped, comment, delimiter[0]!]) + quote;
}

/** Some well-formed lines, with empty ones and comments; the last may have no line end. */
export function randomLines(dialect: Dialect, pick: Pick, record: () => string): string {
  const lines = Array.from({ length: pick([0, 1, 2, 3, 5, 8]) }, () => (
    dialect.comment !== '' && pick([0, 1, 2, 3, 4, 5]) === 0 ? `${dialect.comment} ${dialect.quote}n${dialect.delimiter}` : pick(['', record(), record(), record(), record()])
  ));
  return lines.map((line, at) => line + (at === lines.length - 1 && pick([true, false]) ? '' : pick(['\n', '\r\n', '\r']))).join('');
}

/** All records of a well-formed input, header included, as latin1. */
export function recordsByCsvParse(bytes: Buffer, { delimiter, quote, escape, comment }: Dialect): string[][] {
  const options = {
    encoding: null, relax_column_count: true, skip_empty_lines: true, record_delimiter: ['\r\n', '\n', '\r'], delimiter,
    quote: quote || null, escape: quote === '' ? null : escape, comment: comment || null, comment_no_infix: true,
  };
  const records = parse(bytes, options as object) as unknown as Uint8Array[][];
  return records.map((record) => record.map((field) => Buffer.from(field).toString('latin1')));
}

/** Physical line of each byte's place. */
export function lineAt(bytes: Buffer, at: number): number {
  return bytes.subarray(0, at).toString('latin1').split(/\r\n|\n|\r/).length;
}
