/**
 * Reads partitions back: two buffers in linear memory, one with the consumer, one being filled. A buffer takes slices of
 * one partition, as many as fit, or as much of one as fits, cut between pages; the pages are checked, linked and read
 * where they are.
 */
import { PAGE_BYTES } from '../kernels/layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { BUFFER_FIRST, BUFFER_LAST, BUFFER_PAGES } from '../kernels/partition-layout.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { SpillFile } from '../spill/spill-space.ts';
import type { Slice } from './stored-rows.ts';

const BUFFERS = 2;
/** One page at least, and the head. */
const LEAST_BYTES = 2 * PAGE_BYTES;

/** A partition's slices, what is left of them, in order. */
export interface PartitionSlices {
  readonly file: SpillFile;
  readonly partition: number;
  readonly slices: Slice[];
}

export class ChunkBuffers {
  readonly free: number[];
  readonly #memory: LinearMemory;
  readonly #kernel: PartitionKernel;
  readonly #bytes: number;
  readonly #at: number;

  constructor(memory: LinearMemory, kernel: PartitionKernel, bytes: number) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#bytes = Math.max(bytes, LEAST_BYTES);
    this.#at = memory.slab(BUFFERS * this.#bytes, 'chunks of partitions');
    this.free = Array.from({ length: BUFFERS }, (_, i) => this.#at + i * this.#bytes);
  }

  /**
   * Fills a buffer with the next pages and takes what it got off the slices. Gives the first page's address. Throws
   * ETL_TEMP_DAMAGED, or ETL_TEMP_WRITE when reading fails; no read is under way then.
   */
  async fill(buffer: number, { file, partition, slices }: PartitionSlices): Promise<number> {
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

  /** No read may be under way. */
  close(): void {
    this.#memory.giveSlab(this.#at, BUFFERS * this.#bytes);
  }
}
