/**
 * One file's rows, in order, into a ring of segments: decides for each row whether it is new, a copy or bad. Copies are
 * made inside the ring or from a sample of the file before, so memory does not grow with the file.
 */
import { HEADER, FLAWS, MAX_ROW_BYTES, RowWriter, flaws } from './rows.ts';
import { lineEnds } from './options.ts';
import type { LogShape } from './options.ts';
import { RandomWords } from './random.ts';
import { RowSample } from './sample.ts';

export const SEGMENT_BYTES = 1 << 20;
/** One is filled, one is on its way to the disk, one keeps rows that copies are made of. */
export const SEGMENTS = 3;
/** How far back a near copy's original is, in rows: at most 640 KiB, less than a segment. */
const NEAR_ROWS = 4096;
const DAY_SECONDS = 86400;

export interface RowCounts {
  /** The header excluded. */
  rows: number;
  duplicates: number;
  /** Rows that cannot be counted. */
  bad: number;
  /** Rows that can be counted, with an address that is none. */
  badAddresses: number;
}

export class LogFile {
  readonly counts: RowCounts = { rows: 0, duplicates: 0, bad: 0, badAddresses: 0 };
  /** Good rows for the next file's copies. */
  readonly sample: RowSample;
  readonly #target: number;
  readonly #ring: Uint8Array;
  readonly #previous: RowSample | undefined;
  readonly #random: RandomWords;
  readonly #writer: RowWriter;
  readonly #lineEnd: string;
  readonly #badBelow: number;
  readonly #copyBelow: number;
  /** Of the last NEAR_ROWS rows, where they are in the ring; in a bad row's place stands the good one before it. */
  readonly #starts = new Int32Array(NEAR_ROWS);
  readonly #lengths = new Uint8Array(NEAR_ROWS);
  bytes = 0;
  done = false;

  /** File number `file` from 0, of `target` bytes less at most one row; `previous` is the sample of the file before. */
  constructor(shape: LogShape, file: number, target: number, ring: Uint8Array, previous: RowSample | undefined) {
    this.#target = target;
    this.#ring = ring;
    this.#previous = previous && previous.count > 0 ? previous : undefined;
    this.#random = new RandomWords(shape.seed, file);
    this.#writer = new RowWriter(ring, this.#random, shape, file);
    this.#lineEnd = lineEnds[shape.lineEnd];
    this.#badBelow = Math.round(shape.badRows * 2 ** 32);
    this.#copyBelow = this.#badBelow + Math.round(shape.duplicates * 2 ** 32);
    this.sample = new RowSample(shape.duplicates > 0 && file + 1 < shape.files ? target : 0);
  }

  /** Fills a segment with the next rows; gives the position after the last one. Sets `done` at the end of the file. */
  fill(segment: number): number {
    const start = segment * SEGMENT_BYTES;
    const limit = start + SEGMENT_BYTES - MAX_ROW_BYTES;
    let at = start;
    if (this.bytes === 0) at += Buffer.from(this.#ring.buffer).write(HEADER + this.#lineEnd, at, 'latin1');
    const base = this.bytes - start;
    while (at <= limit && !this.done) {
      const end = this.#row(at, base + at);
      if (end < 0) this.done = true;
      else at = end;
    }
    this.bytes = base + at;
    return at;
  }

  /** The next row at `at`, `offset` in the file; gives the position after it, or -1 when the file has no room for it. */
  #row(at: number, offset: number): number {
    const { counts } = this;
    const roll = this.#random.next() >>> 0;
    const bad = roll < this.#badBelow;
    const flaw = bad ? 1 + ((this.#random.next() >>> 0) % FLAWS) : flaws.none;
    let end = bad || roll >= this.#copyBelow ? at : this.#copy(at);
    const copied = end > at;
    if (!copied) end = this.#writer.row(at, Math.floor((offset / this.#target) * DAY_SECONDS), flaw);
    if (offset + end - at > this.#target) return -1;
    const slot = counts.rows % NEAR_ROWS;
    const lastSlot = (counts.rows + NEAR_ROWS - 1) % NEAR_ROWS;
    const good = !bad || flaw === flaws.badAddress;
    this.#starts[slot] = good ? at : this.#starts[lastSlot]!;
    this.#lengths[slot] = good ? end - at : this.#lengths[lastSlot]!;
    counts.rows++;
    if (copied) counts.duplicates++;
    else if (!good) counts.bad++;
    else this.sample.offer(this.#ring, at, end);
    if (flaw === flaws.badAddress) counts.badAddresses++;
    return end;
  }

  /** Copies an earlier good row to `at`; gives the position after it, `at` itself when there is none. */
  #copy(at: number): number {
    const pick = this.#random.next() >>> 0;
    const choice = pick >>> 3;
    if (this.#previous && (pick & 7) < 3) return this.#previous.copy(choice % this.#previous.count, this.#ring, at);
    const near = Math.min(this.counts.rows, NEAR_ROWS);
    if (near === 0) return at;
    const slot = (this.counts.rows - 1 - (choice % near) + NEAR_ROWS) % NEAR_ROWS;
    const start = this.#starts[slot]!;
    const length = this.#lengths[slot]!;
    this.#ring.copyWithin(at, start, start + length);
    return at + length;
  }
}
