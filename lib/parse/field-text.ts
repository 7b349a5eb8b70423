/** Entries of the index -> texts of fields. */
import { ENTRY_BAD, ENTRY_QUOTED } from '../kernels/parse-layout.ts';

export type FieldProblem = 'bad_quote' | 'unterminated_quote';

/** Text of the field [from, to) of `bytes`, whose entry is `entry`. A malformed field comes as it stands. */
export function fieldText(bytes: Buffer, from: number, to: number, entry: number, quote: string): string {
  return isQuoted(entry) ? unfold(bytes.toString('utf8', from + 1, to - 1), quote) : bytes.toString('utf8', from, to);
}

/** Whether the field has quotes to take off: it is quoted, and well-formed. */
export function isQuoted(entry: number): boolean {
  return (entry & (ENTRY_QUOTED | ENTRY_BAD)) === ENTRY_QUOTED;
}

/** Doubled quotes made single. */
export function unfold(text: string, quote: string): string {
  return text.includes(quote) ? text.replaceAll(quote + quote, quote) : text;
}

/** Why a field with this entry is malformed. */
export function fieldProblem(entry: number): FieldProblem | undefined {
  if ((entry & ENTRY_BAD) === 0) return undefined;
  return (entry & ENTRY_QUOTED) === 0 ? 'bad_quote' : 'unterminated_quote';
}
