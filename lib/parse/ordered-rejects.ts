/**
 * Rejects of one thread among several, handed on in input order. The lines of a block are gathered and sent when all
 * blocks before it, whoever has them, are done: when a block has many, already while it is parsed. Sending waits for its
 * turn beside the parsing of the next block; a block without rejects waits for nothing.
 * Memory: lines of two blocks, GATHERED_CHARACTERS and one line each.
 *
 * `RejectTurns` says which blocks are done: a cell with the number of the first that is not, and behind it a flag for each
 * block, in a ring. Whoever is done sets its flag; whoever finds the flag of the first block set takes it away, which only
 * one can, and moves the cell on by one. The first block that is not done belongs to a thread that waits for nobody.
 *
 *   at  +0 first: u32   +4 flags: u32 each, sequence + 1 of a block that is done
 */
import { SharedCell } from '../core/shared-cell.ts';
import { rejectLine, type Reject, type RejectSink } from '../core/rejects.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';

const GATHERED_CHARACTERS = 1 << 18;
/** How far blocks may be ahead of the first that is not done. */
const FLAGS = 1024;
const TURNS_BYTES = 4 + 4 * FLAGS;

export class RejectTurns {
  readonly at: number;
  readonly #memory: LinearMemory;
  readonly #first: SharedCell;
  readonly #flags: Int32Array;

  /** The turns at this address, which `create` made, in this or another thread. */
  constructor(memory: LinearMemory, at: number) {
    this.at = at;
    this.#memory = memory;
    this.#first = new SharedCell(memory.memory.buffer, at);
    this.#flags = new Int32Array(memory.memory.buffer, at + 4, FLAGS);
  }

  /** Throws ETL_MEMORY. */
  static create(memory: LinearMemory): RejectTurns {
    const at = memory.slab(TURNS_BYTES, 'turns of rejects');
    memory.bytes(at, TURNS_BYTES).fill(0);
    return new RejectTurns(memory, at);
  }

  /** Gives back what `create` took; by the same thread, when nobody uses it any more. */
  free(): void {
    this.#memory.giveSlab(this.at, TURNS_BYTES);
  }

  /** Waits until all blocks before this one are done; undefined when they are. ETL_ABORTED when stopped, as below. */
  wait(sequence: number): Promise<void> | undefined {
    return this.#first.until((first) => first === sequence);
  }

  /** The block is done. A promise in the unheard-of case that so many behind the first are done that no flag is free. */
  done(sequence: number): Promise<void> | undefined {
    const free = this.#first.until((first) => sequence < first + FLAGS);
    if (free) return free.then(() => this.#set(sequence));
    this.#set(sequence);
    return undefined;
  }

  /** Ends all waiting with ETL_ABORTED, in every thread; for good. */
  stop(): void {
    this.#first.stop();
  }

  #set(sequence: number): void {
    Atomics.store(this.#flags, sequence % FLAGS, (sequence + 1) | 0);
    for (;;) {
      const first = this.#first.value;
      const flag = (first + 1) | 0;
      if (Atomics.compareExchange(this.#flags, first % FLAGS, flag, 0) !== flag) return;
      this.#first.add(1);
    }
  }
}

export class OrderedRejects implements RejectSink {
  readonly #turns: RejectTurns;
  readonly #send: (lines: string) => Promise<void>;
  #sequence = 0;
  /** Of this block. */
  #lines = '';
  /** The lines of the block before on their way. */
  #handingOn: Promise<void> | undefined;

  /** `send` is done when the lines are where those of the next block will come after them. */
  constructor(turns: RejectTurns, send: (lines: string) => Promise<void>) {
    this.#turns = turns;
    this.#send = send;
  }

  begin(sequence: number): void {
    this.#sequence = sequence;
  }

  write(reject: Reject): boolean {
    this.#lines += rejectLine(reject);
    return this.#lines.length >= GATHERED_CHARACTERS;
  }

  async drained(): Promise<void> {
    await this.#handingOn;
    if (this.#lines !== '') await this.#handOn(this.#sequence, this.#takeLines());
  }

  async settled(): Promise<void> {
    await this.drained();
    await this.#turns.wait(this.#sequence);
  }

  end(): void | Promise<void> {
    const sequence = this.#sequence;
    if (this.#lines === '') return this.#turns.done(sequence);
    const lines = this.#takeLines();
    const before = this.#handingOn;
    this.#handingOn = this.#handOn(sequence, lines).then(() => this.#turns.done(sequence));
    this.#handingOn.catch(() => undefined); // told to who waits for it next
    return before;
  }

  async #handOn(sequence: number, lines: string): Promise<void> {
    await this.#turns.wait(sequence);
    await this.#send(lines);
  }

  #takeLines(): string {
    const lines = this.#lines;
    this.#lines = '';
    return lines;
  }
}
