/**
 * Files read by several threads, each into its own memory, as if one read them: in turns. What stands in linear memory is
 * where reading has come to; the thread that has the turn reads the next block from there, moves the place on and passes
 * the turn, and only then does anything with the block. So blocks are those of `BlockSource`, whatever happens to a file
 * meanwhile, and no block is read before the thread that parses it has nothing else to do.
 *
 *   at  +0 turn: u32, number of the block that is read next   +4 claimed: u32, number of turns that were asked for
 *       +8 input: u32   +12 index: u32, of that block in its input   +16 fd: i32   +24 offset: f64
 *
 * Reading is some 5 % of a block's work, so that few ever wait for their turn.
 */
import { EtlError } from '../core/errors.ts';
import { SharedCell } from '../core/shared-cell.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';

const TURN = 0;
const CLAIMED = 1;
const INPUT = 2;
const INDEX = 3;
const FD = 4;
const OFFSET = 3; // in words of 8 bytes
const TURNS_BYTES = 64;

/** The next block: of which input, where in it; `fd` is the descriptor of an input that was begun. */
export interface ReadPlace {
  readonly input: number;
  readonly index: number;
  readonly offset: number;
  readonly fd: number;
}

export class ReadTurns {
  readonly at: number;
  readonly #memory: LinearMemory;
  readonly #turn: SharedCell;
  readonly #words: Int32Array;
  readonly #offset: Float64Array;

  /** The turns at this address, which `create` made, in this or another thread. */
  constructor(memory: LinearMemory, at: number) {
    this.at = at;
    this.#memory = memory;
    const { buffer } = memory.memory;
    this.#turn = new SharedCell(buffer, at + 4 * TURN);
    this.#words = new Int32Array(buffer, at, TURNS_BYTES / 4);
    this.#offset = new Float64Array(buffer, at + 8 * OFFSET, 1);
  }

  /** Nothing is read yet. Throws ETL_MEMORY. */
  static create(memory: LinearMemory): ReadTurns {
    const at = memory.slab(TURNS_BYTES, 'turns of reading');
    memory.bytes(at, TURNS_BYTES).fill(0);
    return new ReadTurns(memory, at);
  }

  /** Gives back what `create` took; by the same thread, when nobody uses it any more. */
  free(): void {
    this.#memory.giveSlab(this.at, TURNS_BYTES);
  }

  /** Asks for a turn, which must be waited for and passed on: the number of the block that it is for. */
  claim(): number {
    return Atomics.add(this.#words, CLAIMED, 1) >>> 0;
  }

  /** Waits for the turn of a block; undefined when it has come. Throws, or rejects with, ETL_ABORTED once stopped. */
  take(sequence: number): Promise<void> | undefined {
    return this.#turn.until((turn) => turn === sequence);
  }

  /** For who has the turn. */
  get place(): ReadPlace {
    const words = this.#words;
    return { input: words[INPUT]! >>> 0, index: words[INDEX]! >>> 0, offset: this.#offset[0]!, fd: words[FD]! };
  }

  /** By who has the turn: leaves it to the next. Throws ETL_ABORTED once stopped. */
  pass({ input, index, offset, fd }: ReadPlace): void {
    this.#words.set([input, index, fd], INPUT);
    this.#offset[0] = offset;
    this.#turn.add(1);
  }

  /** All turns were passed on, the last one by who found nothing more. Throws ETL_INTERNAL when not all inputs were read. */
  assertEnded(inputs: number): void {
    if (this.place.input !== inputs) throw new EtlError('ETL_INTERNAL', `${this.place.input} of ${inputs} inputs were read.`);
  }

  /** Ends all waiting with ETL_ABORTED, in every thread; for good. */
  stop(): void {
    this.#turn.stop();
  }
}
