/**
 * What a run must answer, by the written rules alone: README.md (Rejects, Options), lib/parse/README.md, the comments of
 * core/rejects.ts, parse/sample.ts and geo/range-table.ts. Naive on purpose: one character is one byte, a file is
 * one string, a sum a BigInt. Nothing of lib/ takes part but types.
 */
import type { ErrorCode } from '../../lib/core/errors.ts';
import type { ColumnNames, GroupBy } from '../../lib/core/options.ts';
import type { RejectCode } from '../../lib/core/rejects.ts';
import { recordsOf, type ModelField, type ModelRecord } from '../record-model.ts';

export interface ModelInput {
  /** What the run calls it. */
  readonly name: string;
  readonly bytes: Buffer;
}

export interface ModelOptions {
  readonly columns: ColumnNames;
  readonly groupBy: GroupBy;
  /** undefined: told from the values. */
  readonly valueScale: number | undefined;
  /** Of the value, both included; undefined: 0 and 1440. */
  readonly bounds?: ModelBounds | undefined;
  /** Address, one character a byte, to region. */
  readonly regionOf: (address: string) => string;
}

/** Decimal numbers, or `none`. */
export interface ModelBounds {
  readonly min: string;
  readonly max: string;
}

/** Texts have one character a byte, but for `raw` and names. */
export interface ModelRow {
  readonly region: string;
  readonly user: string;
  readonly total: bigint;
  readonly count: bigint;
}

export interface ModelReject {
  readonly file: string;
  readonly line: number;
  readonly byte: number;
  readonly field_byte: number | null;
  readonly column: string | null;
  readonly code: RejectCode;
  readonly rule: string | null;
  readonly raw: string;
  readonly raw_base64?: string;
  readonly truncated?: true;
  readonly row: Readonly<Record<string, string>> | null;
}

export interface ModelAnswer {
  /** The run must fail with this, and nothing else below counts. */
  readonly error?: ErrorCode;
  readonly scale: number;
  /** In order of (region, user), or of user, by bytes. */
  readonly rows: readonly ModelRow[];
  readonly rejects: readonly ModelReject[];
  readonly counts: { readonly read: number; readonly duplicates: number; readonly rejected: number; readonly counted: number };
  readonly emptyLines: number;
  readonly unknownRegion: number;
  readonly users: number;
  readonly regions: number;
  /** What a fuzz test wants to know that it has met. */
  readonly met: { conflicts: number; acrossFiles: number; otherCase: number; ties: number; quoted: [start: number, end: number][] };
}

interface Log {
  readonly id: string;
  readonly user: string;
  readonly region: string;
  readonly value: bigint;
  readonly input: number;
}

const LIMIT = 1 << 20;

class Failure extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode) {
    super(code);
    this.code = code;
  }
}

/** The answer for inputs in whatever order; the run's order is by bytes of the names. */
export function expectedAnswer(inputs: readonly ModelInput[], options: ModelOptions): ModelAnswer {
  const ordered = [...inputs].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  const answer = {
    scale: 0, rows: [] as ModelRow[], rejects: [] as ModelReject[], emptyLines: 0, unknownRegion: 0, users: 0, regions: 0,
    counts: { read: 0, duplicates: 0, rejected: 0, counted: 0 },
    met: { conflicts: 0, acrossFiles: 0, otherCase: 0, ties: 0, quoted: [] as [number, number][] },
  };
  try {
    if (ordered.every(({ bytes }) => bytes.length === 0)) throw new Failure('ETL_HEADER');
    const tables = ordered.map(({ bytes }) => readTable(bytes.toString('latin1'), options.columns, answer));
    answer.scale = options.valueScale ?? tables.map(scaleOf).find((scale) => scale !== undefined) ?? 0;

    const winners = new Map<string, Log>();
    for (const [input, table] of tables.entries()) {
      for (const record of table.records) {
        answer.counts.read++;
        const judged = judge(record, table, answer.scale, options);
        if (!('code' in judged)) {
          const log: Log = { ...judged, region: options.regionOf(judged.address), input };
          const winner = winners.get(log.id);
          if (!winner) winners.set(log.id, log);
          else noteDuplicate(log, winner, answer);
          continue;
        }
        answer.counts.rejected++;
        answer.rejects.push({ file: ordered[input]!.name, line: record.line, byte: record.start, ...judged, ...rawOf(record, table), row: rowOf(judged.code, record, table, options.columns) });
      }
    }
    const logs = [...winners.values()];
    answer.counts.counted = logs.length;
    answer.unknownRegion = logs.filter(({ region }) => region === 'ZZ').length;
    answer.met.otherCase = logs.length - new Set(logs.map(({ id }) => id.toLowerCase())).size;
    answer.rows = totals(logs, options.groupBy, answer.met);
    const most = answer.scale > 0 ? 10n ** 18n - 1n : 2n ** 63n - 1n;
    const least = answer.scale > 0 ? -most : -(2n ** 63n);
    if (answer.rows.some(({ total }) => total > most || total < least)) throw new Failure('ETL_VALUE_OVERFLOW');
    answer.users = new Set(answer.rows.map(({ user }) => user)).size;
    answer.regions = new Set(answer.rows.map(({ region }) => region)).size;
    return answer;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { ...answer, error: error.code };
  }
}

