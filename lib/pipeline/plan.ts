/**
 * What a job does before it reads a row: inputs, memory, threads, folders, the IP database, a sample. Nothing is written yet
 * but in folders of the run's own, each of which is in the job's resources as soon as it is there.
 */
import { dirname, join, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { isKernelDialect, RFC_4180, type Dialect } from '../core/dialect.ts';
import { divide, leastMemory, planMemory, regionBytes, type MemoryBudget } from '../core/memory-budget.ts';
import { availableMemory, defaultMemory } from '../core/memory-limit.ts';
import type { ColumnNames } from '../core/options.ts';
import { availableProcessors } from '../core/processors.ts';
import { letHeapGrow } from '../core/resident.ts';
import type { IdStore } from '../dedup/id-store.ts';
import { REJECTS_FILE, RejectsFile } from '../dataset/rejects-file.ts';
import { Staging } from '../dataset/staging.ts';
import { createTempFolder, removeTempFolder } from '../dataset/temp-folder.ts';
import { openRangeTable, type RangeTable } from '../geo/range-table.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { SLOT_BYTES } from '../kernels/dedup-layout.ts';
import { compileKernels, loadKernel } from '../kernels/loader.ts';
import type { GeoKernel } from '../kernels/twins/geo.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import { setUserPrefix } from '../kernels/user-prefix.ts';
import { parseSetup } from '../lanes/parse-setup.ts';
import { LANE_KERNELS, type LaneSetup } from '../lanes/lane-worker.ts';
import type { Encoders, Lanes } from '../lanes/lanes.ts';
import { OneThread } from '../lanes/one-thread.ts';
import { Team } from '../lanes/team.ts';
import type { ThreadSetup } from '../lanes/thread.ts';
import { compileWriter } from '../parquet/parquet-wasm.ts';
import { warmUp, type EncoderTier } from '../parquet/stage.ts';
import { readGeneralSample } from '../parse/general-sample.ts';
import { readSample, type SampleFindings } from '../parse/sample.ts';
import { BlockSource } from '../source/blocks.ts';
import type { Content } from '../source/content.ts';
import type { InputFile } from '../source/inputs.ts';
import { areText, decodingBytes, isCompressed, lookInto, windowBytes } from '../source/look-into.ts';
import { SpillSpace } from '../spill/spill-space.ts';
import type { JobBase } from './base.ts';
import { Sniffer } from './sniffed.ts';

/** Inputs of fewer bytes are done before threads have started. */
const THREADS_FROM = 24e6;

/** What lane 3 needs. */
export interface PublishPlan {
  readonly budget: MemoryBudget;
  readonly memory: LinearMemory;
  readonly staging: Staging;
  readonly spill: SpillSpace;
  /** Folders of killed runs that were removed. */
  readonly leftBehind: readonly string[];
  /** Decimal places of the totals. */
  readonly scale: number;
  /** Names by number. */
  readonly regions: readonly string[];
  readonly geoDatabase: { readonly type: string; readonly buildDate: string };
  readonly tier: EncoderTier;
  /** Threads that encode; undefined: this one does. */
  readonly encoders: Encoders | undefined;
}

export interface Plan extends PublishPlan {
  readonly inputs: readonly InputFile[];
  readonly source: BlockSource;
  readonly lanes: Lanes;
  readonly rejects: RejectsFile;
  readonly table: RangeTable;
  /** What reads the inputs, if not all are for the kernel: csv-parse, in one thread. */
  readonly parser: 'kernel' | 'csv-parse';
}

export interface Planned {
  /** Of the run, in order, at least one. */
  readonly inputs: readonly InputFile[];
  /** The output may be replaced. */
  readonly overwrite: boolean;
  /** Decimal places of the value, if they are not to be found out. */
  readonly scale: number | undefined;
  /** Ids that were counted before the run; undefined: none, and none are kept. */
  readonly history: IdStore | undefined;
  /** Where rejects are written; undefined: in the dataset. */
  readonly rejectsFile: string | undefined;
}

export function planJob(base: JobBase, planned: Planned): Promise<Plan> {
  return new Planner(base).plan(planned);
}

/** For totals that are there already, of `scale`, and of regions whose names these are. */
export function planPublishing(
  base: JobBase, known: Pick<PublishPlan, 'scale' | 'regions' | 'geoDatabase'>,
): Promise<PublishPlan> {
  return new Planner(base).planPublishing(known);
}

class Planner {
  readonly #base: JobBase;
  /** csv-parse has some of the inputs: one thread has all. */
  #isGeneral = false;
  #history: IdStore | undefined;
  #budget!: MemoryBudget;
  #memory!: LinearMemory;
  /** Most of a window of Zstandard; what decompressing files takes, that included. */
  #window = 0;
  #decodingBytes = 0;

  constructor(base: JobBase) {
    this.#base = base;
  }

  async plan({ inputs: named, overwrite, scale: known, history, rejectsFile }: Planned): Promise<Plan> {
    this.#history = history;
    const inputs = await lookInto(named);
    this.#isGeneral = inputs.some(({ dialect }) => dialect && !isKernelDialect(dialect));
    const { options: { columns, geoDb, geoField, groupBy, sniff }, context, counters, progress, resources } = this.#base;
    const piped = !areText(inputs); // then main reads them all
    const totalBytes = piped ? undefined : inputs.reduce((sum, { size }) => sum + size!, 0);
    progress.totalBytes = totalBytes;
    this.#window = windowBytes(this.#limit());
    this.#decodingBytes = decodingBytes(inputs.map(({ content }) => content).filter(isCompressed), this.#window);
    this.#budget = this.#planBudget(totalBytes);
    if (this.#budget.heapGrows) letHeapGrow();
    // What takes a while is begun first: threads, unless it has to be seen whether they are worth it, or the encoder.
    let team = this.#budget.jobs > 1 && !piped ? this.#startTeam() : undefined;
    if (this.#budget.jobs === 1) warmUp(this.#tier).catch(() => undefined); // reported when lane 3 needs it

    const { staging, temp, spill, leftBehind } = await this.#openFolders(overwrite, history !== undefined);
    const rejects = new RejectsFile(rejectsFile ?? join(staging.folder, REJECTS_FILE));
    resources.add(() => rejects.abandon());

    const memory = this.#memory = new LinearMemory({ limit: this.#budget.linear, workspace: this.#budget.workspace });
    const source = new BlockSource({
      inputs, memory, counters, signal: context.signal, blockBytes: this.#budget.blockBytes, blocks: this.#budget.blocks,
      windowBytes: this.#window,
    });
    resources.add(() => source.close());
    // First: a pipe may keep the sample waiting, and what is wrong with the database is to be said at once.
    const table = await openRangeTable({ file: geoDb, field: geoField }, memory, await loadKernel<GeoKernel>('geo', memory));
    resources.add(() => table.close());
    const sniffer = sniff ? new Sniffer(this.#base.options) : undefined;
    const found = await sampleOf(source, columns, memory, sniffer);
    for (const guess of sniffer?.guesses ?? []) context.onGuess?.(guess);
    const scale = known ?? found?.scale ?? 0;
    if (found) setUserPrefix(memory, found.userPrefix);
    this.#reserveForPipes(source.sampledPipes);
    if (this.#budget.jobs > 1 && !team) {
      if (this.#needsThreads(source.expectedBytes)) team = this.#startTeam();
      else this.#divideAgain(1, piped);
    }
    memory.reserve(regionBytes(table.regions.length, groupBy), `names and files of ${table.regions.length} regions`);
    if (team) {
      this.#divideAgain(this.#budget.jobs, piped, table.bytes);
      if (this.#budget.jobs < team.threads) team = await this.#smallerTeam(team);
    }
    const setup: LaneSetup = {
      ...parseSetup(this.#base.options, scale), budget: this.#budget, groupBy,
      geo: { ptr: table.ptr, regions: table.regions.length, unknown: table.unknown },
    };
    if (team) await this.#begin(team, { setup, inputs, piped, table, spill: temp });
    const lanes = team ?? this.#alone(setup, spill);
    const { type, buildDate } = table.database;
    return {
      inputs, source, lanes, staging, spill, leftBehind, rejects, scale, table, memory, budget: this.#budget,
      parser: this.#isGeneral ? 'csv-parse' : 'kernel',
      regions: table.regions, geoDatabase: { type, buildDate }, tier: this.#tier, encoders: lanes.encoders,
    };
  }

  async planPublishing(known: Pick<PublishPlan, 'scale' | 'regions' | 'geoDatabase'>): Promise<PublishPlan> {
    this.#budget = this.#planBudget(0);
    warmUp(this.#tier).catch(() => undefined); // reported when lane 3 needs it
    const { staging, spill, leftBehind } = await this.#openFolders(true, true);
    const memory = new LinearMemory({ limit: this.#budget.linear, workspace: this.#budget.workspace });
    memory.reserve(regionBytes(known.regions.length, this.#base.options.groupBy), `names and files of ${known.regions.length} regions`);
    return { ...known, staging, spill, leftBehind, memory, budget: this.#budget, tier: this.#tier, encoders: undefined };
  }

  async #openFolders(overwrite: boolean, linked: boolean) {
    const { options: { output, temp, maxSpill }, resources, counters } = this.#base;
    const staging = await Staging.open(output, { overwrite, linked });
    resources.add(() => staging.discard());
    const tempFolder = createTempFolder(temp ?? dirname(resolve(output)));
    resources.add(() => removeTempFolder(tempFolder));
    const space = { folder: tempFolder.path, maxBytes: maxSpill, used: new BigInt64Array(new SharedArrayBuffer(8)) };
    const spill = new SpillSpace({ ...space, counters });
    resources.add(() => spill.close());
    return { staging, temp: space, spill, leftBehind: [...staging.leftBehind, ...tempFolder.leftBehind] };
  }

  /** Once it is known what the main thread needs. */
  #divideAgain(jobs: number, piped: boolean, geoBytes?: number): void {
    const { partitionBits, ...shares } = divide(this.#memory.limit, jobs, geoBytes, piped, this.#base.options.maxRecord);
    this.#budget = { ...this.#budget, ...shares, partitionBits: Math.min(this.#budget.partitionBits, partitionBits), ...this.#base.context.limits };
  }

  /** An IP database that large leaves less memory for threads. */
  async #smallerTeam(team: Team): Promise<Team | undefined> {
    await team.close();
    return this.#budget.jobs > 1 ? this.#startTeam() : undefined;
  }

  #needsThreads(bytes: number | undefined): boolean {
    return bytes === undefined || bytes >= (this.#base.context.threadsFrom ?? THREADS_FROM);
  }

  /** What a pipe turned out to need is known only when the budget was made. Throws ETL_MEMORY. */
  #reserveForPipes(contents: readonly Content[]): void {
    const bytes = decodingBytes(contents.filter(isCompressed), this.#window) - this.#decodingBytes;
    if (bytes <= 0) return;
    this.#memory.reserve(bytes, 'decompression');
    this.#divideAgain(this.#budget.jobs, true);
  }

  get #process() {
    const { options: { state }, process } = this.#base;
    const stateIndex = this.#history?.indexBytes ?? (state === undefined ? undefined : 0);
    return { ...process, stateIndex, decodingBytes: this.#decodingBytes };
  }

  /** What the run was told, or else the default, though never less than what this process takes to run at all. */
  #limit(): number {
    return this.#base.options.memory ?? Math.max(defaultMemory(availableMemory()), leastMemory(this.#process));
  }

  #planBudget(totalBytes: number | undefined): MemoryBudget {
    const { options: { jobs = availableProcessors() } } = this.#base;
    const process = this.#process;
    const limit = this.#limit();
    for (let most = !this.#isGeneral && this.#needsThreads(totalBytes) ? jobs : 1; ; most--) {
      const planned = planMemory({ limit, jobs: most, piped: totalBytes === undefined, maxRecord: this.#base.options.maxRecord, ...process });
      const partitionBits = Math.min(planned.partitionBits, usefulBits(totalBytes, this.#history?.ids));
      const budget = { ...planned, partitionBits, ...this.#base.context.limits };
      if (planned.jobs === 1 || holdsKnownIds(budget, this.#history?.ids)) return budget;
      most = planned.jobs;
    }
  }

  #startTeam(): Team {
    const { counters, context: { signal }, resources } = this.#base;
    const team = new Team({ threads: this.#budget.jobs, counters, history: this.#history, signal });
    resources.add(() => team.close());
    return team;
  }

  async #begin(team: Team, { setup, inputs, piped, table, spill }: {
    setup: LaneSetup; inputs: readonly InputFile[]; piped: boolean; table: RangeTable; spill: ThreadSetup['spill'];
  }): Promise<void> {
    const { options: { compression, parquetEncoding, groupBy }, context: { events } } = this.#base;
    const { threadBytes, threadWorkspace } = this.#budget;
    const kernels = await compileKernels(LANE_KERNELS);
    const memory = this.#memory;
    const history = this.#history?.handOver();
    team.begin(memory, inputs, () => ({
      ...setup, kernels, spill, arena: memory.arena(threadBytes, threadWorkspace),
      yields: piped, watched: events !== undefined,
      history,
    }));
    const started = new Promise<void>((resolve) => { setImmediate(resolve); }); // not before lane 1 has begun
    team.prepareEncoders(started.then(async () => ({
      module: await compileWriter(this.#tier), compression, encoding: parquetEncoding, groupBy,
      regions: groupBy === 'user' ? table.regions : [],
    })));
  }

  #alone(setup: LaneSetup, spill: SpillSpace): Lanes {
    const { counters, context: { signal }, resources } = this.#base;
    const lanes = new OneThread({ setup, memory: this.#memory, spill, counters, history: this.#history, signal });
    resources.add(() => lanes.close());
    return lanes;
  }

  /** A program may run jobs in a thread of its own; the flags that keep the encoder small are those of the whole process. */
  get #tier(): EncoderTier {
    return this.#budget.frugal && isMainThread ? 'baseline' : 'optimized';
  }
}

/** Whether a partition's known ids fit the table of a thread: fewer threads have larger ones, and reading ids again and again takes longer. */
function holdsKnownIds({ idTableBytes, partitionBits }: MemoryBudget, known = 0): boolean {
  return known / 2 ** partitionBits < (idTableBytes / 2 / SLOT_BYTES) * 0.5;
}

/** log2 of as many partitions as an input is worth dividing into: one for each MiB, and for as many ids that are known as that has. */
function usefulBits(bytes = Infinity, known = 0): number {
  return Math.ceil(Math.log2(Math.max(bytes / 2 ** 20, known / 2 ** 13, 1)));
}

/** What the first input says that has a row to tell by. A sniffer is shown all of them. Throws ETL_HEADER, ETL_INPUT_READ. */
export async function sampleOf(
  source: BlockSource, columns: ColumnNames, memory: LinearMemory, sniffer?: Sniffer,
): Promise<SampleFindings | undefined> {
  const kernel = await loadKernel<ParseKernel>('parse', memory);
  let found: SampleFindings | undefined;
  for await (const { input, bytes } of source.samples()) {
    if (bytes.length === 0) continue;
    if (sniffer) (input as { dialect?: Dialect }).dialect = sniffer.guess(input, bytes); // whoever reads the input is handed this object later
    const { name, dialect = RFC_4180 } = input;
    found ??= isKernelDialect(dialect) ? readSample(bytes, columns, { name, dialect, memory, kernel }) : await readGeneralSample(bytes, columns, dialect, name);
    if (found && !sniffer) break;
  }
  return found;
}
