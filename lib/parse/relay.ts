/**
 * What the end of a block hands to the start of the next: where the input was cut, the unfinished record's bytes, the
 * header, lines that are still to be skipped. It lies in linear memory, so the next block may be parsed by another thread; each has its own `Relay` over the
 * same address. Whose turn it is says a cell with the number of a block (`Block.sequence`): the owner of that block reads
 * the state, and passes the next one on as soon as it has scanned its block. So scans follow one another, as if
 * one thread read it all, and only what comes after a scan is done by many threads at once.
 *
 *   at  +0 turn: u32   +4 bytes: u32   +8 mode: u32   +12 flags: u32   +16 header: 5 x u32   +36 ruled columns: u32
 *      +40 line: f64  +48 line, +56 byte of the last record that was too long: f64   +64 end mode   +68 skip   +72 room: u32
 *      +80 places of the ruled columns: i32 each
 *     +208 the unfinished record's bytes; when there are more than fit before a block, the block is put behind them
 *
 * Memory: one slab, of which only as much is touched as the longest record that was cut.
 */
import { EtlError } from '../core/errors.ts';
import { SharedCell } from '../core/shared-cell.ts';
import { MAX_RULED_COLUMNS } from '../core/rules.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { HeaderMap } from './header.ts';
import type { Cut } from './cut.ts';

const TURN = 0;
const BYTES = 1;
const MODE = 2;
const FLAGS = 3;
const HEADER = 4;
const RULED = 9;
const LINE = 5; // from here on in words of 8 bytes
const LONG_LINE = 6;
const LONG_BYTE = 7;
const END_MODE = 16; // again in words of 4
const SKIP = 17;
const ROOM = 18;
const PLACES = 20;
const UNFINISHED_AT = 4 * (PLACES + MAX_RULED_COLUMNS);

const FLAG_GOES_ON = 1; //     the input has more blocks; else nothing but the turn counts
const FLAG_BOM = 2;
const FLAG_HEADER = 4;
const FLAG_EMPTY_LINES = 8;
const FLAG_MENDED = 16;

/** Where an input stands between two of its blocks. */
export interface InputState {
  readonly cut: Cut;
  /** undefined until it is read. */
  readonly header: HeaderMap | undefined;
  /** Whether there were any before the header. */
  readonly emptyLines: boolean;
  /** Where the last record that was too long begins. */
  readonly longRecord: { readonly line: number; readonly byte: number };
}

export class Relay {
  readonly at: number;
  readonly #memory: LinearMemory;
  readonly #turn: SharedCell;
  readonly #words: Uint32Array;
  readonly #numbers: Float64Array;

  /** The relay at this address, which `create` made, in this or another thread. */
  constructor(memory: LinearMemory, at: number) {
    this.at = at;
    this.#memory = memory;
    const { buffer } = memory.memory;
    this.#turn = new SharedCell(buffer, at + 4 * TURN);
    this.#words = new Uint32Array(buffer, at, UNFINISHED_AT / 4);
    this.#numbers = new Float64Array(buffer, at, UNFINISHED_AT / 8);
  }

  /** With room for so many bytes of an unfinished record, and the block behind it; block 0 has the turn. Throws ETL_MEMORY. */
  static create(memory: LinearMemory, room: number): Relay {
    const at = memory.slab(UNFINISHED_AT + room, 'relay between blocks');
    memory.u32(at, UNFINISHED_AT / 4).fill(0);
    memory.u32(at, UNFINISHED_AT / 4)[ROOM] = room;
    return new Relay(memory, at);
  }

  /** Gives back what `create` took; by the same thread, when nobody uses it any more. */
  free(): void {
    this.#memory.giveSlab(this.at, UNFINISHED_AT + this.room);
  }

  /** Bytes that fit. */
  get room(): number {
    return this.#words[ROOM]!;
  }

  /** Where the unfinished record's bytes stand, and what is put behind them. */
  get unfinishedAt(): number {
    return this.at + UNFINISHED_AT;
  }

