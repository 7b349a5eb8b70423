/**
 * The winners of dedup on their way into ranges of groups, where their groups are few enough for a CPU's cache; or else into
 * the table of totals, if pages run out:
 *
 *   winners ──► pages of range 0, 1, 2 ...   ──► whoever claims a range (range-groups.ts)
 *                    │ no page left: all of them, and all rows to come
 *                    └──► table (aggregator.ts)
 *
 * Takes addresses of rows; they may be reused when `add` is done. Rows are copied without their ids. Memory: an area, and
 * pages as they come: those of partitions that are done with and, while `mayRefill` says so, fresh ones.
 */
import { EtlError } from '../core/errors.ts';
import type { Winners } from '../core/stage.ts';
import { PAGE_BYTES, PAGE_USED } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { RANGES_AT, RANGES_BYTES, RANGE_BYTES, RANGE_WRITE } from '../kernels/ranges-layout.ts';
import type { RangesKernel } from '../kernels/twins/ranges.ts';
import { giveRows, LIST_BYTES, takeRows, type Scattered } from './scattered.ts';
import type { Splitters } from './splitters.ts';

/** Where rows go that are not scattered. */
export interface Table {
  add(winners: Winners): Promise<void> | undefined;
}

export interface RangeScatterOptions {
  readonly memory: LinearMemory;
  readonly kernel: RangesKernel;
  readonly splitters: Splitters;
  /** Whether fresh pages may be taken. */
  readonly mayRefill: () => boolean;
  /** Called once, if at all. */
  readonly openTable: () => Table;
}

export class RangeScatter implements Table {
  readonly #options: RangeScatterOptions;
  /** The area of the ranges, and behind it a list of rows. */
  readonly #at: number;
  #table: Table | undefined;
  /** Rows on their way to the table. */
  #moving: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** Throws ETL_MEMORY. */
  constructor(options: RangeScatterOptions) {
    this.#options = options;
    this.#at = options.memory.slab(RANGES_BYTES + LIST_BYTES, 'ranges');
    options.memory.bytes(this.#at, RANGES_BYTES).fill(0);
  }

  /** Adds the rows. A promise when that takes a table; rows must stay until it is settled, and it rejects with what that throws. */
  add(winners: Winners): Promise<void> | undefined {
    if (this.#table) return this.#table.add(winners);
    const { memory, kernel, splitters, mayRefill } = this.#options;
    const { ptr, count } = winners;
    memory.assertHolds(ptr, count * 4, 'A list of rows');
    if (this.#closing || ptr % 4 !== 0) throw new EtlError('ETL_INTERNAL', `The list of rows at ${ptr} cannot be added now.`);
    for (let from = 0; ; ) {
      from = kernel.scatterWinners(splitters.at, this.#at, ptr, count, from) >>> 0;
      if (from === count) return undefined;
      if (!mayRefill() || !memory.refillPool()) return this.#move({ ptr: ptr + 4 * from, count: count - from });
    }
  }

  /** After the last row: what was scattered, which stays here until `close`; undefined when a table has it. */
  finish(): Scattered | undefined {
    if (this.#table) return undefined;
    this.#completePages();
    return this.#at;
  }

  /** Moves all rows to the table. */
  async moveToTable(): Promise<void> {
    if (!this.#table) await this.#move({ ptr: this.#at, count: 0 });
  }

  /** Adds a range that any thread has scattered to a table. */
  async addRange(at: Scattered, range: number, table: Table): Promise<void> {
    const lists = { ...this.#options, list: this.#at + RANGES_BYTES };
    for (const count of takeRows(lists, at, range)) await table.add({ ptr: lists.list, count });
  }

  /**
   * Gives back the area, and all pages that nobody took: nobody may read it any more. Idempotent. A table that is being
   * added to is closed before.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#moving?.catch(() => undefined); // whoever added the rows was told
    const { memory, splitters } = this.#options;
    for (let range = 0; range < splitters.ranges; range++) giveRows(this.#options, this.#at, range);
    memory.giveSlab(this.#at, RANGES_BYTES + LIST_BYTES);
  }

  #move(rest: Winners): Promise<void> {
    this.#completePages();
    this.#table = this.#options.openTable();
    return this.#moving = this.#addTo(this.#table, rest);
  }

  async #addTo(table: Table, rest: Winners): Promise<void> {
    for (let range = 0; range < this.#options.splitters.ranges; range++) await this.addRange(this.#at, range, table);
    if (rest.count > 0) await table.add(rest);
  }

  #completePages(): void {
    const { memory, splitters } = this.#options;
    const ranges = memory.view(this.#at + RANGES_AT, RANGE_BYTES * splitters.ranges);
    for (let at = 0; at < ranges.byteLength; at += RANGE_BYTES) {
      const write = ranges.getUint32(at + RANGE_WRITE, true);
      if (write !== 0) memory.view(write - (write % PAGE_BYTES) + PAGE_USED, 4).setUint32(0, write % PAGE_BYTES, true);
    }
  }
}
