/**
 * The groups of one range after the other: rows of all threads are added up in a table that is small enough for a CPU's
 * second cache, sorted, and emitted. Slots and pages are those of the range before, so that nothing fresh is touched.
 *
 * Takes ranges whose rows fit (`fits`), whatever their keys are: then there is always room. Pages of rows go to the pool as they
 * are added up, and become pages of groups. Memory: two slabs, pages of one range's groups.
 */
import { randomBytes } from 'node:crypto';
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import type { GroupBy } from '../core/options.ts';
import {
  MIN_SLOTS, SECRET_BYTES, SLOT_BYTES, TABLE_BYTES, TABLE_GROUPS, TABLE_MAX_GROUPS, TABLE_MAX_PAGES, TABLE_MAX_REGION, TABLE_PAGE,
  TABLE_SECRET, TABLE_SHIFT, TABLE_UNKNOWN,
} from '../kernels/aggregate-layout.ts';
import { PAGE_BYTES, RUN_USER } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { AggregateKernel } from '../kernels/twins/aggregate.ts';
import type { RangesKernel } from '../kernels/twins/ranges.ts';
import { LIST_BYTES, takeRows, type RangeSize, type Scattered } from './scattered.ts';

/** A page of groups, or of rows of a run, is at least so full: the longest takes half of it. */
const LEAST_FILL = 0.49;

export interface RangeGroupsOptions {
  readonly memory: LinearMemory;
  readonly kernel: AggregateKernel & RangesKernel;
  readonly groupBy: GroupBy;
  /** How many regions there are: numbers are smaller than this. */
  readonly regions: number;
  /** Number of the region whose rows are counted as unknown. */
  readonly unknownRegion: number;
  readonly counters: Pick<Counters, 'unknownRegion'>;
  /** A slab of so many bytes for slots, a power of two; it is this one's from now on. */
  readonly slots: number;
  readonly slotBytes: number;
}

/** Whether any rows of that size fit so many bytes of slots, and of pages: as groups, and once more as rows of a run. */
export function fits({ rows, pages }: RangeSize, { slotBytes, pageBytes }: { slotBytes: number; pageBytes: number }): boolean {
  const bytes = rows * RUN_USER + pages * PAGE_BYTES;
  return rows <= maxGroups(slotBytes) && 2 * (bytes / LEAST_FILL + PAGE_BYTES) <= pageBytes;
}

/** As the kernel has it. */
function maxGroups(slotBytes: number): number {
  return Math.floor((slotBytes / SLOT_BYTES) * (2 / 3)) - 1;
}

export class RangeGroups {
  readonly #options: RangeGroupsOptions;
  /** The table, the ends of the regions' buckets, and a list of rows. */
  readonly #table: number;
  readonly #tableBytes: number;
  readonly #list: number;
  #open = true;

  /** Throws ETL_MEMORY; then it did not take the slots. */
  constructor(options: RangeGroupsOptions) {
    this.#options = options;
    const { memory, regions, slots } = options;
    const bucketsEnd = Math.ceil((TABLE_BYTES + 4 * regions) / 8) * 8;
    this.#tableBytes = bucketsEnd + LIST_BYTES;
    this.#table = memory.slab(this.#tableBytes, 'groups of a range');
    this.#list = this.#table + bucketsEnd;
    memory.bytes(this.#table + TABLE_SECRET, SECRET_BYTES).set(randomBytes(SECRET_BYTES));
    this.#set(TABLE_PAGE, 0);
    this.#set(TABLE_MAX_PAGES, 0xffffffff);
    options.kernel.resetTable(this.#table, slots, MIN_SLOTS);
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Adds a range's rows up, in place of the range before. Throws ETL_MEMORY when there is no page. */
  load(scattered: readonly Scattered[], range: number): void {
    const { memory, kernel, slots } = this.#options;
    this.clear();
    // Ranges are about equal: as many slots as the one before took.
    kernel.resetTable(this.#table, slots, this.#slotCount);
    for (const at of scattered) {
      for (const count of takeRows({ memory, kernel, list: this.#list }, at, range)) this.#add(count);
    }
    this.#seal();
  }

  /** As many groups as fit, in order, as rows of a run; 0 at the end. */
  fill(ptr: number, capacity: number): number {
    return this.#options.kernel.fillRun(this.#table, ptr, capacity);
  }

  /** Gives the pages of the groups to the pool. */
  clear(): void {
    if (!this.#open) return;
    this.#options.kernel.freeGroups(this.#table);
    this.#set(TABLE_GROUPS, 0);
  }

  /** Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.clear();
    this.#open = false;
    const { memory, slots, slotBytes } = this.#options;
    memory.giveSlab(slots, slotBytes);
    memory.giveSlab(this.#table, this.#tableBytes);
  }

  #add(count: number): void {
    const { memory, kernel, slotBytes } = this.#options;
    for (let done = 0; ; ) {
      done = kernel.aggregateBatch(this.#table, this.#list, count, done) >>> 0;
      if (done === count) return;
      if (this.#get(TABLE_GROUPS) < this.#get(TABLE_MAX_GROUPS)) memory.assertPageLeft();
      else if (this.#slotCount * SLOT_BYTES < slotBytes) kernel.growTable(this.#table);
      else throw new EtlError('ETL_INTERNAL', `A range has more groups than ${slotBytes} bytes of slots hold.`);
    }
  }

  #seal(): void {
    const { memory, kernel, groupBy, regions, unknownRegion, counters } = this.#options;
    const maxRegion = this.#get(TABLE_MAX_REGION);
    if (maxRegion >= regions) throw new EtlError('ETL_INTERNAL', `A row has region ${maxRegion}, but there are ${regions}.`);
    kernel.sealTable(this.#table, this.#table + TABLE_BYTES, groupBy === 'user' ? 1 : 0, maxRegion, unknownRegion);
    counters.unknownRegion += Number(memory.view(this.#table + TABLE_UNKNOWN, 8).getBigUint64(0, true));
  }

  get #slotCount(): number {
    return 2 ** (32 - this.#get(TABLE_SHIFT));
  }

  #get(field: number): number {
    return this.#options.memory.view(this.#table + field, 4).getUint32(0, true);
  }

  #set(field: number, value: number): void {
    this.#options.memory.view(this.#table + field, 4).setUint32(0, value, true);
  }
}
