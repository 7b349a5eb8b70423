/**
 * What a job does before it reads a row: what was decided of inputs, memory and jobs (decisions.ts), threads, folders. Nothing is written yet
 * but in folders of the run's own, each of which is in the job's resources as soon as it is there.
 */
import { dirname, join, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { regionBytes, type MemoryBudget } from '../core/memory-budget.ts';
import { compileLess, letHeapGrow } from '../core/resident.ts';
import type { IdStore } from '../dedup/id-store.ts';
import { REJECTS_FILE, RejectsFile } from '../dataset/rejects-file.ts';
import { Staging } from '../dataset/staging.ts';
import { createTempFolder, removeTempFolder } from '../dataset/temp-folder.ts';
import type { RangeTable } from '../geo/range-table.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { compileKernels } from '../kernels/loader.ts';
import { setUserPrefix } from '../kernels/user-prefix.ts';
import { parseSetup } from '../lanes/parse-setup.ts';
import { LANE_KERNELS, type LaneSetup } from '../lanes/lane-worker.ts';
import type { Encoders, Lanes } from '../lanes/lanes.ts';
import { OneThread } from '../lanes/one-thread.ts';
import { Team } from '../lanes/team.ts';
import type { ThreadSetup } from '../lanes/thread.ts';
import { compileWriter } from '../parquet/parquet-wasm.ts';
import { warmUp, type EncoderTier } from '../parquet/stage.ts';
import type { BlockSource } from '../source/blocks.ts';
import type { InputFile } from '../source/inputs.ts';
import { SpillSpace } from '../spill/spill-space.ts';
import type { JobBase } from './base.ts';
import { Decisions } from './decisions.ts';

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
  readonly parser: Decisions['parser'];
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
  #history: IdStore | undefined;
  #decided!: Decisions;

  constructor(base: JobBase) {
    this.#base = base;
  }

  async plan({ inputs: named, overwrite, scale: known, history, rejectsFile }: Planned): Promise<Plan> {
    this.#history = history;
    const { options: { groupBy }, progress, resources } = this.#base;
    const decided = this.#decided = await Decisions.about(this.#base, named, history);
    const { inputs, piped, parser } = decided;
    progress.memoryLimit = this.#budget.limit;
    if (this.#budget.heapGrows) letHeapGrow();
    else compileLess();
    // What takes a while is begun first: threads, unless it has to be seen whether they are worth it, or the encoder.
    let team = this.#budget.jobs > 1 && !piped ? this.#startTeam() : undefined;
    if (this.#budget.jobs === 1) warmUp(this.#tier).catch(() => undefined); // reported when lane 3 needs it

    const { staging, temp, spill, leftBehind } = await this.#openFolders(overwrite, history !== undefined);
    const rejects = new RejectsFile(rejectsFile ?? join(staging.folder, REJECTS_FILE));
    resources.add(() => rejects.abandon());

    const { memory, source, table, found } = await decided.survey(this.#base);
    const scale = known ?? found?.scale ?? 0;
    if (found) setUserPrefix(memory, found.userPrefix);
    const { jobs } = this.#budget;
    if (team && jobs < team.threads) { // an IP database that large leaves less memory for threads
      await team.close();
      team = undefined;
    }
    if (jobs > 1) team ??= this.#startTeam();
    const setup: LaneSetup = {
      ...parseSetup(this.#base.options, scale), budget: this.#budget, groupBy,
      geo: { ptr: table.ptr, regions: table.regions.length, unknown: table.unknown },
    };
    if (team) await this.#begin(team, { setup, inputs, piped, memory, table, spill: temp });
    const lanes = team ?? this.#alone(setup, memory, spill);
    const { type, buildDate } = table.database;
    return {
      inputs, source, lanes, staging, spill, leftBehind, rejects, scale, table, memory, parser, budget: this.#budget,
      regions: table.regions, geoDatabase: { type, buildDate }, tier: this.#tier, encoders: lanes.encoders,
    };
  }

  async planPublishing(known: Pick<PublishPlan, 'scale' | 'regions' | 'geoDatabase'>): Promise<PublishPlan> {
    this.#decided = await Decisions.about(this.#base, [], undefined);
    if (!this.#budget.heapGrows) compileLess();
    warmUp(this.#tier).catch(() => undefined); // reported when lane 3 needs it
    const { staging, spill, leftBehind } = await this.#openFolders(true, true);
    const { linear, workspace } = this.#budget;
    const memory = new LinearMemory({ limit: linear, workspace });
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

  #startTeam(): Team {
    const { counters, context: { signal }, resources } = this.#base;
    const team = new Team({ threads: this.#budget.jobs, counters, history: this.#history, signal });
    resources.add(() => team.close());
    return team;
  }

  async #begin(team: Team, { setup, inputs, piped, memory, table, spill }: {
    setup: LaneSetup; inputs: readonly InputFile[]; piped: boolean; memory: LinearMemory; table: RangeTable; spill: ThreadSetup['spill'];
  }): Promise<void> {
    const { options: { compression, parquetEncoding, groupBy } } = this.#base;
    const { threadBytes, threadWorkspace } = this.#budget;
    const kernels = await compileKernels(LANE_KERNELS);
    const history = this.#history?.handOver();
    team.begin(memory, inputs, () => ({
      ...setup, kernels, spill, arena: memory.arena(threadBytes, threadWorkspace),
      yields: piped, history,
    }));
    const started = new Promise<void>((resolve) => { setImmediate(resolve); }); // not before lane 1 has begun
    team.prepareEncoders(started.then(async () => ({
      module: await compileWriter(this.#tier), compression, encoding: parquetEncoding, groupBy,
      regions: groupBy === 'user' ? table.regions : [],
    })));
  }

  #alone(setup: LaneSetup, memory: LinearMemory, spill: SpillSpace): Lanes {
    const { counters, context: { signal }, resources } = this.#base;
    const lanes = new OneThread({ setup, memory, spill, counters, history: this.#history, signal });
    resources.add(() => lanes.close());
    return lanes;
  }

  get #budget(): MemoryBudget {
    return this.#decided.budget;
  }

  /** A program may run jobs in a thread of its own; the flags that keep the encoder small are those of the whole process. */
  get #tier(): EncoderTier {
    return this.#budget.frugal && isMainThread ? 'baseline' : 'optimized';
  }
}
