/**
 * Lane 2's source: what all threads stored, as chunks, in those partitions that this thread claims, ascending; and for each
 * the parts that its consumer asks for by putting rows off (PartitionChunk.defer). Empty partitions are skipped.
 *
 *   partition 7   part 0  [chunk][chunk][chunk, last]──all released──► rows put off, by the next hash bits, in a file
 *                 part 1  [chunk, last] ──► none put off                 │ slice 0 = part 1, slice 1 = part 2 ...
 *                 part 2  [chunk, last] ──► ...                        ◄─┘
 *
 * A chunk is a list of segments (part.ts). Whether there are further parts is known when all chunks of a part are released,
 * so nothing is given before that; the next partition is claimed, and its first buffers are read, meanwhile. Only the part
 * that is being read collects rows, and all that it collected is in the file before the next part begins: so all levels
 * together take one bounded set of pages. Memory: that, the buffers, two lists, and the chains that it took. Every page of a
 * file is checked when it is read.
 */
import { Readable } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { releaseOnce, type HashRange, type PartitionChunk } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { MERGE_HEAP, SOURCE_BYTES } from '../kernels/partition-layout.ts';
import { SlabPool } from '../kernels/slab-pool.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import { BorrowedFile } from '../spill/borrowed-file.ts';
import type { HandedSpillFile, SpillSpace } from '../spill/spill-space.ts';
import { ChunkBuffers, type ReadableFile } from './chunk-buffers.ts';
import { Generations } from './generations.ts';
import { ALL_HASHES, bitsAfter, rangeOf, SPLIT_BITS, type HashBits } from './hash-bits.ts';
import { Part, type PartOptions } from './part.ts';
import type { Stored, StoredShare } from './share.ts';
import { StoredRows } from './stored-rows.ts';

/** Pages to put rows off with when nobody else has one left: one for each partition, and some that are being written. */
const RESERVED_PAGES = 2 ** SPLIT_BITS + 16;
/** One with the consumer, one being made. */
const LISTS = 2;
/** Segments of a list: with the rows of most runs, some 11 a segment, they fit the CPU's second cache. */
const LIST_SEGMENTS = 2048;

export interface PartitionReaderOptions {
  readonly memory: LinearMemory;
  readonly kernel: PartitionKernel;
  /** Where rows go that are put off. */
  readonly spill: SpillSpace;
  readonly counters: Pick<Counters, 'splits'>;
  /** At least one, and those of all stores: their owners close them after all readers. */
  readonly shares: readonly StoredShare[];
  /** The next partition that no reader has: 0, 1, 2 ... past the last there is nothing more. */
  readonly claim: () => number;
  /** Bytes of all buffers that partitions are read back into, two for each share in a file; they have a page each at least. */
  readonly chunkBytes: number;
  /** Most bytes of pages of rows that are put off. */
  readonly deferredBytes: number;
  /** Default: by its descriptor. */
  readonly borrow?: (file: HandedSpillFile) => ReadableFile;
}

export class PartitionReader {
  readonly #options: PartitionReaderOptions;
  readonly #buffers: ChunkBuffers;
  readonly #lists: SlabPool;
  readonly #merge: DataView;
  readonly #partOptions: PartOptions;
  readonly #deferred: Generations;
  readonly #rows: StoredRows;
  /** What was put off and is being read, outermost first. */
  readonly #levels: Stored[] = [];
  /** Chunks that are with the consumer. */
  #out = 0;
  #collecting = false;
  #reading = false;
  #stopped = false;
  #closing: Promise<void> | undefined;
  #wake = (): void => {};

