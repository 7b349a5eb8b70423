/**
 * What one thread does in lanes 1 and 2: the stages between the blocks and the runs. The main thread has one when it is
 * alone; else each thread beside it has one, over an arena of the one linear memory.
 *
 *   scatter   blocks -> parse -> geo -> scatter             this thread's share of the rows
 *   reduce    shares of all -> dedup -> aggregate           this thread's share of the partitions, as sorted runs, or
 *                                                           in ranges that are made when all threads have done so
 */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Aggregator } from '../aggregate/aggregator.ts';
import { RangeBoard } from '../aggregate/range-board.ts';
import { Ranges } from '../aggregate/ranges.ts';
import type { HandedRun } from '../aggregate/runs.ts';
import type { Scattered } from '../aggregate/scattered.ts';
import type { Splitters } from '../aggregate/splitters.ts';
import { createAggregateStage } from '../aggregate/stage.ts';
import type { Counters } from '../core/counters.ts';
import type { MemoryBudget } from '../core/memory-budget.ts';
import type { GroupBy } from '../core/options.ts';
import type { RejectSink } from '../core/rejects.ts';
import { Resources } from '../core/resources.ts';
import type { SortedRun } from '../core/stage.ts';
import type { IdHistory } from '../dedup/history.ts';
import { HistoryKeySet } from '../dedup/history-key-set.ts';
import { MemoryKeySet } from '../dedup/memory-key-set.ts';
import { createDedupStage } from '../dedup/stage.ts';
import { createGeoStage } from '../geo/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { AggregateKernel } from '../kernels/twins/aggregate.ts';
import type { DedupKernel } from '../kernels/twins/dedup.ts';
import type { IdPageKernel } from '../kernels/twins/id-pages.ts';
import type { GeoKernel } from '../kernels/twins/geo.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { RangesKernel } from '../kernels/twins/ranges.ts';
import type { SpillKernel } from '../kernels/twins/spill.ts';
import type { Relay } from '../parse/relay.ts';
import { PartitionReader } from '../partition/reader.ts';
import type { StoredShare } from '../partition/share.ts';
import { createScatterStage } from '../partition/stage.ts';
import { PartitionStore } from '../partition/store.ts';
import { RunFiles } from '../spill/run-files.ts';
import type { SpillSpace } from '../spill/spill-space.ts';
import { parseStage, type ParseSetup } from './parse-setup.ts';

/** Kernels of lanes 1 and 2. */
export const LANE_KERNELS = ['parse', 'geo', 'partition', 'dedup', 'aggregate', 'spill'] as const;

/** What is the same for all threads of a run: plain data. */
export interface LaneSetup extends ParseSetup {
  readonly budget: Pick<MemoryBudget,
    | 'blockBytes' | 'blocks' | 'relayBytes' | 'storeBytes' | 'keepBytes' | 'partitionBits' | 'chunkBytes' | 'idTableBytes' | 'deferredBytes'
    | 'aggregateBytes' | 'runBufferBytes'>;
  readonly groupBy: GroupBy;
  /** Address of the range table, how many regions it has, and which of them is the unknown one. */
  readonly geo: { readonly ptr: number; readonly regions: number; readonly unknown: number };
}

export interface LaneWorkerOptions {
  readonly setup: LaneSetup;
  /** Of this thread. */
  readonly memory: LinearMemory;
  readonly spill: SpillSpace;
  readonly counters: Counters;
  /** Ids that were counted before the run; undefined: none. */
  readonly history?: IdHistory | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ScatterOptions {
  readonly blocks: Readable;
  readonly rejects: RejectSink;
  /** When other threads have blocks, too. */
  readonly relay?: Relay;
}

export interface ReduceOptions {
  /** Of all threads. */
  readonly shares: readonly StoredShare[];
  /** The next partition that no thread has. */
  readonly claim: () => number;
  /** For rows to be added up by ranges. */
  readonly splitters?: Splitters | undefined;
}

/** What a thread's partitions came to. */
export interface Reduced {
  /** Of a table; when there are splitters they come with `reduceLarge`. */
  readonly runs: HandedRun[];
  /** In ranges; undefined when they are in a table. */
  readonly scattered: Scattered | undefined;
}

export interface ReduceLargeOptions {
  /** Of all threads. */
  readonly scattered: readonly Scattered[];
  /** Ranges that are not to be made, but added to tables. */
  readonly large: readonly number[];
  /** The next of them that no thread has. */
  readonly claim: () => number;
}

export class LaneWorker {
  readonly #options: LaneWorkerOptions;
  readonly #resources = new Resources();
  #store: PartitionStore | undefined;
  #aggregator: Aggregator | undefined;
  #ranges: Ranges | undefined;

  constructor(options: LaneWorkerOptions) {
    this.#options = options;
  }

  /** Lane 1, once. What it gives stays where it is until `closeStore`. */
  async scatter({ blocks, rejects, relay }: ScatterOptions): Promise<StoredShare> {
    const { memory, spill, counters, setup } = this.#options;
    const { budget, geo } = setup;
    const [parse, lookup, partition] = await Promise.all([
      loadKernel<ParseKernel>('parse', memory), loadKernel<GeoKernel>('geo', memory), loadKernel<PartitionKernel>('partition', memory),
    ]);
    const { storeBytes, keepBytes, partitionBits } = budget;
    const store = new PartitionStore({ memory, kernel: partition, spill, counters, bits: partitionBits, bytes: storeBytes, keepBytes });
    this.#store = store;
    this.#resources.add(() => store.close());
    await pipeline(
      blocks,
      parseStage(setup, { memory, kernel: parse, counters, rejects, relay, relayBytes: budget.relayBytes }),
      createGeoStage({ memory, kernel: lookup, table: geo }),
      createScatterStage({ memory, kernel: partition, store }),
      this.#stoppable(),
    );
    return store.share();
  }

