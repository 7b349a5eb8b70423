/** Random texts for the Spark job's framer, and what etl-stream's own make of them. A seed is a case. */
import { isUtf8 } from 'node:buffer';
import type { Encoding } from '../../lib/core/options.ts';
import { rejectCodes } from '../../lib/core/rejects.ts';
import { Framer, type Frame, type FrameProblem } from '../../lib/parse/framer.ts';
import { Preamble } from '../../lib/parse/preamble.ts';
import { Transcoder } from '../../lib/source/transcode.ts';
import { csvCase } from '../parse/csv-cases.ts';
import { generalDialects, picker, randomField, randomLines } from '../parse/general.ts';
import { random } from '../random.ts';
import { recordsOf } from '../record-model.ts';

export interface FrameCase {
  /** One character a byte, as it stands in the file. */
  readonly text: string;
  readonly dialect: { delimiter: string; quote: string; comment: string; header: boolean; skip_lines: number };
  readonly limit: number;
  readonly encoding: Encoding;
  readonly width: number;
  /** Whether the size of the file is that of its text. */
  readonly isPlain: boolean;
  /** Lines of a batch, and bytes of what is looked at together. */
  readonly cuts: readonly (readonly [lines: number, bytes: number])[];
}

export type FrameRecord = [line: number, byte: number, record: string, status: number, valid: boolean, length: number];

export interface Framed {
  readonly records: FrameRecord[];
  /** Records, empty lines, bytes; null: none were given. */
  readonly totals: [number, number, number] | null;
  readonly error: [code: string, message: string, hint: string] | null;
}

const RAW_BYTES = 65536;
const MARK = '\xef\xbb\xbf';
const ALL = 1 << 30;

export async function frameCase(seed: number): Promise<FrameCase> {
  const next = random(seed);
  const pick = picker(next);
  const { text, delimiter, quote, comment, limit } = randomText(seed, next);
  const skipped = next() < 0.15 ? pick(['x"\r\n\n', '\ry\r\n', 'only one', '\n\n\n']) : '';
  const mark = !text.startsWith(MARK) && next() < 0.05 ? MARK : '';
  const base = {
    text: mark + skipped + text, limit, width: pick([1, 2, 3, 4]), isPlain: next() < 0.9,
    encoding: next() < 0.06 ? pick(['latin1', 'windows-1252'] as const) : pick(['auto', 'utf-8'] as const),
    dialect: { delimiter, quote, comment, header: next() < 0.6, skip_lines: skipped === '' ? 0 : 2 },
    cuts: [[ALL, pick([ALL, ALL, 100, 30, 1])], [pick([1, 1, 2, 3, 8]), pick([ALL, 10])]] as const,
  };
  if (!base.dialect.header) return base;
  const header = headerOf(base, await textOf(base));
  // What is no header ends a run before the job is made.
  if (header?.problem) return { ...base, dialect: { ...base.dialect, header: false } };
  return { ...base, width: header?.fields ?? base.width };
}

function randomText(seed: number, next: () => number): { text: string; delimiter: string; quote: string; comment: string; limit: number } {
  const pick = picker(next);
  const kind = next();
  if (kind < 0.4) {
    const { bytes, delimiter, quote, limit } = csvCase(seed);
    return { text: bytes.toString('latin1'), delimiter, quote, comment: next() < 0.1 ? '#' : '', limit };
  }
  const limit = pick([3, 8, 20, 60, 1000, 1000, 1 << 20, 1 << 20]);
  if (kind < 0.7) {
    const dialect = { ...pick(generalDialects) };
    dialect.escape = dialect.quote;
    const { delimiter, quote, comment } = dialect;
    const atoms = ['a', 'é', '\n', '\n', '\r', '\r\n', `a${delimiter}b\n`, delimiter, delimiter[0]!, quote, quote, quote + quote, `${delimiter}${quote}`, `\n${comment}`, ' ', '0'];
    const text = next() < 0.5
      ? Array.from({ length: pick([5, 10, 40]) }, () => pick(atoms)).join('')
      : randomLines(dialect, pick, () => Array.from({ length: pick([1, 2, 2, 3]) }, () => randomField(dialect, pick)).join(delimiter));
    return { text: Buffer.from(text).toString('latin1'), delimiter, quote, comment, limit };
  }
  // Records of one width, most of them well-formed, some with a quote that is never closed: so it can be proved.
  const delimiter = pick([',', ',', ';', '||', ', ', 'ab', '¦']);
  const comment = pick(['', '', '#', '//']);
  const fields = pick([2, 3]);
  const field = (): string => pick(['a', 'b ', '', '7', 'é', '"q"', '"q"', '"x""y"', `"d${delimiter}d"`, '"two\nlines"', '"two\r\nmore"', '"o\rld"', pick(['z', 'x"y', '"open', '"a"b', 'c"', '""', '"""', '\xff', delimiter.length > 1 ? `b${delimiter[0]}` : 'b'])]);
  const line = (): string => (comment !== '' && next() < 0.1 ? `${comment}it's "so` : Array.from({ length: next() < 0.95 ? fields : 1 }, field).join(delimiter));
  const end = pick([['\n'], ['\r\n'], ['\r'], ['\n', '\n', '\r\n', '\r']]);
  const lines = Array.from({ length: pick([3, 6, 12, 30]) }, () => line() + pick(end) + (next() < 0.05 ? pick(end) : ''));
  if (next() < 0.15) lines.push(`"${pick(['lost\n', `a${delimiter}b\n`, `a${delimiter}b${delimiter}c\r\n`]).repeat(pick([2, 20]))}`);
  return { text: Buffer.from(lines.join('')).toString('latin1'), delimiter, quote: '"', comment, limit };
}

