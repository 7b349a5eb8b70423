/**
 * Lane 2's source: what was stored, as chunks, partition after partition, and for each the parts that its consumer asks
 * for by putting rows off (PartitionChunk.defer).
 *
 *   partition 7   part 0  [chunk][chunk][chunk, last]──all released──► rows put off, by the next hash bits, in a file
 *                 part 1  [chunk, last] ──► none put off                 │ slice 0 = part 1, slice 1 = part 2 ...
 *                 part 2  [chunk, last] ──► ...                        ◄─┘
 *
 * Whether there are further parts is known when all chunks of a part are released, so nothing is given before that;
 * the next partition's first buffer is read meanwhile. Only the part that is being read collects rows, and all that it
 * collected is in the file before the next part begins: so all levels together take one bounded set of pages.
 * Memory: that, two buffers, and the chains that were in memory from the start.
 */
import type { Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { releaseOnce, type PartitionChunk } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { SpillSpace } from '../spill/spill-space.ts';
import { ChunkBuffers } from './chunk-buffers.ts';
import { Generations } from './generations.ts';
import { bitsAfter, SPLIT_BITS, type HashBits } from './hash-bits.ts';
import type { Slice, StoredRows } from './stored-rows.ts';

/** Pages to put rows off with when nobody else has one left: one for each partition, and some that are being written. */
const RESERVED_PAGES = 2 ** SPLIT_BITS + 16;

export interface PartsOptions {
  readonly memory: LinearMemory;
  readonly kernel: PartitionKernel;
  readonly spill: SpillSpace;
  readonly counters: Pick<Counters, 'splits'>;
  /** Bytes of each buffer. */
  readonly chunkBytes: number;
  /** Most bytes of pages of rows that were put off. */
  readonly deferredBytes: number;
}

/** Rows of one part that were not given yet. */
interface Part {
  readonly from: StoredRows;
  /** Its number in `from`. */
  readonly partition: number;
  readonly slices: Slice[];
  readonly chain: number;
  /** The next buffer, on its way. */
  filling: Promise<Filled> | undefined;
}

interface Filled {
  readonly buffer: number;
  readonly first: number;
}

export class Parts {
  readonly #memory: LinearMemory;
  readonly #kernel: PartitionKernel;
  readonly #counters: Pick<Counters, 'splits'>;
  readonly #buffers: ChunkBuffers;
  readonly #deferred: Generations;
  /** What is being read, outermost first. */
  readonly #levels: StoredRows[];
  /** Chunks that are with the consumer. */
  #out = 0;
  /** Chains that were taken and not released. */
  readonly #chains = new Set<number>();
  readonly #reads = new Set<Promise<Filled>>();
  #collecting = false;
  #stopped = false;
  #closing: Promise<void> | undefined;
  #waiting: (() => void)[] = [];

  /** Takes `rows` over. */
  constructor(rows: StoredRows, { memory, kernel, spill, counters, chunkBytes, deferredBytes }: PartsOptions) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#counters = counters;
    this.#levels = [rows];
    this.#buffers = new ChunkBuffers(memory, kernel, chunkBytes);
    this.#deferred = new Generations({
      memory, kernel, spill, purpose: 'deferred', bits: SPLIT_BITS, bytes: deferredBytes, reserve: RESERVED_PAGES,
    });
  }

  /** All chunks, once; gives everything back at its end. */
  async *chunks(): AsyncGenerator<PartitionChunk, void, undefined> {
    const rows = this.#levels[0]!;
    let part = this.#take(rows);
    while (part) {
      yield* this.#give(part, part.partition, 0);
      const next = this.#take(rows);
      if (next && next.slices.length > 0) this.#read(next);
      yield* this.#giveDeferred(part.partition, 1);
      part = next;
    }
    await this.close();
  }

  /** Ends `chunks` wherever it waits. */
  stop(): void {
    this.#stopped = true;
    this.#notify();
  }

  /** Waits for reads that are under way, then gives back everything, chunks that are still out too; idempotent. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.stop();
    await Promise.allSettled(this.#reads);
    // All memory is given back, whether or not a file can be closed.
    const ends = [this.#deferred, ...this.#levels].map((holder) => holder.close());
    for (const chain of this.#chains) this.#kernel.giveChain(chain);
    this.#buffers.close();
    await Promise.all(ends);
  }

  #take(from: StoredRows): Part | undefined {
    const taken = from.take();
    if (!taken) return undefined;
    if (taken.chain !== 0) this.#chains.add(taken.chain);
    return { from, ...taken, filling: undefined };
  }

  /** The chunks of one part. */
  async *#give(part: Part, partition: number, number: number): AsyncGenerator<PartitionChunk, void, undefined> {
    while (part.slices.length > 0 || part.filling) {
      const { buffer, first } = await this.#read(part);
      part.filling = undefined;
      const more = part.slices.length > 0;
      if (more) this.#read(part);
      const last = !more && part.chain === 0;
      yield this.#chunk(part, { partition, part: number, first, last }, () => this.#buffers.free.push(buffer));
    }
    const { chain } = part;
    if (chain === 0) return;
    yield this.#chunk(part, { partition, part: number, first: chain, last: true }, () => {
      this.#chains.delete(chain);
      this.#kernel.giveChain(chain);
    });
  }

  /** The parts of what was put off from the part before, and of what is put off from these. Gives the next part's number. */
  async *#giveDeferred(partition: number, number: number): AsyncGenerator<PartitionChunk, number, undefined> {
    await this.#until(() => this.#out === 0);
    if (!this.#collecting) return number;
    this.#counters.splits++;
    const rows = await this.#deferred.end(0);
    this.#collecting = false;
    this.#levels.push(rows);
    for (let part = this.#take(rows); part; part = this.#take(rows)) {
      yield* this.#give(part, partition, number);
      number = yield* this.#giveDeferred(partition, number + 1);
    }
    this.#levels.pop();
    await rows.close();
    return number;
  }

  #chunk(
    { from: { hash } }: Part,
    chunk: Pick<PartitionChunk, 'partition' | 'part' | 'first' | 'last'>,
    free: () => void,
  ): PartitionChunk {
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
        this.#out--;
        this.#notify();
      }),
    };
  }

  #defer(hash: HashBits, ptr: number, count: number): void | Promise<void> {
    if (count === 0) return;
    this.#memory.assertHolds(ptr, 4 * count, 'A list of rows');
    if (!this.#collecting) {
      this.#deferred.begin(bitsAfter(hash));
      this.#collecting = true;
    }
    return this.#deferred.append(count, (from) => this.#kernel.scatterRows(this.#deferred.at, ptr, count, from));
  }

  /** The part's next buffer, which is read once. It may have to wait for one to be released. */
  #read(part: Part): Promise<Filled> {
    if (part.filling) return part.filling;
    const { from: { file }, partition, slices } = part;
    const read = async (): Promise<Filled> => {
      let buffer: number | undefined;
      do {
        await this.#until(() => this.#buffers.free.length > 0);
        buffer = this.#buffers.free.pop();
      } while (buffer === undefined);
      return { buffer, first: await this.#buffers.fill(buffer, { file: file!, partition, slices }) };
    };
    const filling = read();
    part.filling = filling;
    this.#reads.add(filling);
    const done = (): void => { this.#reads.delete(filling); };
    filling.then(done, done); // a failure is thrown where the buffer is wanted
    return filling;
  }

  /** Throws when stopped. */
  async #until(condition: () => boolean): Promise<void> {
    while (!this.#stopped && !condition()) await new Promise<void>((resolve) => { this.#waiting.push(resolve); });
    if (this.#stopped) throw new EtlError('ETL_INTERNAL', 'Reading partitions was stopped.');
  }

  #notify(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
