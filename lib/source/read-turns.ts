/**
 * Files read by several threads, each into its own memory, as if one read them: in turns. What stands in linear memory is
 * where reading has come to; the thread that has the turn reads the next block from there, moves the place on and passes
 * the turn, and only then does anything with the block. So blocks are those of `BlockSource`, whatever happens to a file
 * meanwhile, and no block is read before the thread that parses it has nothing else to do.
 *
 *   at  +0 turn: u32, 2 x (number of the block that is read next), + 1 while someone has the turn
 *       +4 input: u32   +8 index: u32, of that block in its input   +12 fd: i32   +16 offset: f64
 *
 * The turn is whose who takes it: were it given to whoever waits longest, all would wait for that thread to be scheduled, on
 * a busy machine for each block. Reading is some 5 % of a block's work, so that few ever wait.
 */
import { EtlError } from '../core/errors.ts';
import { SharedCell } from '../core/shared-cell.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';

const TURN = 0;
const INPUT = 1;
const INDEX = 2;
const FD = 3;
const OFFSET = 2; // in words of 8 bytes
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

  /**
   * Takes the turn, which must be passed on: gives the number of the block that it is for; a promise while another thread
   * has it. Throws, or rejects with, ETL_ABORTED once stopped.
   */
  take(): number | Promise<number> {
    for (;;) {
      const free = this.#turn.until((value) => value % 2 === 0);
      if (free) return free.then(() => this.take());
      const { value } = this.#turn;
      if (value % 2 === 0 && this.#turn.swap(value, value + 1)) return value / 2;
    }
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