  /**
   * Waits for the turn of a block; undefined when it has come. Blocks are waited for in ascending order, by each thread.
   * Throws, or rejects with, ETL_ABORTED once stopped.
   */
  take(sequence: number): Promise<void> | undefined {
    return this.#turn.until((turn) => {
      if (turn > sequence) throw new EtlError('ETL_INTERNAL', `Block ${sequence} comes again: it is the turn of block ${turn}.`);
      return turn === sequence;
    });
  }

  /** The state before the block whose turn it is; undefined: it is the first of its input. */
  get state(): InputState | undefined {
    const [flags, words, numbers] = [this.#words[FLAGS]!, this.#words, this.#numbers];
    if ((flags & FLAG_GOES_ON) === 0) return undefined;
    const [fields, id, user, ip, value] = words.subarray(HEADER) as unknown as [number, number, number, number, number];
    const ruled = Array.from(words.subarray(PLACES, PLACES + words[RULED]!), (place) => place | 0);
    return {
      cut: {
        bytes: words[BYTES]!, mode: words[MODE]!, endMode: words[END_MODE]!, line: numbers[LINE]!, bom: (flags & FLAG_BOM) !== 0,
        skip: words[SKIP]!,
      },
      header: (flags & FLAG_HEADER) === 0 ? undefined : { fields, id, user, ip, value, ruled, mended: (flags & FLAG_MENDED) !== 0 },
      emptyLines: (flags & FLAG_EMPTY_LINES) !== 0,
      longRecord: { line: numbers[LONG_LINE]!, byte: numbers[LONG_BYTE]! },
    };
  }

  /** Copies the unfinished record, all `cut.bytes` of it, to just before `end`. */
  copyUnfinished(end: number): void {
    const bytes = this.#words[BYTES]!;
    this.#memory.bytes(end - bytes, bytes).set(this.#memory.bytes(this.unfinishedAt, bytes));
  }

  /** Copies a block behind the unfinished record. */
  putBehind(ptr: number, length: number): void {
    this.#memory.bytes(this.unfinishedAt + this.#words[BYTES]!, length).set(this.#memory.bytes(ptr, length));
  }

  /**
   * Hands the state on to the next block; its unfinished record, of which only as much is kept as there is room for, ends at
   * address `end`. undefined: the input has ended.
   */
  pass(state: InputState | undefined, end: number): void {
    const [words, numbers] = [this.#words, this.#numbers];
    words[FLAGS] = 0;
    words[BYTES] = 0;
    if (state) {
      const { cut, header, emptyLines, longRecord } = state;
      words[BYTES] = cut.bytes;
      words[MODE] = cut.mode;
      words[END_MODE] = cut.endMode;
      words[SKIP] = cut.skip;
      words[FLAGS] = FLAG_GOES_ON | (cut.bom ? FLAG_BOM : 0) | (header ? FLAG_HEADER : 0) | (emptyLines ? FLAG_EMPTY_LINES : 0);
      if (header) this.#setHeader(header);
      numbers[LINE] = cut.line;
      numbers[LONG_LINE] = longRecord.line;
      numbers[LONG_BYTE] = longRecord.byte;
      const [from, kept] = [end - cut.bytes, Math.min(cut.bytes, this.room)];
      if (from !== this.unfinishedAt) this.#memory.bytes(this.unfinishedAt, kept).set(this.#memory.bytes(from, kept));
    }
    this.#turn.add(1);
  }

  #setHeader({ fields, id, user, ip, value, ruled = [], mended = false }: HeaderMap): void {
    const words = this.#words;
    words.set([fields, id, user, ip, value, ruled.length], HEADER);
    words.set(ruled, PLACES);
    if (mended) words[FLAGS]! |= FLAG_MENDED;
  }

  /** All blocks are done. Throws ETL_INTERNAL when the last one was not the last of its input. */
  assertEnded(): void {
    if ((this.#words[FLAGS]! & FLAG_GOES_ON) !== 0) throw new EtlError('ETL_INTERNAL', 'The last input has no last block.');
  }

  /** Ends all waiting with ETL_ABORTED, in every thread; for good. */
  stop(): void {
    this.#turn.stop();
  }
}
