/** Random CSV: well-formed, with all that is allowed, densely; and mutated. A seed is a case. */
import { random } from '../random.ts';

export interface CsvCase {
  readonly bytes: Buffer;
  readonly delimiter: string;
  /** '' = none. */
  readonly quote: string;
  readonly limit: number;
  readonly isValid: boolean;
  /** How many bytes come at a time; 0: all at once. */
  readonly piece: number;
}

const DIALECTS = [[',', '"'], [',', '"'], [',', '"'], ['\t', "'"], ['|', '"'], [';', '"'], ['\t', ''], ['\x01', '"']] as const;
const PLAIN = ['', 'a', 'xyz', 'é', '日本', ' ', 'user_000123', 'x'.repeat(40), 'x'.repeat(64), '0', '\0'];

export function csvCase(seed: number): CsvCase {
  const next = random(seed);
  const int = (below: number): number => Math.floor(next() * below);
  const pick = <T>(values: readonly T[]): T => values[int(values.length)]!;
  const [delimiter, quote] = pick(DIALECTS);
  const kind = next();
  const piece = next() < 0.3 ? 1 + int(70) : 0;
  const limit = next() < 0.15 ? 20 + int(100) : 1 << 20;
  if (kind < 0.15) {
    const alphabet = [quote.charCodeAt(0) || 0x22, delimiter.charCodeAt(0), 0x0a, 0x0d, 0x61].slice(0, 2 + int(4));
    return { bytes: Buffer.from(Array.from({ length: int(200) }, () => pick(alphabet))), delimiter, quote, limit, isValid: false, piece };
  }
  const valid = Buffer.from(validCsv(next, pick, delimiter, quote));
  if (kind < 0.55) return { bytes: valid, delimiter, quote, limit: 1 << 20, isValid: true, piece };
  const bytes = [...valid];
  const specials = [quote.charCodeAt(0) || 0x22, quote.charCodeAt(0) || 0x22, delimiter.charCodeAt(0), 0x0a, 0x0d, 0x61, 0x00, 0xff];
  for (let i = 1 + int(4); i > 0; i--) {
    const at = int(bytes.length + 1);
    if (next() < 0.3) bytes.splice(at, 1);
    else bytes.splice(at, next() < 0.5 ? 1 : 0, pick(specials));
  }
  return { bytes: Buffer.from(bytes), delimiter, quote, limit, isValid: false, piece };
}

function validCsv(next: () => number, pick: <T>(values: readonly T[]) => T, delimiter: string, quote: string): string {
  const inside = [...PLAIN, delimiter, quote + quote, quote + quote + quote + quote, '\n', '\r', '\r\n', '\n\n'];
  const width = next() < 0.6 ? 1 + Math.floor(next() * 5) : 0;
  const quoting = quote === '' ? 0 : next();
  const field = (): string => {
    if (next() >= quoting) return pick(PLAIN);
    let content = '';
    for (let i = Math.floor(next() * 4); i > 0; i--) content += pick(inside);
    return quote + content + quote;
  };
  let text = next() < 0.1 ? '\ufeff' : '';
  for (let record = Math.floor(next() * 10); record > 0; record--) {
    const fields = width === 0 ? 1 + Math.floor(next() * 6) : width;
    text += Array.from({ length: fields }, field).join(delimiter);
    if (record > 1 || next() < 0.7) text += pick(['\n', '\n', '\r\n', '\r']);
  }
  return text;
}

/** The shortest bytes, found by leaving out, that still fail. */
export async function shrinkBytes(bytes: Buffer, fails: (candidate: Buffer) => boolean | Promise<boolean>): Promise<Buffer> {
  let smallest = bytes;
  for (let size = bytes.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < smallest.length;) {
      const candidate = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]);
      if (await fails(candidate)) smallest = candidate;
      else at += size;
    }
  }
  return smallest;
}
