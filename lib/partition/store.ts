/**
 * The rows of a run between lane 1 and lane 2, by partition.
 *
 * Takes hashed batches in input order; gives, after `finish`, each partition's rows in that order, partitions ascending.
 * Empty partitions are skipped. The caller of `write` waits for it, so a store that is over its budget may spill
 * there; a partition may come as several chunks, so a store may read it back piece by piece, merge the chains of several
 * writers by their segment headers, or split it.
 *
 * This store keeps everything in pages of linear memory: about 24 bytes + user a row. Pages go back to the pool as
 * lane 2 releases chunks. Nothing survives a crash.
 */
import { Readable } from 'node:stream';
import { EtlError } from '../core/errors.ts';
import { releaseOnce, type Batch, type PartitionChunk } from '../core/stage.ts';
import { PARTITIONS } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { STORE_BYTES, STORE_FIRST, STORE_ROWS } from '../kernels/partition-layout.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';

export interface PartitionStore {
  /** Appends the good rows of a hashed batch. The batch may be reused once this is over. */
  write(batch: Batch): void | Promise<void>;
  /** After the last batch, once. */
  finish(): void | Promise<void>;
  /** Rows stored; exact after `finish`. */
  readonly rows: number;
  /** After `finish`, once: a stream of PartitionChunk. */
  partitions(): Readable;
  /** Gives back what was not read; idempotent. Chunks that are still out stay valid until they are released. */
  close(): void | Promise<void>;
}

export interface MemoryStoreOptions {
  readonly memory: LinearMemory;
  readonly kernel: PartitionKernel;
}

export class MemoryPartitionStore implements PartitionStore {
  rows = 0;
  readonly #memory: LinearMemory;
  readonly #kernel: PartitionKernel;
  readonly #at: number;
  #state: 'writing' | 'finished' | 'reading' | 'closed' = 'writing';

  constructor({ memory, kernel }: MemoryStoreOptions) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#at = memory.slab(STORE_BYTES, 'partition cursors');
    memory.bytes(this.#at, STORE_BYTES).fill(0);
  }

  write(batch: Batch): void {
    this.#expect('writing');
    const { ptr, rows, block, input } = batch;
    for (let from = 0; ; this.#memory.refillPool()) {
      from = this.#kernel.scatterBatch(this.#at, ptr, from, rows, block, input.number) >>> 0;
      if (from === rows) return;
    }
  }

  finish(): void {
    this.#expect('writing');
    this.#state = 'finished';
    this.#kernel.sealStore(this.#at);
    this.rows = this.#memory.u32(this.#at + STORE_ROWS, PARTITIONS).reduce((sum, rows) => sum + rows, 0);
  }

  partitions(): Readable {
    this.#expect('finished');
    this.#state = 'reading';
    return Readable.from(this.#chunks(), { highWaterMark: 1 });
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const first of this.#memory.u32(this.#at + STORE_FIRST, PARTITIONS)) this.#kernel.giveChain(first);
    this.#memory.giveSlab(this.#at, STORE_BYTES);
  }

  *#chunks(): Generator<PartitionChunk> {
    const chains = this.#memory.u32(this.#at + STORE_FIRST, PARTITIONS);
    for (let partition = 0; partition < PARTITIONS && this.#state === 'reading'; partition++) {
      const first = chains[partition]!;
      if (first === 0) continue;
      chains[partition] = 0;
      const release = releaseOnce(`A chunk of partition ${partition}`, () => this.#kernel.giveChain(first));
      yield { partition, first, last: true, release };
    }
  }

  #expect(state: string): void {
    if (this.#state !== state) {
      throw new EtlError('ETL_INTERNAL', `The partition store is ${this.#state}, not ${state}.`);
    }
  }
}
