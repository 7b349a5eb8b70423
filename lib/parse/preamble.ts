/**
 * What stands before the CSV of an input: a byte order mark of UTF-8, then lines that were said to be none. (The scanner does the
 * same with windows, whose cut says how far it is.)
 */
import { afterLine, lineEnd } from './lines.ts';

const MARK = [0xef, 0xbb, 0xbf];
const LF = 10;
const CR = 13;
const NOTHING = new Uint8Array(0);

/** Bytes of the mark that an input begins with: 3 or 0. Undefined: more has to come before that can be told. */
export function byteOrderMark(start: Uint8Array, last: boolean): number | undefined {
  if (!MARK.every((byte, at) => at >= start.length || start[at] === byte)) return 0;
  if (start.length >= MARK.length) return MARK.length;
  return last ? 0 : undefined;
}

export class Preamble {
  /** What was left out so far; its lines count none for the mark. */
  readonly skipped = { lines: 0, bytes: 0 };
  readonly #count: number;
  /** What may be the beginning of a mark. */
  #held: Uint8Array | undefined = NOTHING;
  #afterCr = false;

  /** Lines besides the mark. */
  constructor(lines: number) {
    this.#count = lines;
  }

  /** What of the next chunk is not left out, and what was held of those before it. `last`: no more comes. */
  rest(chunk: Uint8Array, last = false): Uint8Array {
    if (!this.#held) return this.#skipLines(chunk);
    const start = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const mark = byteOrderMark(start, last);
    if (mark === undefined) {
      this.#held = Uint8Array.from(start);
      return NOTHING;
    }
    this.#held = undefined;
    this.skipped.bytes = mark;
    return this.#skipLines(start.subarray(mark));
  }

  #skipLines(chunk: Uint8Array): Uint8Array {
    const { length } = chunk;
    if (length === 0) return chunk;
    let at = this.#afterCr && chunk[0] === LF ? 1 : 0;
    this.#afterCr = false;
    while (at < length && this.skipped.lines < this.#count) {
      const end = lineEnd(chunk, at, length);
      at = afterLine(chunk, end, length);
      if (end === length) break;
      this.skipped.lines++;
      this.#afterCr = at === length && chunk[at - 1] === CR;
    }
    this.skipped.bytes += at;
    return chunk.subarray(at);
  }
}
