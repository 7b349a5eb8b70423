/**
 * Fields of CSV that may be opened in a spreadsheet, which takes some for formulas and runs them (OWASP, "CSV injection"): those
 * get a `'` in front. So do fields that begin with one, so that taking it off again gives exactly what there was.
 */

/** `=`, `+`, `-`, `@`, TAB, LF, CR and `'`. */
const DANGEROUS = new Set(['=', '+', '-', '@', '\t', '\n', '\r', "'"].map((character) => character.charCodeAt(0)));
/** A decimal number is what it is. */
const NUMBER = /^[+-](?:\d+(?:\.\d*)?|\.\d+)$/;
const MOST_NUMBER = 400;
const APOSTROPHE = 0x27;

export function escapeField(text: string): string {
  return isEscaped(text.charCodeAt(0), text.length, () => text) ? `'${text}` : text;
}

/** How many bytes at the start of a field `escapeField` has added: 0 or 1. */
export function escapedBytes(field: Uint8Array): number {
  if (field[0] !== APOSTROPHE || field.length < 2) return 0;
  return isEscaped(field[1]!, field.length - 1, () => Buffer.from(field.subarray(1)).toString('latin1')) ? 1 : 0;
}

/** Whether a field that begins so is escaped. */
function isEscaped(first: number, length: number, text: () => string): boolean {
  return DANGEROUS.has(first) && !(length <= MOST_NUMBER && NUMBER.test(text()));
}
