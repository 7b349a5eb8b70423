/**
 * The only wiring: what makes the three lanes, in what order they run, who closes what, and how a run stops.
 *
 *   plan     inputs, a sample, IP database             nothing is written yet
 *   lane 1   source -> parse -> geo -> scatter         until the inputs end
 *   lane 2   partitions -> dedup -> aggregate          one partition at a time
 *   lane 3   merge -> count users -> parquet           one region at a time
 *   commit   balance, description, publish
 *
 * The stages of lanes 1 and 2 stand in lanes/, since they run in this thread or in several beside it; the stages of lane 3
 * run here, but for the encoding. A lane ends before the next begins: a partition is complete only when all input has been
 * scattered, a total only when all partitions have been reduced. On any error or abort every resource is closed, the staging
 * and temporary folders are removed, and the first error is thrown.
 */
import { randomBytes } from 'node:crypto';
import { dirname, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isMainThread } from 'node:worker_threads';
import { openRun } from './aggregate/runs.ts';
import { assertBalanced, newCounters } from './core/counters.ts';
import { EtlError, messageOf } from './core/errors.ts';
import { divide, leastMemory, planMemory, regionBytes, type MemoryBudget } from './core/memory-budget.ts';
import { availableMemory, defaultMemory } from './core/memory-limit.ts';
import type { ColumnNames, JobOptions } from './core/options.ts';
import { availableProcessors } from './core/processors.ts';
import { collectGarbage, keepHeapSmall, letHeapGrow, residentBytes } from './core/resident.ts';
import { Resources } from './core/resources.ts';
import type { RegionColumn, ResultBatch, SortedRun } from './core/stage.ts';
import { packageVersion } from './core/version.ts';
import { describeDataset } from './dataset/description.ts';
import { RejectsFile } from './dataset/rejects-file.ts';
import { Staging } from './dataset/staging.ts';
import { createTempFolder } from './dataset/temp-folder.ts';
import { openRangeTable, type RangeTable } from './geo/range-table.ts';
import { LinearMemory } from './kernels/linear-memory.ts';
import { compileKernels, loadKernel } from './kernels/loader.ts';
import type { AggregateKernel } from './kernels/twins/aggregate.ts';
import type { GeoKernel } from './kernels/twins/geo.ts';
import type { MergeKernel } from './kernels/twins/merge.ts';
import type { ParseKernel } from './kernels/twins/parse.ts';
import type { SpillKernel } from './kernels/twins/spill.ts';
import type { UsersKernel } from './kernels/twins/users.ts';
import { setUserPrefix } from './kernels/user-prefix.ts';
import { LANE_KERNELS, type LaneSetup } from './lanes/lane-worker.ts';
import type { Lanes } from './lanes/lanes.ts';
import { OneThread } from './lanes/one-thread.ts';
import type { ThreadSetup } from './lanes/thread.ts';
import { Team } from './lanes/team.ts';
import { DistinctUsers } from './merge/distinct-users.ts';
import { mergeRuns } from './merge/merge.ts';
import { compileWriter } from './parquet/parquet-wasm.ts';
import { createParquetStage, ROW_GROUP_BYTES, ROW_GROUP_ROWS, warmUp, type EncoderTier } from './parquet/stage.ts';
import { readSample, type SampleFindings } from './parse/sample.ts';
import { BlockSource } from './source/blocks.ts';
import { listInputs, type InputFile } from './source/inputs.ts';
import { RunFiles } from './spill/run-files.ts';
import { SpillSpace } from './spill/spill-space.ts';
import { ProgressTeller, type JobListener } from './progress.ts';
import { summarize, type Summary } from './summary.ts';

/** Inputs of fewer bytes are done before threads have started. */
const THREADS_FROM = 24e6;

export interface JobContext {
  readonly signal?: AbortSignal | undefined;
  readonly events?: JobListener | undefined;
  /** Tests tighten shares of the memory budget; nothing in a result depends on them. */
  readonly limits?: Partial<MemoryBudget>;
  /** And have threads for inputs of any size. */
  readonly threadsFrom?: number;
}

