/**
 * Random jobs: inputs and options made to collide, to be malformed and to meet limits. A seed is a case, for ever: new
 * draws from the generator change what every seed means. Texts have one character a byte.
 */
import type { MemoryBudget } from '../../lib/core/memory-budget.ts';
import type { ColumnNames, Compression, GroupBy, ParquetEncoding } from '../../lib/core/options.ts';
import { random } from '../random.ts';
import type { ModelBounds } from './model.ts';

export interface FuzzFile {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface FuzzOptions {
  readonly groupBy?: GroupBy;
  readonly compression?: Compression;
  readonly parquetEncoding?: ParquetEncoding;
  readonly valueScale?: number;
  readonly columns?: ColumnNames;
  /** Of the value; default: those of the run. */
  readonly bounds?: ModelBounds;
  readonly blockBytes?: number;
  readonly aggregateBytes?: number;
  /** Shares of a budget that is next to nothing, so that all that can be spilled and split is. */
  readonly tight?: Partial<MemoryBudget>;
  /** Threads, for inputs of any size. */
  readonly jobs?: number;
  /** Name the files backwards and one of them twice, rather than their folder. */
  readonly listed?: boolean;
}

export interface FuzzCase {
  readonly files: readonly FuzzFile[];
  readonly options: FuzzOptions;
}

const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');
const NAMES = ['a.csv', 'B.csv', 'a/z.csv', 'a-.csv', 'a/b/c.CSV', 'ä.csv', '\uff5e.csv', '\u{1f600}.csv', '10.csv', '9.csv'];
const COLUMNS: readonly ColumnNames[] = [
  { id: 'log_id', user: 'user_id', ip: 'ip_address', value: 'watch_time(min)' },
  { id: 'a,b', user: 'w "x"', ip: 'ü', value: ' v' },
  { id: '0', user: '1', ip: '2', value: 'line\nend' },
];
const IDS = ['a', 'A', 'a ', ' a', 'b', 'B', '0', '00', '-', '"', 'x,y', 'x\ny', 'x\r\ny', 'x\ry', bytesOf('é'), bytesOf('É'), '\x7f', '\0', 'a\0', ''];
const USERS = [
  'u', 'U', 'u ', 'v', ' v', '0', '-1', '"q"', 'a,b', 'a\nb', 'a\r\nb', '\0', 'u\0', '', bytesOf('ü'), bytesOf('u\u0308'), bytesOf('日本'),
  bytesOf('\u{1f600}'), bytesOf('\ufeffu'), '\xff', 'u\xc3', '\xc0\xaf', '\xed\xa0\x80', '\xf4\x90\x80\x80', bytesOf('\u{10ffff}'), 'uv', 'uvw', 'u'.repeat(64),
];
const ADDRESSES = [
  '1.0.0.1', '1.2.3.4', '2.0.0.1', '2.128.0.1', '3.0.0.0', '255.255.255.255', '10.0.0.1', '0.0.0.0', '', ' ', 'nonsense', '256.1.1.1', '01.2.3.4',
  '1.2.3', '1.2.3.4.5', ' 1.2.3.4\t', '1.2.3.4\n', '1.2.3.4\0', '2001:db8::1', '2001:DB8:0:0::1', '2001:db8:8000::', '2001:db9::', '::1',
  '::1.2.3.4', '::ffff:1.2.3.4', '::FFFF:2.128.0.1', '::ffff:0102:0304', '2001:db8::1%eth0', '2001:db8::%', '2001:db8::1%a b', '1.2.3.4%1', '2001:db8:::1',
  '[::1]', '\x7f', bytesOf('１.2.3.4'), ' ::ffff:2.0.0.1 ',
];
const VALUES = {
  whole: ['0', '1', '2', '5', '10', '-3', '7', '007', '+4', ' 5', '5\t', '12345678', '123456789012', '-0'],
  decimal: ['0.5', '1.25', '-1.25', '3.', '.5', '1.50', '2.000000', '0.123456', '4', '10.1000000000', '-.25', '100', '0.000001'],
  extreme: ['9223372036854775807', '-9223372036854775808', '9223372036854775808', '-9223372036854775809', '999999999999999999', '1', '-1', '92233720368547758.07', '0.5'],
  odd: [
    '', ' ', '.', '-', '+.', '--1', '1e3', '1_0', '1,5', 'NaN', 'x', '1 2', '0x1', '\xb2', '1\0', '1.2.3', '99999999999999999999', '-99999999999999999999.5',
    '0.1234567', '1.00000000000000000001', '1\n', '1\r', '12345678901234567890123456789012345678901234567890', '"5"',
  ],
} as const;
const BOUNDS: readonly ModelBounds[] = [
  { min: '0', max: '10' }, { min: '-3', max: 'none' }, { min: '0.5', max: '7.25' }, { min: 'none', max: '-0.25' }, { min: '.000001', max: '92233720368547758.07' },
  { min: '-1.25', max: '1.25' },
];
const LINE_ENDS = ['\n', '\r\n', '\r'];
const HOT_BYTES = [',', '"', '\n', '\r', '\r\n', '\0', '""', '",', '"\n', ' ', '.', '-', '7', '\xff', '\xef\xbb\xbf', '\xc3', 'a', ',,', '\n\n'];
const BLOCKS = [1, 2, 3, 5, 7, 16, 31, 63, 64, 65, 127, 128, 1000, 4096, 65536];
/** A block costs about 30 us. */
const MOST_BLOCKS = 800;
const MOST_FILE_BYTES = 300_000;
const RECORD_LIMIT = 1 << 20;

/** The case of a seed. */
export function randomCase(seed: number): FuzzCase {
  return new CaseMaker(random(seed)).make();
}

class CaseMaker {
  readonly #next: () => number;

