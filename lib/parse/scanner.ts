/**
 * The host's hand on the parse kernel: one window of bytes at a time, whole records out of it. Both readers of CSV (the
 * stage and the record stream) drive this loop:
 *
 *   cut = INPUT_START
 *   for each block { open(block, cut); for (;;) switch (scan()) { records: take them; too_long: ...; end: break }; cut = cut() }
 *
 * A cut says all that the next block's reader, which may be another thread, has to know. It can be asked for once the window
 * is scanned (`atEnd`), though records of it may still wait; scanned `ahead`, that is mostly before the first is taken. An
 * unfinished record is scanned again with the rest of it.
 *
 * Memory: the index, 512 KiB, of which only as much is touched as a window has fields, and see field-index.ts.
 */
import { EtlError } from '../core/errors.ts';
import { BATCH_ROWS } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import {
  ENTRY_END, ENTRY_POSITION, INDEX_SLACK, MAX_WINDOW, MODE_AFTER_CR, MODE_FIELD_START, MODE_SKIP, NO_QUOTE, STATE_BASE, STATE_BYTES,
  STATE_COUNT, STATE_DELIMITER, STATE_DROPPED, STATE_EMPTY_LINES, STATE_END, STATE_ENOUGH, STATE_LINES, STATE_LINE_END, STATE_LINE_FROM,
  STATE_MODE, STATE_NEXT, STATE_NOT_ASCII, STATE_POS, STATE_QUOTE, STATE_RECORDS, STATE_RECORD_LIMIT, STATE_REPAIR, STATE_START, STATE_SUSPECT,
} from '../kernels/parse-layout.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import type { Cut } from './cut.ts';
import { FieldIndex } from './field-index.ts';
import { afterLine, lineEnd } from './lines.ts';
import { byteOrderMark } from './preamble.ts';
import { judgeLong, judgeSuspect, type Scanned } from './unclosed-quote.ts';

const PER_WINDOW = [
  STATE_START, STATE_POS, STATE_COUNT, STATE_NEXT, STATE_RECORDS, STATE_LINES, STATE_DROPPED, STATE_LINE_FROM, STATE_LINE_END,
  STATE_NOT_ASCII,
];
/** How many records are scanned at a time where some may be longer than the limit: more would be scanned again for each. */
const FEW = 16;
const LF = 10;
const CR = 13;

export interface ScannerOptions {
  /** One ASCII character; default `,`. */
  readonly delimiter?: string | undefined;
  /** One ASCII character, or '' for none; default `"`. */
  readonly quote?: string | undefined;
  readonly memory: LinearMemory;
  readonly kernel: ParseKernel;
  readonly recordLimit: number;
  /**
   * Scan all of a window, as far as the index has room, before any of its records is taken; else, just enough for a batch at
   * a time: it takes 3 % less, since the bytes are still in the cache when the batch is made.
   */
  readonly ahead?: boolean;
  /** What cannot be read as it should be is read as far as it goes: see README. */
  readonly repair?: boolean;
}

export class Scanner implements Scanned {
  /** The kernel's state, as words: `words[STATE_X / 4]`. The host uses it through `get` and `set`. */
  readonly #words: Uint32Array;
  readonly #memory: LinearMemory;
  readonly #kernel: ParseKernel;
  readonly #ahead: boolean;
  /** Address of the state, for the kernel's functions that a reader calls itself. */
  readonly state: number;
  /** What `next` took last. */
  readonly record: ScannedRecord = { start: 0, end: 0, first: 0, next: 0 };
  /** Fields that a record should have, so that a quote which is never closed can be told from one that is; 0: not known yet. */
  expected = 0;
  /** Scan no more than the next record: it decides how those behind it are read. */
  oneRecord = false;
  readonly #index: FieldIndex;
  #window: Uint8Array<SharedArrayBuffer>;
  #bomPossible = false;
  #linesToSkip = 0;
  /** Records that end before this position were compared with the limit. */
  #compared = 0;
  #finished = false;
  #closed = false;
  /** Line number at the window's first byte. */
  #firstLine = 1;
  /** A known line number, and the position (a record's first byte) it belongs to; `lineOf` goes on from there. */
  #line = 1;
  #lineAt = 0;
  #lineAfterCr = 0;