interface Plan {
  readonly inputs: readonly InputFile[];
  readonly source: BlockSource;
  readonly lanes: Lanes;
  readonly staging: Staging;
  readonly spill: SpillSpace;
  /** Folders of killed runs that were removed. */
  readonly leftBehind: readonly string[];
  readonly rejects: RejectsFile;
  readonly scale: number;
  readonly table: RangeTable;
}

/** What lane 2 hands to lane 3: sorted runs, and where to put merged ones when there are too many to merge at once. */
interface Runs {
  readonly runs: readonly SortedRun[];
  readonly files: RunFiles;
}

/** Whether a run of this process may have left garbage. */
let ranBefore = false;

/**
 * Runs a job from start to publication. Rejects with EtlError (ETL_ABORTED when `signal` stopped it, with the reason as
 * cause); then nothing was published and nothing is left behind.
 */
export async function runJob(options: JobOptions, context: JobContext = {}): Promise<Summary> {
  const warm = ranBefore;
  if (warm) await collectGarbage();
  ranBefore = true;
  const resources = new Resources();
  let summary: Summary | undefined;
  let failure: unknown;
  try {
    context.signal?.throwIfAborted();
    summary = await new Job(options, context, resources, warm).run();
  } catch (error) {
    failure = asAborted(error, context.signal);
  }
  failure = await resources.close(failure);
  if (failure !== undefined || summary === undefined) throw failure;
  return summary;
}

class Job {
  readonly #options: JobOptions;
  readonly #context: JobContext;
  readonly #resources: Resources;
  readonly #counters = newCounters();
  readonly #version = packageVersion();
  readonly #progress: ProgressTeller;
  /** Of the process before the run. */
  readonly #process: { readonly resident: number; readonly warm: boolean };
  #budget!: MemoryBudget;
  #memory!: LinearMemory;