  /** Throws ETL_MEMORY. */
  constructor(options: PartitionReaderOptions) {
    const { memory, kernel, spill, shares, claim, chunkBytes, deferredBytes } = options;
    this.#options = options;
    this.#rows = this.#storedRows(shares, claim);
    this.#deferred = new Generations({
      memory, kernel, spill, purpose: 'deferred', bits: SPLIT_BITS, bytes: deferredBytes, reserve: RESERVED_PAGES,
    });
    const files = shares.filter(({ file }) => file).length;
    this.#buffers = new ChunkBuffers(memory, kernel, Math.max(files, 1), chunkBytes);
    this.#lists = new SlabPool(memory, LISTS, 4 * LIST_SEGMENTS, 'segments of partitions');
    const mergeBytes = MERGE_HEAP + SOURCE_BYTES * shares.length;
    this.#merge = memory.view(memory.slab(mergeBytes, 'merging segments'), mergeBytes);
    this.#partOptions = { kernel, buffers: this.#buffers, merge: this.#merge };
  }

  /** Once: a stream of PartitionChunk. It waits for the release of all chunks of a part; at its end the reader is closed. */
  partitions(): Readable {
    if (this.#reading || this.#closing) throw new EtlError('ETL_INTERNAL', 'Partitions are read once.');
    this.#reading = true;
    const chunks = this.#chunks();
    return new Readable({
      objectMode: true,
      highWaterMark: 1,
      read() {
        chunks.next().then(({ value }) => this.push(value ?? null), (error) => this.destroy(error));
      },
      destroy: (error, callback) => {
        this.#stop();
        callback(error);
      },
    });
  }

  /**
   * Waits for reads and writes that are under way, then gives back everything that it took, chunks that are out too: nobody
   * may read them any more, and releasing them does nothing. Idempotent, and allowed at any time.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#stop();
    await this.#buffers.close();
    // All memory is given back, whether or not a file can be closed.
    const files = [this.#deferred, ...this.#levels].map((holder) => holder.close());
    this.#rows.close();
    this.#lists.close();
    this.#options.memory.giveSlab(this.#merge.byteOffset, this.#merge.byteLength);
    await Promise.all(files);
  }

  /** Ends `#chunks` wherever it waits. */
  #stop(): void {
    this.#stopped = true;
    this.#buffers.stop();
    this.#lists.end();
    this.#wake();
  }

  async *#chunks(): AsyncGenerator<PartitionChunk, void, undefined> {
    let part = Part.take(this.#rows, this.#partOptions);
    while (part) {
      const range = rangeOf(part.hash, part.partition, ALL_HASHES);
      yield* this.#give(part, part.partition, 0, range);
      const next = Part.take(this.#rows, this.#partOptions);
      next?.readAhead();
      yield* this.#giveDeferred(part.partition, 1, range);
      part = next;
    }
    await this.close();
  }

  /** The chunks of one part. */
  async *#give(part: Part, partition: number, number: number, range: HashRange): AsyncGenerator<PartitionChunk, void, undefined> {
    for (let last = false; !last; ) {
      const free = this.#lists.take();
      const ptr = typeof free === 'number' ? free : await free;
      const reading = part.ready();
      if (reading) await reading;
      const list = part.list(ptr, LIST_SEGMENTS);
      ({ last } = list);
      yield this.#chunk(part.hash, { partition, part: number, range, ptr, count: list.count, last }, () => {
        list.release();
        this.#lists.give(ptr);
      });
    }
  }

  /** The parts of what was put off from the part before, whose range is `within`, and of what is put off from these. Gives the next part's number. */
  async *#giveDeferred(partition: number, number: number, within: HashRange): AsyncGenerator<PartitionChunk, number, undefined> {
    while (this.#out > 0 && !this.#stopped) await new Promise<void>((resolve) => { this.#wake = resolve; });
    if (this.#stopped) throw new EtlError('ETL_INTERNAL', 'Reading partitions was stopped.');
    if (!this.#collecting) return number;
    this.#options.counters.splits++;
    const stored = await this.#deferred.end(0);
    this.#collecting = false;
    this.#levels.push(stored);
    let next = 0;
    const rows = this.#storedRows([stored.share], () => next++);
    const take = (): Part | undefined => Part.take(rows, this.#partOptions);
    for (let part = take(); part; part = take()) {
      const range = rangeOf(part.hash, part.partition, within);
      yield* this.#give(part, partition, number, range);
      number = yield* this.#giveDeferred(partition, number + 1, range);
    }
    this.#levels.pop();
    await stored.close();
    return number;
  }

  #chunk(hash: HashBits, chunk: Omit<PartitionChunk, 'defer' | 'release'>, free: () => void): PartitionChunk {
    this.#out++;
    let open = true;
    return {
      ...chunk,
      defer: (ptr, count) => {
        if (!open || this.#closing) {
          throw new EtlError('ETL_INTERNAL', `Rows of partition ${chunk.partition} were put off after their chunk was released.`);
        }
        return this.#defer(hash, ptr, count);
      },
      release: releaseOnce(`A chunk of partition ${chunk.partition}`, () => {
        open = false;
        if (this.#closing) return;
        free();
        if (--this.#out === 0) this.#wake();
      }),
    };
  }

  #defer(hash: HashBits, ptr: number, count: number): void | Promise<void> {
    if (count === 0) return;
    const { memory, kernel } = this.#options;
    memory.assertHolds(ptr, 4 * count, 'A list of rows');
    if (!this.#collecting) {
      this.#deferred.begin(bitsAfter(hash));
      this.#collecting = true;
    }
    return this.#deferred.append(count, (from) => kernel.scatterRows(this.#deferred.at, ptr, count, from));
  }

  #storedRows(shares: readonly StoredShare[], claim: () => number): StoredRows {
    const { kernel, borrow = (file) => new BorrowedFile(file) } = this.#options;
    return new StoredRows({ shares, claim, borrow, kernel });
  }
}
