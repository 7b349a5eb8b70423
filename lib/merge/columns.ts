/**
 * The output of a merge: areas of columns in linear memory, filled in turn. A batch's arrays are views of an
 * area, which is reused once the batch is released.
 */
import { releaseOnce, type RegionColumn, type ResultBatch } from '../core/stage.ts';
import { MAX_USER_BYTES } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { COLUMN_SLACK } from '../kernels/merge-layout.ts';
import { SlabPool } from '../kernels/slab-pool.ts';

/** Addresses of the columns of one batch. */
export interface Columns {
  readonly totals: number;
  readonly counts: number;
  readonly offsets: number;
  readonly tops: number;
  readonly users: number;
}

export class ColumnAreas {
  readonly #memory: LinearMemory;
  readonly #maxRows: number;
  readonly #bytes: number;
  readonly #slabs: SlabPool;

  /**
   * `count` areas for `maxRows` rows and `maxBytes` bytes of users, though always for the longest user. Takes them all;
   * throws ETL_MEMORY.
   */
  constructor(memory: LinearMemory, count: number, maxRows: number, maxBytes: number) {
    this.#memory = memory;
    this.#maxRows = maxRows;
    const users = Math.max(maxBytes, MAX_USER_BYTES) + COLUMN_SLACK;
    this.#bytes = maxRows * (8 + 8 + 4 + 4) + 4 + users;
    this.#slabs = new SlabPool(memory, count, this.#bytes, 'results of the merge');
  }

  /** A free area; waits until a batch is released. Fails with ETL_ABORTED when there is none and they are given back. */
  async take(): Promise<Columns> {
    const totals = await this.#slabs.take();
    const counts = totals + this.#maxRows * 8;
    const offsets = counts + this.#maxRows * 8;
    const tops = offsets + (this.#maxRows + 1) * 4;
    return { totals, counts, offsets, tops, users: tops + this.#maxRows * 4 };
  }

  /** The finished batch; its release gives the area back. */
  batch(columns: Columns, rows: number, bytes: number, region: string | undefined, topRegions?: RegionColumn): ResultBatch {
    const buffer = this.#memory.memory.buffer;
    return {
      region,
      rows,
      userOffsets: new Int32Array(buffer, columns.offsets, rows + 1),
      userBytes: new Uint8Array(buffer, columns.users, bytes),
      totals: new BigInt64Array(buffer, columns.totals, rows),
      counts: new BigInt64Array(buffer, columns.counts, rows),
      topRegions,
      area: new Uint8Array(buffer, columns.totals, this.#bytes),
      release: releaseOnce('A row group', () => this.#slabs.give(columns.totals)),
    };
  }

  /** Numbers of the top regions of a batch. */
  topRegions(columns: Columns, rows: number): Uint32Array {
    return this.#memory.u32(columns.tops, rows);
  }

  /** Takes back an area that became no batch. */
  give(columns: Columns): void {
    this.#slabs.give(columns.totals);
  }

  /** No more batches: areas go back as batches are released. */
  end(): void {
    this.#slabs.end();
  }

  /** All areas go back now, also those of batches that nobody will release. */
  close(): void {
    this.#slabs.close();
  }
}
