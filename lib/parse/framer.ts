/**
 * What a record is in dialects that the kernel does not take: where it begins and ends, how many fields it has, what is wrong with
 * its quotes. The rules are the kernel's (README.md), for delimiters of several bytes, escapes and comments. What its fields
 * hold is csv-parse's to say (general-fields.ts), which so is given whole, well-formed records only, and holds nothing.
 *
 *   frame = next(bytes, from, to, last)     a record, from = frame.next for the one after it
 *   undefined                               no whole one is left: call again with what stands at `resume`, and more behind it
 *
 * It goes on where it stopped, so no byte of an unfinished record is looked at twice. A record over the limit is a frame of its first
 * bytes; the rest is passed over, quotes still honoured. A quote that is never closed ends its record with its line, and what follows
 * is read line by line up to where that came to light (README.md): so nothing is read more than twice. Frames are the same however the
 * input is cut into calls.
 */
import type { Dialect } from '../core/dialect.ts';
import type { FieldProblem } from './field-text.ts';
import { afterLine, countLineEnds, lineEnd } from './lines.ts';

export interface Frame {
  /** Of the record, in the bytes; line end excluded. */
  readonly start: number;
  readonly end: number;
  /** Where the next one's lines begin. */
  readonly next: number;
  /** Physical line of its first byte. */
  readonly line: number;
  readonly fields: number;
  /** Of its first malformed field, if not of all. */
  readonly problem: FrameProblem | undefined;
}

/** A quoted field that seems not to be closed: its first line end in the record, its place. `ends`: the last line needs no line end. */
interface Unclosed {
  readonly lineEnd: number;
  readonly field: number;
  readonly ends: boolean;
  readonly problem: FieldProblem;
}

export type FrameProblem = FieldProblem | 'record_too_long';
export type Quoting = Pick<Dialect, 'delimiter' | 'quote' | 'escape' | 'comment'>;

const LF = 10;
const CR = 13;
const [START, UNQUOTED, QUOTED, CLOSED] = [0, 1, 2, 3];
const NONE = -2; // -1 is the byte before the first of a call
/** Enough to tell, few enough to cost nothing. */
const PROOF_RECORDS = 16;

export class Framer {
  /** Where the unfinished record, or whatever was not looked at, begins. */
  resume = 0;
  emptyLines = 0;
  /** Fields that records should have, as soon as it is known; 0 = not yet. */
  width = 0;
  readonly #dialect: Quoting;
  readonly #limit: number;
  readonly #delimiter: Buffer;
  readonly #quote: Buffer;
  readonly #escape: Buffer | undefined;
  readonly #comment: Buffer;
  /** Bytes that mean something outside of quotes, and inside. */
  readonly #outside = new Uint8Array(256);
  readonly #inside = new Uint8Array(256);
  #line = 1;
  #afterCr = false;
  #inComment = false;
  /** The unfinished record's bytes are gone. */
  #skipping = false;
  /** So many bytes from `resume` on are read line by line. */
  #lineBytes = 0;
  // Of the unfinished record, places counted from its first byte.
  #scanned = 0;
  #place = START;
  #fields = 1;
  #lines = 0;
  #bad = false;
  /** The first line end in the quoted field that was last begun, and in the first one that turned out to be malformed, whose place is this. */
  #lineEnd = NONE;
  #badLineEnd = NONE;
  #badField = 0;
  /** What it had come to at the limit: inside quotes, with this first line end in them. */
  #limitLineEnd = NONE;
  #lastCr = NONE;

