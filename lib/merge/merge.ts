/**
 * lane 3, the first stage: merges sorted runs into row groups.
 *
 * Takes runs and owns them. Gives ResultBatches in order of (region, user bytes), or of user bytes, each a whole row
 * group. Where a batch ends depends on the data and on maxRows and maxBytes only, not on how many runs there are or how
 * they are buffered. Rows of one key are added in 128 bits; a final total that does not fit is an error, never wrapped.
 * Memory: `columnAreas` batches, taken before anything is read, so that at most as many are out and the merge waits for a
 * release; a page and `bufferBytes` for each of at most `fanIn` runs at once (more are first merged to fewer, by way of
 * files, see passes.ts), besides what a run has itself. All of it is given back at the end. Nothing survives a crash.
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
import type { RunStore } from '../spill/run-files.ts';
import { ColumnAreas, type Columns } from './columns.ts';
import { reduceRuns } from './passes.ts';
import { closeRuns, Sources, stopped } from './sources.ts';

const DEFAULT_BUFFER_BYTES = 1 << 17;
const DEFAULT_FAN_IN = 64;
const DEFAULT_COLUMN_AREAS = 2;
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
  /** Bytes of buffer for each run, at least the longest row (8224). Default 128 KiB. */
  readonly bufferBytes?: number;
  /** Runs that are merged at once, 2 to MAX_FAN_IN. Default 64. */
  readonly fanIn?: number;
  /** Batches that there are at once. Default 2: one is filled while the other is encoded; one more for each further encoder. */
  readonly columnAreas?: number;
  /** Where runs are merged to when there are more than `fanIn`. */
  readonly temp: RunStore;
}

/** A Readable of ResultBatch, in object mode. Fails with ETL_VALUE_OVERFLOW, or with what a run's `fill` throws. */
export function mergeRuns(options: MergeOptions): Readable {
  const merger = new Merger(options);
  let complete = false;
  return new Readable({
    objectMode: true,
    highWaterMark: 1,
    read() {
      merger.next().then(
        (batch) => {
          complete = batch === null;
          this.push(batch);
        },
        (error: unknown) => this.destroy(error as Error),
      );
    },
    destroy(error, done) {
      merger.close(complete).then(
        () => done(error),
        (extra: unknown) => done((error ? withCleanupError(error, extra) : extra) as Error),
      );
    },
  });
}

class Merger {
  readonly #options: MergeOptions;
  readonly #fanIn: number;
  #areas: ColumnAreas | undefined;
  #opening: Promise<Sources> | undefined;
  #closed = false;

  constructor(options: MergeOptions) {
    this.#options = options;
    this.#fanIn = options.fanIn ?? DEFAULT_FAN_IN;
    if (this.#fanIn < 2 || this.#fanIn > MAX_FAN_IN) {
      throw new EtlError('ETL_INTERNAL', `Runs cannot be merged ${this.#fanIn} at once.`);
    }
  }

  /** The next batch; null at the end. */
  async next(): Promise<ResultBatch | null> {
    const { memory, kernel, counters, maxRows, maxBytes, columnAreas = DEFAULT_COLUMN_AREAS } = this.#options;
    this.#areas ??= new ColumnAreas(memory, columnAreas, maxRows, maxBytes);
    this.#opening ??= this.#open();
    const sources = await this.#opening;
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
    return this.#batch(this.#areas, sources, columns, rows);
  }

  /** At any time. `complete`: batches that are out will be released. */
  async close(complete: boolean): Promise<void> {
    this.#closed = true;
    if (complete) this.#areas?.end();
    else this.#areas?.close();
    const sources = await this.#opening?.catch(() => undefined); // whoever waits for it has the error
    if (sources) await sources.close();
    else await closeRuns(this.#options.runs);
  }

  async #open(): Promise<Sources> {
    const { runs, memory, kernel, groupBy, counters, maxTotal = I64_LIMIT, temp, bufferBytes = DEFAULT_BUFFER_BYTES } = this.#options;
    const byUser = groupBy === 'user';
    const few = await reduceRuns(runs, {
      memory, kernel, byUser, bufferBytes, fanIn: this.#fanIn, temp, counters, isStopped: () => this.#closed,
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
      counters.mergePasses++;
      return sources;
    } catch (error) {
      const closed = sources ? sources.close() : closeRuns(few);
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

  #batch(areas: ColumnAreas, sources: Sources, columns: Columns, rows: number): ResultBatch {
    const bytes = sources.get(MERGE_BYTES);
    if (this.#options.groupBy === 'region') {
      return areas.batch(columns, rows, bytes, this.#regionName(sources.get(MERGE_REGION)));
    }
    const { regions: names } = this.#options;
    const numbers = areas.topRegions(columns, rows);
    const unnamed = numbers.find((region) => region >= names.length);
    if (unnamed !== undefined) this.#regionName(unnamed); // throws
    return areas.batch(columns, rows, bytes, undefined, { numbers, names });
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
