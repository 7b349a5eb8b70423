/**
 * The rows of several shares, partition by partition, as one thread reads them: those partitions that it claims, ascending.
 * Of each it gives a source for every share that has rows of it.
 */
import { EtlError } from '../core/errors.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { HandedSpillFile } from '../spill/spill-space.ts';
import type { ReadableFile } from './chunk-buffers.ts';
import type { HashBits } from './hash-bits.ts';
import { takeChain, type StoredShare } from './share.ts';

/** Packed pages of one partition, side by side in the file; what is left to read of them. */
export interface Slice {
  readonly generation: number;
  position: number;
  bytes: number;
}

/** Slices of a partition in one file, in order. */
export interface SlicedRows {
  readonly file: ReadableFile;
  /** The pair of buffers that they are read through. */
  readonly lane: number;
  readonly partition: number;
  readonly slices: Slice[];
}

/** What one share has of a partition: a chain of pages, or slices. */
export type RowSource = { readonly chain: number } | SlicedRows;

export interface StoredRowsOptions {
  readonly shares: readonly StoredShare[];
  /** See PartitionReaderOptions. */
  readonly claim: () => number;
  readonly borrow: (file: HandedSpillFile) => ReadableFile;
  readonly kernel: Pick<PartitionKernel, 'giveChain'>;
}

/** A share in memory. */
type ChainShare = Pick<StoredShare, 'chains'>;

/** A share in a file. */
interface FileShare {
  readonly file: ReadableFile;
  readonly lane: number;
  readonly sizes: readonly Uint32Array[];
  /** Where the next partition's slice of each generation starts. */
  readonly positions: number[];
}

export class StoredRows {
  readonly hash: HashBits;
  readonly #shares: readonly (ChainShare | FileShare)[];
  readonly #claim: () => number;
  readonly #kernel: Pick<PartitionKernel, 'giveChain'>;
  /** Chains that were taken and not given back. */
  readonly #chains = new Set<number>();
  #next = 0;

  constructor({ shares, claim, borrow, kernel }: StoredRowsOptions) {
    const { hash } = shares[0]!;
    for (const { hash: { word, shift, bits } } of shares) {
      if (word === hash.word && shift === hash.shift && bits === hash.bits) continue;
      throw new EtlError('ETL_INTERNAL', 'Rows were stored by different bits of their ids.');
    }
    this.hash = hash;
    let lane = 0;
    this.#shares = shares.map(({ chains, file, generations }) => file ? {
      file: borrow(file), lane: lane++, sizes: generations.map(({ sizes }) => sizes), positions: generations.map(({ at }) => at),
    } : { chains });
    this.#claim = claim;
    this.#kernel = kernel;
  }

  /** The next partition that has rows, and a source for each share that has some. Undefined at the end. */
  take(): { partition: number; sources: RowSource[] } | undefined {
    for (;;) {
      const partition = this.#claim();
      if (partition >= 2 ** this.hash.bits) return undefined;
      const sources: RowSource[] = [];
      for (const share of this.#shares) {
        const source = 'file' in share ? this.#slicesOf(share, partition) : this.#chainOf(share, partition);
        if (source) sources.push(source);
      }
      this.#next = partition + 1;
      if (sources.length > 0) return { partition, sources };
    }
  }

  /** Gives back a chain that was taken. */
  giveChain(chain: number): void {
    if (this.#chains.delete(chain)) this.#kernel.giveChain(chain);
  }

  /** Gives back all chains that were taken; idempotent. */
  close(): void {
    for (const chain of this.#chains) this.giveChain(chain);
  }

  #chainOf(share: ChainShare, partition: number): RowSource | undefined {
    const chain = takeChain(share, partition);
    if (chain === 0) return undefined;
    this.#chains.add(chain);
    return { chain };
  }

  #slicesOf({ file, lane, sizes, positions }: FileShare, partition: number): RowSource | undefined {
    const slices: Slice[] = [];
    for (const [generation, of] of sizes.entries()) {
      for (let other = this.#next; other < partition; other++) positions[generation]! += of[other]!;
      const bytes = of[partition]!;
      if (bytes > 0) slices.push({ generation, position: positions[generation]!, bytes });
      positions[generation]! += bytes;
    }
    return slices.length > 0 ? { file, lane, partition, slices } : undefined;
  }
}
