/**
 * The table of totals: adds rows up by (region, user) and gives them as sorted runs.
 *
 * Takes addresses of rows; they may be reused when `add` is done. Holds at most `limits.bytes` of linear memory (slots
 * and groups, though never less than the smallest table; while growing, old and new slots together): before it would
 * hold more, the table is sorted, written as a run file and emptied. The last table stays in memory and is a run too.
 * Sorting needs no memory of its own. Sums are 128 bits wide and never overflow. Nothing survives a crash.
 */
import { randomBytes } from 'node:crypto';
import type { Counters } from '../core/counters.ts';
import { EtlError, withCleanupError } from '../core/errors.ts';
import type { GroupBy } from '../core/options.ts';
import type { SortedRun, Winners } from '../core/stage.ts';
import {
  MAX_SLOTS, MIN_SLOTS, SECRET_BYTES, SLOT_BYTES, TABLE_GROUPS, TABLE_MAX_GROUPS, TABLE_MAX_PAGES, TABLE_MAX_REGION, TABLE_PAGES,
  TABLE_SECRET, TABLE_UNKNOWN,
} from '../kernels/aggregate-layout.ts';
import { PAGE_BYTES } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { AggregateKernel } from '../kernels/twins/aggregate.ts';
import type { RunFiles } from './run-files.ts';

/** One write to a run file. */
const SPILL_BUFFER_BYTES = 1 << 18;

export interface AggregatorOptions {
  readonly memory: LinearMemory;
  readonly kernel: AggregateKernel;
  readonly groupBy: GroupBy;
  /** Number of the region whose rows are counted as unknown. */
  readonly unknownRegion: number;
  readonly counters: Counters;
  /** Bytes of linear memory to use before the table is written to a file; Infinity = no bound. */
  readonly limits: { readonly bytes: number };
  readonly temp: RunFiles;
  /** SECRET_BYTES that key the hash; random unless a test says otherwise. */
  readonly secret?: Uint8Array;
}

export class Aggregator {
  readonly #options: AggregatorOptions;
  /** A page; 0 once the table was given away or freed. */
  #table: number;
  #slots: Area;
  #buckets: Area = { at: 0, bytes: 0 };
  #spillBuffer = 0;
  #spilled: SortedRun[] = [];
  /** Rows that are being added behind a run that has to be written first. */
  #pending: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: AggregatorOptions) {
    this.#options = options;
    const { memory, secret = randomBytes(SECRET_BYTES) } = options;
    this.#table = memory.takePage();
    memory.bytes(this.#table + TABLE_SECRET, SECRET_BYTES).set(secret);
    this.#slots = newArea(memory, MIN_SLOTS * SLOT_BYTES, 'slots of the aggregate');
    this.#reset();
  }

  /** Adds the rows. A promise when a run has to be written first; rows must stay until it is settled. */
  add({ ptr, count }: Pick<Winners, 'ptr' | 'count'>): Promise<void> | undefined {
    if (ptr % 4 !== 0 || ptr + count * 4 > this.#options.memory.size) {
      throw new EtlError('ETL_INTERNAL', `A list of ${count} rows at ${ptr} lies outside of linear memory.`);
    }
    const added = this.#addWhileRoom(ptr, count, 0);
    if (added === count) return undefined;
    this.#pending = this.#addAndSpill(ptr, count, added);
    return this.#pending;
  }

