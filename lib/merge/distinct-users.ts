/**
 * How many different users there are over all regions. Results come by region, so a user can come many times; users
 * are told apart by a 64-bit hash, which for 10 million users miscounts with a probability of 3e-6.
 * Memory: 8 bytes a (region, user) pair in pages of the pool, and at the end a table for a 64th of them.
 */
import type { ResultBatch } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { UsersKernel } from '../kernels/twins/users.ts';
import { USERS_BYTES, USERS_CURSORS, USERS_CURSOR_BYTES, USERS_HASHES, USERS_PARTITIONS, USERS_SEED } from '../kernels/users-layout.ts';

const SLOT_BYTES = 8;

export class DistinctUsers {
  readonly #memory: LinearMemory;
  readonly #kernel: UsersKernel;
  readonly #state: number;

  /** `seed` is random per run, so that chosen user ids cannot crowd one part of a table. */
  constructor(options: { memory: LinearMemory; kernel: UsersKernel; seed: bigint }) {
    this.#memory = options.memory;
    this.#kernel = options.kernel;
    this.#state = options.memory.slab(USERS_BYTES, 'distinct users');
    options.memory.view(this.#state, USERS_BYTES).setBigUint64(USERS_SEED, options.seed, true);
  }

  /** Adds the users of a batch whose columns are views of linear memory. */
  add(batch: ResultBatch): void {
    const { userOffsets, userBytes, rows } = batch;
    for (let row = 0; ; this.#memory.refillPool()) {
      row = this.#kernel.addUsers(this.#state, userOffsets.byteOffset, userBytes.byteOffset, row, rows) >>> 0;
      if (row === rows) return;
    }
  }

  /** How many there were. Forgets them: call once, at the end. */
  count(): number {
    const state = this.#memory.view(this.#state, USERS_BYTES);
    const hashes = (partition: number): number => state.getUint32(USERS_CURSORS + partition * USERS_CURSOR_BYTES + USERS_HASHES, true);
    const most = Math.max(...Array.from({ length: USERS_PARTITIONS }, (_, partition) => hashes(partition)));
    const size = 2 ** Math.ceil(Math.log2(2 * most + 2));
    const slots = this.#memory.slab(size * SLOT_BYTES, 'distinct users');
    let count = 0;
    for (let partition = 0; partition < USERS_PARTITIONS; partition++) {
      count += this.#kernel.countUsers(this.#state, partition, slots, size) >>> 0;
    }
    this.#memory.giveSlab(slots, size * SLOT_BYTES);
    this.#memory.giveSlab(this.#state, USERS_BYTES);
    return count;
  }
}
