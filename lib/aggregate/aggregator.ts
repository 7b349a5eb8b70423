/**
 * The table of totals: adds rows up by (region, user) and gives them as sorted runs.
 *
 *   table, regions   a slab     fixed
 *   run buffers      a slab     fixed; rows in order on their way to a run file, packed in the other half
 *   slots            a slab     up to a third of what is free      ┐ within limits.bytes
 *   groups           pages      as they come                       ┘
 *
 * Takes addresses of rows; they may be reused when `add` is done. The slab of slots is taken at its largest useful size,
 * while it can still be had in one piece; the table begins with few slots and doubles in it, so that no more is touched
 * than groups need. When the limit is reached, or linear memory has no more, the table is sorted, written as a run file
 * and emptied, and the slab chosen anew. All that this needs was taken at the start, and sorting is done in place. The
 * last table stays in memory, sorted, and is a run too. Runs are handed over as plain data (runs.ts), to be read by any thread;
 * their slabs and files stay here until they are given back. Sums are 128 bits wide and never overflow. Nothing survives a crash.
 */
import { randomBytes } from 'node:crypto';
import type { Counters } from '../core/counters.ts';
import { EtlError, withCleanupError } from '../core/errors.ts';
import type { GroupBy } from '../core/options.ts';
import type { SortedRun, Winners } from '../core/stage.ts';
import {
  MAX_SLOTS, MIN_SLOTS, SECRET_BYTES, SLOT_BYTES, TABLE_BYTES, TABLE_GROUPS, TABLE_MAX_GROUPS, TABLE_MAX_PAGES, TABLE_MAX_REGION,
  TABLE_PAGE, TABLE_PAGES, TABLE_SECRET, TABLE_SHIFT, TABLE_SLOTS, TABLE_UNKNOWN,
} from '../kernels/aggregate-layout.ts';
import { PAGE_BYTES } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { AggregateKernel } from '../kernels/twins/aggregate.ts';
import type { Area, HandedFile, RunFiles } from '../spill/run-files.ts';
import type { HandedRun } from './runs.ts';

/** Both run buffers together: small where memory is. */
const RUN_BUFFER_BYTES = { small: 128 << 10, large: 512 << 10 } as const;
const SMALL_BELOW = 32 << 20;
/**
 * The slab of slots is the largest power of two that is at most this part of what slots and groups may have. A group takes
 * 12 bytes of slots and 40 to 60 of pages, so that the two run out at about the same time.
 */
const SLOTS_PART = 1 / 3;

export interface AggregatorOptions {
  readonly memory: LinearMemory;
  readonly kernel: AggregateKernel;
  readonly groupBy: GroupBy;
  /** How many regions there are: numbers are smaller than this. */
  readonly regions: number;
  /** Number of the region whose rows are counted as unknown. */
  readonly unknownRegion: number;
  readonly counters: Counters;
  /**
   * Bytes of slots and groups to use before the table is written to a file, though never less than the smallest slots
   * and one page; Infinity = as much as linear memory has.
   */
  readonly limits: { readonly bytes: number };
  readonly temp: RunFiles;
  /** SECRET_BYTES that key the hash; random unless a test says otherwise. */
  readonly secret?: Uint8Array;
}

const MIN_BYTES = MIN_SLOTS * SLOT_BYTES;
const MAX_BYTES = MAX_SLOTS * SLOT_BYTES;
const NONE: Area = { at: 0, bytes: 0 };

export class Aggregator {
  readonly #options: AggregatorOptions;
  /** The table, and behind it the ends of the regions' buckets. */
  #table = NONE;
  #buffers = NONE;
  #slots = NONE;
  #spilled: { readonly run: SortedRun; readonly file: HandedFile }[] = [];
  /** What gives back what a run was handed over with, by the run's number. */
  readonly #kept = new Map<number, () => void | Promise<void>>();
  /** Rows that are being added behind a run that has to be written first. */
  #pending: Promise<void> = Promise.resolve();
  /** Rows can be added: no run is being written, and it neither failed nor ended. */
  #open = false;
  #closed = false;