  /** Ends the adding and gives all runs, the caller owning them. Sorting is done as the runs are read. */
  async finish(): Promise<SortedRun[]> {
    const { counters } = this.#options;
    const runs = this.#spilled;
    this.#spilled = [];
    if (this.#field(TABLE_GROUPS) > 0) {
      this.#seal();
      runs.push(this.#takeTable());
    } else {
      this.#free();
    }
    counters.runs += runs.length;
    return runs;
  }

  /** Frees memory and files of an aggregator that will not finish; harmless after `finish`. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pending.catch(() => undefined); // whoever added the rows was told
    this.#free();
    const runs = this.#spilled;
    this.#spilled = [];
    await Promise.all(runs.map((run) => run.close()));
  }

  #addWhileRoom(ptr: number, count: number, from: number): number {
    for (;;) {
      from = this.#options.kernel.aggregateBatch(this.#table, ptr, count, from) >>> 0;
      if (from === count || !this.#makeRoom()) return from;
    }
  }

  async #addAndSpill(ptr: number, count: number, from: number): Promise<void> {
    while (from < count) {
      await this.#spill();
      from = this.#addWhileRoom(ptr, count, from);
    }
  }

  /** After a batch ended early: false when there is no room within the limit. */
  #makeRoom(): boolean {
    if (this.#field(TABLE_GROUPS) >= this.#field(TABLE_MAX_GROUPS)) return this.#grow();
    if (this.#field(TABLE_PAGES) >= this.#field(TABLE_MAX_PAGES)) return false;
    this.#options.memory.refillPool();
    return true;
  }

  #grow(): boolean {
    const { memory, kernel, limits } = this.#options;
    const old = this.#slots;
    const bytes = old.bytes * 2;
    if (bytes > MAX_SLOTS * SLOT_BYTES || this.#field(TABLE_PAGES) * PAGE_BYTES + old.bytes + bytes > limits.bytes) return false;
    this.#slots = newArea(memory, bytes, 'slots of the aggregate');
    kernel.growTable(this.#table, this.#slots.at, bytes / SLOT_BYTES);
    memory.giveSlab(old.at, old.bytes);
    this.#limitPages();
    return true;
  }

  #reset(): void {
    this.#options.kernel.resetTable(this.#table, this.#slots.at, this.#slots.bytes / SLOT_BYTES);
    this.#limitPages();
  }

  #limitPages(): void {
    const pages = Math.floor((this.#options.limits.bytes - this.#slots.bytes) / PAGE_BYTES);
    this.#setField(TABLE_MAX_PAGES, Math.min(Math.max(pages, 1), 0xffffffff));
  }

  #seal(): void {
    const { memory, kernel, groupBy, unknownRegion, counters } = this.#options;
    const byUser = groupBy === 'user';
    const maxRegion = this.#field(TABLE_MAX_REGION);
    const bytes = byUser ? 4 : (maxRegion + 1) * 4;
    if (bytes > this.#buckets.bytes) {
      memory.giveSlab(this.#buckets.at, this.#buckets.bytes);
      this.#buckets = newArea(memory, bytes, 'regions of the aggregate');
    }
    kernel.sealTable(this.#table, this.#buckets.at, byUser ? 1 : 0, maxRegion, unknownRegion);
    counters.unknownRegion += Number(memory.view(this.#table + TABLE_UNKNOWN, 8).getBigUint64(0, true));
  }

  async #spill(): Promise<void> {
    const { memory, kernel, temp, counters } = this.#options;
    this.#spillBuffer ||= memory.slab(SPILL_BUFFER_BYTES, 'writing runs');
    this.#seal();
    const writer = await temp.create();
    try {
      for (;;) {
        if (this.#closed) throw new EtlError('ETL_ABORTED', 'The aggregate was closed while it wrote a run.');
        const bytes = kernel.fillRun(this.#table, this.#spillBuffer, SPILL_BUFFER_BYTES);
        if (bytes === 0) break;
        await writer.write(memory.bytes(this.#spillBuffer, bytes));
        counters.runBytesSpilled += bytes;
      }
    } catch (error) {
      throw await writer.discard().then(() => error, (extra: unknown) => withCleanupError(error, extra));
    }
    this.#spilled.push(writer.finish(this.#field(TABLE_GROUPS)));
    counters.runsSpilled++;
    kernel.freeGroups(this.#table);
    this.#reset();
  }

  /** The sealed table as a run, which now owns its memory. */
  #takeTable(): SortedRun {
    const { kernel } = this.#options;
    const table = this.#table;
    const release = this.#detach();
    let open = true;
    return {
      rows: this.#groupsOf(table),
      fill: (ptr, capacity) => (open ? kernel.fillRun(table, ptr, capacity) : 0),
      close: async () => {
        if (open) release();
        open = false;
      },
    };
  }

  #free(): void {
    if (this.#table !== 0) this.#detach()();
  }

  /** Lets go of all memory; the function that is returned gives it back. */
  #detach(): () => void {
    const { memory, kernel } = this.#options;
    const table = this.#table;
    const slots = this.#slots;
    const buckets = this.#buckets;
    this.#table = 0;
    if (this.#spillBuffer !== 0) memory.giveSlab(this.#spillBuffer, SPILL_BUFFER_BYTES);
    this.#spillBuffer = 0;
    return () => {
      kernel.freeGroups(table);
      memory.giveSlab(slots.at, slots.bytes);
      memory.giveSlab(buckets.at, buckets.bytes);
      memory.givePage(table);
    };
  }

  #groupsOf(table: number): number {
    return this.#options.memory.view(table + TABLE_GROUPS, 4).getUint32(0, true);
  }

  #field(offset: number): number {
    return this.#options.memory.view(this.#table + offset, 4).getUint32(0, true);
  }

  #setField(offset: number, value: number): void {
    this.#options.memory.view(this.#table + offset, 4).setUint32(0, value, true);
  }
}

/** A slab with its size. */
interface Area {
  readonly at: number;
  readonly bytes: number;
}

function newArea(memory: LinearMemory, wanted: number, purpose: string): Area {
  const bytes = Math.ceil(wanted / PAGE_BYTES) * PAGE_BYTES;
  return { at: memory.slab(bytes, purpose), bytes };
}
