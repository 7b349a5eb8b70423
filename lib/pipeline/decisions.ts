/**
 * What a run decides before it reads a row: who reads the inputs, in how many threads, and who gets how much memory. It makes no folder, starts
 * no thread and writes nothing: a run acts on it (plan.ts), `--explain` tells it (explain.ts).
 *
 *   about    by sizes and first bytes of the inputs, and what the process has     threads may start
 *   survey   by the IP database and a sample of the inputs                        final
 */
import { isKernelDialect } from '../core/dialect.ts';
import { divide, leastMemory, outsideLinear, planMemory, regionBytes, type MemoryBudget, type Outside } from '../core/memory-budget.ts';
import { availableMemory, defaultMemory } from '../core/memory-limit.ts';
import type { JobOptions } from '../core/options.ts';
import { availableProcessors } from '../core/processors.ts';
import type { IdStore } from '../dedup/id-store.ts';
import { openRangeTable, type RangeTable } from '../geo/range-table.ts';
import { SLOT_BYTES } from '../kernels/dedup-layout.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { GeoKernel } from '../kernels/twins/geo.ts';
import type { SampleFindings } from '../parse/sample.ts';
import { BlockSource } from '../source/blocks.ts';
import type { Content } from '../source/content.ts';
import type { InputFile } from '../source/inputs.ts';
import { areText, decodingBytes, isCompressed, lookInto, windowBytes } from '../source/look-into.ts';
import type { JobBase } from './base.ts';
import { sampleOf } from './sample-inputs.ts';
import { Sniffer } from './sniffed.ts';

/** Inputs of fewer bytes are done before threads have started. */
const THREADS_FROM = 24e6;

/** Ids that were counted before. */
export type KnownIds = Pick<IdStore, 'ids' | 'indexBytes'>;

type DecisionBase = Pick<JobBase, 'options' | 'context' | 'process'>;

/** Why there are fewer jobs than were asked for. */
export type FewerJobs = 'parser' | 'small' | 'memory' | 'ids' | 'regions';

export interface Survey {
  readonly memory: LinearMemory;
  readonly source: BlockSource;
  readonly table: RangeTable;
  /** undefined: no input has a row to tell by, or a pipe that was skipped may. */
  readonly found: SampleFindings | undefined;
}

export class Decisions {
  /** With what stands in them. */
  readonly inputs: readonly InputFile[];
  /** The main thread reads them all: there are pipes among them, or files that are no text in UTF-8. */
  readonly piped: boolean;
  /** On the disk; undefined: an input is a pipe, or is decoded. */
  readonly totalBytes: number | undefined;
  /** What reads the inputs, if not all are for the kernel: csv-parse, in one thread. */
  readonly parser: 'kernel' | 'csv-parse';
  /** Jobs that were asked for, by the option or by the machine. */
  readonly jobsAsked: number;
  fewerJobs: FewerJobs | undefined;
  budget: MemoryBudget;
  readonly #base: DecisionBase;
  readonly #known: KnownIds | undefined;
  /** Most of a window of Zstandard. */
  readonly windowBytes: number;
  /** What decompressing files takes, that included. */
  readonly #decodingBytes: number;

