/**
 * What one thread does in lanes 1 and 2: the stages between the blocks and the runs. The main thread has one when it is
 * alone; else each thread beside it has one, over an arena of the one linear memory.
 *
 *   scatter   blocks -> parse -> geo -> scatter             this thread's share of the rows
 *   reduce    shares of all -> dedup -> aggregate           this thread's share of the partitions, as sorted runs
 */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Aggregator } from '../aggregate/aggregator.ts';
import type { HandedRun } from '../aggregate/runs.ts';
import { createAggregateStage } from '../aggregate/stage.ts';
import type { Counters } from '../core/counters.ts';
import type { MemoryBudget } from '../core/memory-budget.ts';
import type { ColumnNames, GroupBy } from '../core/options.ts';
import type { RejectSink } from '../core/rejects.ts';
import { Resources } from '../core/resources.ts';
import { MemoryKeySet } from '../dedup/memory-key-set.ts';
import { createDedupStage } from '../dedup/stage.ts';
import { createGeoStage } from '../geo/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { AggregateKernel } from '../kernels/twins/aggregate.ts';
import type { DedupKernel } from '../kernels/twins/dedup.ts';
import type { GeoKernel } from '../kernels/twins/geo.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import type { PartitionKernel } from '../kernels/twins/partition.ts';
import type { SpillKernel } from '../kernels/twins/spill.ts';
import type { Relay } from '../parse/relay.ts';
import { createParseStage } from '../parse/stage.ts';
import { PartitionReader } from '../partition/reader.ts';
import type { StoredShare } from '../partition/share.ts';
import { createScatterStage } from '../partition/stage.ts';
import { PartitionStore } from '../partition/store.ts';
import { RunFiles } from '../spill/run-files.ts';
import type { SpillSpace } from '../spill/spill-space.ts';

/** Kernels of lanes 1 and 2. */
export const LANE_KERNELS = ['parse', 'geo', 'partition', 'dedup', 'aggregate', 'spill'] as const;

/** What is the same for all threads of a run: plain data. */
export interface LaneSetup {
  readonly budget: Pick<MemoryBudget,
    'storeBytes' | 'keepBytes' | 'partitionBits' | 'chunkBytes' | 'idTableBytes' | 'deferredBytes' | 'aggregateBytes' | 'runBufferBytes'>;
  readonly columns: ColumnNames;
  readonly groupBy: GroupBy;
  /** Decimal places of the value column. */
  readonly scale: number;
  /** Address of the range table, how many regions it has, and which of them is the unknown one. */
  readonly geo: { readonly ptr: number; readonly regions: number; readonly unknown: number };
}

export interface LaneWorkerOptions {
  readonly setup: LaneSetup;
  /** Of this thread. */
  readonly memory: LinearMemory;
  readonly spill: SpillSpace;
  readonly counters: Counters;
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
}

export class LaneWorker {
  readonly #options: LaneWorkerOptions;
  readonly #resources = new Resources();
  #store: PartitionStore | undefined;
  #aggregator: Aggregator | undefined;

  constructor(options: LaneWorkerOptions) {
    this.#options = options;
  }

  /** Lane 1, once. What it gives stays where it is until `closeStore`. */
  async scatter({ blocks, rejects, relay }: ScatterOptions): Promise<StoredShare> {
    const { memory, spill, counters, setup: { budget, columns, scale, geo } } = this.#options;
    const [parse, lookup, partition] = await Promise.all([
      loadKernel<ParseKernel>('parse', memory), loadKernel<GeoKernel>('geo', memory), loadKernel<PartitionKernel>('partition', memory),
    ]);
    const { storeBytes, keepBytes, partitionBits } = budget;
    const store = new PartitionStore({ memory, kernel: partition, spill, counters, bits: partitionBits, bytes: storeBytes, keepBytes });
    this.#store = store;
    this.#resources.add(() => store.close());
    await pipeline(
      blocks,
      createParseStage({ memory, kernel: parse, counters, rejects, scale, columns, ...(relay && { relay }) }),
      createGeoStage({ memory, kernel: lookup, table: geo }),
      createScatterStage({ memory, kernel: partition, store }),
      this.#stoppable(),
    );
    return store.share();
  }

  /** Lane 2, once. Runs stay where they are until `giveBack`. */
  async reduce({ shares, claim }: ReduceOptions): Promise<HandedRun[]> {
    const { memory, spill, counters, setup: { budget, groupBy, geo } } = this.#options;
    const [partition, dedup, aggregate, packing] = await Promise.all([
      loadKernel<PartitionKernel>('partition', memory), loadKernel<DedupKernel>('dedup', memory),
      loadKernel<AggregateKernel>('aggregate', memory), loadKernel<SpillKernel>('spill', memory),
    ]);
    const { chunkBytes, deferredBytes, idTableBytes, aggregateBytes, runBufferBytes } = budget;
    const reader = new PartitionReader({ memory, kernel: partition, spill, counters, shares, claim, chunkBytes: 2 * chunkBytes, deferredBytes });
    this.#resources.add(() => reader.close());
    const keySet = new MemoryKeySet({ memory, kernel: dedup, maxBytes: idTableBytes });
    this.#resources.add(() => keySet.close());
    const aggregator = new Aggregator({
      memory, kernel: aggregate, counters, groupBy, unknownRegion: geo.unknown, regions: geo.regions,
      limits: { bytes: aggregateBytes },
      temp: new RunFiles({ spill, memory, kernel: packing, readBytes: runBufferBytes }),
    });
    this.#aggregator = aggregator;
    this.#resources.add(() => aggregator.close());
    await pipeline(
      reader.partitions(), createDedupStage({ memory, keySet, counters }), createAggregateStage({ aggregator, counters }),
      this.#stoppable(),
    );
    await reader.close();
    keySet.close();
    return aggregator.finish();
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

  #stoppable(): { signal?: AbortSignal } {
    const { signal } = this.#options;
    return signal ? { signal } : {};
  }
}
