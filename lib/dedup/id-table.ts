/**
 * A hash table of 128-bit ids in linear memory: the host side of the dedup kernel (kernels/dedup-layout.ts).
 *
 * It has one slab for all its life, of the largest size it may reach, and starts at the slab's beginning with a small
 * table that doubles where it is, up to the slab's end:
 *
 *   slot 0      2^b             2^(b+1)                         2^(b+2)
 *        [ now ][ after doubling ][ after doubling again        ]
 *
 * so no more memory is touched than the largest table needed so far, and nothing is held twice while growing. It is
 * emptied between partitions, and then starts at the size that the one before needed (partitions are about equal): thus
 * clearing costs no more than filling did. At its largest size it is full with 5/8 of its slots in use: 26 bytes an id.
 */
import { randomBytes } from 'node:crypto';
import type { PartitionChunk } from '../core/stage.ts';
import {
  GROUP_ROWS, LOAD_NUMERATOR, LOAD_SHIFT, MIN_BITS, SLOT_BYTES, STOP_END, STOP_TABLE_FULL, TABLE_BITS, TABLE_FACTOR0, TABLE_FACTOR1,
  TABLE_HAS_ZERO, TABLE_USED, TABLE_BYTES, WALK_AT, WALK_BYTES, WALK_END, WALK_LAST, WALK_NEXT, WALK_ROWS, WALK_STOP,
} from '../kernels/dedup-layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { DedupKernel } from '../kernels/twins/dedup.ts';
import type { Admitted } from './key-set.ts';

/** 2 GiB: offsets of slots are 32-bit numbers. */
const MAX_BITS = 27;
const WALK = 64;

export interface IdTableOptions {
  readonly memory: LinearMemory;
  readonly kernel: DedupKernel;
  /** Most bytes of the table: at least 16 KiB, and used up to a power of two. It takes less where there is no room. */
  readonly maxBytes: number;
  /** Two odd 64-bit factors; random by default, which is what makes chosen ids harmless. */
  readonly factors?: readonly [bigint, bigint];
}

export class IdTable {
  /** How often a table doubled. */
  doublings = 0;
  readonly #memory: LinearMemory;
  readonly #kernel: DedupKernel;
  readonly #at: number;
  readonly #header: DataView;
  readonly #walk: DataView;
  readonly #slab: number;
  readonly #maxBits: number;
  readonly #admitted: Admitted = { rows: 0, winners: 0, deferred: 0, done: true };
  #chunk: PartitionChunk | undefined;
  #full = false;
  #closed = false;

