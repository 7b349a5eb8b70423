/**
 * Where threads that make ranges and the one that reads them meet: in shared memory, known by its address.
 *
 *   +0 claims: cell   the next range that nobody has
 *   +4 made: cell     how many ranges were made, in whatever order
 *   +8 read: cell     how many were read, in order
 *   +12 ranges: u32
 *   +16 of each range: u32   0 = not made yet, 1 = no rows, or the address of its first page
 */
import { SharedCell } from '../core/shared-cell.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';

const CLAIMS = 0;
const MADE = 4;
const READ = 8;
const RANGES = 12;
const CHAINS = 16;
const NO_ROWS = 1;

/** A range may be made when at most so many before it were not read: their pages wait until they are. */
const AHEAD = 24;

export class RangeBoard {
  /** What another thread opens it by. */
  readonly at: number;
  readonly ranges: number;
  readonly #memory: LinearMemory;
  readonly #claims: SharedCell;
  readonly #made: SharedCell;
  readonly #read: SharedCell;
  readonly #chains: Uint32Array;

  /** A new one, in a slab of `memory`, which is given back by `free`. */
  static create(memory: LinearMemory, ranges: number): RangeBoard {
    const bytes = CHAINS + 4 * ranges;
    const at = memory.slab(bytes, 'ranges that were made');
    memory.bytes(at, bytes).fill(0);
    memory.view(at, bytes).setUint32(RANGES, ranges, true);
    return new RangeBoard(memory, at);
  }

  constructor(memory: LinearMemory, at: number) {
    const { buffer } = memory.memory;
    this.#memory = memory;
    this.at = at;
    this.ranges = memory.view(at + RANGES, 4).getUint32(0, true);
    this.#claims = new SharedCell(buffer, at + CLAIMS);
    this.#made = new SharedCell(buffer, at + MADE);
    this.#read = new SharedCell(buffer, at + READ);
    this.#chains = memory.u32(at + CHAINS, this.ranges);
  }

  /** The next range that nobody has; undefined when there is none. It has to be made: what follows waits for it. */
  claim(): number | undefined {
    const range = this.#claims.add(1);
    return range < this.ranges ? range : undefined;
  }

  /** How many were read, from the first on. */
  get read(): number {
    return this.#read.value;
  }

  /** Waits until the range's turn has nearly come. */
  nearly(range: number): Promise<void> | undefined {
    return this.#read.until((read) => read + AHEAD >= range);
  }

  /** Waits until so many were read. */
  untilRead(count: number): Promise<void> | undefined {
    return this.#read.until((read) => read >= count);
  }

  /** The range was made: a chain of pages with rows of a run, or 0. */
  setMade(range: number, chain: number): void {
    Atomics.store(this.#chains, range, chain || NO_ROWS);
    this.#made.add(1);
  }

  isMade(range: number): boolean {
    return Atomics.load(this.#chains, range) !== 0;
  }

  /** Waits until the range was made. */
  untilMade(range: number): Promise<void> | undefined {
    return this.#made.until(() => this.isMade(range));
  }

  /** The range's pages, which are its maker's until it was read; 0 = none. */
  chainOf(range: number): number {
    const chain = Atomics.load(this.#chains, range);
    return chain === NO_ROWS ? 0 : chain;
  }

  setRead(count: number): void {
    this.#read.set(count);
  }

  /** Ends all waiting, and all claims, for good: with ETL_ABORTED. */
  stop(): void {
    for (const cell of [this.#claims, this.#made, this.#read]) cell.stop();
  }

  /** When nobody looks at it any more; by its maker. */
  free(): void {
    this.#memory.giveSlab(this.at, CHAINS + 4 * this.ranges);
  }
}
