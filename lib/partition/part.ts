/**
 * Reads one part of a partition: merges what the shares have of it, segment by segment, into lists in input order.
 *
 *   share 0, a chain      [seg 0][seg 3][seg 4] ...  ─┐
 *   share 1, a file       [buffer: seg 1, seg 2]     ─┼─► list: seg 0, seg 1, seg 2 │ the file's next buffer is read ahead
 *                         [buffer, being filled]     ─┘
 *
 * A list ends when it is full, or when a buffer is used up: what comes next in order may be in the next one. A buffer is
 * filled again when all lists that point into it are released; chains go back with the last list of the part.
 */
import {
  MERGE_HEAP, MERGE_SOURCES, SOURCE_AT, SOURCE_BYTES, SOURCE_MORE, SOURCE_NUMBER, SOURCE_PAGE,
} from '../kernels/partition-layout.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { ChunkBuffers, Filled } from './chunk-buffers.ts';
import type { HashBits } from './hash-bits.ts';
import type { RowSource, StoredRows } from './stored-rows.ts';

export interface PartOptions {
  readonly kernel: PartitionKernel;
  readonly buffers: ChunkBuffers;
  /** The merge's state in linear memory, with room for all sources: one part is listed at a time. */
  readonly merge: DataView;
}

export interface SegmentList {
  readonly count: number;
  /** No list follows. */
  readonly last: boolean;
  /** The segments are read no more. */
  release(): void;
}

/** A buffer that is being listed. */
interface Current {
  readonly filled: Filled;
  /** Lists that point into it, and its source until it is used up. */
  holders: number;
}

interface Source {
  readonly number: number;
  readonly rows: RowSource;
  /** The first page of its chain, or of the current buffer. */
  page: number;
  current: Current | undefined;
  /** The next buffer, on its way. */
  ahead: Promise<Filled> | undefined;
}

export class Part {
  /** Its number in what it was taken from. */
  readonly partition: number;
  readonly hash: HashBits;
  readonly #from: StoredRows;
  readonly #options: PartOptions;
  readonly #sources: readonly Source[];
  /** Sources whose next pages the merge waits for, in the order of their records: all at first, then the heap's first. */
  #wanted: readonly Source[];
  #begun = false;
  /** Lists that are out, and the part itself until its last list is given. */
  #holders = 1;

  /** The next part that has rows. */
  static take(from: StoredRows, options: PartOptions): Part | undefined {
    const taken = from.take();
    return taken && new Part(from, taken, options);
  }

  constructor(from: StoredRows, { partition, sources }: { partition: number; sources: readonly RowSource[] }, options: PartOptions) {
    this.partition = partition;
    this.hash = from.hash;
    this.#from = from;
    this.#options = options;
    this.#sources = sources.map((rows, number) => (
      { number, rows, page: 'chain' in rows ? rows.chain : 0, current: undefined, ahead: undefined }
    ));
    this.#wanted = this.#sources;
  }

  /** Begins to read, if there is anything to read. */
  readAhead(): void {
    for (const source of this.#sources) this.#readAhead(source);
  }

  /** To be waited for before each list; undefined when nothing has to be read for it. Rejects with what reading throws. */
  ready(): Promise<void> | undefined {
    return this.#wanted.every(({ rows }) => 'chain' in rows) ? undefined : this.#nextBuffers();
  }

  /** Lists the next segments, at most `max` (at least 1), as u32 at `list`. Not after the last. */
  list(list: number, max: number): SegmentList {
    const { kernel, merge } = this.#options;
    if (!this.#begun) merge.setUint32(MERGE_SOURCES, this.#sources.length, true);
    this.#begun = true;
    let record = MERGE_HEAP;
    for (const source of this.#wanted) {
      merge.setUint32(record + SOURCE_PAGE, source.page, true);
      merge.setUint32(record + SOURCE_AT, 0, true);
      merge.setUint16(record + SOURCE_MORE, source.ahead ? 1 : 0, true);
      merge.setUint16(record + SOURCE_NUMBER, source.number, true);
      record += SOURCE_BYTES;
    }
    const count = kernel.listSegments(merge.byteOffset, list, max) >>> 0;
    const last = merge.getUint32(MERGE_SOURCES, true) === 0;
    const waits = !last && merge.getUint32(MERGE_HEAP + SOURCE_PAGE, true) === 0;
    this.#wanted = waits ? [this.#sources[merge.getUint16(MERGE_HEAP + SOURCE_NUMBER, true)]!] : [];
    const release = this.#hold();
    for (const source of last ? this.#sources : this.#wanted) {
      if (source.current) leave(source.current);
      source.current = undefined;
    }
    if (last) this.#leave();
    return { count, last, release };
  }

  /** Holds, for a list, all buffers that it may point into, and the chains. Gives what ends that. */
  #hold(): () => void {
    const held = this.#sources.flatMap(({ current }) => current ?? []);
    for (const current of held) current.holders++;
    this.#holders++;
    return () => {
      for (const current of held) leave(current);
      this.#leave();
    };
  }

  #leave(): void {
    if (--this.#holders > 0) return;
    for (const { rows } of this.#sources) if ('chain' in rows) this.#from.giveChain(rows.chain);
  }

  /** Of each source that is wanted. The one after it is read meanwhile. */
  async #nextBuffers(): Promise<void> {
    for (const source of this.#wanted) this.#readAhead(source);
    for (const source of this.#wanted) {
      if (!source.ahead) continue; // a chain
      const filled = await source.ahead;
      source.ahead = undefined;
      source.page = filled.first;
      source.current = { filled, holders: 1 };
      this.#readAhead(source);
    }
  }

  #readAhead(source: Source): void {
    const { rows } = source;
    if (!('chain' in rows) && rows.slices.length > 0) source.ahead ??= this.#options.buffers.read(rows);
  }
}

function leave(current: Current): void {
  if (--current.holders === 0) current.filled.give();
}