  /** Throws ETL_MEMORY. */
  constructor(options: AggregatorOptions) {
    this.#options = options;
    const { memory, regions, limits, secret = randomBytes(SECRET_BYTES) } = options;
    const small = Math.min(limits.bytes, memory.limit) < SMALL_BELOW;
    try {
      this.#table = newArea(memory, TABLE_BYTES + regions * 4, 'table of totals');
      this.#setField(TABLE_PAGE, 0);
      this.#buffers = newArea(memory, RUN_BUFFER_BYTES[small ? 'small' : 'large'], 'writing runs');
      this.#takeSlots();
    } catch (error) {
      this.#free();
      throw error;
    }
    memory.bytes(this.#table.at + TABLE_SECRET, SECRET_BYTES).set(secret);
    this.#reset(MIN_SLOTS);
    this.#open = true;
  }

  /**
   * Adds the rows. A promise when a run has to be written first; rows must stay until it is settled. Throws, or rejects
   * with, ETL_MEMORY when not even one group has room, and what writing a run throws: then only `close` is left to do.
   */
  add({ ptr, count }: Winners): Promise<void> | undefined {
    this.#options.memory.assertHolds(ptr, count * 4, 'A list of rows');
    if (!this.#open || ptr % 4 !== 0) throw new EtlError('ETL_INTERNAL', `The list of rows at ${ptr} cannot be added now.`);
    const added = this.#addWhileRoom(ptr, count, 0);
    if (added === count) return undefined;
    this.#pending = this.#addAndSpill(ptr, count, added);
    return this.#pending;
  }

  /** Ends the adding and gives all runs, sorted, to be opened with `openRun`. Whoever opens them has them given back. */
  async finish(): Promise<HandedRun[]> {
    this.#open = false;
    const runs = this.#spilled.map(({ run, file }, number): HandedRun => {
      this.#kept.set(number, () => run.close());
      return { number, rows: run.rows, file };
    });
    this.#spilled = [];
    const rows = this.#field(TABLE_GROUPS);
    if (rows > 0) {
      this.#seal();
      runs.push(this.#handTable(runs.length, rows));
    }
    this.#free();
    this.#options.counters.runs += runs.length;
    return runs;
  }

  /** A run was read: frees what it still takes here. Idempotent. */
  async giveBack({ number }: Pick<HandedRun, 'number'>): Promise<void> {
    const free = this.#kept.get(number);
    this.#kept.delete(number);
    await free?.();
  }

  /** Frees memory and files: those of an aggregator that will not finish, and of runs that were not given back. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#open = false;
    await this.#pending.catch(() => undefined); // whoever added the rows was told
    this.#free();
    const runs = this.#spilled;
    this.#spilled = [];
    await Promise.all([...runs.map(({ run }) => run.close()), ...[...this.#kept.keys()].map((number) => this.giveBack({ number }))]);
  }

  #addWhileRoom(ptr: number, count: number, from: number): number {
    for (;;) {
      from = this.#options.kernel.aggregateBatch(this.#table.at, ptr, count, from) >>> 0;
      if (from === count || !this.#makeRoom()) return from;
    }
  }

  async #addAndSpill(ptr: number, count: number, from: number): Promise<void> {
    this.#open = false;
    while (from < count) {
      const slots = this.#slotCount;
      if (this.#field(TABLE_GROUPS) > 0) {
        await this.#spill();
      } else if (this.#slots.bytes === MIN_BYTES) {
        throw new EtlError('ETL_MEMORY', 'No linear memory is left for totals, not even for one, and there is none to write to a file.', {
          hint: 'Give the run more memory with --memory.',
        });
      }
      this.#takeSlots();
      this.#reset(slots);
      from = this.#addWhileRoom(ptr, count, from);
    }
    this.#open = !this.#closed;
  }

  /** After a batch ended early: false when there is no room. */
  #makeRoom(): boolean {
    if (this.#field(TABLE_GROUPS) >= this.#field(TABLE_MAX_GROUPS)) return this.#grow();
    return this.#field(TABLE_PAGES) < this.#field(TABLE_MAX_PAGES) && this.#options.memory.refillPool();
  }

  #grow(): boolean {
    if (this.#slotCount * SLOT_BYTES === this.#slots.bytes && !this.#moveSlots()) return false;
    this.#options.kernel.growTable(this.#table.at);
    return true;
  }

  /** Moves the slots as they are to a slab twice as large; false when there is none. */
  #moveSlots(): boolean {
    const { memory, limits } = this.#options;
    const { at: old, bytes } = this.#slots;
    if (bytes * 2 > MAX_BYTES || this.#field(TABLE_PAGES) * PAGE_BYTES + bytes * 3 > limits.bytes) return false;
    const at = memory.trySlabOfPages(bytes * 2, 'slots of totals');
    if (at === 0) return false;
    memory.bytes(at, bytes).set(memory.bytes(old, bytes));
    memory.giveSlab(old, bytes);
    this.#slots = { at, bytes: bytes * 2 };
    this.#setField(TABLE_SLOTS, at);
    this.#limitPages();
    return true;
  }

  /**
   * Chooses the slab of an empty table: as large as is useful now, or what can be had in one piece. The one that it has is
   * kept while it is not too small, nor takes most of what is left.
   */
  #takeSlots(): void {
    const { memory, limits } = this.#options;
    const old = this.#slots.bytes;
    const room = Math.min(limits.bytes, memory.freeBytes + old);
    const useful = 2 ** Math.floor(Math.log2(room * SLOTS_PART));
    let bytes = Math.min(Math.max(useful, Math.min(old, useful * 2), MIN_BYTES), MAX_BYTES);
    if (bytes === old) return;
    if (old !== 0) memory.giveSlab(this.#slots.at, old);
    this.#slots = NONE;
    let at = 0;
    while ((at = memory.trySlabOfPages(bytes, 'slots of totals')) === 0 && bytes > MIN_BYTES) bytes /= 2;
    this.#slots = { at: at || memory.slab(bytes, 'slots of totals'), bytes };
  }

  /** Empties the table, which has no groups. It begins with so many slots, if the slab holds them. */
  #reset(slots: number): void {
    const { at, bytes } = this.#slots;
    this.#options.kernel.resetTable(this.#table.at, at, Math.min(slots, bytes / SLOT_BYTES));
    this.#limitPages();
  }

