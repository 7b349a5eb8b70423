/**
 * What spilled partitions are read back into: for each share in a file a lane of two buffers, one being listed or with the
 * consumer, one being filled. A buffer takes slices of one partition, as many as fit, or as much of one as fits, cut between
 * pages; the pages are checked, linked and read where they are. All lanes together have so many bytes, but at least room
 * for a page in each buffer.
 */
import { PAGE_BYTES } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { BUFFER_FIRST, BUFFER_LAST, BUFFER_PAGES } from '../kernels/partition-layout.ts';
import { SlabPool } from '../kernels/slab-pool.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { BorrowedFile } from '../spill/borrowed-file.ts';
import type { Slice, SlicedRows } from './stored-rows.ts';

const BUFFERS = 2;
/** One page at least, and the head. */
const LEAST_BYTES = 2 * PAGE_BYTES;

/** A temporary file, of any thread. */
export type ReadableFile = Pick<BorrowedFile, 'readAll' | 'damaged'>;

/** A chain of pages in a buffer. */
export interface Filled {
  readonly first: number;
  /** Lets the buffer be filled again. */
  give(): void;
}

export class ChunkBuffers {
  readonly #memory: LinearMemory;
  readonly #kernel: PartitionKernel;
  readonly #bytes: number;
  readonly #lanes: SlabPool[] = [];
  readonly #reads = new Set<Promise<Filled>>();

  /** Throws ETL_MEMORY. */
  constructor(memory: LinearMemory, kernel: PartitionKernel, lanes: number, bytes: number) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#bytes = Math.max(Math.floor(bytes / (BUFFERS * lanes) / PAGE_BYTES) * PAGE_BYTES, LEAST_BYTES);
    try {
      while (this.#lanes.length < lanes) this.#lanes.push(new SlabPool(memory, BUFFERS, this.#bytes, 'chunks of partitions'));
    } catch (error) {
      this.#closeLanes();
      throw error;
    }
  }

  /**
   * Fills a buffer of the lane, as soon as there is one, with the next pages, and takes what it got off the slices. One call
   * at a time for the same slices. Throws ETL_TEMP_DAMAGED, or ETL_TEMP_WRITE when reading fails.
   */
  read(rows: SlicedRows): Promise<Filled> {
    const read = this.#read(rows);
    this.#reads.add(read);
    const done = (): void => { this.#reads.delete(read); };
    read.then(done, done); // a failure is thrown where the buffer is wanted
    return read;
  }

  /** Whoever waits for a buffer waits no longer. */
  stop(): void {
    for (const lane of this.#lanes) lane.end();
  }

  /** Waits for reads that are under way; then all buffers go back, those that are in use, too. Idempotent. */
  async close(): Promise<void> {
    this.stop();
    await Promise.allSettled(this.#reads);
    this.#closeLanes();
  }

  async #read(rows: SlicedRows): Promise<Filled> {
    const lane = this.#lanes[rows.lane]!;
    const buffer = await lane.take();
    return { first: await this.#fill(buffer, rows), give: () => lane.give(buffer) };
  }

  async #fill(buffer: number, { file, partition, slices }: SlicedRows): Promise<number> {
    const pieces: { readonly at: number; readonly length: number; readonly slice: Slice }[] = [];
    const end = buffer + this.#bytes;
    let at = buffer + BUFFER_PAGES;
    for (const slice of slices) {
      const length = Math.min(slice.bytes, end - at);
      // Less than a page, and not all of the slice: it might hold no whole page.
      if (length < Math.min(slice.bytes, PAGE_BYTES)) break;
      pieces.push({ at, length, slice });
      at += length;
    }
    await file.readAll(pieces.map(({ at, length, slice }) => ({ target: this.#memory.bytes(at, length), position: slice.position })));

    const head = this.#memory.view(buffer, BUFFER_PAGES);
    head.setUint32(BUFFER_FIRST, 0, true);
    head.setUint32(BUFFER_LAST, buffer, true);
    for (const { at, length, slice } of pieces) {
      const whole = this.#kernel.checkPages(buffer, at, length, partition, slice.generation);
      if (whole < 0) throw file.damaged(slice.position + ~whole);
      // A page may be cut off by the buffer's end, but not by the slice's.
      if (whole < length && length === slice.bytes) throw file.damaged(slice.position + whole);
      slice.position += whole;
      slice.bytes -= whole;
    }
    while (slices.length > 0 && slices[0]!.bytes === 0) slices.shift();
    return head.getUint32(BUFFER_FIRST, true);
  }

  #closeLanes(): void {
    for (const lane of this.#lanes) lane.close();
  }
}