function noteDuplicate(log: Log, winner: Log, { counts, met }: Pick<ModelAnswer, 'met'> & { counts: { duplicates: number } }): void {
  counts.duplicates++;
  if (log.input !== winner.input) met.acrossFiles++;
  if (log.user !== winner.user || log.region !== winner.region || log.value !== winner.value) met.conflicts++;
}

/** A file as records, its header apart. */
interface Table {
  readonly text: string;
  readonly width: number;
  readonly places: { readonly [role in keyof ColumnNames]: number };
  readonly records: readonly ModelRecord[];
}

function readTable(text: string, columns: ColumnNames, answer: { emptyLines: number; met: ModelAnswer['met'] }): Table {
  const { records, emptyLines } = recordsOf(text, { limit: LIMIT });
  for (const { fields } of records) {
    for (const { from, to } of fields) if (text[from] === '"' && to - from > 1) answer.met.quoted.push([from, to]);
  }
  answer.emptyLines += emptyLines;

  const header = records.shift();
  if (!header) {
    if (emptyLines > 0) throw new Failure('ETL_HEADER');
    return { text, width: 0, places: { id: 0, user: 0, ip: 0, value: 0 }, records };
  }
  if (header.end - header.start > LIMIT || header.fields.some(({ fault }) => fault)) throw new Failure('ETL_HEADER');
  const names = header.fields.map((field) => field.text);
  const place = (column: string): number => {
    const name = Buffer.from(column).toString('latin1');
    if (names.filter((each) => each === name).length !== 1) throw new Failure('ETL_HEADER');
    return names.indexOf(name);
  };
  const places = { id: place(columns.id), user: place(columns.user), ip: place(columns.ip), value: place(columns.value) };
  return { text, width: names.length, places, records };
}

/** The first mebibyte's; undefined when it has no record with the right number of fields and a value that is no malformed field. */
function scaleOf({ text, width, places, records }: Table): number | undefined {
  const sampled = records.filter(({ fields, next }) =>
    fields.length === width && !fields[places.value]!.fault && (text.length < LIMIT || next <= LIMIT));
  const significant = sampled.map(({ fields }) => placesOf(fields[places.value]!.text) ?? 0);
  return significant.length === 0 ? undefined : Math.min(6, Math.max(...significant));
}

const NUMBER = /^[ \t]*([+-]?)([0-9]*)(?:\.([0-9]*))?[ \t]*$/;

/** Significant decimal places; undefined when it is no number. */
function placesOf(text: string): number | undefined {
  const match = NUMBER.exec(text);
  if (!match || (match[2] === '' && !match[3])) return undefined;
  return (match[3] ?? '').replace(/0+$/, '').length;
}

function scaled(text: string, scale: number): bigint {
  const [, sign, whole, decimals = ''] = NUMBER.exec(text)!;
  const digits = BigInt(whole! + decimals.replace(/0+$/, '').padEnd(scale, '0') || '0');
  return sign === '-' ? -digits : digits;
}

interface Good {
  readonly id: string;
  readonly user: string;
  readonly address: string;
  readonly value: bigint;
}

type Judged = Pick<ModelReject, 'code' | 'column' | 'rule' | 'field_byte'>;

