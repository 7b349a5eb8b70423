/** Options that say which logs are read and which of their rows are taken: of a run, and of `validate`. */
import { DEFAULT_MAX_RECORD, DEFAULT_MAX_REJECTS, defaultColumns, encodings, MAX_VALUE_SCALE, onErrors } from '../../core/options.ts';
import { character, limit, name, names, oneOf, rule, size, text, unescaped, whole } from './kinds.ts';
import type { OptionGroup, OptionSpec } from './spec.ts';

const megabytes = (bytes: number): string => `${bytes / 1e6}MB`;
const percent = 'share' in DEFAULT_MAX_REJECTS ? `${100 * DEFAULT_MAX_REJECTS.share}%` : '';

export const glob: OptionSpec = {
  name: 'glob', kind: text('pattern'), about: 'which files of a folder are logs, by their path below it', fallback: '*.csv and *.tsv, also .gz, .zst, .bz2',
  detail: 'Which files of a folder are logs, by their path below it: `**/*.log`, `2026-*/{eu,us}/*`; `*` stays inside a name; hidden files only by a pattern that has their dot. '
    + 'Default: `*.csv` and `*.tsv`, also with `.gz`, `.zst` or `.bz2`, at every depth, hidden ones left out. Files that are named are read whatever they are called.',
};

const column = (role: keyof typeof defaultColumns, about: string): OptionSpec => ({ name: `${role}-column`, kind: name, about, fallback: defaultColumns[role] });

export const columns: OptionGroup = {
  title: 'Columns and rows',
  options: [
    { ...column('id', 'column that identifies a log'), detail: 'The columns, by name. Any order; others are ignored, and files may differ.' },
    column('user', 'column of the user'),
    column('ip', 'column of the IP address'),
    column('value', 'column to sum'),
    {
      name: 'value-scale', kind: whole('places'), about: `decimal places of the value, 0 to ${MAX_VALUE_SCALE}`, fallback: 'found in the first MiB',
      detail: `Decimal places of the value, 0 to ${MAX_VALUE_SCALE}. Default: the most that occur in the first MiB of the first input that has rows. More in a later row is a reject.`,
    },
    {
      name: 'rule', kind: rule, about: 'what a field must be; again for more', fallback: 'the value is 0 to 1440',
      detail: 'What a field must be: `required`, `optional`, `type=T`, `min=N`, `max=N`, `pattern=REGEXP` or `one-of=A|B`; again for more. Default: the value is from 0 to 1440, a day of minutes.',
    },
    {
      name: 'max-rejects', kind: limit, about: 'most rows that may be rejected, as a number or a share', fallback: percent,
      detail: 'Most rows that may be rejected, as a number or as a share of those that are read; more is exit code 3, and nothing is published.',
    },
    {
      name: 'on-error', kind: oneOf('what', onErrors), about: 'what happens to a malformed row', fallback: onErrors[0],
      detail: 'What happens to a row that cannot be counted: `reject`: it goes to the rejects; `fail`: the run fails at the first one; `repair`: it is repaired where the rules say how.',
    },
    {
      name: 'max-record', kind: size, about: 'most bytes of a row; a longer one is a reject', fallback: megabytes(DEFAULT_MAX_RECORD),
      detail: 'Most bytes of a row; a longer one is a reject, and the next row is read. A row over 1 MiB needs room: 16 MB take a run of some 200 MB; where there is less, it is `ETL_MEMORY`, never another result.',
    },
  ],
};

export const dialect: OptionGroup = {
  title: 'How the CSV is written',
  options: [
    {
      name: 'encoding', kind: oneOf('name', encodings), about: 'how text is encoded', fallback: encodings[0],
      detail: 'How text is encoded: `utf-8`, `utf-16le`, `utf-16be`, `latin1` (ISO-8859-1), `windows-1252`; `auto`: UTF-16 where a byte order mark says so, else UTF-8.',
    },
    {
      name: 'delimiter', kind: text('text', unescaped), about: 'what stands between fields; \\t is a tab', fallback: 'a comma, a tab in *.tsv',
      detail: 'Between fields: one character or more; `\\t` is a tab.',
    },
    {
      name: 'quote', kind: { ...character, parse: (given) => (given === 'none' ? '' : unescaped(given)) }, about: 'what stands around fields; none: nothing', fallback: '"',
      detail: 'Around fields; `none`: no field is quoted.',
    },
    {
      name: 'escape', kind: character, about: 'what stands before a quote inside quotes', fallback: 'the quote, doubled',
      detail: 'Before a quote in quotes; whatever follows it stands for itself.',
    },
    { name: 'comment', kind: text('text', unescaped), about: 'a line that begins with it is no record' },
    { name: 'header', about: '', negation: 'the first record is data' },
    { name: 'columns', kind: names, about: 'names of the columns for --no-header: A,B,C', fallback: 'those of a log' },
    { name: 'skip-lines', kind: whole(), about: 'lines at the start of each input that are no CSV', fallback: '0' },
    {
      name: 'sniff', about: 'guess what is not said of delimiter, quote, header',
      detail: 'Guess what was not said of delimiter (`,` `;` tab `|` `:` space), quote (`"` `\'` none) and header, by the first 64 KiB of each input, and print the guess.',
    },
  ],
};
/** Of `dialect`, what the parser alone takes. */
const ROWS = ['on-error', 'max-record'];
export const parserOptions: OptionGroup = {
  title: dialect.title, options: [...dialect.options, ...columns.options.filter(({ name: option }) => ROWS.includes(option))],
};
