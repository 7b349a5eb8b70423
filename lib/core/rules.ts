/**
 * What fields must be like, besides what a row needs to be counted (kernels/twins/parse.ts). A run's rules are one list: rule
 * number n is told as status REJECT_RULE + n. Rules 0 and 1 are always the bounds of the value column, which the parse kernel
 * checks; all others are checked by parse/row-rules.ts, in the order in which they were given, the first one that is broken decides.
 *
 * A field that is empty is checked like any other, unless its column is `optional`.
 */
import { EtlError } from './errors.ts';

export const fieldTypes = ['integer', 'number', 'timestamp', 'ip'] as const;
/**
 * `number`: as values are (lib/parse/README.md); `integer`: one without a point; `timestamp`: a date of the calendar, or a moment, as
 * ISO 8601 writes them, `T` or a blank between date and time; `ip`: an IPv4 or IPv6 address. Blanks around do not count.
 */
export type FieldType = (typeof fieldTypes)[number];

/** What a caller says of a column. Each is a rule, and all of them must hold. */
export interface ColumnRules {
  /** By its name in the header. */
  readonly column: string;
  readonly required?: true | undefined;
  readonly optional?: true | undefined;
  readonly type?: FieldType | undefined;
  /** Bounds, included: decimal numbers; `none` takes a default one of the value column away. */
  readonly min?: number | string | undefined;
  readonly max?: number | string | undefined;
  /** A regular expression of JavaScript with the flag `u`, for the whole field. */
  readonly pattern?: string | undefined;
  readonly oneOf?: readonly string[] | undefined;
}

/** One of them: plain data. */
export interface Rule {
  readonly column: string;
  /** As a reject tells it: `max=1440`. */
  readonly name: string;
  readonly check: Check;
}

export type Check =
  | { readonly kind: 'required' | 'optional' }
  | { readonly kind: 'type'; readonly type: FieldType }
  /** A decimal number; undefined: none. */
  | { readonly kind: 'min' | 'max'; readonly bound: string | undefined }
  | { readonly kind: 'pattern'; readonly pattern: string }
  | { readonly kind: 'one-of'; readonly values: readonly string[] };

/** Whole minutes: what was watched is not negative, and not more than a day. */
export const DEFAULT_MIN = '0';
export const DEFAULT_MAX = '1440';
/** Places of the rules of the value column's bounds. */
export const VALUE_MIN = 0;
export const VALUE_MAX = 1;
export const MAX_RULES = 1000;
/** Columns with rules, besides the four. */
export const MAX_RULED_COLUMNS = 32;
/** Any value of such a size can be told at every number of decimal places. */
const MOST_LEAST_VALUE = 1e12;
const DECIMAL = /^[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})$/;

/**
 * The list of a run, by what its caller said in `given`. `columns`: the names of the four columns. Throws ETL_USAGE with the rule at fault.
 */
export function validateRules(given: readonly ColumnRules[], columns: { readonly id: string; readonly user: string; readonly ip: string; readonly value: string }): Rule[] {
  if (!Array.isArray(given)) throw fault('rules', 'must be a list');
  const said = given.flatMap(rulesOf);
  for (const [at, rule] of said.entries()) {
    const { column, name, check } = rule;
    const same = said.slice(0, at).find((other) => other.column === column && other.check.kind === check.kind);
    if (same && check.kind !== 'pattern') throw fault(shown(rule), `and ${shown(same)} say the same of one column`);
    if (check.kind === 'optional') {
      if ([columns.id, columns.user, columns.value].includes(column)) throw fault(shown(rule), 'cannot be: a row without it cannot be counted');
      if (said.some((other) => other.column === column && other.check.kind === 'required')) throw fault(shown(rule), 'and required exclude each other');
    }
    if ((check.kind === 'min' || check.kind === 'max') && check.bound === undefined && column !== columns.value) {
      throw fault(shown(rule), `takes nothing away: only the value column, ${columns.value}, has bounds by default, not ${name}`);
    }
  }
  const boundOf = (kind: 'min' | 'max', preset: string): Rule => (
    said.find(({ column, check }) => column === columns.value && check.kind === kind) ?? boundRule(columns.value, kind, preset)
  );
  const bounds = [boundOf('min', DEFAULT_MIN), boundOf('max', DEFAULT_MAX)];
  const rules = [...bounds, ...said.filter((rule) => !bounds.includes(rule))];
  assertBounds(rules, columns.value);
  if (rules.length > MAX_RULES) throw fault('--rule', `is given ${given.length} times, and ${MAX_RULES} rules are the most`);
  if (ruledColumns(rules, columns).length > MAX_RULED_COLUMNS) throw fault('--rule', `names more than ${MAX_RULED_COLUMNS} columns besides the four`);
  return rules;
}