  constructor({ memory, kernel, recordLimit, delimiter = ',', quote = '"', ahead = false, repair = false }: ScannerOptions) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#ahead = ahead;
    this.state = memory.slab(STATE_BYTES, 'parser state');
    this.#words = memory.u32(this.state, STATE_BYTES / 4).fill(0);
    this.#index = new FieldIndex(memory, this);
    this.#window = memory.bytes(this.state, 0);
    this.setDialect(delimiter, quote);
    this.set(STATE_RECORD_LIMIT, recordLimit);
    this.set(STATE_REPAIR, Number(repair));
  }

  /** For the windows to come. Throws ETL_USAGE. */
  setDialect(delimiter: string, quote: string): void {
    checkDialect(delimiter, quote);
    this.set(STATE_DELIMITER, delimiter.charCodeAt(0));
    this.set(STATE_QUOTE, quote === '' ? NO_QUOTE : quote.charCodeAt(0));
  }

  get(name: number): number {
    return this.#words[name >>> 2]!;
  }

  set(name: number, value: number): void {
    this.#words[name >>> 2] = value;
  }

  /** Whether all of the window is scanned; records of it may still wait. */
  get atEnd(): boolean {
    return this.get(STATE_POS) === this.get(STATE_END);
  }

  /** Bytes behind the last whole record. */
  get unfinished(): number {
    return this.get(STATE_END) - this.#unfinishedStart();
  }

  /**
   * Makes the window: `length` bytes at `ptr`, and what `cut` left unfinished, which stands before them. `last`: the input
   * ends with them.
   */
  open(ptr: number, length: number, last: boolean, { bytes, mode, line, bom, skip }: Cut): void {
    checkWindow(bytes + length);
    for (const name of PER_WINDOW) this.set(name, 0);
    this.set(STATE_BASE, ptr - bytes);
    this.set(STATE_END, bytes + length);
    this.set(STATE_MODE, mode);
    this.#window = this.#memory.bytes(ptr - bytes, bytes + length);
    this.#finished = false;
    this.#firstLine = line;
    this.#line = line;
    this.#lineAt = 0;
    this.#lineAfterCr = mode & MODE_AFTER_CR;
    this.#bomPossible = bom;
    this.#linesToSkip = skip;
    this.#compared = 0;
    if (bom) this.#skipBom(last);
    if (!this.#bomPossible) this.#skipLines();
  }

  /** Adds `length` bytes that stand just behind the window. */
  extend(length: number, last: boolean): void {
    const base = this.get(STATE_BASE);
    const end = this.get(STATE_END) + length;
    checkWindow(end);
    this.set(STATE_END, end);
    this.#window = this.#memory.bytes(base, end);
    if (this.#bomPossible) this.#skipBom(last);
    if (!this.#bomPossible) this.#skipLines();
  }

  /**
   * How the bytes after the window are to be read, once `atEnd` or `scan` said `end` (with `last`: before the latter). An
   * unfinished record over the limit is to be skipped there; if it passed the limit in this window, it begins at
   * `longFrom`, in `longLine`. `lines`: line ends in the unfinished record.
   */
  cut(): Cut & { readonly longFrom: number | undefined; readonly longLine: number; readonly lines: number } {
    const end = this.get(STATE_END);
    const mode = this.get(STATE_MODE);
    const start = this.#unfinishedStart();
    const bytes = end - start;
    const endLine = this.#firstLine + this.get(STATE_LINES);
    const lines = this.countLines(start, end);
    const line = endLine - lines;
    const rest = { lines, endMode: mode, bom: this.#bomPossible, skip: this.#linesToSkip };
    const skipped = this.get(STATE_RECORDS) === 0 && (mode & MODE_SKIP) !== 0;
    const long = !skipped && bytes > this.get(STATE_RECORD_LIMIT);
    const longs = { longFrom: long ? start : undefined, longLine: line };
    if (skipped || long) return { bytes: 0, mode: mode | MODE_SKIP, line: endLine, ...rest, ...longs };
    return { bytes, mode: bytes === 0 ? mode & MODE_AFTER_CR : MODE_FIELD_START, line, ...rest, ...longs };
  }

  /**
   * Of a window that is the rest of a record which is unfinished at its start: where the record ends, if it does so in it. Ask before any
   * scan; `open` the window again for more.
   */
  endOfRecord(): number | undefined {
    this.set(STATE_ENOUGH, 1);
    do this.#kernel.scan(this.state); while (this.get(STATE_RECORDS) === 0 && !this.atEnd && this.#index.makeRoom());
    if (this.get(STATE_RECORDS) === 0) return undefined;
    let entry = this.get(STATE_NEXT);
    while (this.index[entry]! < ENTRY_END) entry++;
    return this.index[entry]! & ENTRY_POSITION;
  }

  /** Forgets what is scanned behind the records that were taken. */
  scanAgain(): void {
    const start = this.get(STATE_START);
    if (this.get(STATE_POS) <= start) return;
    this.set(STATE_LINES, this.get(STATE_LINES) - this.countLines(start, this.get(STATE_POS)));
    this.set(STATE_RECORDS, 0);
    this.set(STATE_COUNT, this.get(STATE_NEXT));
    this.set(STATE_POS, start);
    this.set(STATE_MODE, MODE_FIELD_START);
    this.#compared = start;
  }

  /** Line ends in [from, to) of the window. */
  countLines(from: number, to: number): number {
    return this.linesAt(this.get(STATE_BASE) + from, to - from);
  }

  /** Line ends among so many bytes at an address. */
  linesAt(ptr: number, bytes: number): number {
    return this.#kernel.countLines(ptr, bytes, 0);
  }

  /** Position just behind the last whole record. */
  #unfinishedStart(): number {
    if (this.get(STATE_RECORDS) === 0) return this.get(STATE_START);
    const { index } = this;
    let last = this.get(STATE_COUNT) - 1;
    while (index[last]! < ENTRY_END) last--;
    const start = (index[last]! & ENTRY_POSITION) + 1;
    const isCrlf = start < this.get(STATE_POS) && this.#window[start - 1] === CR && this.#window[start] === LF;
    return isCrlf ? start + 1 : start;
  }

  /** A byte order mark that is cut in two stays unscanned until its rest comes. */
  #skipBom(last: boolean): void {
    const mark = byteOrderMark(this.#window, last);
    this.#bomPossible = mark === undefined;
    this.set(STATE_POS, mark ?? 0);
    this.set(STATE_START, mark ?? 0);
  }

  /** Passes over lines that are no CSV, whatever is in them. */
  #skipLines(): void {
    const window = this.#window;
    let at = this.get(STATE_POS);
    let skipped = 0;
    if ((this.get(STATE_MODE) & MODE_AFTER_CR) !== 0 && at === 0 && window[0] === LF && this.#linesToSkip > 0) at++;
    for (; this.#linesToSkip > 0 && at < window.length; this.#linesToSkip--) {
      const end = lineEnd(window, at, window.length);
      if (end === window.length) {
        at = end;
        break;
      }
      at = afterLine(window, end, window.length);
      skipped++;
    }
    if (at === this.get(STATE_POS)) return;
    this.set(STATE_POS, at);
    this.set(STATE_START, at);
    this.set(STATE_LINES, this.get(STATE_LINES) + skipped);
    this.set(STATE_MODE, window[at - 1] === CR ? MODE_AFTER_CR : MODE_FIELD_START);
  }

  /**
   * Goes on to the next whole records. `records`: some wait in the index. `too_long`: the unfinished record has passed
   * the limit; call the kernel's `skip` or give up. `end`: the window is used up; with `last`, the input is, and a last
   * record without line end was given.
   */
  scan(last: boolean): 'records' | 'too_long' | 'end' {
    if (this.#bomPossible) return 'end';
    for (;;) {
      // Scanned ahead, the rest of a long index would be moved for every batch.
      if (!this.#ahead || this.get(STATE_RECORDS) === 0) this.#scanOn();
      if (this.get(STATE_RECORDS) > 0) return 'records';
      if ((this.get(STATE_MODE) & MODE_SKIP) !== 0) {
        this.#kernel.fields(this.state, 0); // writes no row: only drops the entries of the record being skipped
      } else if (this.get(STATE_POS) - this.get(STATE_START) > this.get(STATE_RECORD_LIMIT)) {
        return 'too_long';
      }
      if (this.atEnd) {
        if (!last || this.#finished) return 'end';
        this.#kernel.finish(this.state);
        if (this.get(STATE_RECORDS) > 0 && judgeSuspect(this, true)) continue;
        this.#finished = true;
        return this.get(STATE_RECORDS) > 0 ? 'records' : 'end';
      }
      if (this.get(STATE_COUNT) - this.get(STATE_NEXT) + INDEX_SLACK > this.index.length && !this.#index.makeRoom()) return 'too_long';
    }
  }

  /** Scans on for enough records, and has those judged whose quotes are malformed or that are longer than the limit. */
  #scanOn(): void {
    const limit = this.get(STATE_RECORD_LIMIT);
    const enough = this.oneRecord ? 1 : this.#ahead ? MAX_WINDOW : BATCH_ROWS;
    const few = this.get(STATE_END) > limit ? FEW : Infinity;
    for (;;) {
      this.set(STATE_ENOUGH, Math.min(enough, this.get(STATE_RECORDS) + few));
      this.#kernel.scan(this.state);
      let isAgain = this.get(STATE_SUSPECT) !== 0 && judgeSuspect(this, false);
      if (!isAgain && this.get(STATE_POS) - this.get(STATE_START) > limit) isAgain = judgeLong(this, this.#compared);
      if (isAgain) continue;
      this.#compared = this.get(STATE_POS);
      if (this.atEnd || this.#index.isFull || this.get(STATE_RECORDS) >= enough) return;
    }
  }

  /** Gives the memory back; idempotent. Nothing else may be called after. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#index.close();
    this.#memory.giveSlab(this.state, STATE_BYTES);
  }

  /** Physical line, from 1, of the record whose first byte is at this position. Ask in ascending order. */
  lineOf(position: number): number {
    const from = this.get(STATE_BASE) + this.#lineAt;
    this.#line += this.#kernel.countLines(from, position - this.#lineAt, this.#lineAfterCr);
    this.#lineAt = position;
    this.#lineAfterCr = 0;
    return this.#line;
  }

  /**
   * Takes the next whole record out of the index, empty lines left out: what the kernel's `fields` does for thousands,
   * for the host. False when none waits. The record is in `record` then.
   */
  next(): boolean {
    const { record, index } = this;
    const window = this.#window;
    let records = this.get(STATE_RECORDS);
    let start = this.get(STATE_START);
    let next = this.get(STATE_NEXT);
    let found = false;
    while (!found && records > 0) {
      record.start = start;
      record.first = next;
      while (index[next++]! < ENTRY_END);
      record.next = next;
      record.end = index[next - 1]! & ENTRY_POSITION;
      start = record.end + 1;
      if (start < this.get(STATE_POS) && window[start - 1] === CR && window[start] === LF) start++;
      found = next - record.first > 1 || record.end > record.start;
      if (!found) this.set(STATE_EMPTY_LINES, this.get(STATE_EMPTY_LINES) + 1);
      records--;
    }
    this.set(STATE_RECORDS, records);
    this.set(STATE_START, start);
    this.set(STATE_NEXT, next);
    return found;
  }

  /** Entries of the index, valid until the next `scan`. */
  get index(): Uint32Array {
    return this.#index.entries;
  }

  get bytes(): Uint8Array {
    return this.#window;
  }

  /** The window's bytes, valid until the next `open`. */
  get window(): Buffer {
    const { buffer, byteOffset, length } = this.#window;
    return Buffer.from(buffer, byteOffset, length);
  }
}

/** A record: positions of its first byte and of its line end in the window; its entries in the index, [first, next). */
export interface ScannedRecord {
  start: number;
  end: number;
  first: number;
  next: number;
}

function checkWindow(bytes: number): void {
  if (bytes > MAX_WINDOW) throw new EtlError('ETL_INTERNAL', `A window of ${bytes} bytes is more than the parser can address.`);
}

function checkDialect(delimiter: string, quote: string): void {
  for (const [name, value] of [['delimiter', delimiter], ['quote', quote]] as const) {
    if (name === 'quote' && value === '') continue;
    if (value.length !== 1 || value.charCodeAt(0) > 127 || value === '\n' || value === '\r') {
      throw new EtlError(
        'ETL_USAGE',
        `The ${name} ${JSON.stringify(value)} is not one ASCII character other than a line end.`,
      );
    }
  }
  if (delimiter === quote) throw new EtlError('ETL_USAGE', `Delimiter and quote are both ${JSON.stringify(quote)}.`);
}
