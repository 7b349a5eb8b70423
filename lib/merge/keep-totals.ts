/**
 * Keeps the totals that a merge gives as a sorted run, on their way to where they are published: by region, a batch's columns
 * say all that a run's rows say.
 *
 * Memory: ROWS_BYTES for rows on their way to the file, and the area that they are packed in, from `open` to `finish` or `discard`.
 */
import { EtlError } from '../core/errors.ts';
import type { ResultBatch, SortedRun } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import {
  COLUMNS_BYTES, COLUMNS_COUNTS, COLUMNS_NEXT, COLUMNS_OFFSETS, COLUMNS_REGION, COLUMNS_ROWS, COLUMNS_TOTALS, COLUMNS_USERS,
} from '../kernels/merge-layout.ts';
import type { MergeKernel } from '../kernels/twins/merge.ts';
import type { RunStore, RunWriter } from '../spill/run-files.ts';

const ROWS_BYTES = 1 << 17;
const HEADER = 64;

export interface KeepTotalsOptions {
  readonly memory: LinearMemory;
  readonly kernel: MergeKernel;
  /** Names by number; the batches come in the order of the numbers. */
  readonly regions: readonly string[];
  /** Of the area that rows are packed in: half of it is written at once. */
  readonly packBytes: number;
}

export class KeepTotals {
  readonly #options: KeepTotalsOptions;
  readonly #slab: number;
  readonly #columns: DataView;
  readonly #writer: RunWriter;
  /** The region of the last batch. */
  #region = 0;
  #rows = 0;
  #ended = false;

  private constructor(options: KeepTotalsOptions, slab: number, writer: RunWriter) {
    this.#options = options;
    this.#slab = slab;
    this.#columns = options.memory.view(slab, COLUMNS_BYTES);
    this.#writer = writer;
  }

  /** Throws ETL_MEMORY, and what the store throws. */
  static async open(store: RunStore, options: KeepTotalsOptions): Promise<KeepTotals> {
    const { memory, packBytes } = options;
    const slab = memory.slab(slabBytes(options), 'keeping totals');
    try {
      return new KeepTotals(options, slab, await store.create({ at: slab + HEADER + ROWS_BYTES, bytes: packBytes }));
    } catch (error) {
      memory.giveSlab(slab, slabBytes(options));
      throw error;
    }
  }

  /** Adds a batch of a region, which stays as it is. One call at a time. Throws what the store's writer throws. */
  async add({ region, rows, userOffsets, userBytes, totals, counts }: ResultBatch): Promise<void> {
    const { kernel, regions } = this.#options;
    while (regions[this.#region] !== region) {
      if (++this.#region >= regions.length) throw new EtlError('ETL_INTERNAL', `Totals of the region ${region} came out of order.`);
    }
    const columns = this.#columns;
    const fields: [field: number, value: number][] = [
      [COLUMNS_REGION, this.#region], [COLUMNS_NEXT, 0], [COLUMNS_ROWS, rows], [COLUMNS_OFFSETS, userOffsets.byteOffset],
      [COLUMNS_USERS, userBytes.byteOffset], [COLUMNS_TOTALS, totals.byteOffset], [COLUMNS_COUNTS, counts.byteOffset],
    ];
    for (const [field, value] of fields) columns.setUint32(field, value, true);
    const out = this.#slab + HEADER;
    while (columns.getUint32(COLUMNS_NEXT, true) < rows) {
      const end = kernel.rowsOfColumns(this.#slab, out, out + ROWS_BYTES) >>> 0;
      await this.#writer.write(out, end - out);
    }
    this.#rows += rows;
  }

  /** The run; what is to be kept of it, the store was told. Throws what the store's writer throws. */
  async finish(): Promise<SortedRun> {
    const run = await this.#writer.finish(this.#rows);
    this.#ended = true;
    this.#options.memory.giveSlab(this.#slab, slabBytes(this.#options));
    return run;
  }

  /** Gives it up; idempotent, and harmless after `finish`. Not while `add` or `finish` is under way. */
  async discard(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    try {
      await this.#writer.discard(); // until then, rows in the slab may be on their way
    } finally {
      this.#options.memory.giveSlab(this.#slab, slabBytes(this.#options));
    }
  }
}

function slabBytes({ packBytes }: KeepTotalsOptions): number {
  return HEADER + ROWS_BYTES + packBytes;
}
