/** A result as CSV (RFC 4180, UTF-8): a header, lines that end in CRLF, NULL as an empty field and an empty text as `""`. What a spreadsheet would take for a formula is none. */
import { escapeField } from '../core/spreadsheet.ts';
import type { QueryResult } from './engine.ts';

/** The lines of a batch, the header's first. */
export async function* csvOf(result: QueryResult): AsyncGenerator<string> {
  yield lineOf(result.columns.map(({ name }) => fieldOf(name)));
  for await (const { rows, columns: values } of result.batches()) {
    let lines = '';
    for (let row = 0; row < rows; row++) lines += lineOf(values.map((column) => fieldOf(column[row]!)));
    yield lines;
  }
}

export function fieldOf(value: string | null): string {
  if (value === null) return '';
  const text = escapeField(value);
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function lineOf(fields: readonly string[]): string {
  return `${fields.join(',')}\r\n`;
}
