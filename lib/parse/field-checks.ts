/** A rule (core/rules.ts) -> whether a field fulfils it. Fields come from anywhere: each check takes time in proportion to their length, but for a user's own pattern. */
import { isIP } from 'node:net';
import { wholeField, type FieldType, type Rule } from '../core/rules.ts';

/**
 * Longest field, in bytes, that a type, a bound or a pattern is tried on; a longer one breaks the rule. Patterns may backtrack, and
 * fields are whatever somebody sent.
 */
export const MAX_CHECKED_BYTES = 10_000;

/** `text()` may be asked for more than once. */
export interface CheckedField {
  readonly bytes: number;
  text(): string;
}

export type FieldCheck = (field: CheckedField) => boolean;

export function fieldCheck({ column, check }: Rule): FieldCheck {
  const short = (test: (text: string) => boolean): FieldCheck => (field) => field.bytes <= MAX_CHECKED_BYTES && test(field.text());
  switch (check.kind) {
    case 'required':
      return ({ bytes }) => bytes > 0;
    case 'optional':
      return () => true;
    case 'type':
      return short(TYPES[check.type]);
    case 'min':
    case 'max': {
      const bound = check.bound === undefined ? undefined : decimalOf(check.bound);
      if (!bound) return () => true;
      const wrong = check.kind === 'min' ? -1 : 1;
      return short((text) => {
        const decimal = decimalOf(text);
        return decimal !== undefined && compare(decimal, bound) !== wrong;
      });
    }
    case 'pattern': {
      const pattern = wholeField(check.pattern, column);
      return short((text) => pattern.test(text));
    }
    case 'one-of': {
      const values = new Set(check.values);
      const longest = Math.max(...check.values.map((value) => Buffer.byteLength(value)));
      return (field) => field.bytes <= longest && values.has(field.text());
    }
  }
}

const TYPES: Readonly<Record<FieldType, (text: string) => boolean>> = {
  integer: (text) => /^[ \t]*[+-]?\d+[ \t]*$/.test(text),
  number: (text) => decimalOf(text) !== undefined,
  timestamp: (text) => isTimestamp(text),
  ip: (text) => isIP(withoutBlanks(text)) !== 0,
};

/** A decimal number: its digits without zeros that do not count. */
interface Decimal {
  readonly negative: boolean;
  readonly whole: string;
  readonly decimals: string;
}

/** By the grammar of values; undefined when it is no number. */
function decimalOf(text: string): Decimal | undefined {
  const [, sign, whole = '', decimals = ''] = /^[ \t]*([+-]?)(\d*)(?:\.(\d*))?[ \t]*$/.exec(text) ?? [];
  if (sign === undefined || whole + decimals === '') return undefined;
  return { negative: sign === '-', whole: whole.replace(/^0+/, ''), decimals: withoutEndingZeros(decimals) };
}

function withoutEndingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === '0') end--; // a regular expression would be quadratic
  return digits.slice(0, end);
}

/** -1, 0, 1. Exact, whatever the number of digits. */
function compare(a: Decimal, b: Decimal): number {
  const sign = (decimal: Decimal): number => (decimal.whole + decimal.decimals === '' ? 0 : decimal.negative ? -1 : 1);
  if (sign(a) !== sign(b)) return Math.sign(sign(a) - sign(b));
  const size = a.whole.length - b.whole.length || order(a.whole, b.whole) || order(a.decimals, b.decimals);
  return Math.sign(size) * sign(a) || 0;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** ISO 8601, the extended format of a date, or of date and time; 24:00 and leap seconds are no times of it. */
function isTimestamp(text: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?(?:[Zz]|[+-](\d\d)(?::?(\d\d))?)?)?$/.exec(withoutBlanks(text));
  if (!match) return false;
  const [year, month, day, hour, minute, second, zoneHour, zoneMinute] = match.slice(1).map((digits = '0') => Number(digits)) as number[];
  const days = new Date(Date.UTC(2000, month!, 0)).getUTCDate() - (month === 2 && !isLeapYear(year!) ? 1 : 0);
  return month! >= 1 && month! <= 12 && day! >= 1 && day! <= days && hour! < 24 && minute! < 60 && second! < 60 && zoneHour! < 24 && zoneMinute! < 60;
}

function isLeapYear(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

/** Blanks are spaces and tabs. */
function withoutBlanks(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && (text[from] === ' ' || text[from] === '\t')) from++;
  while (to > from && (text[to - 1] === ' ' || text[to - 1] === '\t')) to--;
  return text.slice(from, to);
}
