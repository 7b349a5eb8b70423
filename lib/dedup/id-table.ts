/**
 * A hash table of 128-bit ids in linear memory: the host side of the dedup kernel (kernels/dedup-layout.ts).
 *
 * It is emptied between partitions and then starts at the size that the partition before needed (partitions are about
 * equal), so that clearing costs no more than filling did. Inside its slab, tables of 2^b slots each have a place of
 * their own, the largest in the slab's upper half:
 *
 *   slot 0    2^b   2^(b+1)   2^(b+2)         2^(b+3)
 *        [----][ b ][  b+1  ][     b+2       ]
 *
 * so one doubles by moving into the place next to it. Only a size never reached before takes a new slab; the old one goes
 * to the page pool. Memory: at most 103 bytes an id of the largest partition, of which half is resident while
 * growing only.
 */
import { randomBytes } from 'node:crypto';
import type { PartitionChunk } from '../core/stage.ts';
import {
  LOAD_NUMERATOR, LOAD_SHIFT, SLOT_BYTES, STOP_END, STOP_TABLE_FULL, TABLE_BITS, TABLE_FACTOR0, TABLE_FACTOR1,
  TABLE_HAS_ZERO, TABLE_USED, TABLE_BYTES, WALK_AT, WALK_BYTES, WALK_LEFT, WALK_PAGE, WALK_ROWS, WALK_STOP,
} from '../kernels/dedup-layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { DedupKernel } from '../kernels/twins/dedup.ts';
import type { Admitted } from './key-set.ts';

/** 16 KiB of slots: what an almost empty partition costs to clear. */
const MIN_BITS = 10;
/** The first slab: room for the 10 thousand ids that a partition of 1 GB of logs has, with the table in the L2 cache. */
const START_BITS = 15;
const WALK = 64;

export interface IdTableOptions {
  readonly memory: LinearMemory;
  readonly kernel: DedupKernel;
  /** Two odd 64-bit factors; random by default, which is what makes chosen ids harmless. */
  readonly factors?: readonly [bigint, bigint];
}

export class IdTable {
  /** How often a table doubled, and how often that took a new slab. */
  doublings = 0;
  slabs = 1;
  readonly #memory: LinearMemory;
  readonly #kernel: DedupKernel;
  readonly #at: number;
  readonly #header: DataView;
  readonly #walk: DataView;
  readonly #admitted: Admitted = { rows: 0, winners: 0, done: true };
  #slab: number;
  #slabBits = START_BITS;
  #chunk: PartitionChunk | undefined;
  #closed = false;

  constructor({ memory, kernel, factors = randomFactors() }: IdTableOptions) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#at = memory.slab(WALK + WALK_BYTES, 'id table header');
    this.#header = memory.view(this.#at, TABLE_BYTES);
    this.#walk = memory.view(this.#at + WALK, WALK_BYTES);
    this.#header.setBigUint64(TABLE_FACTOR0, factors[0], true);
    this.#header.setBigUint64(TABLE_FACTOR1, factors[1], true);
    this.#slab = memory.slab(slabBytes(START_BITS), 'id table');
    kernel.clearTable(this.#at, this.#place(MIN_BITS), MIN_BITS);
  }

  /** Ids in the table. */
  get size(): number {
    return this.#header.getUint32(TABLE_USED, true) + this.#header.getUint32(TABLE_HAS_ZERO, true);
  }

  /** Slots of the table as it is now. */
  get slots(): number {
    return 2 ** this.#header.getUint32(TABLE_BITS, true);
  }

  /** Forgets every id, and keeps a table in which one eighth more than it held would fit. */
  clear(): void {
    let bits = MIN_BITS;
    while (bits < this.#slabBits && (2 ** bits * LOAD_NUMERATOR) / 2 ** LOAD_SHIFT < this.size * 1.125) bits++;
    this.#kernel.clearTable(this.#at, this.#place(bits), bits);
    this.#chunk = undefined;
  }

  /** KeySet.admit, for the ids in this table; doubles it as needed. Throws ETL_MEMORY when there is no room to. */
  admit(chunk: PartitionChunk, winners: number, max: number): Readonly<Admitted> {
    this.#memory.assertHolds(winners, 4 * max, 'The area for winners');
    if (this.#chunk !== chunk) this.#start(chunk);
    const admitted = this.#admitted;
    admitted.rows = 0;
    admitted.winners = 0;
    let stop: number;
    for (;;) {
      admitted.winners += this.#kernel.dedupChunk(
        this.#at, this.#at + WALK, winners + 4 * admitted.winners, max - admitted.winners,
      );
      admitted.rows += this.#walk.getUint32(WALK_ROWS, true);
      stop = this.#walk.getUint32(WALK_STOP, true);
      if (stop !== STOP_TABLE_FULL) break;
      this.#double();
    }
    admitted.done = stop === STOP_END;
    if (admitted.done) this.#chunk = undefined;
    return admitted;
  }

  /** Gives the memory back; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#memory.giveSlab(this.#slab, slabBytes(this.#slabBits));
    this.#memory.giveSlab(this.#at, WALK + WALK_BYTES);
  }

  #start(chunk: PartitionChunk): void {
    this.#chunk = chunk;
    this.#walk.setUint32(WALK_PAGE, chunk.first, true);
    this.#walk.setUint32(WALK_AT, 0, true);
    this.#walk.setUint32(WALK_LEFT, 0, true);
  }

  #double(): void {
    const bits = this.#header.getUint32(TABLE_BITS, true) + 1;
    this.doublings++;
    if (bits <= this.#slabBits) {
      this.#kernel.growTable(this.#at, this.#place(bits), bits);
      return;
    }
    const old = this.#slab;
    this.#slab = this.#memory.slab(slabBytes(bits), 'id table');
    this.#kernel.growTable(this.#at, this.#place(bits), bits);
    this.#memory.giveSlab(old, slabBytes(this.#slabBits));
    this.#slabBits = bits;
    this.slabs++;
  }

  #place(bits: number): number {
    return this.#slab + SLOT_BYTES * 2 ** bits;
  }
}

function slabBytes(bits: number): number {
  return 2 * SLOT_BYTES * 2 ** bits;
}

function randomFactors(): [bigint, bigint] {
  const bytes = randomBytes(16);
  return [bytes.readBigUInt64LE(0) | 1n, bytes.readBigUInt64LE(8) | 1n];
}