/** What the job knows of the text of a file, in UTF-8: nothing of one without a line, not how a compressed one ends. */
export async function textOf({ text, encoding, isPlain }: Pick<FrameCase, 'text' | 'encoding' | 'isPlain'>): Promise<Buffer> {
  const bytes = Buffer.from(text === MARK ? '' : text + (isPlain || text === '' || text.endsWith('\n') ? '' : '\n'), 'latin1');
  if (encoding !== 'latin1' && encoding !== 'windows-1252') return bytes;
  let at = 0;
  const source = { fill: async (target: Uint8Array): Promise<number> => bytes.copy(target, 0, at, (at = Math.min(at + target.length, bytes.length))), stop: () => undefined };
  const target = Buffer.alloc(3 * bytes.length);
  return target.subarray(0, await new Transcoder(source, encoding).fill(target));
}

function headerOf(which: FrameCase, bytes: Buffer): Frame | undefined {
  const rest = new Preamble(which.dialect.skip_lines).rest(bytes, true);
  return framerFor(which).next(rest, 0, rest.length, true);
}

function framerFor({ dialect: { delimiter, quote, comment }, limit }: FrameCase): Framer {
  return new Framer({ delimiter, quote, escape: quote, comment }, limit);
}

/** By lib/parse/framer.ts. */
export function framedHere(which: FrameCase, bytes: Buffer): Framed {
  if (bytes.length === 0) return { records: [], totals: null, error: null };
  const preamble = new Preamble(which.dialect.skip_lines);
  const rest = preamble.rest(bytes, true);
  const { lines, bytes: before } = preamble.skipped;
  const framer = framerFor(which);
  let at = 0;
  if (which.dialect.header) at = framer.next(rest, 0, rest.length, true)?.next ?? rest.length;
  framer.width = which.width;
  const records: FrameRecord[] = [];
  for (let frame = framer.next(rest, at, rest.length, true); frame; frame = framer.next(rest, frame.next, rest.length, true)) {
    records.push(recordOf(which, bytes, before + frame.start, before + frame.end, lines + frame.line, frame.problem));
  }
  return end(records, framer.isLost, framer.emptyLines, bytes.length);
}

/** By the written rules (record-model.ts); undefined where they are not written for the dialect. */
export function framedByRules(which: FrameCase, bytes: Buffer): Framed | undefined {
  const { dialect: { delimiter, quote, comment, header, skip_lines: skipLines }, limit, width } = which;
  if (delimiter.length > 1 || quote.length > 1 || comment !== '' || /[^\0-\x7f]/.test(delimiter + quote)) return undefined;
  if (bytes.length === 0) return { records: [], totals: null, error: null };
  const found = recordsOf(bytes.toString('latin1'), { delimiter, quote, limit, fields: header ? 0 : width, skipLines });
  const records = header ? found.records.slice(1) : found.records;
  const isLost = records.some(({ start, end, fields }) => end - start > limit && fields.at(-1)!.fault === 'unterminated_quote');
  return end(records.map(({ start, end, line, fields }) => (
    recordOf(which, bytes, start, end, line, end - start > limit ? 'record_too_long' : fields.find(({ fault }) => fault)?.fault)
  )), isLost, found.emptyLines, bytes.length);
}

function recordOf({ limit }: FrameCase, bytes: Buffer, start: number, end: number, line: number, problem: FrameProblem | undefined): FrameRecord {
  const isLong = problem === 'record_too_long';
  const record = bytes.subarray(start, isLong ? start + Math.min(limit, RAW_BYTES) + 1 : end);
  return [line, start, record.toString('latin1'), problem ? rejectCodes.indexOf(problem) : 0, isUtf8(record), isLong ? limit + 1 : end - start];
}

function end(records: FrameRecord[], isLost: boolean, emptyLines: number, bytes: number): Framed {
  if (!isLost) return { records, totals: [records.length, emptyLines, bytes], error: null };
  const [line, byte] = records.at(-1)!;
  const message = `The record of a.csv that begins in line ${line} (byte ${byte}) opens a quote that is never closed: all ${bytes - byte} bytes from there to the end would be lost.`;
  return { records, totals: null, error: ['ETL_INPUT_READ', message, 'Mend that quote and run again. Nothing was published.'] };
}