  get #slotCount(): number {
    return 2 ** (32 - this.#field(TABLE_SHIFT));
  }

  #limitPages(): void {
    const pages = Math.floor((this.#options.limits.bytes - this.#slots.bytes) / PAGE_BYTES);
    this.#setField(TABLE_MAX_PAGES, Math.min(Math.max(pages, 1), 0xffffffff));
  }

  #seal(): void {
    const { memory, kernel, groupBy, regions, unknownRegion, counters } = this.#options;
    const maxRegion = this.#field(TABLE_MAX_REGION);
    if (maxRegion >= regions) throw new EtlError('ETL_INTERNAL', `A row has region ${maxRegion}, but there are ${regions}.`);
    kernel.sealTable(this.#table.at, this.#table.at + TABLE_BYTES, groupBy === 'user' ? 1 : 0, maxRegion, unknownRegion);
    counters.unknownRegion += Number(memory.view(this.#table.at + TABLE_UNKNOWN, 8).getBigUint64(0, true));
  }

  async #spill(): Promise<void> {
    const { kernel, temp, counters } = this.#options;
    this.#seal();
    const half = this.#buffers.bytes / 2;
    const writer = await temp.create({ at: this.#buffers.at + half, bytes: half });
    try {
      for (;;) {
        if (this.#closed) throw new EtlError('ETL_ABORTED', 'The aggregate was closed while it wrote a run.');
        const bytes = kernel.fillRun(this.#table.at, this.#buffers.at, half);
        if (bytes === 0) break;
        await writer.write(this.#buffers.at, bytes);
      }
      const run = await writer.finish(this.#field(TABLE_GROUPS));
      this.#spilled.push({ run, file: writer.handOver() });
    } catch (error) {
      throw await writer.discard().then(() => error, (extra: unknown) => withCleanupError(error, extra));
    }
    counters.runsSpilled++;
    kernel.freeGroups(this.#table.at);
  }

  /** The sealed table, whose reader frees the pages of its groups; if there is none, they are freed with the slabs. */
  #handTable(number: number, rows: number): HandedRun {
    const { memory, kernel } = this.#options;
    const table = this.#table;
    const slots = this.#slots;
    this.#table = this.#slots = NONE;
    this.#kept.set(number, () => {
      kernel.freeGroups(table.at);
      memory.giveSlab(slots.at, slots.bytes);
      memory.giveSlab(table.at, table.bytes);
    });
    return { number, rows, table: table.at };
  }

  #free(): void {
    const { memory, kernel } = this.#options;
    if (this.#table !== NONE) kernel.freeGroups(this.#table.at);
    for (const { at, bytes } of [this.#slots, this.#buffers, this.#table]) {
      if (at !== 0) memory.giveSlab(at, bytes);
    }
    this.#table = this.#buffers = this.#slots = NONE;
  }

  #field(offset: number): number {
    return this.#options.memory.view(this.#table.at + offset, 4).getUint32(0, true);
  }

  #setField(offset: number, value: number): void {
    this.#options.memory.view(this.#table.at + offset, 4).setUint32(0, value, true);
  }
}

function newArea(memory: LinearMemory, wanted: number, purpose: string): Area {
  const bytes = Math.ceil(wanted / PAGE_BYTES) * PAGE_BYTES;
  return { at: memory.slab(bytes, purpose), bytes };
}
