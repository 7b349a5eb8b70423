/**
 * Totals by ranges: what a table of all groups (aggregator.ts) does with two cache misses a row and a merge of all threads'
 * tables, done where groups stay in the cache, and without duplicates to merge:
 *
 *   winners ──► ranges, by splitters  │ all threads have ended │  a range of all threads ──► small table ──► sorted, emitted
 *               (range-scatter.ts)                                (range-groups.ts, range-maker.ts)
 *
 * One thread's part of it. Where memory is short, or a range has too many rows, rows go to a table after all, and its runs
 * are merged with the run of all ranges: the totals are the same. Memory, within `aggregateBytes`: rows without their ids,
 * which are smaller than what they were; room for groups of one range, and as much for a table.
 */
import type { Counters } from '../core/counters.ts';
import type { GroupBy } from '../core/options.ts';
import type { SortedRun, Winners } from '../core/stage.ts';
import { PAGE_BYTES } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { AggregateKernel } from '../kernels/twins/aggregate.ts';
import type { RangesKernel } from '../kernels/twins/ranges.ts';
import type { RangeBoard } from './range-board.ts';
import { fits, RangeGroups } from './range-groups.ts';
import { RangeMaker } from './range-maker.ts';
import { rangesMadeHere } from './range-runs.ts';
import { RangeScatter, type Table } from './range-scatter.ts';
import { rangeSize, type Scattered } from './scattered.ts';
import { rangesFor, type Splitters } from './splitters.ts';

/** Of what the aggregate may have: for groups of a range, and for a table, if one is needed. */
const GROUPS_PART = 1 / 8;
const TABLE_PART = 1 / 8;
const SLOTS_PART = 1 / 64;
const MOST_SLOT_BYTES = 4 << 20;

/** What groups of a range may take: the same for all threads of a run. */
export function limitsOf(aggregateBytes: number): { readonly slotBytes: number; readonly pageBytes: number } {
  const slotBytes = Math.min(2 ** Math.floor(Math.log2(aggregateBytes * SLOTS_PART)), MOST_SLOT_BYTES);
  return { slotBytes, pageBytes: aggregateBytes * GROUPS_PART };
}

/** How many ranges so many rows are to be divided into, given what each thread may have; 0 = use tables. */
export function planRanges(rows: number, aggregateBytes: number): number {
  const ranges = rangesFor(rows);
  const open = ranges * PAGE_BYTES;
  return limitsOf(aggregateBytes).slotBytes >= PAGE_BYTES && open <= aggregateBytes * GROUPS_PART ? ranges : 0;
}

export interface RangePlan {
  /** Ranges with more rows than a small table can be sure to hold. */
  readonly large: readonly number[];
  /** Rows of the others. */
  readonly rows: number;
}

/** What is to be done with the ranges of all threads. */
export function surveyRanges(memory: LinearMemory, scattered: readonly Scattered[], ranges: number, aggregateBytes: number): RangePlan {
  const limits = limitsOf(aggregateBytes);
  const sizes = Array.from({ length: ranges }, (_, range) => rangeSize(memory, scattered, range));
  return {
    large: sizes.flatMap((size, range) => (fits(size, limits) ? [] : [range])),
    rows: sizes.reduce((sum, size) => sum + (fits(size, limits) ? size.rows : 0), 0),
  };
}

export interface RangesOptions {
  readonly memory: LinearMemory;
  readonly kernel: AggregateKernel & RangesKernel;
  readonly groupBy: GroupBy;
  readonly regions: number;
  readonly unknownRegion: number;
  readonly counters: Pick<Counters, 'unknownRegion'>;
  readonly splitters: Splitters;
  /** What all of this may take, a table included. */
  readonly aggregateBytes: number;
  /** A table that may take so many bytes; called once, if at all. Whoever opens it closes it, before this. */
  readonly openTable: (bytes: number) => Table;
}

export class Ranges implements Table {
  readonly #options: RangesOptions;
  readonly #groups: RangeGroups;
  readonly #scatter: RangeScatter;
  #maker: RangeMaker | undefined;
  #closing: Promise<void> | undefined;

  /** Undefined when pages do not leave room for it: use a table. Throws ETL_MEMORY when not even slabs have some. */
  static tryOpen(options: RangesOptions): Ranges | undefined {
    const { memory, aggregateBytes } = options;
    const { slotBytes } = limitsOf(aggregateBytes);
    const slots = memory.trySlabOfPages(slotBytes, 'slots of a range');
    if (slots === 0) return undefined;
    let groups: RangeGroups | undefined;
    try {
      groups = new RangeGroups({ ...options, slots, slotBytes });
      return new Ranges(options, groups);
    } catch (error) {
      if (groups) groups.close();
      else memory.giveSlab(slots, slotBytes);
      throw error;
    }
  }

  private constructor(options: RangesOptions, groups: RangeGroups) {
    this.#options = options;
    this.#groups = groups;
    const { aggregateBytes } = options;
    const openTable = (): Table => {
      groups.close(); // the table needs its room, and other threads make the ranges
      return options.openTable(aggregateBytes);
    };
    this.#scatter = new RangeScatter({ ...options, mayRefill: () => this.#room >= 0, openTable });
  }

  /** See RangeScatter. */
  add(winners: Winners): Promise<void> | undefined {
    return this.#scatter.add(winners);
  }

  /** Ends the scattering, here: what there is for all threads to read. Undefined when the rows are in a table. */
  async finish(): Promise<Scattered | undefined> {
    if (this.#room < 0) await this.#scatter.moveToTable();
    return this.#scatter.finish();
  }

  /** Adds the rows of large ranges, of all threads, to a table: those that this thread claims by their place in `large`. */
  async addLarge(scattered: readonly Scattered[], large: readonly number[], table: () => Table, claim: () => number): Promise<void> {
    for (let place = claim(); place < large.length; place = claim()) {
      for (const at of scattered) await this.#scatter.addRange(at, large[place]!, table());
    }
  }

  /** What is left for a table beside all that was scattered. */
  get tableBytes(): number {
    return this.#options.aggregateBytes * TABLE_PART + Math.max(this.#room, 0);
  }

  /** All ranges as a run, each made when it is read. */
  run(scattered: readonly Scattered[], rows: number): SortedRun {
    return rangesMadeHere({ groups: this.#groups, scattered, ranges: this.#options.splitters.ranges, rows });
  }

  /** Makes ranges for whoever reads the board; a thread whose rows are in a table does not. */
  async make(board: RangeBoard, scattered: readonly Scattered[]): Promise<void> {
    if (!this.#groups.isOpen) return;
    const { memory, aggregateBytes } = this.#options;
    const hasRoom = (): boolean => (
      this.#room + aggregateBytes * TABLE_PART >= 0 && memory.freeBytes >= limitsOf(aggregateBytes).pageBytes
    );
    this.#maker = new RangeMaker({ ...this.#options, groups: this.#groups, board, scattered, hasRoom });
    await this.#maker.make();
  }

  /** Gives everything back; nobody reads ranges any more. Idempotent. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#maker?.close();
    this.#groups.close();
    await this.#scatter.close();
  }

  /** Bytes that may still be taken, besides those for groups and a table. */
  get #room(): number {
    const { memory, aggregateBytes } = this.#options;
    const used = memory.pagesInUse * PAGE_BYTES + limitsOf(aggregateBytes).slotBytes;
    return aggregateBytes * (1 - GROUPS_PART - TABLE_PART) - used;
  }
}