  private constructor(base: DecisionBase, inputs: readonly InputFile[], known: KnownIds | undefined) {
    this.#base = base;
    this.#known = known;
    this.inputs = inputs;
    this.piped = !areText(inputs);
    this.totalBytes = this.piped ? undefined : inputs.reduce((sum, { size }) => sum + size!, 0);
    this.parser = inputs.every(({ dialect }) => !dialect || isKernelDialect(dialect)) ? 'kernel' : 'csv-parse';
    this.jobsAsked = base.options.jobs ?? availableProcessors();
    this.#decodingBytes = 0;
    this.windowBytes = windowBytes(this.#limit());
    this.#decodingBytes = decodingBytes(inputs.map(({ content }) => content).filter(isCompressed), this.windowBytes);
    this.budget = this.#plan();
  }

  /** Of a run over these inputs, none if it only publishes; `known`: undefined without a state. Throws ETL_INPUT_READ, ETL_USAGE. */
  static async about(base: DecisionBase, inputs: readonly InputFile[], known: KnownIds | undefined): Promise<Decisions> {
    return new Decisions(base, await lookInto(inputs), known);
  }

  /**
   * Opens the IP database and looks at the inputs' beginnings; what it opens is closed with `resources`. `skipsPipes`: a pipe is neither
   * read nor waited for, and what it might say stays undecided. Throws ETL_GEO_DATABASE, ETL_HEADER, ETL_INPUT_READ, ETL_MEMORY.
   */
  async survey({ resources, counters }: Pick<JobBase, 'resources' | 'counters'>, { skipsPipes = false } = {}): Promise<Survey> {
    const { options: { columns, geoDb, geoField, groupBy, sniff }, context } = this.#base;
    const { inputs, budget: { linear, workspace, blockBytes, blocks } } = this;
    const memory = new LinearMemory({ limit: linear, workspace });
    const source = new BlockSource({ inputs, memory, counters, signal: context.signal, blockBytes, blocks, windowBytes: this.windowBytes });
    resources.add(() => source.close());
    // First: a pipe may keep the sample waiting, and what is wrong with the database is to be said at once.
    const table = await openRangeTable({ file: geoDb, field: geoField }, memory, await loadKernel<GeoKernel>('geo', memory));
    resources.add(() => table.close());
    const sniffer = sniff ? new Sniffer(this.#base.options) : undefined;
    const found = await sampleOf(source, columns, memory, { sniffer, skipsPipes });
    for (const guess of sniffer?.guesses ?? []) context.onGuess?.(guess);
    this.#reserveForPipes(memory, source.sampledPipes);
    if (this.budget.jobs > 1 && this.piped && !this.#needsThreads(source.expectedBytes)) this.#divideAgain(memory, 1, 'small');
    memory.reserve(regionBytes(table.regions.length, groupBy), `names and files of ${table.regions.length} regions`);
    if (this.budget.jobs > 1) this.#divideAgain(memory, this.budget.jobs, 'regions', table.bytes);
    return { memory, source, table, found };
  }

  /** Once it is known what the main thread needs. `why`: if that leaves fewer jobs. */
  #divideAgain(memory: LinearMemory, jobs: number, why: FewerJobs, geoBytes?: number): void {
    const before = this.budget;
    const { partitionBits, ...shares } = divide(memory.limit, jobs, geoBytes, this.piped, this.#base.options.maxRecord);
    this.budget = { ...before, ...shares, partitionBits: Math.min(before.partitionBits, partitionBits), ...this.#base.context.limits };
    if (this.budget.jobs < before.jobs) this.fewerJobs = why;
  }

  /** What a pipe turned out to need is known only when the budget was made. Throws ETL_MEMORY. */
  #reserveForPipes(memory: LinearMemory, contents: readonly Content[]): void {
    const bytes = decodingBytes(contents.filter(isCompressed), this.windowBytes) - this.#decodingBytes;
    if (bytes <= 0) return;
    memory.reserve(bytes, 'decompression');
    this.#divideAgain(memory, this.budget.jobs, 'memory');
  }

  get #process() {
    const { options: { state }, process } = this.#base;
    const stateIndex = this.#known?.indexBytes ?? (state === undefined ? undefined : 0);
    return { ...process, stateIndex, decodingBytes: this.#decodingBytes };
  }

  /** What of the limit is not for linear memory. */
  get outside(): Outside {
    return outsideLinear({ limit: this.budget.limit, jobs: this.jobsAsked, ...this.#process }, this.budget);
  }

  /** What the run was told, or else the default, though never less than what this process takes to run at all. */
  #limit(): number {
    return this.#base.options.memory ?? Math.max(memoryLimit(this.#base.options), leastMemory(this.#process));
  }

  #needsThreads(bytes: number | undefined): boolean {
    return bytes === undefined || bytes >= (this.#base.context.threadsFrom ?? THREADS_FROM);
  }

  #plan(): MemoryBudget {
    const { options: { maxRecord }, context: { limits } } = this.#base;
    const { piped, totalBytes, jobsAsked } = this;
    const ids = this.#known?.ids;
    const limit = this.#limit();
    if (jobsAsked > 1) this.fewerJobs = this.parser !== 'kernel' ? 'parser' : this.#needsThreads(totalBytes) ? undefined : 'small';
    for (let most = this.fewerJobs ? 1 : jobsAsked; ; most--) {
      const planned = planMemory({ limit, jobs: most, piped, maxRecord, ...this.#process });
      if (planned.jobs < most) this.fewerJobs = 'memory';
      const budget = { ...planned, partitionBits: Math.min(planned.partitionBits, usefulBits(totalBytes, ids)), ...limits };
      if (planned.jobs === 1 || holdsKnownIds(budget, ids)) return budget;
      most = planned.jobs;
      this.fewerJobs = 'ids';
    }
  }
}

/** What a run may have, by what it was told alone. */
export function memoryLimit({ memory }: JobOptions): number {
  return memory ?? defaultMemory(availableMemory());
}

/** Whether a partition's known ids fit the table of a thread: fewer threads have larger ones, and reading ids again and again takes longer. */
function holdsKnownIds({ idTableBytes, partitionBits }: MemoryBudget, known = 0): boolean {
  return known / 2 ** partitionBits < (idTableBytes / 2 / SLOT_BYTES) * 0.5;
}

/** log2 of as many partitions as an input is worth dividing into: one for each MiB, and for as many ids that are known as that has. */
function usefulBits(bytes = Infinity, known = 0): number {
  return Math.ceil(Math.log2(Math.max(bytes / 2 ** 20, known / 2 ** 13, 1)));
}
