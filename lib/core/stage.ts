/**
 * The contract between stages: what flows through the three lanes. Stages are native Node streams in object mode; what
 * passes from one to the next are the few kinds of value below, never a row object. Nothing here knows a stage.
 *
 * Ownership: a value that has `release()` owns memory. Whoever consumes it last releases it, exactly once; until then
 * its producer does not reuse the memory. Producers hold a small fixed number of such values, so a slow consumer makes
 * them wait: this is the back-pressure besides the streams' own.
 */
import type { Dialect } from './dialect.ts';
import { EtlError } from './errors.ts';

/** Most bytes of a record, unfinished at the end of a block, that the next block has room for before its own. */
export const CARRIED_BYTES = 1 << 20;
/** How much of an input's start is looked at before the run: a constant, so that nothing depends on how it is cut. */
export const SAMPLE_BYTES = 1 << 20;

/** A `release()` that does `free`, and throws ETL_INTERNAL when it is called again: the memory has another owner by then. */
export function releaseOnce(what: string, free: () => void): () => void {
  let released = false;
  return () => {
    if (released) throw new EtlError('ETL_INTERNAL', `${what} was released twice.`);
    released = true;
    free();
  };
}

/**
 * lane 1, source -> parse. A slice of one input's (decompressed) bytes, in linear memory.
 * Blocks of one input come in order, inputs in the order of the run; `last` marks an input's final block, which may be
 * empty. At least `headroom` bytes before `ptr` belong to the block too: the parser puts the record there that the
 * block before left unfinished.
 */
export interface Block {
  readonly input: InputInfo;
  /** Number of this block among all blocks of the run, from 0, without a gap. */
  readonly sequence: number;
  /** Number of this block inside its input, from 0. */
  readonly index: number;
  /** Byte offset of the block's first byte in its input. */
  readonly offset: number;
  readonly ptr: number;
  readonly length: number;
  readonly headroom: number;
  readonly last: boolean;
  release(): void;
}

/** One input of a run. `number` is its place in input order, from 0; below 2^24. */
export interface InputInfo {
  readonly number: number;
  /** Path as the user would write it, or `<stdin>`. */
  readonly name: string;
  /** Default RFC_4180. */
  readonly dialect?: Dialect | undefined;
}

/**
 * lane 1, parse -> geo -> scatter; the stream's values are the Pieces<Batch> of a block (pieces.ts). Up to BATCH_ROWS records
 * that end in the block, as columns at `ptr` (see kernels/layout.ts). The field columns point into the block's bytes.
 */
export interface Batch {
  readonly ptr: number;
  readonly rows: number;
  readonly input: InputInfo;
  /** Number of the block that the records end in: the batch's place in input order, with `input.number`. */
  readonly block: number;
}

/**
 * Ids by the two halves of their hash, unsigned: those between the bounds, both included. The parts that one part was split
 * into have ranges that lie in its range and do not overlap; the last that there can be have one id.
 */
export interface HashRange {
  readonly lo: readonly [from: bigint, to: bigint];
  readonly hi: readonly [from: bigint, to: bigint];
}

/**
 * lane 2, partition store -> dedup. Rows of one partition, in input order: `count` u32 addresses of segments at `ptr`
 * (see kernels/layout.ts), which may come from the stores of several threads.
 *
 * Partitions come in ascending order. A partition comes in one or more parts, a part in one or more chunks, the last one
 * of a part marked. Part 0 has all rows of the partition; the rows of later parts are those that the consumer put off
 * with `defer`, because it had no room to decide on their ids: all rows of an id are put off together, so each id is
 * decided in exactly one part. `release()` gives the pages back.
 */
export interface PartitionChunk {
  readonly partition: number;
  readonly part: number;
  /** Where the hashes of all ids of the part lie. */
  readonly range: HashRange;
  readonly ptr: number;
  /** Segments; 0 when the chunk is empty. */
  readonly count: number;
  readonly last: boolean;
  /**
   * Puts rows of this chunk off: copies them, to come again in a later part of the partition. `count` u32 addresses at
   * `ptr`, in order; wait for the result before the next call, and before the chunk is released.
   */
  defer(ptr: number, count: number): void | Promise<void>;
  release(): void;
}

/**
 * lane 2, dedup -> aggregate; the stream's values are the Pieces<Winners> of a chunk. Addresses of rows (partition row format)
 * that were seen for the first time: `count` u32 at `ptr`, in input order within their partition.
 */
export interface Winners {
  readonly ptr: number;
  readonly count: number;
}

/**
 * aggregate -> merge. Totals in the run row format (kernels/layout.ts), each (region, user) at most once a run, in
 * order of (region, user bytes), or of (user bytes, region) when grouping by user. Read once, front to back.
 */
export interface SortedRun {
  /** How many; at most so many when they are made while they are read. */
  readonly rows: number;
  /**
   * Copies the next whole rows to `ptr`, as many as fit `capacity` bytes (at least one: capacity is never less than
   * the longest row). Gives the number of bytes, 0 at the end.
   */
  fill(ptr: number, capacity: number): number | Promise<number>;
  /** Frees memory and files; idempotent. */
  close(): Promise<void>;
}

/** A region for each row, by its number: an array of names would be half a megabyte of garbage a row group. */
export interface RegionColumn {
  readonly numbers: Uint32Array;
  /** Name of each number. */
  readonly names: readonly string[];
}

/**
 * lane 3, merge -> parquet. Finished totals: exactly one row group. Rows are in order of user_id bytes, all of one
 * region when grouping by region. The arrays are views that are valid until `release()`.
 */
export interface ResultBatch {
  /** The region that every row belongs to; undefined when grouping by user. */
  readonly region: string | undefined;
  readonly rows: number;
  /** rows + 1 offsets into `userBytes`. */
  readonly userOffsets: Int32Array;
  readonly userBytes: Uint8Array;
  /** Scaled sums. */
  readonly totals: BigInt64Array;
  readonly counts: BigInt64Array;
  /** Per row, the region with the most watch time (ties: first in byte order); only when grouping by user. */
  readonly topRegions: RegionColumn | undefined;
  /** Memory that is this batch's alone, the columns in it: its last consumer may write there what it makes of them. */
  readonly area: Uint8Array;
  release(): void;
}

/** The columns alone. */
export type ResultColumns = Omit<ResultBatch, 'region' | 'area' | 'release'>;
