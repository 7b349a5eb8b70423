/**
 * The only wiring, with the files beside this one: what makes the three lanes, in what order they run, who closes what, and how
 * a run stops.
 *
 *   plan     inputs, a sample, IP database             nothing is written yet      plan.ts
 *   lane 1   source -> parse -> geo -> scatter         until the inputs end
 *   lane 2   partitions -> dedup -> aggregate          one partition at a time
 *   lane 3   merge -> count users -> parquet           one region at a time        publish.ts
 *   commit   balance, description, publish
 *
 * The stages of lanes 1 and 2 stand in lanes/, since they run in this thread or in several beside it; the stages of lane 3
 * run here, but for the encoding. A lane ends before the next begins: a partition is complete only when all input has been
 * scattered, a total only when all partitions have been reduced. On any error or abort every resource is closed, the staging
 * and temporary folders are removed, and the first error is thrown.
 */
import { resolve, sep } from 'node:path';
import { openRun } from '../aggregate/runs.ts';
import { assertBalanced, newCounters } from '../core/counters.ts';
import { EtlError, messageOf } from '../core/errors.ts';
import type { JobOptions } from '../core/options.ts';
import { collectGarbage, keepHeapSmall, residentBytes } from '../core/resident.ts';
import { Resources } from '../core/resources.ts';
import { packageVersion } from '../core/version.ts';
import { describeDataset } from '../dataset/description.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { AggregateKernel } from '../kernels/twins/aggregate.ts';
import type { SpillKernel } from '../kernels/twins/spill.ts';
import { ProgressTeller } from '../progress.ts';
import { listInputs, type InputFile } from '../source/inputs.ts';
import { RunFiles } from '../spill/run-files.ts';
import { summarize, type Summary } from '../summary.ts';
import type { JobBase, JobContext } from './base.ts';
import { planJob, type Plan } from './plan.ts';
import { writeFiles, type Runs } from './publish.ts';

export type { JobContext } from './base.ts';

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
  readonly #base: JobBase;

  constructor(options: JobOptions, context: JobContext, resources: Resources, warm: boolean) {
    const process = { resident: residentBytes(), warm };
    keepHeapSmall();
    const counters = newCounters();
    const progress = new ProgressTeller(counters, context.events);
    resources.add(() => progress.close());
    this.#base = { options, context, resources, counters, progress, version: packageVersion(), process };
  }

  async run(): Promise<Summary> {
    const started = performance.now();
    const { counters, progress, version, options } = this.#base;
    const plan = await progress.during('plan', () => this.#plan());
    await progress.during('scatter', () => this.#scatter(plan));
    const runs = await progress.during('reduce', () => this.#reduce(plan));
    const { users, regions } = await progress.during('publish', () => this.#publish(plan, runs));
    const { limit, jobs } = plan.budget;
    return summarize(counters, limit, {
      output: options.output,
      inputs: plan.inputs.length,
      jobs,
      users,
      regions,
      valueScale: plan.scale,
      geoDatabase: plan.geoDatabase,
      seconds: (performance.now() - started) / 1000,
      phases: progress.seconds,
      leftBehind: plan.leftBehind,
      version,
    });
  }

  async #plan(): Promise<Plan> {
    const { inputs: paths, output, temp, overwrite, valueScale } = this.#base.options;
    const inputs = await listInputs(paths);
    assertOutside(output, temp, inputs);
    return planJob(this.#base, { inputs, overwrite, scale: valueScale, history: undefined });
  }

  /** Lane 1. */
  async #scatter({ source, lanes, rejects, table }: Plan): Promise<void> {
    await lanes.scatter(() => source.stream(), rejects);
    table.close();
    await rejects.close();
  }

  /** Lane 2. */
  async #reduce({ lanes, spill, memory, budget }: Plan): Promise<Runs> {
    const files = new RunFiles({
      spill, memory, kernel: await loadKernel<SpillKernel>('spill', memory), readBytes: budget.runBufferBytes,
    });
    const kernel = await loadKernel<AggregateKernel>('aggregate', memory);
    const runs = (await lanes.reduce()).map(({ run, giveBack }) => openRun(run, { kernel, files, giveBack }));
    this.#base.resources.add(async () => {
      await Promise.all(runs.map((run) => run.close()));
    });
    return { runs, files };
  }

  /** Lane 3 and the commit. */
  async #publish(plan: Plan, runs: Runs): Promise<{ users: number; regions: number }> {
    const { options: { groupBy, columns }, counters, context: { signal }, version } = this.#base;
    const { staging, scale, inputs, geoDatabase } = plan;
    const { files, users, regions } = await writeFiles(this.#base, plan, runs);
    if (counters.bytes === 0) {
      throw new EtlError('ETL_HEADER', `${inputs.length === 1 ? `The input ${inputs[0]!.name} is` : 'All inputs are'} empty: not even a header.`);
    }
    assertBalanced(counters);
    const { read, counted, duplicate, rejected } = counters;
    await describeDataset(staging.folder, {
      format: 1, version, groupBy, columns: { ...columns }, valueScale: scale, geoDatabase,
      rows: { read, counted, duplicates: duplicate, rejected },
      files: files.map(({ path, rows, bytes }) => ({ path, rows, bytes })),
    });
    signal?.throwIfAborted();
    await staging.publish();
    return { users, regions };
  }
}

/** Nothing that is read, and no temporary file, may stand in the folder that is replaced as a whole. */
function assertOutside(output: string, temp: string | undefined, inputs: readonly InputFile[]): void {
  const inside = (path: string): boolean => `${resolve(path)}${sep}`.startsWith(`${resolve(output)}${sep}`);
  const input = inputs.find(({ path }) => path !== undefined && inside(path));
  if (input) throw new EtlError('ETL_USAGE', `The input ${input.name} lies in the output folder ${output}.`);
  if (temp !== undefined && inside(temp)) throw new EtlError('ETL_USAGE', `The folder for temporary files, ${temp}, lies in the output folder ${output}.`);
}

/** What stopped the run: its caller, if it did so, since what fails after that fails because of it. */
function asAborted(error: unknown, signal: AbortSignal | undefined): unknown {
  if (!signal?.aborted) return error;
  return new EtlError('ETL_ABORTED', `The run was stopped (${messageOf(signal.reason)}); nothing was published.`, { cause: signal.reason });
}
