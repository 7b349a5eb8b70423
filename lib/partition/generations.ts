/**
 * Collects rows by partition in a bounded number of pages. When those are full, all chains together are written to the
 * one file as a generation, partition after partition, in pieces of about 1 MiB straight from their pages:
 *
 *   memory  [chains of the rows since]            file  [generation 0        ][generation 1        ] ...
 *                                                       [slice 0][slice 1]..  [slice 0][slice 1]..
 *
 * A piece's pages are free again as soon as it is written, and the next generation begins in them at once: rows
 * are added while the one before is on its way. Only when that one is complete may the next be written. If one was written,
 * all rows are in the end: a partition's rows in order are its chain, or its slices in the order of generations. Memory:
 * `maxPages` pages, the store's area, and 4 bytes a slice. Nothing survives a crash.
 */
import { EtlError } from '../core/errors.ts';
import { PAGE_BYTES } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import {
  CURSOR_BYTES, LIST_BYTES, LIST_PAGES, STORE_CURSORS, STORE_FIRST, STORE_FREE, STORE_LIST, STORE_LISTED,
  STORE_LISTED_BYTES, STORE_MAX_PAGES, STORE_PAGES, STORE_PARTITIONS, STORE_ROWS, STORE_SHIFT, STORE_WORD,
} from '../kernels/partition-layout.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { SpillFile, SpillSpace } from '../spill/spill-space.ts';
import type { HashBits } from './hash-bits.ts';
import { Stored, type Generation } from './share.ts';

/** All that linear memory can have. */
const MOST_PAGES = 2 ** 32 / PAGE_BYTES;

export interface GenerationsOptions {
  readonly memory: LinearMemory;
  readonly kernel: PartitionKernel;
  readonly spill: SpillSpace;
  /** Part of the file's name. */
  readonly purpose: string;
  /** Most bits that `begin` will be called with. */
  readonly bits: number;
  /** Most bytes of pages. */
  readonly bytes: number;
  /** Pages that are taken now and kept until `close`, so that rows can be added when nobody has a page left. */
  readonly reserve?: number;
}

export class Generations {
  /** The kernel's store: what `append` hands its rows to. */
  readonly at: number;
  readonly #memory: LinearMemory;
  readonly #kernel: PartitionKernel;
  readonly #spill: SpillSpace;
  readonly #purpose: string;
  readonly #areaBytes: number;
  readonly #reserve: number;
  #hash: HashBits | undefined;
  #file: SpillFile | undefined;
  #generations: Generation[] = [];
  #rows = 0;
  #rowsSpilled = 0;
  /** Chains that are being written, what is left of them. */
  #leaving = newChains(0);
  #flush: Promise<void> | undefined;
  #failure: unknown;
  #wake = (): void => {};
  #closing: Promise<void> | undefined;

