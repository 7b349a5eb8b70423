/** Random logs with all that may be wrong with them, and what the local parse stage makes of them. A seed is a case. */
import { RFC_4180, type Dialect } from '../../lib/core/dialect.ts';
import type { ColumnNames } from '../../lib/core/options.ts';
import { rejectLine, type RejectRecord } from '../../lib/core/rejects.ts';
import { ruledColumns, validateRules, type ColumnRules, type Rule } from '../../lib/core/rules.ts';
import { csvRecord } from '../../lib/dataset/rejects-csv.ts';
import { javaPattern } from '../../lib/spark/pattern.ts';
import { implementations, runStage, type TestInput } from '../parse/blocks.ts';
import { picker } from '../parse/general.ts';
import { random } from '../random.ts';

export interface ChecksCase {
  readonly settings: object;
  readonly inputs: readonly { readonly name: string; readonly text: string }[];
  readonly scale: number;
}

export interface Checked {
  readonly rows: [id: string, user: string, ip: string, value: string][];
  readonly rejects: string[];
}

const NAMES: readonly ColumnNames[] = [{ id: 'i', user: 'u', ip: 'p', value: 'v' }, { id: 'log id', user: '10', ip: 'p"q', value: '2' }];
const DELIMITERS = [',', ',', ',', ';', '\t', '|', '^', '||', ', ', '¦', 'ab', '.', '\x01'];
const QUOTES = ['"', '"', '"', '"', "'", '', '“', '^'];
const FIELDS = [
  '', 'a', 'ab', 'é', '日本', '1', '-1', '+1', '2.50', ' 7', '7\t', '1e3', '1.2.3.4', '::1', ' ::1', 'q"q', '""', "it's", 'two\nlines', 'o\r\ne\rl', '10', '.5', '5.', '.', '-', '-0.5',
  '-0', '000', '2024-02-29', '2023-02-29', '2024-01-01T23:59:59.5Z', ' 1999-12-31 00:00+01:30', '2024-13-01', '24:00', '\0', '\u2028', '😀', `${'9'.repeat(40)}.1`, `${'0'.repeat(50)}2.5${'0'.repeat(50)}`, '=1+1', '@x',
];
const VALUES = [
  '0', '1', '5', '12', '1440', '1441', '-1', '0.5', '.25', '5.', '12.340', '0012', '+3', ' 4 ', '\t6', '1e3', 'x', '', '٣', '7.12345678901234567', '3.0000000000000000000', '9223372036854775807', '-9223372036854775808',
  '9223372036854775808', '99999999999999999999', '0.9223372036854775807', '9.223372036854775807', '-9.223372036854775808', '922337203685477580.7', `${'0'.repeat(30)}8`, '1 2', '--1', '1.2.3', '\0', '1\n',
];
const RULES: readonly Omit<ColumnRules, 'column'>[] = [
  { required: true }, { type: 'number' }, { type: 'integer' }, { type: 'timestamp' }, { type: 'ip' }, { min: 1 }, { max: '2.5' }, { min: '-0.5', max: 2 }, { max: '-0.25' }, { min: 0 }, { max: '0.0' },
  { min: '999999999999999999999999999999.000000000000000000000000000001' }, { max: `${'9'.repeat(30)}.2` }, { pattern: '[a-zé]+' }, { pattern: '.' }, { pattern: '(?:\\d|-)*' }, { pattern: '[^]*\\b[^]*' },
  { oneOf: ['a', '', 'two\nlines', 'q"q', '\ud800'] }, { optional: true, type: 'integer' }, { optional: true, oneOf: ['q"q'] }, { optional: true, type: 'timestamp' }, { optional: true, pattern: '\\p{L}+|\\S\\s?' },
];

export async function checksCase(seed: number): Promise<ChecksCase & { local(): Promise<Checked> }> {
  const next = random(seed);
  const pick = picker(next);
  const columns = next() < 0.7 ? NAMES[0]! : NAMES[1]!;
  const said = dialectOf(next);
  const others = ['x', 'y', 'z'].slice(0, pick([0, 1, 2, 3]));
  const scale = pick([0, 0, 0, 1, 2, 6, 17, 18]);
  const given: ColumnRules[] = [...others, columns.ip, ...(next() < 0.3 ? [columns.user, columns.id, columns.value] : [])].flatMap((column) => {
    if (next() < 0.3) return [];
    // Of the value's bounds see below.
    const { optional, ...rules } = pick(column === columns.value ? RULES.filter(({ min, max }) => min === undefined && max === undefined) : RULES);
    return [{ column, ...rules, ...(optional && (others.includes(column) || column === columns.ip) && { optional }), ...(next() < 0.2 && { pattern: '[^x]*' }) }];
  });
  const bounds = pick([{}, {}, { min: 'none', max: 'none' }, { min: '-2.5', max: '1000000' }, { max: '0.75' }, { min: '0.123456789012345678901' }]);
  const rules = validateRules([...(Object.keys(bounds).length > 0 && !given.some(({ column }) => column === columns.value) ? [{ column: columns.value, ...bounds }] : []), ...given], columns);
  const maxRecord = seed % 4 === 0 ? 300 : 1 << 20;
  const rejectsFormat = next() < 0.3 ? 'csv' as const : 'jsonl' as const;
  const names = Array.from({ length: pick([1, 2, 3]) }, (_, at) => `${'ab'[at % 2]!}${at}.${pick(['csv', 'csv', 'tsv'])}`).sort();
  const order = [...Object.values(columns), ...others, 'w'];
  const inputs = names.map((name) => {
    const dialect = { ...said.all, delimiter: said.given.delimiter ?? (name.endsWith('.tsv') ? '\t' : ',') };
    const header = next() < 0.5 ? order : [...order].sort(() => next() - 0.5).slice(next() < 0.3 ? 0 : undefined);
    return { name, dialect, bytes: logs(next, dialect, header, columns, maxRecord) };
  });
  const ruled = ruledColumns(rules, columns);
  const settings = {
    columns, rules: await Promise.all(rules.map(withJava)), ruled, dialect: said.given, maxRecord, rejectsFormat, valueScale: scale,
  };
  return {
    settings, scale, inputs: inputs.map(({ name, bytes }) => ({ name, text: bytes.toString('latin1') })),
    local: () => locally(inputs, columns, rules, ruled, scale, maxRecord, rejectsFormat),
  };
}