/** The record's log, or why it is rejected: the first reason in the order of lib/parse/README.md. */
function judge(record: ModelRecord, table: Table, scale: number, { columns, bounds = { min: '0', max: '1440' } }: ModelOptions): Good | Judged {
  const reject = (code: RejectCode, field: ModelField | undefined, column: string | null = null, rule: string | null = null): Judged => (
    { code, column, rule, field_byte: field?.from ?? null }
  );
  if (record.end - record.start > LIMIT) return reject('record_too_long', undefined);
  const bad = record.fields.find((field) => field.fault);
  if (bad) return reject(bad.fault!, bad);
  if (record.fields.length !== table.width) return reject('field_count', undefined);
  if (!isUtf8(table.text.slice(record.start, record.end))) return reject('invalid_utf8', undefined);
  const fields = (['id', 'user', 'ip', 'value'] as const).map((role) => record.fields[table.places[role]]!);
  const [id, user, address, value] = fields.map(({ text }) => text) as [string, string, string, string];
  if (id === '') return reject('missing_id', fields[0], columns.id);
  if (id.length > 8192) return reject('id_too_long', fields[0], columns.id);
  if (user === '') return reject('missing_user', fields[1], columns.user);
  if (user.length > 8192) return reject('user_too_long', fields[1], columns.user);
  const ofValue = (code: RejectCode, rule: string | null = null): Judged => reject(code, fields[3], columns.value, rule);
  if (value === '') return ofValue('missing_value');
  const decimals = placesOf(value);
  if (decimals === undefined) return ofValue('bad_value');
  if (decimals > scale) return ofValue('value_precision');
  const integer = scaled(value, scale);
  if (BigInt.asIntN(64, integer) !== integer) return ofValue('value_range');
  // Both sides times 10^18: exact, whatever the decimals.
  const exact = scaled(value, 18);
  if (bounds.min !== 'none' && exact < scaled(bounds.min, 18)) return ofValue('rule', `min=${bounds.min}`);
  if (bounds.max !== 'none' && exact > scaled(bounds.max, 18)) return ofValue('rule', `max=${bounds.max}`);
  return { id, user, address, value: integer };
}

const RAW_LIMIT = 65536;

/** The record's text, cut at 64 KiB between two characters; its bytes, when they are not UTF-8. */
function rawOf({ start, end }: ModelRecord, { text }: Table): Pick<ModelReject, 'raw' | 'raw_base64' | 'truncated'> {
  let to = Math.min(end, start + RAW_LIMIT);
  const continues = (at: number): boolean => text[at]! >= '\x80' && text[at]! <= '\xbf';
  for (let back = 0; to < end && back < 3 && continues(to); back++) to--;
  const bytes = Buffer.from(text.slice(start, to), 'latin1');
  return {
    raw: bytes.toString(), ...(!isUtf8(text.slice(start, to)) && { raw_base64: bytes.toString('base64') }), ...(to < end && { truncated: true as const }),
  };
}

/** The four fields, when the record has them, they are text, and not more of it than raw text. */
function rowOf(code: RejectCode, { fields }: ModelRecord, { places }: Table, columns: ColumnNames): ModelReject['row'] {
  if (['record_too_long', 'bad_quote', 'unterminated_quote', 'field_count', 'invalid_utf8'].includes(code)) return null;
  const roles = ['id', 'user', 'ip', 'value'] as const;
  const texts = roles.map((role) => fields[places[role]]!.text);
  if (!texts.every(isUtf8) || texts.join('').length > RAW_LIMIT) return null;
  return Object.fromEntries(roles.map((role, i) => [columns[role], Buffer.from(texts[i]!, 'latin1').toString()]));
}

function isUtf8(text: string): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'));
    return true;
  } catch {
    return false;
  }
}

function totals(logs: readonly Log[], groupBy: GroupBy, met: ModelAnswer['met']): ModelRow[] {
  const pairs = new Map<string, { region: string; user: string; total: bigint; count: bigint }>();
  for (const { region, user, value } of logs) {
    const key = JSON.stringify([region, user]);
    const pair = pairs.get(key) ?? { region, user, total: 0n, count: 0n };
    pairs.set(key, { ...pair, total: pair.total + value, count: pair.count + 1n });
  }
  const byRegion = [...pairs.values()].sort((a, b) => compareRegions(a.region, b.region) || compareBytes(a.user, b.user));
  if (groupBy === 'region') return byRegion;
  return [...new Set(byRegion.map(({ user }) => user))].sort(compareBytes).map((user) => {
    const own = byRegion.filter((pair) => pair.user === user);
    const most = own.reduce((best, pair) => (pair.total > best.total ? pair : best));
    if (own.some((pair) => pair !== most && pair.total === most.total)) met.ties++;
    const sum = (values: bigint[]): bigint => values.reduce((a, b) => a + b, 0n);
    return { region: most.region, user, total: sum(own.map(({ total }) => total)), count: sum(own.map(({ count }) => count)) };
  });
}

function compareRegions(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** One character a byte. */
function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