/** Columns that rules name, without the four: each once, in the order of the rules. */
export function ruledColumns(rules: readonly Rule[], columns: object): string[] {
  const four = new Set<string>(Object.values(columns));
  return [...new Set(rules.map(({ column }) => column))].filter((column) => !four.has(column));
}

/** `COLUMN:RULE`, as a user writes it. Throws ETL_USAGE. */
export function parseRule(text: string, where = '--rule'): ColumnRules {
  // A column's name may have a colon, and so may a pattern.
  const [, column, word, key, value = ''] = /^(.+?):(?:(required|optional)|(type|min|max|pattern|one-of)=(.*))$/s.exec(text) ?? [];
  if (column === undefined) {
    throw fault(where, `must be COLUMN:RULE, RULE one of required, optional, type=${fieldTypes.join('|')}, min=N, max=N, pattern=REGEXP, one-of=a|b, not ${JSON.stringify(text)}`);
  }
  if (word !== undefined) return { column, [word]: true };
  return key === 'one-of' ? { column, oneOf: value.split('|') } : { column, [key!]: value };
}

function rulesOf(given: ColumnRules): Rule[] {
  const { column, required, optional, type, min, max, pattern, oneOf } = given ?? {};
  if (typeof column !== 'string' || column === '') throw fault('a rule', 'must name its column');
  const rules: Rule[] = [];
  const add = (name: string, check: Check): void => void rules.push({ column, name, check });
  for (const [kind, flag] of [['required', required], ['optional', optional]] as const) {
    if (flag !== undefined && typeof flag !== 'boolean') throw fault(`--rule ${column}:${kind}`, 'is true, or is not said');
    if (flag) add(kind, { kind });
  }
  if (type !== undefined) {
    if (!fieldTypes.includes(type)) throw fault(`--rule ${column}:type`, `must be one of ${fieldTypes.join(', ')}, not ${JSON.stringify(type)}`);
    add(`type=${type}`, { kind: 'type', type });
  }
  for (const [kind, bound] of [['min', min], ['max', max]] as const) if (bound !== undefined) rules.push(boundRule(column, kind, bound));
  if (pattern !== undefined) {
    if (typeof pattern !== 'string') throw fault(`--rule ${column}:pattern`, 'must be text');
    wholeField(pattern, column);
    add(`pattern=${pattern}`, { kind: 'pattern', pattern });
  }
  if (oneOf !== undefined) {
    if (!Array.isArray(oneOf) || oneOf.length === 0 || !oneOf.every((value) => typeof value === 'string')) throw fault(`--rule ${column}:one-of`, 'must be a list of texts');
    add(`one-of=${oneOf.join('|')}`, { kind: 'one-of', values: oneOf });
  }
  if (rules.length === 0) throw fault(`the rule of the column ${column}`, 'says nothing');
  return rules;
}

function boundRule(column: string, kind: 'min' | 'max', bound: number | string): Rule {
  const text = String(bound);
  if (text !== 'none' && !DECIMAL.test(text)) throw fault(`--rule ${column}:${kind}`, `must be a decimal number, not ${JSON.stringify(bound)}`);
  return { column, name: `${kind}=${text}`, check: { kind, bound: text === 'none' ? undefined : text } };
}

/** A pattern as it is tried. Throws ETL_USAGE when it is none. */
export function wholeField(pattern: string, column: string): RegExp {
  try {
    // Alone first: a parenthesis too many must not end ours.
    new RegExp(pattern, 'u');
    return new RegExp(`^(?:${pattern})$`, 'u');
  } catch (cause) {
    throw new EtlError('ETL_USAGE', `--rule ${column}:pattern is no regular expression: ${(cause as Error).message}.`, { cause });
  }
}

function assertBounds(rules: readonly Rule[], valueColumn: string): void {
  for (const rule of rules) {
    const { column, check } = rule;
    if (check.kind !== 'min' || check.bound === undefined) continue;
    const other = rules.find((each) => each.column === column && each.check.kind === 'max')?.check as { bound?: string } | undefined;
    if (other?.bound !== undefined && Number(check.bound) > Number(other.bound)) throw fault(shown(rule), `is more than max=${other.bound}: nothing could be so`);
  }
  const [min, max] = rules.map(({ check }) => Number((check as { bound?: string }).bound ?? 0)) as [number, number];
  if (min > MOST_LEAST_VALUE) throw fault(`--rule ${valueColumn}:min`, `must be at most ${MOST_LEAST_VALUE}`);
  if (max < -MOST_LEAST_VALUE) throw fault(`--rule ${valueColumn}:max`, `must be at least ${-MOST_LEAST_VALUE}`);
}

function shown({ column, name }: Rule): string {
  return `--rule ${column}:${name}`;
}

function fault(what: string, problem: string): EtlError {
  return new EtlError('ETL_USAGE', `${what} ${problem}.`);
}
