/** What Generations collected: a file with slices, chains of pages, or both. Read once, partitions ascending. */
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { SpillFile } from '../spill/spill-space.ts';
import type { HashBits } from './hash-bits.ts';

export interface Generation {
  /** Where its next slice starts in the file. */
  at: number;
  /** Bytes of each partition's slice: a generation was in linear memory, so all of it is less than 4 GiB. */
  readonly sizes: Uint32Array;
}

/** Packed pages of one partition, side by side in the file; what is left to read of them. */
export interface Slice {
  readonly generation: number;
  position: number;
  bytes: number;
}

export interface StoredRowsOptions {
  readonly hash: HashBits;
  readonly rows: number;
  /** Of them, in the file. */
  readonly rowsSpilled: number;
  readonly file: SpillFile | undefined;
  readonly generations: readonly Generation[];
  /** Address of each partition's first page in memory; 0 = none. */
  readonly chains: Uint32Array;
  readonly kernel: Pick<PartitionKernel, 'giveChain'>;
}

export class StoredRows {
  readonly hash: HashBits;
  readonly rows: number;
  readonly rowsSpilled: number;
  readonly file: SpillFile | undefined;
  readonly #generations: readonly Generation[];
  readonly #chains: Uint32Array;
  readonly #kernel: Pick<PartitionKernel, 'giveChain'>;
  #next = 0;

  constructor({ hash, rows, rowsSpilled, file, generations, chains, kernel }: StoredRowsOptions) {
    this.hash = hash;
    this.rows = rows;
    this.rowsSpilled = rowsSpilled;
    this.file = file;
    this.#generations = generations;
    this.#chains = chains;
    this.#kernel = kernel;
  }

  /** The next partition that has rows; its chain, if it has one, is the caller's to give back. Undefined at the end. */
  take(): { partition: number; slices: Slice[]; chain: number } | undefined {
    while (this.#next < this.#chains.length) {
      const partition = this.#next++;
      const slices: Slice[] = [];
      this.#generations.forEach((of, generation) => {
        const bytes = of.sizes[partition]!;
        if (bytes > 0) slices.push({ generation, position: of.at, bytes });
        of.at += bytes;
      });
      const chain = this.#chains[partition]!;
      this.#chains[partition] = 0;
      if (chain !== 0 || slices.length > 0) return { partition, slices, chain };
    }
    return undefined;
  }

  /** Gives back what was not taken, and the file; idempotent. No read may be under way. */
  async close(): Promise<void> {
    for (const chain of this.#chains) this.#kernel.giveChain(chain);
    this.#chains.fill(0);
    await this.file?.close();
  }
}
