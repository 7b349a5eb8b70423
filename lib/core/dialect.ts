/** How the bytes of a CSV input are divided into records and fields. */
import { EtlError } from './errors.ts';

export interface Dialect {
  /** Between fields: one or more characters, no line end. */
  readonly delimiter: string;
  /** Around a field, one character; '' = no field is quoted. */
  readonly quote: string;
  /** Before a quote inside quotes, one character; that of RFC 4180 is the quote itself. */
  readonly escape: string;
  /** A line that begins with it is no record; '' = there are none. */
  readonly comment: string;
  /** Whether the first record has the names of the columns. */
  readonly header: boolean;
  /** Names of the columns of an input without a header. */
  readonly names: readonly string[];
  /** Physical lines at the start of each input that are no CSV. */
  readonly skipLines: number;
}

/** What a user says of it: the rest is RFC 4180, or guessed with `sniff`. */
export type DialectOptions = { readonly [Key in keyof Dialect]?: Dialect[Key] | undefined };

/** The columns of a log without a header, unless others are named. */
export const LOG_COLUMNS = ['log_id', 'user_id', 'timestamp', 'ip_address', 'watch_time(min)'] as const;
export const RFC_4180: Dialect = { delimiter: ',', quote: '"', escape: '"', comment: '', header: true, names: LOG_COLUMNS, skipLines: 0 };
const TAB_SEPARATED = /\.tsv(\.[a-z0-9]+)?$/i;
export const MAX_SKIPPED_LINES = 1_000_000;

/** The dialect of the input that is called `name`. */
export function dialectFor(name: string, options: DialectOptions): Dialect {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<Dialect>;
  const quote = given.quote ?? RFC_4180.quote;
  return { ...RFC_4180, ...(TAB_SEPARATED.test(name) && { delimiter: '\t' }), ...given, quote, escape: given.escape ?? quote };
}

/** Whether the parse kernel takes it; csv-parse takes all others, more slowly. */
export function isKernelDialect({ delimiter, quote, escape, comment }: Dialect): boolean {
  return isByte(delimiter) && (quote === '' || isByte(quote)) && escape === quote && comment === '';
}

/** Throws ETL_USAGE with the option at fault. */
export function validateDialect(options: DialectOptions): DialectOptions {
  const { delimiter, quote, escape, comment, header, names, skipLines } = options;
  const fault = (option: string, what: string): EtlError => new EtlError('ETL_USAGE', `${option} ${what}.`);
  const characters = { '--delimiter': delimiter, '--quote': quote, '--escape': escape, '--comment': comment };
  for (const [option, value] of Object.entries(characters)) {
    if (value === undefined) continue;
    if (typeof value !== 'string' || /[\r\n]/.test(value)) throw fault(option, 'must be text without a line end');
    if (option === '--delimiter' ? value === '' : option !== '--comment' && [...value].length > 1) {
      throw fault(option, `must be ${option === '--delimiter' ? 'at least one character' : 'one character'}, not ${JSON.stringify(value)}`);
    }
  }
  if (escape === '') throw fault('--escape', 'must be one character, not ""');
  const resolved = dialectFor('', options);
  if (resolved.quote === resolved.delimiter) throw fault('--quote', `and --delimiter are both ${JSON.stringify(resolved.quote)}`);
  if (escape !== undefined && (escape === resolved.delimiter || quote === '')) throw fault('--escape', quote === '' ? 'needs a quote' : 'and --delimiter are the same');
  if (comment !== undefined && comment !== '' && [resolved.delimiter, resolved.quote].includes(comment)) throw fault('--comment', 'must differ from delimiter and quote');
  if (header !== undefined && typeof header !== 'boolean') throw fault('--no-header', 'must be true or false');
  if (names !== undefined) {
    if (header !== false) throw fault('--columns', 'names the columns of inputs without a header: it needs --no-header');
    if (!Array.isArray(names) || names.length === 0 || !names.every((name) => typeof name === 'string')) throw fault('--columns', 'must be a list of names');
  }
  if (skipLines !== undefined && !(Number.isInteger(skipLines) && skipLines >= 0 && skipLines <= MAX_SKIPPED_LINES)) {
    throw fault('--skip-lines', `must be a whole number from 0 to ${MAX_SKIPPED_LINES}, not ${String(skipLines)}`);
  }
  return options;
}

/** One ASCII character that is no line end. */
function isByte(text: string): boolean {
  return text.length === 1 && text.charCodeAt(0) < 128 && text !== '\n' && text !== '\r';
}
