/**
 * Blocks for several threads: the thread that reads publishes what `BlockSource` gives, in order; each of the others claims
 * the next block that nobody has claimed, when it is asked for one, and gives it back by `release()`. What crosses are
 * numbers in a slab of linear memory; the bytes stay where they were read.
 *
 *   at  +0 published: u32   2 x (blocks published), + 1 at the end   +4 claimed: u32   +8 given back: u32, counts
 *      +64 slots: 64 bytes each, that of a block by its sequence
 *          +0 state: u32   +4 input   +8 index   +12 ptr   +16 length   +20 headroom   +24 last: u32   +32 offset: f64
 *
 * A slot is used again once its block was given back, so at most SLOTS blocks are out; far fewer are read at a time.
 * A taker that is destroyed before its end stops the ring, since nobody else can have the block that it claimed.
 */
import { Readable } from 'node:stream';
import { EtlError } from '../core/errors.ts';
import { SharedCell } from '../core/shared-cell.ts';
import { releaseOnce, type Block, type InputInfo } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';

const PUBLISHED = 0;
const CLAIMED = 1;
const GIVEN_BACK = 2;
const SLOTS_AT = 64;
const SLOTS = 64;
const SLOT_BYTES = 64;
const RING_BYTES = SLOTS_AT + SLOTS * SLOT_BYTES;

const STATE = 0;
const INPUT = 1;
const INDEX = 2;
const PTR = 3;
const LENGTH = 4;
const HEADROOM = 5;
const LAST = 6;
const OFFSET = 4; // in words of 8 bytes

const BACK = 0;
const OUT = 1;

export class BlockRing {
  readonly at: number;
  readonly #memory: LinearMemory;
  readonly #published: SharedCell;
  readonly #givenBack: SharedCell;
  readonly #words: Int32Array;
  /** For the publisher: what is out. */
  readonly #out = new Map<number, Block>();

  /** The ring at this address, which `create` made, in this or another thread. */
  constructor(memory: LinearMemory, at: number) {
    this.at = at;
    this.#memory = memory;
    const { buffer } = memory.memory;
    this.#published = new SharedCell(buffer, at + 4 * PUBLISHED);
    this.#givenBack = new SharedCell(buffer, at + 4 * GIVEN_BACK);
    this.#words = new Int32Array(buffer, at, RING_BYTES / 4);
  }

  /** Throws ETL_MEMORY. */
  static create(memory: LinearMemory): BlockRing {
    const at = memory.slab(RING_BYTES, 'ring of blocks');
    memory.bytes(at, RING_BYTES).fill(0);
    return new BlockRing(memory, at);
  }

  /** Gives back what `create` took; by the same thread, when nobody uses it any more. */
  free(): void {
    this.#memory.giveSlab(this.at, RING_BYTES);
  }

  /**
   * Publishes all blocks of `source`, and releases each when it was given back; done when all are. Call once, in one
   * thread. When reading fails, the ring is stopped, and this rejects with why; when the ring is stopped, `source` is
   * destroyed, and this rejects with ETL_ABORTED.
   */
  async publish(source: Readable): Promise<void> {
    try {
      await Promise.all([this.#publishAll(source), this.#releaseAll()]);
    } catch (error) {
      this.stop();
      source.destroy();
      throw error;
    }
  }

  /**
   * The blocks that this thread gets, in order, claimed one at a time when they are asked for; ends when all are claimed.
   * `inputs` are those of the run, by number. Fails with ETL_ABORTED when the ring is stopped.
   */
  blocks(inputs: readonly InputInfo[]): Readable {
    const next = (): Promise<Block | null> => this.#claim(inputs);
    const stop = (): void => this.stop();
    return new Readable({
      objectMode: true,
      highWaterMark: 0, // a block that waits here could be done by another thread, and holds up those behind it
      read() {
        next().then((block) => this.push(block), (error: Error) => this.destroy(error));
      },
      destroy(error, callback) {
        if (!this.readableEnded) stop();
        callback(error);
      },
    });
  }

  /** Ends all waiting with ETL_ABORTED, in every thread; for good. */
  stop(): void {
    this.#published.stop();
    this.#givenBack.stop();
  }

  async #publishAll(source: Readable): Promise<void> {
    let published = 0;
    for await (const block of source as AsyncIterable<Block>) {
      const free = this.#givenBack.until(() => this.#stateOf(block.sequence) !== OUT);
      if (free) await free;
      this.#releaseGivenBack();
      this.#describe(block);
      published = block.sequence + 1;
      this.#published.set(2 * published);
    }
    this.#published.set(2 * published + 1);
    this.#givenBack.add(1); // wakes who releases
  }

  #describe(block: Block): void {
    const { sequence, input, index, offset, ptr, length, headroom, last } = block;
    const slot = slotOf(sequence);
    this.#out.set(sequence, block);
    this.#words.set([OUT, input.number, index, ptr, length, headroom, Number(last)], slot);
    this.#offset(slot)[0] = offset;
  }

  async #claim(inputs: readonly InputInfo[]): Promise<Block | null> {
    const sequence = Atomics.add(this.#words, CLAIMED, 1) >>> 0;
    const decided = this.#published.until((value) => value >>> 1 > sequence || (value & 1) === 1);
    if (decided) await decided;
    if (this.#published.value >>> 1 <= sequence) return null;
    const slot = slotOf(sequence);
    const word = (name: number): number => this.#words[slot + name]! >>> 0;
    const input = inputs[word(INPUT)];
    if (!input) throw new EtlError('ETL_INTERNAL', `A block of input ${word(INPUT)} came; there are ${inputs.length} inputs.`);
    return {
      input, sequence, index: word(INDEX), offset: this.#offset(slot)[0]!, ptr: word(PTR), length: word(LENGTH),
      headroom: word(HEADROOM), last: word(LAST) === 1, release: releaseOnce('A block', () => this.#giveBack(slot)),
    };
  }

  #giveBack(slot: number): void {
    Atomics.store(this.#words, slot + STATE, BACK);
    try {
      this.#givenBack.add(1);
    } catch {
      // Stopped: nobody waits for it.
    }
  }

  /** Until the ring has ended and nothing is out. */
  async #releaseAll(): Promise<void> {
    for (let seen = 0; ;) {
      const change = this.#givenBack.until((value) => value !== seen);
      if (change) await change;
      seen = this.#givenBack.value;
      this.#releaseGivenBack();
      if ((this.#published.value & 1) === 1 && this.#out.size === 0) return;
    }
  }

  #releaseGivenBack(): void {
    for (const [sequence, block] of this.#out) {
      if (this.#stateOf(sequence) === OUT) continue;
      this.#out.delete(sequence);
      block.release();
    }
  }

  #stateOf(sequence: number): number {
    return Atomics.load(this.#words, slotOf(sequence) + STATE);
  }

  #offset(slot: number): Float64Array {
    return new Float64Array(this.#words.buffer, this.at + 4 * slot + 8 * OFFSET, 1);
  }
}

/** The word where a block's slot begins. */
function slotOf(sequence: number): number {
  return (SLOTS_AT + (sequence % SLOTS) * SLOT_BYTES) / 4;
}
