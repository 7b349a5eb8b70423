/**
 * The rejects file as CSV (RFC 4180, UTF-8, whatever the inputs were), for people: each line of JSON becomes a record of the four
 * columns and what is wrong. Mended, it is fed back through the same command (parse/mended.ts). The four fields are empty
 * where a mended other field would not do: nobody knows which field is which, they are no text, or the column at fault is none of
 * them. Such a row, fed back as it is, is rejected again; it is to be mended from `_reject_raw`.
 * Memory: one line, which raw text bounds, and a piece of the file.
 */
import { MENDED_COLUMN, type RejectRecord } from '../core/rejects.ts';
import { escapeField } from '../core/spreadsheet.ts';

export const REJECT_COLUMNS = ['_reject_file', '_reject_line', '_reject_byte', '_reject_column', MENDED_COLUMN, '_reject_rule', '_reject_message', '_reject_raw'] as const;

const LF = 10;

/** The file's pieces from those of the lines. `columns`: the four by the user's names, in the order in which they are to stand. */
export async function* rejectsAsCsv(pieces: AsyncIterable<Buffer>, columns: readonly string[]): AsyncGenerator<string> {
  yield csvLine([...columns, ...REJECT_COLUMNS]);
  for await (const lines of wholeLines(pieces)) {
    let text = '';
    for (const line of lines) text += csvRecord(JSON.parse(line) as RejectRecord, columns);
    if (text !== '') yield text;
  }
}

/** One reject's record, line end included. */
export function csvRecord({ file, line, byte, column, code, rule, message, raw, row }: RejectRecord, columns: readonly string[]): string {
  const isMendable = row && column !== null && columns.includes(column);
  const fields = columns.map((name) => (isMendable ? row[name]! : ''));
  return csvLine([...fields, file, String(line), String(byte), column ?? '', code, rule ?? '', message, raw].map(escapeField));
}

function csvLine(fields: readonly string[]): string {
  return `${fields.map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')}\n`;
}

/** Pieces of a file as its whole lines; what is behind the last line end is left out. */
export async function* wholeLines(pieces: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  let begun: Buffer[] = [];
  for await (const piece of pieces) {
    const end = piece.lastIndexOf(LF) + 1;
    if (end === 0) {
      begun.push(piece);
      continue;
    }
    const text = Buffer.concat([...begun, piece.subarray(0, end)]).toString();
    begun = [piece.subarray(end)];
    yield text.split('\n').slice(0, -1);
  }
}
