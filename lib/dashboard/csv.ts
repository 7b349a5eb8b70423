/**
 * A result as CSV (RFC 4180, UTF-8): a header, lines that end in CRLF, NULL as an empty field and an empty text as `""`. What a spreadsheet
 * would take for a formula is none; numbers are as they are.
 */
import { csvField } from '../core/csv-field.ts';
import { escapeField } from '../core/spreadsheet.ts';
import type { QueryResult } from './engine.ts';

/** The header, then the lines of a batch at a time. */
export async function* csvOf(result: QueryResult): AsyncGenerator<string> {
  yield `${result.columns.map(({ name }) => fieldOf(name)).join(',')}\r\n`;
  const fields = result.columns.map(({ isNumber }) => (isNumber ? numberOf : fieldOf));
  for await (const { rows, columns } of result.batches()) {
    let lines = '';
    for (let row = 0; row < rows; row++) {
      for (let at = 0; at < columns.length; at++) lines += `${at === 0 ? '' : ','}${fields[at]!(columns[at]![row]!)}`;
      lines += '\r\n';
    }
    yield lines;
  }
}

export function fieldOf(value: string | null): string {
  return value === null ? '' : csvField(escapeField(value));
}

function numberOf(value: string | null): string {
  return value ?? '';
}
