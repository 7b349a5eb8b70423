/**
 * How many different users there are over all regions. Results come by region, so a user can come many times; users
 * are told apart by a 64-bit hash, which for 10 million users miscounts with a probability of 3e-6.
 * Memory: 16 to 32 bytes a user.
 */
import type { ResultBatch } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { UsersKernel } from '../kernels/twins/users.ts';
import { USERS_BYTES, USERS_COUNT, USERS_MASK, USERS_SEED, USERS_SLOT_BYTES, USERS_SLOTS } from '../kernels/users-layout.ts';

const LEAST_SLOTS = 1 << 12;

export class DistinctUsers {
  readonly #memory: LinearMemory;
  readonly #kernel: UsersKernel;
  readonly #table: number;
  #slots = 0;

  /**
   * `seed` is random per run, so that chosen user ids cannot crowd one part of the table. `expected` is how many users
   * there may be: with more, the table grows.
   */
  constructor(options: { memory: LinearMemory; kernel: UsersKernel; seed: bigint; expected: number }) {
    this.#memory = options.memory;
    this.#kernel = options.kernel;
    this.#table = options.memory.slab(USERS_BYTES, 'distinct users');
    const state = options.memory.view(this.#table, USERS_BYTES);
    state.setUint32(USERS_COUNT, 0, true);
    state.setBigUint64(USERS_SEED, options.seed, true);
    this.#resize(Math.max(LEAST_SLOTS, 2 ** Math.ceil(Math.log2(2 * options.expected + 1))));
  }

  get count(): number {
    return this.#memory.view(this.#table, USERS_BYTES).getUint32(USERS_COUNT, true);
  }

  /** Adds the users of a batch whose columns are views of linear memory. */
  add(batch: ResultBatch): void {
    const { userOffsets, userBytes, rows } = batch;
    for (let row = 0; ; this.#resize(this.#slots * 2)) {
      row = this.#kernel.addUsers(this.#table, userOffsets.byteOffset, userBytes.byteOffset, row, rows) >>> 0;
      if (row === rows) return;
    }
  }

  #resize(slots: number): void {
    const bytes = slots * USERS_SLOT_BYTES;
    const at = this.#memory.slab(bytes, 'distinct users'); // zeroed, as every slab is
    const state = this.#memory.view(this.#table, USERS_BYTES);
    const old = state.getUint32(USERS_SLOTS, true);
    if (this.#slots > 0) {
      this.#kernel.moveUsers(old, this.#slots, at, slots);
      this.#memory.giveSlab(old, this.#slots * USERS_SLOT_BYTES);
    }
    state.setUint32(USERS_SLOTS, at, true);
    state.setUint32(USERS_MASK, slots - 1, true);
    this.#slots = slots;
  }
}
