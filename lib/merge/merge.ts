/**
 * lane 3, the first stage: merges sorted runs into row groups.
 *
 * Takes runs and owns them. Gives ResultBatches in order of (region, user bytes), or of user bytes, each a whole row
 * group. Where a batch ends depends on the data and on maxRows and maxBytes only, not on how many runs there are or how
 * they are buffered. Rows of one key are added in 128 bits; a final total that does not fit is an error, never wrapped.
 * Memory: `bufferBytes` a run, for at most `fanIn` runs at once (more are first merged to fewer, by way of files), and
 * two batches. At most two batches are out; the merge waits for a release. Nothing survives a crash.
 */
import { Readable } from 'node:stream';
import type { Counters } from '../core/counters.ts';
import { EtlError, withCleanupError } from '../core/errors.ts';
import type { GroupBy } from '../core/options.ts';
import type { ResultBatch, SortedRun } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import {
  MAX_FAN_IN, MERGE_BYTES, MERGE_COUNTS, MERGE_MAX_BYTES, MERGE_MAX_ROWS, MERGE_MAX_TOTAL, MERGE_MIN_TOTAL, MERGE_OFFSETS,
  MERGE_REGION, MERGE_ROWS, MERGE_SUM, MERGE_TOPS, MERGE_TOTALS, MERGE_USERS, STATUS_BATCH, STATUS_END,
} from '../kernels/merge-layout.ts';
import type { MergeKernel } from '../kernels/twins/merge.ts';
import { ColumnAreas, type Columns } from './columns.ts';
import { reduceRuns, type RunStore } from './passes.ts';
import { Sources, stopped } from './sources.ts';

const DEFAULT_BUFFER_BYTES = 1 << 17;
const DEFAULT_FAN_IN = 64;
const I64_LIMIT = 2n ** 63n;

export interface MergeOptions {
  readonly runs: readonly SortedRun[];
  readonly memory: LinearMemory;
  readonly kernel: MergeKernel;
  /** Name of each region number. */
  readonly regions: readonly string[];
  readonly groupBy: GroupBy;
  /** Rows, and bytes of their users, that a batch may have; a batch of one row may have more bytes. */
  readonly maxRows: number;
  readonly maxBytes: number;
  readonly counters: Counters;
  /** Totals must be smaller than this in absolute value; undefined = any 64-bit integer. */
  readonly maxTotal?: bigint | undefined;
  /** Bytes of buffer for each run, at least the longest row (8224). */
  readonly bufferBytes?: number;
  /** Runs that are merged at once, 2 to MAX_FAN_IN. */
  readonly fanIn?: number;
  /** Where runs are merged to when there are more than `fanIn`; without it all are merged at once, MAX_FAN_IN at most. */
  readonly temp?: RunStore;
}

/** A Readable of ResultBatch, in object mode. Fails with ETL_VALUE_OVERFLOW, or with what a run's `fill` throws. */
export function mergeRuns(options: MergeOptions): Readable {
  const merger = new Merger(options);
  return new Readable({
    objectMode: true,
    highWaterMark: 1,
    read() {
      merger.next().then((batch) => this.push(batch), (error: unknown) => this.destroy(error as Error));
    },
    destroy(error, done) {
      merger.close().then(
        () => done(error),
        (extra: unknown) => done((error ? withCleanupError(error, extra) : extra) as Error),
      );
    },
  });
}

class Merger {
  readonly #options: MergeOptions;
  readonly #areas: ColumnAreas;
  #sources: Promise<Sources> | undefined;
  #closed = false;

  constructor(options: MergeOptions) {
    this.#options = options;
    const { runs, fanIn = DEFAULT_FAN_IN, temp } = options;
    if (fanIn < 2 || fanIn > MAX_FAN_IN || (!temp && runs.length > MAX_FAN_IN)) {
      const how = `${fanIn} at once${temp ? '' : ' without a temporary folder'}`;
      throw new EtlError('ETL_INTERNAL', `${runs.length} runs cannot be merged ${how}.`);
    }
    this.#areas = new ColumnAreas(options.memory, options.maxRows, options.maxBytes);
  }