  /** `limit`: most bytes of a record, line end excluded. */
  constructor(dialect: Quoting, limit: number) {
    this.#dialect = dialect;
    this.#limit = limit;
    const { delimiter, quote, escape, comment } = dialect;
    this.#delimiter = Buffer.from(delimiter);
    this.#quote = Buffer.from(quote);
    this.#escape = escape === quote ? undefined : Buffer.from(escape);
    this.#comment = Buffer.from(comment);
    for (const byte of [LF, CR, this.#delimiter[0]!, ...this.#quote.subarray(0, 1)]) this.#outside[byte] = 1;
    for (const byte of [LF, CR, ...this.#quote.subarray(0, 1), ...(this.#escape?.subarray(0, 1) ?? [])]) this.#inside[byte] = 1;
  }

  /** Whether the rest of a record that was too long is being passed over, and it is inside quotes. */
  get isLost(): boolean {
    return this.#skipping && this.#place === QUOTED;
  }

  /** The next whole record of `bytes`, [from, to); the input ends there when `last`. Empty lines and comments are passed over. */
  next(bytes: Uint8Array, from: number, to: number, last: boolean): Frame | undefined {
    let start = from;
    if (this.#afterCr && start < to) {
      this.#afterCr = false;
      if (bytes[start] === LF) start++;
    }
    if (this.#scanned === 0 && !this.#skipping) start = this.#passOver(bytes, start, to, last);
    this.#lineBytes = Math.max(this.#lineBytes - (start - from), 0);
    this.resume = start;
    if (start === to && !(last && this.#skipping)) return undefined;
    if (this.#inComment || (this.#scanned === 0 && !this.#skipping && this.#startsComment(bytes, start, to, last))) return undefined;
    // One more byte tells whether the record ends at the limit.
    const limit = start + this.#limit;
    const stop = this.#skipping ? to : Math.min(to, limit);
    let end = this.#scan(bytes, start, stop, last && stop === to);
    if (!this.#skipping && stop === limit && end === NONE) {
      this.#limitLineEnd = this.#place === QUOTED ? this.#lineEnd : NONE;
      if (to > limit) end = this.#scan(bytes, start, limit + 1, last && limit + 1 === to);
    }
    if (this.#skipping) return this.#skip(bytes, end, to, last);
    if (end !== NONE && end - start <= this.#limit) return this.#frame(bytes, start, end, to);
    if (to > limit) return this.#tooLong(bytes, start);
    return undefined;
  }

  /** Past empty lines and comments that are whole. */
  #passOver(bytes: Uint8Array, start: number, to: number, last: boolean): number {
    for (;;) {
      if (!this.#inComment && this.#startsComment(bytes, start, to, last) === 'yes') this.#inComment = true;
      if (this.#inComment) {
        start = lineEnd(bytes, start, to);
        if (start === to) return to;
        this.#inComment = false;
      } else if (start < to && (bytes[start] === LF || bytes[start] === CR)) {
        this.emptyLines++;
      } else {
        return start;
      }
      start = this.#afterLineEnd(bytes, start, to);
      this.#line++;
    }
  }

  /** Whether a comment begins there; `maybe` as long as it cannot be told. */
  #startsComment(bytes: Uint8Array, start: number, to: number, last: boolean): 'yes' | 'maybe' | undefined {
    if (this.#comment.length === 0) return undefined;
    const matches = matching(this.#comment, bytes, start, to);
    if (matches === this.#comment.length) return 'yes';
    return !last && start + matches === to ? 'maybe' : undefined;
  }

  /** Goes on to the end of the record; NONE when it is not there. */
  #scan(bytes: Uint8Array, start: number, to: number, last: boolean): number {
    const [delimiter, quote, escape] = [this.#delimiter, this.#quote, this.#escape];
    const lines = start + this.#lineBytes;
    let at = start + this.#scanned;
    let end = NONE;
    while (at < to) {
      const byte = bytes[at]!;
      if (this.#place === QUOTED && at < lines && (byte === LF || byte === CR)) {
        end = at;
        break;
      }
      if (this.#place === QUOTED) {
        if (this.#inside[byte] === 0) {
          at++;
          continue;
        }
        const escapes = escape ? matching(escape, bytes, at, to) : 0;
        const quotes = matching(quote, bytes, at, to);
        if (escape && escapes === escape.length) {
          if (at + escapes === to && !last) break;
          at += escapes;
          if (at < to) this.#quotedByte(bytes, start, at++);
        } else if (quotes === quote.length) {
          this.#place = CLOSED;
          at += quotes;
        } else if (!last && at + Math.max(escapes, quotes) === to) {
          break;
        } else {
          this.#quotedByte(bytes, start, at++);
        }
        continue;
      }
      if (this.#outside[byte] === 1) {
        if (byte === LF || byte === CR) {
          end = at;
          break;
        }
        const quotes = quote.length > 0 ? matching(quote, bytes, at, to) : 0;
        if (quotes > 0 && quotes === quote.length) {
          if (this.#place === START) {
            this.#place = QUOTED;
            this.#lineEnd = NONE;
          } else if (this.#place === CLOSED && !escape) {
            this.#place = QUOTED;
          } else {
            this.#spoil();
          }
          at += quote.length;
          continue;
        }
        const matches = matching(delimiter, bytes, at, to);
        if (matches === delimiter.length) {
          this.#place = START;
          this.#fields++;
          at += delimiter.length;
          continue;
        }
        if (!last && (at + matches === to || (quotes > 0 && at + quotes === to))) break;
      }
      if (this.#place === CLOSED) this.#spoil();
      this.#place = UNQUOTED;
      at++;
    }
    if (end === NONE && at >= to && last) end = to;
    this.#scanned = at - start;
    return end;
  }

  #quotedByte(bytes: Uint8Array, start: number, at: number): void {
    const byte = bytes[at];
    if (byte !== LF && byte !== CR) return;
    const isSecondHalf = byte === LF && this.#lastCr === at - start - 1 && this.#lastCr !== NONE;
    if (byte === CR) this.#lastCr = at - start;
    if (isSecondHalf) return;
    this.#lines++;
    if (this.#lineEnd === NONE) this.#lineEnd = at - start;
  }

  #spoil(): void {
    if (!this.#bad) {
      this.#badLineEnd = this.#place === CLOSED ? this.#lineEnd : NONE;
      this.#badField = this.#fields - 1;
    }
    this.#bad = true;
    this.#place = UNQUOTED;
  }

  /** Goes on in a record that is too long; what comes next, if it ends here. */
  #skip(bytes: Uint8Array, end: number, to: number, last: boolean): Frame | undefined {
    this.#letGo(this.resume);
    if (end === NONE || this.isLost) return undefined;
    if (end < to) this.#line++;
    const next = this.#afterLineEnd(bytes, end, to);
    this.#reset();
    return this.next(bytes, next, to, last);
  }

  #tooLong(bytes: Uint8Array, start: number): Frame {
    const cut = this.#cut(bytes, start, start + this.#limit, { lineEnd: this.#limitLineEnd, field: this.#fields - 1, ends: false, problem: this.#bad ? 'bad_quote' : 'unterminated_quote' });
    if (cut) return cut;
    const frame = { start, end: start + this.#limit, next: start + this.#scanned, line: this.#line, fields: this.#fields, problem: 'record_too_long' as const };
    this.#skipping = true;
    this.#letGo(start);
    return frame;
  }

  /** What was scanned of a record that is too long is not needed any more. */
  #letGo(start: number): void {
    this.resume = start + this.#scanned;
    this.#lineBytes = 0;
    if (this.#lastCr !== NONE) this.#lastCr = Math.max(this.#lastCr - this.#scanned, NONE);
    this.#scanned = 0;
    this.#line += this.#lines;
    this.#lines = 0;
  }

  #frame(bytes: Uint8Array, start: number, end: number, to: number): Frame {
    const open = this.#place === QUOTED;
    const problem = this.#bad ? 'bad_quote' : open ? 'unterminated_quote' : undefined;
    const [lineEnd, field] = this.#bad ? [this.#badLineEnd, this.#badField] : [open ? this.#lineEnd : NONE, this.#fields - 1];
    const cut = problem && this.#cut(bytes, start, end, { lineEnd, field, ends: true, problem: 'unterminated_quote' });
    if (cut) return cut;
    const line = this.#line;
    const fields = this.#fields;
    const next = this.#afterLineEnd(bytes, end, to);
    this.#line += this.#lines + (end < to ? 1 : 0);
    this.#reset();
    this.#lineBytes = Math.max(this.#lineBytes - (next - start), 0);
    this.resume = next;
    return { start, end, next, line, fields, problem };
  }

  /** Ends the record at the first line end in a field whose quote was never closed: if what follows, up to `to`, are records. */
  #cut(bytes: Uint8Array, start: number, to: number, { lineEnd, field, ends, problem }: Unclosed): Frame | undefined {
    const end = start + lineEnd;
    const from = afterLine(bytes, end, to);
    if (lineEnd === NONE || field >= this.width || !this.#areRecords(bytes, from, to, ends)) return undefined;
    const lines = countLineEnds(bytes, start, end);
    const line = this.#line;
    this.#reset();
    this.#line += lines + 1;
    this.#lineBytes = to - from + (ends ? 1 : 0); // the line end of the last line is one, too
    this.resume = from;
    return { start, end, next: from, line, fields: field + 1, problem };
  }

  /** Whether at least half of the first records there, and at least one, are well-formed, with the right number of fields. */
  #areRecords(bytes: Uint8Array, from: number, to: number, ends: boolean): boolean {
    const framer = new Framer(this.#dialect, this.#limit);
    let [good, all] = [0, 0];
    while (from < to && all < PROOF_RECORDS) {
      const end = lineEnd(bytes, from, to);
      if (end === to && !ends) break;
      const frame = framer.next(bytes, from, end, true);
      framer.#reset();
      framer.#inComment = false;
      if (frame) all++;
      if (frame && !frame.problem && frame.fields === this.width) good++;
      from = afterLine(bytes, end, to);
    }
    return good > 0 && 2 * good >= all;
  }

  #reset(): void {
    this.#skipping = false;
    this.#scanned = 0;
    this.#place = START;
    this.#fields = 1;
    this.#lines = 0;
    this.#bad = false;
    this.#lineEnd = NONE;
    this.#badLineEnd = NONE;
    this.#limitLineEnd = NONE;
    this.#lastCr = NONE;
  }

  #afterLineEnd(bytes: Uint8Array, end: number, to: number): number {
    this.#afterCr = bytes[end] === CR && end + 1 === to;
    return afterLine(bytes, end, to);
  }
}

/** How many bytes of `text` are at this place before one differs or the bytes end. */
function matching(text: Uint8Array, bytes: Uint8Array, at: number, to: number): number {
  let matches = 0;
  while (matches < text.length && at + matches < to && bytes[at + matches] === text[matches]) matches++;
  return matches;
}