async function withJava(rule: Rule): Promise<object> {
  return rule.check.kind === 'pattern' ? { ...rule, check: { ...rule.check, java: await javaPattern(rule.check.pattern, rule.column) } } : rule;
}

function dialectOf(next: () => number): { given: { delimiter?: string; quote?: string; comment?: string }; all: Dialect } {
  const pick = picker(next);
  const delimiter = next() < 0.3 ? undefined : pick(DELIMITERS);
  const quote = pick(QUOTES.filter((each) => each !== delimiter));
  const comment = next() < 0.15 ? '#' : '';
  return { given: { ...(delimiter !== undefined && { delimiter }), quote, comment }, all: { ...RFC_4180, quote, escape: quote, comment } };
}

function logs(next: () => number, dialect: Dialect, header: readonly string[], columns: ColumnNames, maxRecord: number): Buffer {
  const pick = picker(next);
  const { delimiter, quote } = dialect;
  const quoted = (text: string, always = false): string => {
    const special = text.includes(delimiter) || /[\r\n]/.test(text) || (quote !== '' && text.includes(quote)) || text.startsWith('#');
    if (quote === '') return special ? 's' : text;
    return always || special || next() < 0.15 ? `${quote}${text.replaceAll(quote, quote + quote)}${quote}` : text;
  };
  const all = next() < 0.2;
  let number = 0;
  const field = (name: string): string => {
    const rare = next() < 0.02;
    if (name === columns.id) return rare ? pick(['', 'x'.repeat(8193), 'é'.repeat(4096), 'é'.repeat(4097), `${quote}a`]) : `id${number++}`;
    if (name === columns.user) return rare ? pick(['', 'u'.repeat(8193), `é${'u'.repeat(8191)}`, 'u'.repeat(8192), quote.repeat(8200)]) : pick(['ann', 'bob', 'Zoë', 'a b', `d${delimiter}d`, 'q"q']);
    if (name === columns.value) return next() < 0.5 ? String(Math.floor(next() * 1440)) : pick(VALUES);
    return rare ? pick([quote.repeat(16_400), 'y'.repeat(10_001), '1'.repeat(10_000), 'y'.repeat(70_000), `${'1'.repeat(60)}é`]) : pick(FIELDS);
  };
  const lines = Array.from({ length: 70 }, () => {
    const record = header.map((name) => quoted(field(name), all));
    const damage = next();
    if (damage < 0.03) record.pop();
    else if (damage < 0.06) record.push('more', '');
    else if (damage < 0.09 && quote !== '') record[Math.floor(next() * record.length)] = pick([`a${quote}b`, `${quote}a${quote}b`, quote, `z${quote}`]);
    else if (damage < 0.1) record[0] = 'r'.repeat(maxRecord > 1000 ? 100 : maxRecord);
    const line = Buffer.from(record.join(delimiter));
    if (damage > 0.96) line[Math.floor(next() * line.length)] = pick([0xff, 0x80, 0xc3, 0xe2, 0xf0]);
    return Buffer.concat([line, Buffer.from(pick(['\n', '\n', '\n', '\r\n', '\r']))]);
  });
  return Buffer.concat([Buffer.from(`${header.map((name) => quoted(name)).join(delimiter)}\n`), ...lines]);
}

async function locally(
  inputs: readonly TestInput[], columns: ColumnNames, rules: readonly Rule[], ruled: readonly string[], scale: number, maxRecordBytes: number, format: 'csv' | 'jsonl',
): Promise<Checked> {
  const { rows, rejects } = await runStage(implementations[1]!.create, inputs, 1 << 17, { columns: { ...columns, ruled }, rules, scale, maxRecordBytes });
  const good = rows.filter(({ status }) => status === 'none');
  const text = (latin1: string): string => Buffer.from(latin1, 'latin1').toString();
  return {
    rows: good.map(({ id, user, ip, value }) => [text(id), text(user), text(ip), String(value)]),
    rejects: rejects.map((reject) => {
      const line = rejectLine(reject);
      // As it is in the file: half of a pair is no UTF-8.
      return Buffer.from((format === 'csv' ? csvRecord(JSON.parse(line) as RejectRecord, Object.values(columns)) : line).slice(0, -1)).toString();
    }),
  };
}