  /** The next batch; null at the end. */
  async next(): Promise<ResultBatch | null> {
    const { kernel, counters } = this.#options;
    this.#sources ??= this.#open();
    const sources = await this.#sources;
    const columns = await this.#areas.take();
    if (this.#closed) throw stopped();
    this.#setColumns(sources, columns);
    const status = await sources.step(kernel.mergeColumns);
    if (status === STATUS_END) {
      this.#areas.give(columns);
      return null;
    }
    if (status !== STATUS_BATCH) throw this.#overflow(sources, columns);
    const rows = sources.get(MERGE_ROWS);
    counters.groups += rows;
    return this.#batch(sources, columns, rows);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#areas.close();
    if (!this.#sources) await Promise.all(this.#options.runs.map((run) => run.close()));
    else await this.#sources.then((sources) => sources.close(), () => {}); // a failed open has closed its runs
  }

  async #open(): Promise<Sources> {
    const { runs, memory, kernel, groupBy, counters, maxTotal = I64_LIMIT, temp } = this.#options;
    const { bufferBytes = DEFAULT_BUFFER_BYTES, fanIn = DEFAULT_FAN_IN } = this.#options;
    const byUser = groupBy === 'user';
    const few = !temp ? runs : await reduceRuns(runs, { memory, kernel, byUser, bufferBytes, fanIn, temp }, {
      written: (bytes) => {
        counters.runBytesSpilled += bytes;
      },
      isStopped: () => this.#closed,
    });
    let sources: Sources | undefined;
    try {
      sources = new Sources(memory, few, byUser, bufferBytes);
      sources.set(MERGE_MAX_ROWS, this.#options.maxRows);
      sources.set(MERGE_MAX_BYTES, this.#options.maxBytes);
      const bounds = memory.view(sources.state, MERGE_MAX_TOTAL + 8);
      bounds.setBigInt64(MERGE_MIN_TOTAL, maxTotal < I64_LIMIT ? 1n - maxTotal : -I64_LIMIT, true);
      bounds.setBigInt64(MERGE_MAX_TOTAL, maxTotal < I64_LIMIT ? maxTotal - 1n : I64_LIMIT - 1n, true);
      await sources.start(kernel);
      return sources;
    } catch (error) {
      const closed = sources ? sources.close() : Promise.all(few.map((run) => run.close()));
      throw await closed.then(() => error, (extra: unknown) => withCleanupError(error, extra));
    }
  }

  #setColumns(sources: Sources, columns: Columns): void {
    sources.set(MERGE_ROWS, 0);
    sources.set(MERGE_BYTES, 0);
    sources.set(MERGE_OFFSETS, columns.offsets);
    sources.set(MERGE_USERS, columns.users);
    sources.set(MERGE_TOTALS, columns.totals);
    sources.set(MERGE_COUNTS, columns.counts);
    sources.set(MERGE_TOPS, columns.tops);
  }

  #batch(sources: Sources, columns: Columns, rows: number): ResultBatch {
    const bytes = sources.get(MERGE_BYTES);
    if (this.#options.groupBy === 'region') {
      return this.#areas.batch(columns, rows, bytes, this.#regionName(sources.get(MERGE_REGION)));
    }
    const tops = Array.from(this.#areas.topRegions(columns, rows), (region) => this.#regionName(region));
    return this.#areas.batch(columns, rows, bytes, undefined, tops);
  }

  #regionName(region: number): string {
    const name = this.#options.regions[region];
    if (name !== undefined) return name;
    throw new EtlError('ETL_INTERNAL', `Region ${region} has no name: there are ${this.#options.regions.length}.`);
  }

  #overflow(sources: Sources, columns: Columns): EtlError {
    const { memory, groupBy, maxTotal } = this.#options;
    const start = memory.u32(columns.offsets, sources.get(MERGE_ROWS) + 1).at(-1)!;
    const bytes = memory.bytes(columns.users + start, Math.min(sources.get(MERGE_BYTES) - start, 200));
    const user = JSON.stringify(Buffer.from(bytes).toString());
    const where = groupBy === 'region' ? ` in region ${this.#regionName(sources.get(MERGE_REGION))}` : ' over all regions';
    const state = memory.view(sources.state, MERGE_SUM + 16);
    const total = (state.getBigInt64(MERGE_SUM + 8, true) << 64n) | state.getBigUint64(MERGE_SUM, true);
    const limit = maxTotal === undefined ? 'a 64-bit integer' : `the output type: it must be below ${maxTotal}`;
    const what = `The total of user ${user}${where}, ${total} in units of the last decimal place,`;
    return new EtlError('ETL_VALUE_OVERFLOW', `${what} does not fit ${limit}.`, {
      hint: 'Check the value column for absurd values, or keep fewer decimal places with --value-scale.',
    });
  }
}
