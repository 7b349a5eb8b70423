/**
 * The rows of a run between lane 1 and lane 2, by partition.
 *
 * Takes hashed batches in input order; gives, after `finish`, each partition's rows in that order, partitions ascending.
 * Empty partitions are skipped. Rows are kept in pages of linear memory, about 24 bytes + user each; when these take
 * `bytes`, or there are no more, all of them are written to a file while further rows come in (generations.ts). A
 * partition is read back in pieces, and its consumer may put rows off (parts.ts). Every page of the file is checked
 * when it is read. Nothing survives a crash.
 */
import { Readable } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import type { Batch } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { SpillSpace } from '../spill/spill-space.ts';
import { Generations } from './generations.ts';
import { topBits } from './hash-bits.ts';
import { Parts } from './parts.ts';
import type { StoredRows } from './stored-rows.ts';

export interface PartitionStoreOptions {
  readonly memory: LinearMemory;
  readonly kernel: PartitionKernel;
  readonly spill: SpillSpace;
  readonly counters: Pick<Counters, 'rowsSpilled' | 'splits'>;
  /** log2 of the number of partitions, 0 ... 10. */
  readonly bits: number;
  /** Most bytes of pages while rows are written. */
  readonly bytes: number;
  /** Most bytes of pages that stay in memory at `finish`, if none were written before; default: `bytes`. */
  readonly keepBytes?: number | undefined;
  /** Bytes of each of the two buffers that partitions are read back into. */
  readonly chunkBytes: number;
  /** Most bytes of pages of rows that are put off. */
  readonly deferredBytes: number;
}

export class PartitionStore {
  /** Rows stored; complete after `finish`. */
  rows = 0;
  readonly #options: PartitionStoreOptions;
  readonly #generations: Generations;
  #stored: StoredRows | undefined;
  #parts: Parts | undefined;
  #closing: Promise<void> | undefined;
  #state: 'writing' | 'finished' | 'reading' | 'closed' = 'writing';

  constructor(options: PartitionStoreOptions) {
    const { memory, kernel, spill, bits, bytes } = options;
    this.#options = options;
    const hash = topBits(bits);
    this.#generations = new Generations({ memory, kernel, spill, purpose: 'partitions', bits, bytes });
    this.#generations.begin(hash);
  }

  /**
   * Appends the good rows of a hashed batch, which may be reused once this is over. One call at a time. Waits only for
   * memory. Throws also what went wrong with writing since the call before.
   */
  write({ ptr, rows, block, input }: Batch): void | Promise<void> {
    this.#expect('writing');
    const { kernel } = this.#options;
    const { at } = this.#generations;
    return this.#generations.append(rows, (from) => kernel.scatterBatch(at, ptr, from, rows, block, input.number));
  }

  /** After the last batch, once. */
  async finish(): Promise<void> {
    this.#expect('writing');
    this.#state = 'finished';
    const { keepBytes, bytes, counters } = this.#options;
    this.#stored = await this.#generations.end(keepBytes ?? bytes);
    this.rows = this.#stored.rows;
    counters.rowsSpilled += this.#stored.rowsSpilled;
    await this.#generations.close();
  }

  /** After `finish`, once: a stream of PartitionChunk. It waits for the release of all chunks of a part. */
  partitions(): Readable {
    this.#expect('finished');
    this.#state = 'reading';
    const parts = this.#parts = new Parts(this.#stored!, this.#options);
    const chunks = parts.chunks();
    return new Readable({
      objectMode: true,
      highWaterMark: 1,
      read() {
        chunks.next().then(({ value }) => this.push(value ?? null), (error) => this.destroy(error));
      },
      destroy(error, callback) {
        parts.stop();
        callback(error);
      },
    });
  }

  /**
   * Waits for what is under way and gives everything back, chunks that are out too: nobody may read them any more, and
   * releasing them does nothing. Idempotent, and allowed at any time.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    await this.#generations.close();
    await (this.#parts ?? this.#stored)?.close();
  }

  #expect(state: string): void {
    if (this.#state !== state) {
      throw new EtlError('ETL_INTERNAL', `The partition store is ${this.#state}, not ${state}.`);
    }
  }
}
