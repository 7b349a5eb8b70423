/**
 * How many different users there are over all regions. Results come by region, so a user can come many times; users
 * are told apart by a 64-bit hash, which for 10 million users miscounts with a probability of 3e-6.
 *
 * Hashes are gathered by partition (user-hashes.ts). At the end each partition is counted in a table: all its hashes at
 * once or, if they turn out not to fit, slice by slice of their next 32 bits, with all hashes of the partition visited
 * again for each slice. So any number of users is counted, in any memory.
 *
 * Memory: `pageBytes` of pages; at the end a table of at most `tableBytes` and, if hashes were spilled, a buffer of
 * 256 KiB. Nothing survives a crash.
 */
import { EtlError } from '../core/errors.ts';
import type { ResultBatch } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { UsersKernel } from '../kernels/twins/users.ts';
import {
  TABLE_BYTES, TABLE_FIRST, TABLE_LAST, TABLE_LIMIT, TABLE_SIZE, TABLE_SLOTS, TABLE_USED, USERS_PARTITIONS,
} from '../kernels/users-layout.ts';
import { UserHashes, type UserHashesOptions } from './user-hashes.ts';

const SLOT_BYTES = 8;
const LEAST_SLOTS = 64;
/** Of a table's slots, so many may be in use: beyond that, each hash costs more and more. */
const LOAD = 3 / 4;
const SLICES = 2 ** 32;

export interface DistinctUsersOptions extends UserHashesOptions {
  /** Most bytes of the table; at least 536 are taken. */
  readonly tableBytes: number;
}

export class DistinctUsers {
  readonly #memory: LinearMemory;
  readonly #kernel: UsersKernel;
  readonly #tableBytes: number;
  readonly #hashes: UserHashes;
  /** What was begun last. It does not reject. */
  #busy: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;
  /** How wide a slice may be; found with the first partition, since partitions are about equal. */
  #width = SLICES;

  constructor(options: DistinctUsersOptions) {
    this.#memory = options.memory;
    this.#kernel = options.kernel;
    this.#tableBytes = options.tableBytes;
    this.#hashes = new UserHashes(options);
  }

  /**
   * Adds the users of a batch whose columns are views of linear memory. Gives a promise when hashes have to be written
   * first: then the batch must stay until it settles. Throws ETL_TEMP_WRITE, ETL_MAX_SPILL, and ETL_MEMORY when there is
   * not one page to be had.
   */
  add(batch: ResultBatch): void | Promise<void> {
    this.#assertOpen();
    const row = this.#hashes.add(batch, 0);
    if (row < batch.rows) return this.#during(this.#addRest(batch, row));
  }

  /** How many there were. Call once, at the end. Throws ETL_TEMP_DAMAGED, ETL_TEMP_WRITE and ETL_MEMORY. */
  count(): Promise<number> {
    this.#assertOpen();
    return this.#during(this.#count());
  }

  /** Gives back everything, when what is under way has stopped: at any time, and idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #addRest(batch: ResultBatch, row: number): Promise<void> {
    while (row < batch.rows) {
      await this.#hashes.makeRoom();
      this.#assertOpen();
      row = this.#hashes.add(batch, row);
    }
  }

  async #count(): Promise<number> {
    const sizes = Array.from({ length: USERS_PARTITIONS }, (_, partition) => this.#hashes.size(partition));
    const room = Math.floor((this.#tableBytes - TABLE_BYTES) / SLOT_BYTES);
    const mostSlots = Math.max(Math.min(room, slotsFor(Math.max(...sizes))), LEAST_SLOTS);
    const bytes = TABLE_BYTES + mostSlots * SLOT_BYTES;
    const at = this.#memory.slab(bytes, 'distinct users');
    try {
      const table = this.#memory.view(at, TABLE_BYTES);
      table.setUint32(TABLE_SLOTS, at + TABLE_BYTES, true);
      let count = 0;
      for (let partition = 0; partition < USERS_PARTITIONS; partition++) {
        const size = Math.min(mostSlots, slotsFor(sizes[partition]!));
        table.setUint32(TABLE_SIZE, size, true);
        table.setUint32(TABLE_LIMIT, Math.floor(size * LOAD), true);
        count += await this.#countPartition(partition, table);
        this.#hashes.free(partition);
      }
      return count;
    } finally {
      this.#memory.giveSlab(at, bytes);
    }
  }

  /** Counts one slice after the other; when one does not fit, it and all after it are half as wide. */
  async #countPartition(partition: number, table: DataView): Promise<number> {
    const insert = (hashes: number, count: number): boolean => {
      this.#assertOpen();
      return this.#kernel.countHashes(table.byteOffset, hashes, count) !== 0;
    };
    let count = 0;
    for (let first = 0; first < SLICES; ) {
      const width = this.#width;
      table.setUint32(TABLE_FIRST, first, true);
      table.setUint32(TABLE_LAST, first + width - 1, true);
      this.#kernel.clearSlots(table.byteOffset);
      if (await this.#hashes.visit(partition, insert)) {
        count += table.getUint32(TABLE_USED, true);
        first += width;
      } else {
        if (width === 1) throw new EtlError('ETL_INTERNAL', `More than ${LEAST_SLOTS * LOAD} users share 38 bits of their hashes.`);
        this.#width /= 2;
      }
    }
    return count;
  }

  #during<T>(work: Promise<T>): Promise<T> {
    this.#busy = work.catch(() => undefined);
    return work;
  }

  #assertOpen(): void {
    if (this.#closing) throw new EtlError('ETL_ABORTED', 'Counting users was stopped.');
  }

  async #close(): Promise<void> {
    await this.#busy;
    await this.#hashes.close();
  }
}

/** Slots for so many hashes: a table with room for all is at most a third full, for speed. */
function slotsFor(hashes: number): number {
  return 3 * hashes + 2;
}