  /** Lane 2, once. Runs and ranges stay where they are until `giveBack` or `close`. */
  async reduce({ shares, claim, splitters }: ReduceOptions): Promise<Reduced> {
    const { memory, spill, counters, history, setup: { budget } } = this.#options;
    const [partition, dedup, aggregate, packing] = await Promise.all([
      loadKernel<PartitionKernel>('partition', memory), loadKernel<DedupKernel & IdPageKernel>('dedup', memory),
      loadKernel<AggregateKernel & RangesKernel>('aggregate', memory), loadKernel<SpillKernel>('spill', memory),
    ]);
    const { chunkBytes, deferredBytes, idTableBytes, aggregateBytes } = budget;
    const reader = new PartitionReader({ memory, kernel: partition, spill, counters, shares, claim, chunkBytes: 2 * chunkBytes, deferredBytes });
    this.#resources.add(() => reader.close());
    // Beside its table, the one that knows earlier runs keeps new ids.
    const keySet = history ? new HistoryKeySet({ memory, kernel: dedup, maxBytes: idTableBytes / 2, history })
      : new MemoryKeySet({ memory, kernel: dedup, maxBytes: idTableBytes });
    this.#resources.add(() => keySet.close());
    const openTable = (bytes: number): Aggregator => this.#openAggregator(aggregate, packing, bytes);
    const ranges = splitters && this.#openRanges(aggregate, splitters, openTable);
    const aggregator = ranges ?? openTable(aggregateBytes);
    await pipeline(
      reader.partitions(), createDedupStage({ memory, keySet, counters }), createAggregateStage({ aggregator, counters }),
      this.#stoppable(),
    );
    await reader.close();
    await keySet.close();
    if (splitters) return { runs: [], scattered: await ranges?.finish() };
    return { runs: await this.#aggregator!.finish(), scattered: undefined };
  }

  /** Between `reduce` and ranges being made, if some are large, or some thread has its rows in a table. */
  async reduceLarge({ scattered, large, claim }: ReduceLargeOptions): Promise<HandedRun[]> {
    const { memory } = this.#options;
    const [aggregate, packing] = await Promise.all([loadKernel<AggregateKernel>('aggregate', memory), loadKernel<SpillKernel>('spill', memory)]);
    const ranges = this.#ranges;
    await ranges?.addLarge(scattered, large, () => this.#aggregator ?? this.#openAggregator(aggregate, packing, ranges.tableBytes), claim);
    return await this.#aggregator?.finish() ?? [];
  }

  /** All ranges as a run, made by this thread alone. */
  rangeRun(scattered: Scattered, rows: number): SortedRun {
    return this.#ranges!.run([scattered], rows);
  }

  /** Makes ranges with others. What was made stays where it is until `closeRanges`. */
  async makeRanges(board: number, scattered: readonly Scattered[]): Promise<void> {
    await this.#ranges?.make(new RangeBoard(this.#options.memory, board), scattered);
  }

  /** When no thread reads or makes ranges any more. */
  async closeRanges(): Promise<void> {
    await this.#ranges?.close();
  }

  /** When no thread reads its share any more. */
  async closeStore(): Promise<void> {
    await this.#store?.close();
  }

  /** A run was read. */
  async giveBack(run: Pick<HandedRun, 'number'>): Promise<void> {
    await this.#aggregator?.giveBack(run);
  }

  /** Gives everything back, in whatever state it is. Throws the first failure. */
  async close(): Promise<void> {
    const failure = await this.#resources.close();
    if (failure !== undefined) throw failure;
  }

  #openAggregator(kernel: AggregateKernel, packing: SpillKernel, bytes: number): Aggregator {
    const { memory, spill, counters, setup: { budget, groupBy, geo } } = this.#options;
    const aggregator = new Aggregator({
      memory, kernel, counters, groupBy, unknownRegion: geo.unknown, regions: geo.regions, limits: { bytes },
      temp: new RunFiles({ spill, memory, kernel: packing, readBytes: budget.runBufferBytes }),
    });
    this.#aggregator = aggregator;
    this.#resources.add(() => aggregator.close());
    return aggregator;
  }

  #openRanges(
    kernel: AggregateKernel & RangesKernel, splitters: Splitters, openTable: (bytes: number) => Aggregator,
  ): Ranges | undefined {
    const { memory, counters, setup: { budget: { aggregateBytes }, groupBy, geo } } = this.#options;
    const ranges = Ranges.tryOpen({
      memory, kernel, counters, groupBy, unknownRegion: geo.unknown, regions: geo.regions, splitters, aggregateBytes, openTable,
    });
    this.#ranges = ranges;
    if (ranges) this.#resources.add(() => ranges.close());
    return ranges;
  }

  #stoppable(): { signal?: AbortSignal } {
    const { signal } = this.#options;
    return signal ? { signal } : {};
  }
}
