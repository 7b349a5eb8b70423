/**
 * What was stored, by partition, as plain data: it is posted to the threads that read it. All rows of a share are either in
 * chains of pages in linear memory, or in a file, where a partition is its slices in the order of generations.
 *
 * Whoever reads a partition takes its chain, and gives it back to the pool of his own thread. Chains that nobody took, and
 * the file, stay with the owner, who keeps them until nobody reads any more.
 */
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { HandedSpillFile, SpillFile } from '../spill/spill-space.ts';
import type { HashBits } from './hash-bits.ts';

export interface StoredShare {
  readonly hash: HashBits;
  readonly rows: number;
  /** Of them, in the file: all or none. */
  readonly rowsSpilled: number;
  /** Address of each partition's first page; 0 = none, or taken. All threads see the one array. */
  readonly chains: Uint32Array<SharedArrayBuffer>;
  readonly generations: readonly Generation[];
  readonly file: HandedSpillFile | undefined;
}

export interface Generation {
  /** Where it starts in the file. */
  readonly at: number;
  /** Bytes of each partition's slice: a generation was in linear memory, so all of it is less than 4 GiB. */
  readonly sizes: Uint32Array;
}

/** The partition's chain, which is the caller's from now on; 0 when there is none. */
export function takeChain({ chains }: Pick<StoredShare, 'chains'>, partition: number): number {
  return Atomics.exchange(chains, partition, 0);
}

/** A share in the hands of its owner. */
export class Stored {
  readonly share: StoredShare;
  readonly #file: SpillFile | undefined;
  readonly #kernel: Pick<PartitionKernel, 'giveChain'>;

  constructor(share: Omit<StoredShare, 'file'>, file: SpillFile | undefined, kernel: Pick<PartitionKernel, 'giveChain'>) {
    this.share = { ...share, file: file?.handOver() };
    this.#file = file;
    this.#kernel = kernel;
  }

  /** Gives back the chains that nobody took, and the file; idempotent. Nobody may read the share any more. */
  async close(): Promise<void> {
    const { chains } = this.share;
    for (let partition = 0; partition < chains.length; partition++) this.#kernel.giveChain(takeChain(this.share, partition));
    await this.#file?.close();
  }
}
