/** What reasons of rejects mean: the first sentences of docs/rejects.md, which a test compares. */
import type { RejectCode } from '../../core/rejects.ts';

const meanings: Readonly<Record<Exclude<RejectCode, 'none'>, string>> = {
  field_count: 'The row has more or fewer fields than the header.',
  bad_quote: 'The row has a quote inside an unquoted field, or text after a closing quote.',
  unterminated_quote: 'The row opens a quote that is never closed.',
  record_too_long: 'The row is longer than --max-record, 16 MB.',
  invalid_utf8: 'The row is not valid UTF-8, in any of its fields.',
  missing_id: 'The row has an empty log_id, so it cannot be told from others.',
  missing_user: 'The row has an empty user_id.',
  missing_value: 'The row has an empty value.',
  id_too_long: 'The row has an id of more than 8,192 bytes.',
  user_too_long: 'The row has a user of more than 8,192 bytes.',
  bad_value: 'The row has a value that is not a decimal number.',
  value_precision: 'The row has a value with more decimal places than the scale, which was found in the first MiB of the first input.',
  value_range: 'The row has a value beyond 64 bits, its decimal places included.',
  rule: 'The row has a field that breaks a rule.',
};

/** Of a code, or `rule COLUMN:RULE`; undefined for what another version may have written. */
export function meaningOf(reason: string): string | undefined {
  const code = reason.startsWith('rule ') ? 'rule' : reason;
  return Object.hasOwn(meanings, code) ? meanings[code as keyof typeof meanings] : undefined;
}