  /** Throws ETL_MEMORY when there is no room for the smallest table. */
  constructor({ memory, kernel, maxBytes, factors = randomFactors() }: IdTableOptions) {
    this.#memory = memory;
    this.#kernel = kernel;
    let bits = Math.min(Math.max(Math.floor(Math.log2(maxBytes / SLOT_BYTES)), MIN_BITS), MAX_BITS);
    let slab = memory.trySlab(bytesOf(bits), 'id table');
    while (slab === 0 && bits > MIN_BITS) slab = memory.trySlab(bytesOf(--bits), 'id table');
    this.#slab = slab || memory.slab(bytesOf(MIN_BITS), 'id table');
    this.#maxBits = bits;
    this.#at = memory.slab(WALK + WALK_BYTES, 'id table header');
    this.#header = memory.view(this.#at, TABLE_BYTES);
    this.#walk = memory.view(this.#at + WALK, WALK_BYTES);
    this.#header.setBigUint64(TABLE_FACTOR0, factors[0], true);
    this.#header.setBigUint64(TABLE_FACTOR1, factors[1], true);
    kernel.clearTable(this.#at, this.#slab, MIN_BITS);
  }

  /** Ids in the table. */
  get size(): number {
    return this.#header.getUint32(TABLE_USED, true) + this.#header.getUint32(TABLE_HAS_ZERO, true);
  }

  /** Slots of the table as it is now. */
  get slots(): number {
    return 2 ** this.#header.getUint32(TABLE_BITS, true);
  }

  /** Most ids that it can ever hold: a group of rows may go past the limit, and the id of zeros takes no slot. */
  get most(): number {
    return limitOf(this.#maxBits) + GROUP_ROWS;
  }

  /** It takes no new id until it is cleared. */
  get full(): boolean {
    return this.#full;
  }

  /** Forgets every id, and keeps a table in which one eighth more than it held would fit. */
  clear(): void {
    let bits = MIN_BITS;
    while (bits < this.#maxBits && limitOf(bits) < this.size * 1.125) bits++;
    this.#kernel.clearTable(this.#at, this.#slab, bits);
    this.#chunk = undefined;
    this.#full = false;
  }

  /**
   * Adds ids by `add`, which is given the table's address and tells whether it came to its end; if not, the table is full,
   * and doubled. False when it must not grow any more.
   */
  fill(add: (table: number) => boolean): boolean {
    while (!add(this.#at)) if (!this.#double()) return false;
    return true;
  }

  /** Forgets every id, and takes none until it is cleared: each row is put off. */
  shut(): void {
    this.#kernel.clearTable(this.#at, this.#slab, MIN_BITS);
    this.#full = true;
  }

  /** KeySet.admit, for the ids in this table; doubles it as needed and as long as it may. */
  admit(chunk: PartitionChunk, area: number, max: number): Readonly<Admitted> {
    this.#memory.assertHolds(area, 4 * max, 'The area for winners');
    if (this.#chunk !== chunk) this.#start(chunk);
    const admitted = this.#admitted;
    admitted.rows = admitted.winners = admitted.deferred = 0;
    let stop: number;
    for (;;) {
      const { winners } = admitted;
      const walk = this.#full ? this.#kernel.probeChunk : this.#kernel.dedupChunk;
      const found = walk(this.#at, this.#at + WALK, area + 4 * winners, max - winners);
      admitted[this.#full ? 'deferred' : 'winners'] += found;
      admitted.rows += this.#walk.getUint32(WALK_ROWS, true);
      stop = this.#walk.getUint32(WALK_STOP, true);
      if (stop !== STOP_TABLE_FULL) break;
      if (this.#double()) continue;
      this.#full = true;
      if (admitted.winners > 0) break;
    }
    admitted.done = stop === STOP_END;
    if (admitted.done) this.#chunk = undefined;
    return admitted;
  }

  /** Gives the memory back; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#memory.giveSlab(this.#slab, bytesOf(this.#maxBits));
    this.#memory.giveSlab(this.#at, WALK + WALK_BYTES);
  }

  #start(chunk: PartitionChunk): void {
    const { ptr, count } = chunk;
    if (count > 0) this.#memory.assertHolds(ptr, 4 * count, 'A list of segments');
    this.#chunk = chunk;
    this.#walk.setUint32(WALK_NEXT, ptr, true);
    this.#walk.setUint32(WALK_LAST, ptr + 4 * count, true);
    this.#walk.setUint32(WALK_AT, 0, true);
    this.#walk.setUint32(WALK_END, 0, true);
  }

  /** False when the table has reached its largest size. */
  #double(): boolean {
    if (this.#header.getUint32(TABLE_BITS, true) === this.#maxBits) return false;
    this.#kernel.growTable(this.#at);
    this.doublings++;
    return true;
  }
}

function bytesOf(bits: number): number {
  return SLOT_BYTES * 2 ** bits;
}

/** Slots in use that make a table of 2^bits full. */
function limitOf(bits: number): number {
  return Math.floor((2 ** bits * LOAD_NUMERATOR) / 2 ** LOAD_SHIFT);
}

function randomFactors(): [bigint, bigint] {
  const bytes = randomBytes(16);
  return [bytes.readBigUInt64LE(0) | 1n, bytes.readBigUInt64LE(8) | 1n];
}