  constructor({ memory, kernel, spill, purpose, bits, bytes, reserve = 0 }: GenerationsOptions) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#spill = spill;
    this.#purpose = purpose;
    this.#areaBytes = STORE_CURSORS + CURSOR_BYTES * 2 ** bits;
    this.at = memory.slab(this.#areaBytes, 'partition cursors');
    memory.bytes(this.at, this.#areaBytes).fill(0);
    this.#set(STORE_MAX_PAGES, Math.min(Math.max(Math.floor(bytes / PAGE_BYTES), 1), MOST_PAGES));
    this.#reserve = Math.min(reserve, this.#get(STORE_MAX_PAGES));
    for (let i = 0; i < this.#reserve && memory.refillPool(); i++) {
      const page = memory.takePageIfAny();
      memory.view(page, 4).setUint32(0, this.#get(STORE_FREE), true);
      this.#set(STORE_FREE, page);
    }
  }

  /** Starts to collect rows, by these bits. Ended by `end`; then it may begin again. */
  begin(hash: HashBits): void {
    if (this.#hash) throw new EtlError('ETL_INTERNAL', 'Rows are being collected already.');
    this.#hash = hash;
    this.#set(STORE_PARTITIONS, 2 ** hash.bits);
    this.#set(STORE_SHIFT, hash.shift);
    this.#set(STORE_WORD, hash.word);
  }

  /**
   * Adds `rows` rows by calls of `add`, which takes the number of the row to go on with, and gives the next such number
   * when it lacks a page. Throws what went wrong with a generation, this one or one before.
   */
  append(rows: number, add: (from: number) => number): void | Promise<void> {
    this.#assertWell();
    for (let from = 0; ; ) {
      from = add(from) >>> 0;
      if (from === rows) return;
      if (!this.#hasPage()) return this.#appendWaiting(from, rows, add);
    }
  }

  /**
   * No more rows: writes the rest, too, if it takes more than `keepBytes` of pages, or if others were written. A rest of
   * any size lies in the way of those who come next, and costs more than it saves.
   */
  async end(keepBytes: number): Promise<Stored> {
    const hash = this.#hash;
    if (!hash) throw new EtlError('ETL_INTERNAL', 'No rows are being collected.');
    await this.#flush;
    this.#assertWell();
    const pages = this.#get(STORE_PAGES);
    if (pages * PAGE_BYTES > keepBytes || (pages > 0 && this.#generations.length > 0)) {
      this.#startFlush();
      await this.#flush;
      this.#assertWell();
    }
    const chains = this.#takeChains();
    this.#set(STORE_PAGES, 0);
    this.#giveFree(this.#reserve);
    const stored = new Stored(
      { hash, chains, rows: this.#rows, rowsSpilled: this.#rowsSpilled, generations: this.#generations }, this.#file, this.#kernel,
    );
    this.#hash = undefined;
    this.#file = undefined;
    this.#generations = [];
    this.#rows = 0;
    this.#rowsSpilled = 0;
    return stored;
  }

  /** Waits for a write that is under way, then gives back everything that was not handed out by `end`; idempotent. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#failure ??= new EtlError('ETL_INTERNAL', 'The partition store was closed.');
    this.#wake();
    await this.#flush;
    if (this.#hash) for (const first of this.#takeChains()) this.#kernel.giveChain(first);
    for (const first of this.#leaving) this.#kernel.giveChain(first);
    this.#kernel.recyclePages(this.at);
    this.#giveFree(0);
    this.#memory.giveSlab(this.at, this.#areaBytes);
    await this.#file?.close();
  }

  async #appendWaiting(from: number, rows: number, add: (from: number) => number): Promise<void> {
    while (from < rows) {
      while (!this.#hasPage()) await this.#morePages();
      from = add(from) >>> 0;
    }
  }

  #hasPage(): boolean {
    if (this.#get(STORE_FREE) !== 0) return true;
    return this.#get(STORE_PAGES) < this.#get(STORE_MAX_PAGES) && this.#memory.refillPool();
  }

  /** Waits until some pages were written, or all. */
  async #morePages(): Promise<void> {
    if (!this.#flush) {
      // Nothing to be written either: let the memory say what is missing.
      if (this.#get(STORE_PAGES) === 0) this.#memory.assertPageLeft();
      this.#startFlush();
    }
    await new Promise<void>((resolve) => { this.#wake = resolve; });
    this.#assertWell();
  }

  /** A failure is kept for the next call of `append` or `end`. */
  #startFlush(): void {
    const before = this.#rows;
    this.#leaving = this.#takeChains();
    this.#rowsSpilled += this.#rows - before;
    this.#flush = this.#write(this.#leaving)
      .catch((error: unknown) => { this.#failure ??= error; })
      .finally(() => {
        this.#flush = undefined;
        this.#wake();
      });
  }

  async #write(chains: Uint32Array): Promise<void> {
    const file = this.#file ??= await this.#spill.create(this.#purpose);
    const generation: Generation = { at: file.size, sizes: new Uint32Array(chains.length) };
    const number = this.#generations.push(generation) - 1;
    for (let partition = 0; partition < chains.length; partition++) {
      while (chains[partition] !== 0) {
        const before = this.#get(STORE_LISTED_BYTES);
        chains[partition] = this.#kernel.packChain(this.at, chains[partition]!, partition, number);
        const listed = this.#get(STORE_LISTED_BYTES);
        generation.sizes[partition]! += listed - before;
        if (listed >= LIST_BYTES || this.#get(STORE_LISTED) === LIST_PAGES) await this.#writeList(file);
        if (this.#closing) return;
      }
    }
    if (this.#get(STORE_LISTED) > 0) await this.#writeList(file);
  }

  async #writeList(file: SpillFile): Promise<void> {
    const list = this.#memory.u32(this.at + STORE_LIST, 2 * this.#get(STORE_LISTED));
    const pages: Uint8Array[] = [];
    for (let i = 0; i < list.length; i += 2) pages.push(this.#memory.bytes(list[i]!, list[i + 1]!));
    await file.append(pages);
    this.#kernel.recyclePages(this.at);
    this.#wake();
  }

  /** Completes all chains and begins anew without them. */
  #takeChains(): Uint32Array<SharedArrayBuffer> {
    this.#kernel.sealStore(this.at);
    const partitions = this.#get(STORE_PARTITIONS);
    const first = this.#memory.u32(this.at + STORE_FIRST, partitions);
    const chains = newChains(partitions);
    chains.set(first);
    first.fill(0);
    this.#rows += this.#get(STORE_ROWS);
    this.#set(STORE_ROWS, 0);
    this.#memory.bytes(this.at + STORE_CURSORS, CURSOR_BYTES * partitions).fill(0);
    return chains;
  }

  /** Gives the free pages to the pool, except `keep` of them. */
  #giveFree(keep: number): void {
    let last = this.at + STORE_FREE;
    const next = (): number => this.#memory.view(last, 4).getUint32(0, true);
    for (let kept = 0; kept < keep && next() !== 0; kept++) last = next();
    this.#kernel.giveChain(next());
    this.#memory.view(last, 4).setUint32(0, 0, true);
  }

  #assertWell(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #get(field: number): number {
    return this.#memory.view(this.at, STORE_LIST).getUint32(field, true);
  }

  #set(field: number, value: number): void {
    this.#memory.view(this.at, STORE_LIST).setUint32(field, value, true);
  }
}

/** In memory that all threads share: whoever reads a chain takes it. */
function newChains(partitions: number): Uint32Array<SharedArrayBuffer> {
  return new Uint32Array(new SharedArrayBuffer(4 * partitions));
}
