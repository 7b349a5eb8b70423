/**
 * The rows that one thread stores for lane 2, by partition.
 *
 * Takes hashed batches in input order; gives, after `finish`, its share of the rows: what readers in any thread read
 * (reader.ts) together with the shares of others. Rows are kept in pages of linear memory, about 20 bytes + what stands behind
 * the users' prefix each; when these take `bytes`, or there are no more, all of them are written to a file while further rows come in (generations.ts).
 * Nothing survives a crash.
 */
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import type { Batch } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { SpillSpace } from '../spill/spill-space.ts';
import { Generations } from './generations.ts';
import { topBits } from './hash-bits.ts';
import type { Stored, StoredShare } from './share.ts';

export interface PartitionStoreOptions {
  readonly memory: LinearMemory;
  readonly kernel: PartitionKernel;
  readonly spill: SpillSpace;
  readonly counters: Pick<Counters, 'rowsSpilled'>;
  /** log2 of the number of partitions, 0 ... 10; the same for all stores of a run. */
  readonly bits: number;
  /** Most bytes of pages while rows are written. */
  readonly bytes: number;
  /** Most bytes of pages that stay in memory at `finish`, if none were written before; default: `bytes`. */
  readonly keepBytes?: number | undefined;
}

export class PartitionStore {
  readonly #options: PartitionStoreOptions;
  readonly #generations: Generations;
  #stored: Stored | undefined;
  #closing: Promise<void> | undefined;
  #state: 'writing' | 'finished' | 'closed' = 'writing';

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
    counters.rowsSpilled += this.#stored.share.rowsSpilled;
    await this.#generations.close();
  }

  /** What was stored, for PartitionReaders, until `close`. After `finish`. */
  share(): StoredShare {
    if (this.#state !== 'finished' || !this.#stored) throw new EtlError('ETL_INTERNAL', `The partition store is ${this.#state} and has nothing to share.`);
    return this.#stored.share;
  }

  /**
   * Waits for what is under way and gives back the file, and all pages that no reader took. All readers of the share must be
   * closed. Idempotent, and allowed at any time.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    await this.#generations.close();
    await this.#stored?.close();
  }

  #expect(state: string): void {
    if (this.#state !== state) {
      throw new EtlError('ETL_INTERNAL', `The partition store is ${this.#state}, not ${state}.`);
    }
  }
}
