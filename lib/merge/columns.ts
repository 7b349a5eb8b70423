/**
 * The output of a merge: two areas of columns in linear memory, filled in turn. A batch's arrays are views of an area,
 * which is reused once the batch is released. The second area is made only when the first is still out.
 */
import type { ResultBatch } from '../core/stage.ts';
import { MAX_USER_BYTES, PAGE_BYTES } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { COLUMN_SLACK } from '../kernels/merge-layout.ts';

const AREAS = 2;

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
  readonly #free: Columns[] = [];
  #made = 0;
  #waiting: (() => void) | undefined;
  #closed = false;

  /** Areas for `maxRows` rows and `maxBytes` bytes of users, though always for the longest user. */
  constructor(memory: LinearMemory, maxRows: number, maxBytes: number) {
    this.#memory = memory;
    this.#maxRows = maxRows;
    const users = Math.max(maxBytes, MAX_USER_BYTES) + COLUMN_SLACK;
    this.#bytes = Math.ceil((maxRows * (8 + 8 + 4 + 4) + 4 + users) / PAGE_BYTES) * PAGE_BYTES;
  }

  /** A free area; waits until a batch is released. */
  async take(): Promise<Columns> {
    while (this.#free.length === 0 && this.#made === AREAS) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    return this.#free.pop() ?? this.#make();
  }

  /** The finished batch; its release gives the area back. */
  batch(columns: Columns, rows: number, bytes: number, region: string | undefined, names?: readonly string[]): ResultBatch {
    const buffer = this.#memory.memory.buffer;
    let held = true;
    return {
      region,
      rows,
      userOffsets: new Int32Array(buffer, columns.offsets, rows + 1),
      userBytes: new Uint8Array(buffer, columns.users, bytes),
      totals: new BigInt64Array(buffer, columns.totals, rows),
      counts: new BigInt64Array(buffer, columns.counts, rows),
      topRegions: names,
      release: () => {
        if (held) this.give(columns);
        held = false;
      },
    };
  }

  /** Numbers of the top regions of a batch. */
  topRegions(columns: Columns, rows: number): Uint32Array {
    return this.#memory.u32(columns.tops, rows);
  }

  give(columns: Columns): void {
    if (this.#closed) {
      this.#memory.giveSlab(columns.totals, this.#bytes);
      return;
    }
    this.#free.push(columns);
    this.#waiting?.();
    this.#waiting = undefined;
  }

  /** Gives memory back, that of batches which are still out when they are released. */
  close(): void {
    this.#closed = true;
    for (const columns of this.#free.splice(0)) this.#memory.giveSlab(columns.totals, this.#bytes);
  }

  #make(): Columns {
    const totals = this.#memory.slab(this.#bytes, 'results of the merge');
    this.#made++;
    const counts = totals + this.#maxRows * 8;
    const offsets = counts + this.#maxRows * 8;
    const tops = offsets + (this.#maxRows + 1) * 4;
    return { totals, counts, offsets, tops, users: tops + this.#maxRows * 4 };
  }
}
