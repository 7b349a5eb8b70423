/**
 * A parser's window over a block and the record that the block before left unfinished:
 *
 *   [headroom: record][block]             in the block's own memory
 *   relay: [long record][block, copied]   where the record is longer than the headroom, and ends in this block or is decided on: too
 *                                         long, or a quote that is never closed. Until then blocks are only added to it
 *   relay: [first bytes]   [block]        where there is no room for it: it may still turn out to be too long
 *
 * So each byte is scanned twice at most, however many blocks a record takes.
 */
import { EtlError } from '../core/errors.ts';
import { CARRIED_BYTES, type Block } from '../core/stage.ts';
import { MODE_SKIP, STATE_BASE, STATE_MODE, STATE_RECORD_LIMIT } from '../kernels/parse-layout.ts';
import type { RecordPlace } from './checked-batch.ts';
import type { Cut } from './cut.ts';
import type { Relay } from './relay.ts';
import type { Scanner } from './scanner.ts';

/** What kernels may read past a window. */
export const SLACK = 128;

/** What the relay has of a record that found no room, and is too long. */
export interface LateReject {
  readonly ptr: number;
  readonly bytes: number;
  readonly place: RecordPlace;
}

export class BlockWindow {
  /** The block's bytes stand in the relay, which so cannot be passed on before the window is done with. */
  isInRelay = false;
  /** The block has nothing but more of a record that is in the relay: what the next one has to know. */
  more: Cut | undefined;
  /** To be rejected before any record of the window. */
  late: LateReject | undefined;
  readonly #scanner: Scanner;
  readonly #relay: Relay;
  #block!: Block;
  /** Where the block's bytes stand. */
  #at = 0;

  constructor(scanner: Scanner, relay: Relay) {
    this.#scanner = scanner;
    this.#relay = relay;
  }

  /** `cut`: what the block before left, with its bytes in the relay. Throws ETL_MEMORY. */
  open(block: Block, cut: Cut): void {
    const { ptr, length, last, headroom } = block;
    this.#block = block;
    this.#at = ptr;
    this.more = undefined;
    this.isInRelay = cut.bytes > headroom;
    if (this.isInRelay) return this.#openBehind(cut);
    this.#relay.copyUnfinished(ptr);
    this.#scanner.open(ptr, length, last, cut);
  }

  /** Address behind the block's bytes. */
  get end(): number {
    return this.#at + this.#block.length;
  }

  /** Byte of the input at a position of the window. */
  byteOf(position: number): number {
    return this.#block.offset + this.#scanner.get(STATE_BASE) + position - this.#at;
  }

  /** See Scanner.cut. Throws ETL_MEMORY when the unfinished record finds no room in the relay, and may be needed. */
  cut(): ReturnType<Scanner['cut']> {
    const cut = this.#scanner.cut();
    if (cut.bytes > this.#relay.room && cut.lines > 0) throw this.#noRoom(cut);
    return cut;
  }

  #openBehind(cut: Cut): void {
    const { ptr, length, last } = this.#block;
    const bytes = cut.bytes + length;
    this.#scanner.open(ptr, length, false, { ...cut, bytes: 0, mode: cut.endMode | MODE_SKIP });
    const end = this.#scanner.endOfRecord();
    this.#at = this.#relay.unfinishedAt + cut.bytes;
    if (bytes + SLACK > this.#relay.room) return this.#openWithoutRoom(cut, end);
    this.#relay.putBehind(ptr, length);
    if (end !== undefined || last || bytes > this.#scanner.get(STATE_RECORD_LIMIT)) this.#scanner.open(this.#at, length, last, cut);
    else this.#gather(cut, bytes);
  }

  #gather(cut: Cut, bytes: number): void {
    this.more = { ...cut, bytes, endMode: this.#scanner.get(STATE_MODE) & ~MODE_SKIP };
  }

  /**
   * There is room for the record's first bytes only. If it is too long it is nothing but a reject; though not if there are line ends in it, for
   * then what it takes may have to be read again. `end`: where it ends in the block, if it does.
   */
  #openWithoutRoom(cut: Cut, end: number | undefined): void {
    const { ptr, length, last, offset } = this.#block;
    const bytes = cut.bytes + (end ?? length);
    const limit = this.#scanner.get(STATE_RECORD_LIMIT);
    const kept = Math.min(cut.bytes, this.#relay.room);
    const lines = this.#scanner.linesAt(this.#relay.unfinishedAt, kept) + this.#scanner.countLines(0, end ?? length);
    if (lines > 0 || (bytes <= limit && (end !== undefined || last))) throw this.#noRoom(cut);
    if (bytes <= limit) return this.#gather(cut, bytes);
    this.#at = ptr;
    this.isInRelay = false;
    this.late = { ptr: this.#relay.unfinishedAt, bytes: kept, place: { line: cut.line, byte: offset - cut.bytes } };
    this.#scanner.open(ptr, length, last, { ...cut, bytes: 0, mode: cut.endMode | MODE_SKIP });
  }

  #noRoom({ line, bytes }: Cut): EtlError {
    const { input } = this.#block;
    return new EtlError('ETL_MEMORY', `The record of ${input.name} that begins in line ${line} has ${bytes} bytes or more: there is no room for so long a record.`, {
      hint: `Give the run more memory (--memory), or make it a reject by --max-record: ${CARRIED_BYTES} bytes always fit.`,
    });
  }
}