  constructor(options: JobOptions, context: JobContext, resources: Resources, warm: boolean) {
    this.#options = options;
    this.#context = context;
    this.#resources = resources;
    this.#process = { resident: residentBytes(), warm };
    keepHeapSmall();
    this.#progress = new ProgressTeller(this.#counters, context.events);
    resources.add(() => this.#progress.close());
  }

  async run(): Promise<Summary> {
    const started = performance.now();
    const progress = this.#progress;
    const plan = await progress.during('plan', () => this.#plan());
    await progress.during('scatter', () => this.#scatter(plan));
    const runs = await progress.during('reduce', () => this.#reduce(plan));
    const { users, regions } = await progress.during('publish', () => this.#publish(plan, runs));
    const { type, buildDate } = plan.table.database;
    const { limit, jobs } = this.#budget;
    return summarize(this.#counters, limit, {
      output: this.#options.output,
      inputs: plan.inputs.length,
      jobs,
      users,
      regions,
      valueScale: plan.scale,
      geoDatabase: { type, buildDate },
      seconds: (performance.now() - started) / 1000,
      phases: progress.seconds,
      leftBehind: plan.leftBehind,
      version: this.#version,
    });
  }

  async #plan(): Promise<Plan> {
    const { inputs: paths, output, overwrite, columns, valueScale, geoDb, geoField, groupBy, temp, maxSpill } = this.#options;
    const inputs = await listInputs(paths);
    assertOutside(output, temp, inputs);
    const sizes = inputs.map(({ size }) => size);
    const piped = sizes.includes(undefined);
    const totalBytes = piped ? undefined : sizes.reduce<number>((sum, size) => sum + size!, 0);
    this.#progress.totalBytes = totalBytes;
    this.#budget = this.#planBudget(totalBytes);
    if (this.#budget.heapGrows) letHeapGrow();
    // What takes a while is begun first: threads, unless it has to be seen whether they are worth it, or the encoder.
    let team = this.#budget.jobs > 1 && !piped ? this.#startTeam() : undefined;
    if (this.#budget.jobs === 1) warmUp(this.#tier).catch(() => undefined); // reported when lane 3 needs it

    const staging = await Staging.open(output, { overwrite });
    this.#resources.add(() => staging.discard());
    const tempFolder = createTempFolder(temp ?? dirname(resolve(output)));
    this.#resources.add(() => tempFolder.remove());
    const used = new BigInt64Array(new SharedArrayBuffer(8));
    const spill = new SpillSpace({ folder: tempFolder.path, maxBytes: maxSpill, used, counters: this.#counters });
    this.#resources.add(() => spill.close());
    const rejects = new RejectsFile(staging.folder);
    this.#resources.add(() => rejects.abandon());

    const memory = this.#memory = new LinearMemory({ limit: this.#budget.linear, workspace: this.#budget.workspace });
    const source = new BlockSource({
      inputs, memory, counters: this.#counters, signal: this.#context.signal,
      blockBytes: this.#budget.blockBytes, blocks: this.#budget.blocks,
    });
    this.#resources.add(() => source.close());
    const found = await sampleOf(source, columns, memory);
    const scale = valueScale ?? found?.scale ?? 0;
    if (found) setUserPrefix(memory, found.userPrefix);
    if (this.#budget.jobs > 1 && !team) {
      if (this.#needsThreads(source.knownBytes)) team = this.#startTeam();
      else this.#divideAgain(1, piped);
    }
    const table = await openRangeTable({ file: geoDb, field: geoField }, memory, await loadKernel<GeoKernel>('geo', memory));
    this.#resources.add(() => table.close());
    memory.reserve(regionBytes(table.regions.length, groupBy), `names and files of ${table.regions.length} regions`);
    if (team) {
      this.#divideAgain(this.#budget.jobs, piped, table.bytes);
      if (this.#budget.jobs < team.threads) team = await this.#smallerTeam(team);
    }
    const setup: LaneSetup = {
      budget: this.#budget, columns, groupBy, scale,
      geo: { ptr: table.ptr, regions: table.regions.length, unknown: table.unknown },
    };
    if (team) await this.#begin(team, { setup, inputs, table, spill: { folder: tempFolder.path, maxBytes: maxSpill, used } });
    const lanes = team ?? this.#alone(setup, spill);
    const leftBehind = [...staging.leftBehind, ...tempFolder.leftBehind];
    return { inputs, source, lanes, staging, spill, leftBehind, rejects, scale, table };
  }

  /** Once it is known what the main thread needs. */
  #divideAgain(jobs: number, piped: boolean, geoBytes?: number): void {
    const { partitionBits, ...shares } = divide(this.#memory.limit, jobs, geoBytes, piped);
    this.#budget = { ...this.#budget, ...shares, partitionBits: Math.min(this.#budget.partitionBits, partitionBits), ...this.#context.limits };
  }

  /** An IP database that large leaves less memory for threads. */
  async #smallerTeam(team: Team): Promise<Team | undefined> {
    await team.close();
    return this.#budget.jobs > 1 ? this.#startTeam() : undefined;
  }

  #needsThreads(bytes: number | undefined): boolean {
    return bytes === undefined || bytes >= (this.#context.threadsFrom ?? THREADS_FROM);
  }

  /** What the run was told, or else the default, though never less than what this process takes to run at all. */
  #planBudget(totalBytes: number | undefined): MemoryBudget {
    const { memory, jobs = availableProcessors() } = this.#options;
    const limit = memory ?? Math.max(defaultMemory(availableMemory()), leastMemory(this.#process));
    const planned = planMemory({ limit, jobs: this.#needsThreads(totalBytes) ? jobs : 1, piped: totalBytes === undefined, ...this.#process });
    return { ...planned, partitionBits: Math.min(planned.partitionBits, usefulBits(totalBytes)), ...this.#context.limits };
  }

  #startTeam(): Team {
    const team = new Team({ threads: this.#budget.jobs, counters: this.#counters, signal: this.#context.signal });
    this.#resources.add(() => team.close());
    return team;
  }

  async #begin(team: Team, { setup, inputs, table, spill }: {
    setup: LaneSetup; inputs: readonly InputFile[]; table: RangeTable; spill: ThreadSetup['spill'];
  }): Promise<void> {
    const { compression, parquetEncoding, groupBy } = this.#options;
    const { threadBytes, threadWorkspace } = this.#budget;
    const kernels = await compileKernels(LANE_KERNELS);
    const memory = this.#memory;
    team.begin(memory, inputs, () => ({
      ...setup, kernels, spill, arena: memory.arena(threadBytes, threadWorkspace),
      yields: inputs.some(({ size }) => size === undefined), watched: this.#context.events !== undefined,
    }));
    const started = new Promise<void>((resolve) => { setImmediate(resolve); }); // not before lane 1 has begun
    team.prepareEncoders(started.then(async () => ({
      module: await compileWriter(this.#tier), compression, encoding: parquetEncoding, groupBy,
      regions: groupBy === 'user' ? table.regions : [],
    })));
  }

  #alone(setup: LaneSetup, spill: SpillSpace): Lanes {
    const lanes = new OneThread({ setup, memory: this.#memory, spill, counters: this.#counters, signal: this.#context.signal });
    this.#resources.add(() => lanes.close());
    return lanes;
  }

  /** Lane 1. */
  async #scatter({ source, lanes, rejects, table }: Plan): Promise<void> {
    await lanes.scatter(() => source.stream(), rejects);
    table.close();
    await rejects.close();
  }

  /** Lane 2. */
  async #reduce({ lanes, spill }: Plan): Promise<Runs> {
    const memory = this.#memory;
    const files = new RunFiles({
      spill, memory, kernel: await loadKernel<SpillKernel>('spill', memory), readBytes: this.#budget.runBufferBytes,
    });
    const kernel = await loadKernel<AggregateKernel>('aggregate', memory);
    const runs = (await lanes.reduce()).map(({ run, giveBack }) => openRun(run, { kernel, files, giveBack }));
    this.#resources.add(async () => {
      await Promise.all(runs.map((run) => run.close()));
    });
    return { runs, files };
  }

  /** Lane 3 and the commit. */
  async #publish(plan: Plan, { runs, files }: Runs): Promise<{ users: number; regions: number }> {
    const { groupBy, columns, compression, parquetEncoding } = this.#options;
    const { staging, spill, lanes: { encoders }, table, scale, inputs } = plan;
    const { fanIn, runBufferBytes, columnAreas, distinctBytes, writesAtOnce } = this.#budget;
    const regions = new Set<string>();
    const memory = this.#memory;
    const counters = this.#counters;
    const { type, buildDate } = table.database;
    const distinct = new DistinctUsers({
      memory, kernel: await loadKernel<UsersKernel>('users', memory), seed: randomBytes(8).readBigUInt64LE(),
      spill, pageBytes: distinctBytes, tableBytes: distinctBytes,
    });
    this.#resources.add(() => distinct.close());
    const parquet = createParquetStage({
      folder: staging.folder, groupBy, scale, compression, encoding: parquetEncoding, counters, version: this.#version,
      writesAtOnce, tier: this.#tier,
      ...(encoders && { encode: encoders.encode, encodesAtOnce: encoders.count }),
      metadata: {
        'etl-stream.version': this.#version,
        'etl-stream.columns': JSON.stringify(columns),
        'etl-stream.geo_database': type,
        'etl-stream.geo_database_build_date': buildDate,
      },
    });
    await pipeline(
      mergeRuns({
        runs, memory, kernel: await loadKernel<MergeKernel>('merge', memory), regions: table.regions, groupBy, counters,
        maxRows: ROW_GROUP_ROWS, maxBytes: ROW_GROUP_BYTES, columnAreas, fanIn, bufferBytes: runBufferBytes, temp: files,
        maxTotal: scale > 0 ? 10n ** 18n : undefined,
      }),
      async function* count(batches: AsyncIterable<ResultBatch>) {
        for await (const batch of batches) {
          counters.published += sum(batch.counts);
          if (batch.region !== undefined) {
            regions.add(batch.region);
            await distinct.add(batch);
          }
          if (batch.topRegions) addRegions(regions, batch.topRegions);
          yield batch;
        }
      },
      parquet,
      this.#stoppable(),
    );
    if (counters.bytes === 0) {
      throw new EtlError('ETL_HEADER', `${inputs.length === 1 ? `The input ${inputs[0]!.name} is` : 'All inputs are'} empty: not even a header.`);
    }
    assertBalanced(counters);
    const { read, counted, duplicate, rejected } = counters;
    await describeDataset(staging.folder, {
      format: 1, version: this.#version, groupBy, columns: { ...columns }, valueScale: scale, geoDatabase: { type, buildDate },
      rows: { read, counted, duplicates: duplicate, rejected },
      files: parquet.files.map(({ path, rows, bytes }) => ({ path, rows, bytes })),
    });
    const users = groupBy === 'region' ? await this.#countUsers(distinct) : counters.groups;
    this.#context.signal?.throwIfAborted();
    await staging.publish();
    return { users, regions: regions.size };
  }

  /** Where memory is short it reads files again and again: an abort ends it, too. */
  async #countUsers(distinct: DistinctUsers): Promise<number> {
    const { signal } = this.#context;
    signal?.throwIfAborted();
    const stop = (): void => void distinct.close().catch(() => undefined); // told when all is closed
    signal?.addEventListener('abort', stop);
    try {
      return await distinct.count();
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** A program may run jobs in a thread of its own; the flags that keep the encoder small are those of the whole process. */
  get #tier(): EncoderTier {
    return this.#budget.frugal && isMainThread ? 'baseline' : 'optimized';
  }

  #stoppable(): { signal?: AbortSignal } {
    const { signal } = this.#context;
    return signal ? { signal } : {};
  }
}

/** log2 of as many partitions as an input is worth dividing into: one for each MiB. */
function usefulBits(bytes = Infinity): number {
  return Math.ceil(Math.log2(Math.max(bytes / 2 ** 20, 1)));
}

/** The sum of counts, by their two halves: a BigInt a row would cost more than encoding it. */
function sum(counts: BigInt64Array): number {
  const halves = new Uint32Array(counts.buffer, counts.byteOffset, counts.length * 2);
  let total = 0;
  for (let at = 0; at < halves.length; at += 2) total += halves[at]! + halves[at + 1]! * 2 ** 32;
  return total;
}

/** Adds the names of a column's regions. */
function addRegions(regions: Set<string>, { numbers, names }: RegionColumn): void {
  for (const number of new Set(numbers)) regions.add(names[number]!);
}

/** Nothing that is read, and no temporary file, may stand in the folder that is replaced as a whole. */
function assertOutside(output: string, temp: string | undefined, inputs: readonly InputFile[]): void {
  const inside = (path: string): boolean => `${resolve(path)}${sep}`.startsWith(`${resolve(output)}${sep}`);
  const input = inputs.find(({ path }) => path !== undefined && inside(path));
  if (input) throw new EtlError('ETL_USAGE', `The input ${input.name} lies in the output folder ${output}.`);
  if (temp !== undefined && inside(temp)) throw new EtlError('ETL_USAGE', `The folder for temporary files, ${temp}, lies in the output folder ${output}.`);
}

/** What the first input says that has a row to tell by. */
async function sampleOf(source: BlockSource, columns: ColumnNames, memory: LinearMemory): Promise<SampleFindings | undefined> {
  const kernel = await loadKernel<ParseKernel>('parse', memory);
  for await (const { input, bytes } of source.samples()) {
    const found = bytes.length > 0 ? readSample(bytes, columns, { name: input.name, memory, kernel }) : undefined;
    if (found) return found;
  }
  return undefined;
}

/** What stopped the run: its caller, if it did so, since what fails after that fails because of it. */
function asAborted(error: unknown, signal: AbortSignal | undefined): unknown {
  if (!signal?.aborted) return error;
  return new EtlError('ETL_ABORTED', `The run was stopped (${messageOf(signal.reason)}); nothing was published.`, { cause: signal.reason });
}