  constructor(next: () => number) {
    this.#next = next;
  }

  make(): FuzzCase {
    const long = this.#chance(0.04);
    const columns = this.#chance(0.8) ? COLUMNS[0]! : this.#pick(COLUMNS);
    const row = this.#rows();
    const broken = this.#pick([0, 0, 0.003, 0.03]);
    const names = this.#shuffled(NAMES).slice(0, this.#pick([1, 1, 2, 3, 4]));
    const mutated = this.#chance(0.3);
    const size = this.#chance(0.15) ? 4000 : this.#chance(0.4) ? 80 : 12;
    const files = names.map((name, i) => {
      let text = this.#chance(0.02) ? this.#pick(['', '\n', '\r\n\n', ' ', ',,,', '\xef\xbb\xbf', '\xef\xbb\xbf\n']) : this.#file(columns, row, broken, this.#int(size));
      if (long && i === 0) text = this.#withLongRecord(text, columns);
      else if (mutated) text = this.#mutated(text);
      return { name, bytes: Buffer.from(text, 'latin1') };
    });
    const total = files.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const blocks = BLOCKS.filter((bytes) => total / bytes < MOST_BLOCKS);
    return {
      files,
      options: {
        groupBy: this.#pick(['region', 'user']),
        compression: this.#pick(['zstd', 'snappy', 'gzip', 'none']),
        parquetEncoding: this.#pick(['auto', 'plain']),
        ...(this.#chance(0.35) ? { valueScale: this.#pick([0, 0, 1, 2, 3, 6]) } : {}),
        ...(columns === COLUMNS[0] ? {} : { columns }),
        ...(this.#chance(0.3) ? {} : { bounds: this.#chance(0.7) ? { min: 'none', max: 'none' } : this.#pick(BOUNDS) }),
        ...(blocks.length > 0 && this.#chance(0.8) ? { blockBytes: this.#pick(blocks) } : {}),
        ...(this.#chance(0.6) ? { aggregateBytes: this.#pick([1, 65536]) } : {}),
        ...(this.#chance(0.4) ? { listed: true } : {}),
        ...(this.#chance(0.5) ? { tight: this.#tight() } : {}),
        ...(this.#chance(0.1) ? { jobs: this.#pick([2, 2, 3, 8]) } : {}),
      },
    };
  }

  #tight(): Partial<MemoryBudget> {
    const pages = (most: number): number => (1 + this.#int(most)) * 16384;
    const storeBytes = pages(12);
    return {
      partitionBits: this.#pick([0, 0, 0, 0, 1, 10]), storeBytes, keepBytes: this.#pick([0, storeBytes]), chunkBytes: pages(3), deferredBytes: pages(4),
      idTableBytes: 16384, distinctBytes: pages(66), fanIn: this.#pick([2, 3, 16]), runBufferBytes: this.#pick([8304, 20000]), columnAreas: 1 + this.#int(2),
    };
  }

  /** How this case draws the four fields of a row. */
  #rows(): () => { [role in keyof ColumnNames]: string } {
    const pool = this.#pick([5, 40, 1000, 100_000, 100_000]);
    const padding = '#'.repeat(this.#pick([0, 0, 1, 8, 30, 32, 100, 3000, 8190]));
    const longUsers = this.#pick([0, 0, 0, 0.02]);
    const manyUsers = this.#chance(0.35) ? this.#pick([50, 3000]) : 0;
    const userPadding = manyUsers > 0 ? this.#pick(['', 'user_', 'u', bytesOf('日'), '@'.repeat(200), '@'.repeat(2000), '@'.repeat(5000)]) : '';
    const usual = this.#pick([0.9, 0.99]);
    const users = this.#shuffled(USERS).slice(0, 1 + this.#int(USERS.length));
    const addresses = this.#shuffled(ADDRESSES).slice(0, 1 + this.#int(ADDRESSES.length));
    const values: readonly string[] = this.#chance(0.08) ? VALUES.extreme : this.#chance(0.5) ? VALUES.whole : VALUES.decimal;
    const odd = this.#pick([0, 0.02, 0.2]);
    const wide = this.#chance(0.3);
    return () => ({
      id: this.#chance(0.3) ? this.#pick(IDS) : `${padding}${this.#int(pool).toString(36)}`,
      user: this.#chance(longUsers)
        ? 'L'.repeat(this.#pick([8191, 8192, 8193, 9000]))
        : this.#chance(manyUsers > 0 ? usual : 0) ? `${userPadding}${this.#int(manyUsers)}` : this.#pick(users),
      ip: this.#chance(0.1) ? `${this.#int(4)}.${this.#int(256)}.0.${this.#int(300)}` : this.#pick(addresses),
      value: this.#chance(odd) ? this.#pick(VALUES.odd) : wide && this.#chance(0.5) ? String(this.#int(1e9)) : this.#pick(values),
    });
  }

  #file(columns: ColumnNames, row: () => { [role in keyof ColumnNames]: string }, broken: number, rows: number): string {
    const ends = this.#chance(0.3) ? LINE_ENDS : [this.#pick(LINE_ENDS)];
    const quoting = this.#pick([0, 0, 0.2, 1]);
    const emptyLines = this.#pick([0, 0, 0.1]);
    const roles: (keyof ColumnNames | string)[] = this.#shuffled(['id', 'user', 'ip', 'value', ...this.#pick([[], ['t'], ['t', 't'], ['', 'note', 'x']])]);
    const isRole = (name: string): name is keyof ColumnNames => name in columns;
    const names = roles.map((role) => (isRole(role) ? bytesOf(columns[role]) : role));
    if (this.#chance(0.012)) names.splice(this.#int(names.length), 1);
    if (this.#chance(0.012)) names.push(this.#pick(names));
    let length = 0;
    const lines = [names.map((name) => this.#field(name, quoting, this.#chance(0.01) ? 0.3 : 0)).join(',')];
    for (let i = 0; i < rows && length < MOST_FILE_BYTES; i++) {
      const values = row();
      const fields = roles.map((role) => (isRole(role) ? values[role] : this.#pick(['', 't', '2024-01-01', 'x,y', '\xff', 'two\nlines'])));
      if (this.#chance(broken)) fields.splice(this.#int(fields.length), 1);
      if (this.#chance(broken)) fields.splice(this.#int(fields.length), 0, '');
      lines.push(fields.map((field) => this.#field(field, quoting, broken)).join(','));
      length += lines.at(-1)!.length;
    }
    let text = this.#chance(0.15) ? bytesOf('\ufeff') : '';
    for (const [i, line] of lines.entries()) {
      while (this.#chance(emptyLines)) text += this.#pick(ends);
      text += line + (i < lines.length - 1 || this.#chance(0.7) ? this.#pick(ends) : '');
    }
    return text;
  }

  #field(text: string, quoting: number, broken: number): string {
    const quoted = `"${text.replaceAll('"', '""')}"`;
    if (this.#chance(broken)) return this.#pick([`${quoted}x`, ` ${quoted}`, `${text}"`, `"${text}`, `"${quoted}`, `${quoted}"`, `x"${text}`, text]);
    return /[",\r\n]/.test(text) || this.#chance(quoting) ? quoted : text;
  }

  /** A record around the longest there may be, its address padded. */
  #withLongRecord(text: string, columns: ColumnNames): string {
    const end = this.#pick(LINE_ENDS);
    const names = this.#shuffled(['id', 'user', 'ip', 'value'] as const);
    const header = names.map((role) => this.#field(bytesOf(columns[role]), 1, 0)).join(',');
    const length = RECORD_LIMIT + this.#pick([0, 0, 1, 1, 1, 2, 5000, 1_200_000]);
    const quote = this.#pick(['', '"']);
    const record = (padding: number): string =>
      names.map((role) => (role === 'ip' ? quote + 'x'.repeat(padding) + quote : { id: 'long', user: 'u', value: '2.5' }[role])).join(',');
    const row = record(length - record(0).length);
    const before = names.map((role) => ({ id: 'first', user: 'u', ip: '1.2.3.4', value: '1' })[role]).join(',');
    return [header, before, row, before, this.#chance(0.5) ? row : '', text].join(end);
  }

  #mutated(text: string): string {
    const body = this.#chance(0.9) ? Math.max(text.search(/[\r\n]/), 0) : 0;
    for (let times = 1 + this.#int(5); times > 0; times--) {
      const at = body + this.#int(text.length - body + 1);
      const to = at + this.#int(this.#pick([1, 4, 60]));
      switch (this.#int(5)) {
        case 0: text = text.slice(0, at) + this.#pick(HOT_BYTES) + text.slice(at); break;
        case 1: text = text.slice(0, at) + this.#pick(HOT_BYTES) + text.slice(at + 1); break;
        case 2: text = text.slice(0, at) + text.slice(to); break;
        case 3: text = text.slice(0, at) + text.slice(at, to) + text.slice(at); break;
        default: if (this.#chance(0.2)) text = text.slice(0, at);
      }
    }
    return text;
  }

  #chance(probability: number): boolean {
    return this.#next() < probability;
  }

  #int(below: number): number {
    return Math.floor(this.#next() * below);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#int(from.length)]!;
  }

  #shuffled<T>(from: readonly T[]): T[] {
    const list = [...from];
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.#int(i + 1);
      [list[i], list[j]] = [list[j]!, list[i]!];
    }
    return list;
  }
}
