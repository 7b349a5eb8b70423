/**
 * The only wiring, with the files beside this one: what makes the three lanes, in what order they run, who closes what, and how
 * a run stops.
 *
 *   plan     inputs, IP database, a sample             nothing is written yet      plan.ts
 *   lane 1   source -> parse -> geo -> scatter         until the inputs end
 *   lane 2   partitions -> dedup -> aggregate          one partition at a time
 *   lane 3   merge -> count users -> parquet           one region at a time        publish.ts
 *   commit   balance, description, report, publish
 *
 * With a state (continuation.ts) lane 1 reads only inputs that are new, lane 2 asks it for ids of earlier runs, and between
 * lanes 2 and 3 their totals are merged with the new ones.
 *
 * The stages of lanes 1 and 2 stand in lanes/, since they run in this thread or in several beside it; the stages of lane 3
 * run here, but for the encoding. A lane ends before the next begins: a partition is complete only when all input has been
 * scattered, a total only when all partitions have been reduced. On any error or abort every resource is closed, the staging
 * and temporary folders are removed, and the first error is thrown.
 */
import { dirname, resolve } from 'node:path';
import { openRun } from '../aggregate/runs.ts';
import { assertBalanced, assertRead, newCounters } from '../core/counters.ts';
import { EtlError, messageOf } from '../core/errors.ts';
import type { JobOptions } from '../core/options.ts';
import { RejectLimit } from '../core/reject-limit.ts';
import { keepHeapSmall } from '../core/resident.ts';
import { Resources } from '../core/resources.ts';
import { packageVersion } from '../core/version.ts';
import { formRejects, REJECTS_FILES } from '../dataset/rejects-file.ts';
import { REPORT_PAGE } from '../dataset/reports.ts';
import { removeStagings } from '../dataset/staging.ts';
import { pruneVersions } from '../dataset/versions.ts';
import { removeTempFolders } from '../dataset/temp-folder.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { AggregateKernel } from '../kernels/twins/aggregate.ts';
import type { SpillKernel } from '../kernels/twins/spill.ts';
import type { TotalsKernel } from '../kernels/twins/totals.ts';
import { ProgressTeller } from '../progress.ts';
import { RunRecorder } from '../report/recorder.ts';
import type { InputFile } from '../source/inputs.ts';
import { RunFiles } from '../spill/run-files.ts';
import type { RowCounts } from '../state/records.ts';
import type { Outcome, Summary } from '../summary.ts';
import type { JobBase, JobContext } from './base.ts';
import { inParts, nextPart, type Part, type PartDone } from './checkpoints.ts';
import { addTotals, addTotalsAlone, commitAddition, commitCheckpoint, publishAgain } from './commit.ts';
import { Continuation } from './continuation.ts';
import { memoryLimit } from './decisions.ts';
import { allEmpty, inputsOf } from './job-inputs.ts';
import { planJob, type Plan } from './plan.ts';
import { processBefore, runBegins } from './process-before.ts';
import { describe, rejectsForm, writeFiles, type Runs, type Written } from './publish.ts';
import { addReport, keepEarlierReports } from './reports.ts';
import { NO_ROWS } from './state-content.ts';

export type { JobContext } from './base.ts';

/** What the dataset has. */
interface Published {
  readonly users: number;
  readonly regions: number;
  readonly report?: Summary['report'];
}

const NOTHING: Published = { users: 0, regions: 0 };

/**
 * Runs a job from start to publication. Rejects with EtlError (ETL_ABORTED when `signal` stopped it, with the reason as
 * cause); then nothing was published and nothing is left behind.
 */
export async function runJob(options: JobOptions, context: JobContext = {}): Promise<Summary> {
  const recorder = options.report ? new RunRecorder(options) : undefined;
  const progress = new ProgressTeller(memoryLimit(options), context.events);
  try {
    return await inParts((part) => runPart({ options, context, progress, recorder }, part), options.rules, context.pause);
  } finally {
    progress.close();
  }
}

/** What all parts of a run share. */
type RunBase = Pick<JobBase, 'options' | 'context' | 'progress' | 'recorder'>;

async function runPart(run: RunBase, part: Part): Promise<PartDone> {
  const { options, context } = run;
  const process = await processBefore(options);
  runBegins();
  const resources = new Resources();
  let done: PartDone | undefined;
  let failure: unknown;
  try {
    context.signal?.throwIfAborted();
    done = await new Job(run, resources, process).run(part);
  } catch (error) {
    failure = asAborted(error, context.signal);
  }
  failure = await resources.close(failure);
  if (failure !== undefined || done === undefined) throw failure;
  return done;
}

class Job {
  readonly #base: JobBase;

  /** Inputs that were counted before. */
  #known = 0;
  /** What an earlier run has committed was not published. */
  #isRepublished = false;

  constructor(run: RunBase, resources: Resources, process: JobBase['process']) {
    keepHeapSmall();
    const counters = newCounters();
    run.progress.begin(counters);
    this.#base = { ...run, resources, counters, version: packageVersion(), process };
  }

  async run(part: Part): Promise<PartDone> {
    const { counters, progress, options } = this.#base;
    const listed = await inputsOf(options);
    const continuation = await this.#openState(part);
    if (continuation?.isUnpublished && continuation.last!.isComplete && part.number === 0) await this.#publishAgain(continuation);
    const fresh = (await continuation?.newInputs(listed) ?? listed).filter(({ name }) => !part.done.has(name));
    this.#known = listed.length - fresh.length - part.done.size;
    progress.totalBytes = sizeOf(fresh, progress.counters.inputBytes);
    if (continuation && fresh.length === 0) {
      if (continuation.isUnpublished) await this.#publishAgain(continuation);
      else await pruneVersions(resolve(options.output)); // of runs that were killed
      return this.#nothingNew(continuation);
    }
    const inputs = continuation?.take(nextPart(fresh, options.checkpoint)) ?? fresh;
    const left = fresh.length - inputs.length;

    const plan = await progress.during('plan', () => this.#plan(inputs, continuation));
    await progress.during('scatter', () => this.#scatter(plan, part));
    const runs = await progress.during('reduce', () => this.#reduce(plan));
    continuation?.ids.startSync();
    const isUnchanged = continuation && counters.counted === 0 && left === 0 && await continuation.isRepeated(inputs);
    const published = isUnchanged ? NOTHING : await progress.during('publish', () => (
      continuation && left > 0 ? this.#checkpoint(plan, runs, continuation) : this.#publish(plan, runs, continuation)
    ));
    const outcome = this.#outcome(plan, continuation, { ...published, isUnchanged: isUnchanged === true, commit: continuation ? continuation.next - 1 : 0 });
    return { outcome, counters, memory: plan.budget.limit, inputs, left };
  }

  /** `commit`: number of the last one. */
  #outcome(plan: Plan, continuation: Continuation | undefined, { users, regions, report, isUnchanged, commit }: Published & { isUnchanged: boolean; commit: number }): Outcome {
    const { counters, progress, version, options } = this.#base;
    return {
      output: options.output,
      rejectsFile: REJECTS_FILES[options.rejectsFormat],
      inputs: plan.inputs.length,
      jobs: plan.budget.jobs,
      parser: plan.parser,
      users,
      regions,
      report,
      valueScale: plan.scale,
      geoDatabase: plan.geoDatabase,
      seconds: progress.elapsed,
      phases: progress.seconds,
      leftBehind: plan.leftBehind,
      state: continuation && {
        folder: continuation.folder, commit, isUnchanged, isRepublished: this.#isRepublished, knownInputs: this.#known,
        logs: continuation.before.counted + counters.counted, forgotten: continuation.ids.forgets,
      },
      version,
    };
  }

  async #openState(part: Part): Promise<Continuation | undefined> {
    if (this.#base.options.state === undefined) return undefined;
    const continuation = await Continuation.open(this.#base.options, part.number === 0);
    this.#base.resources.add(() => continuation.close());
    return continuation;
  }

  async #plan(inputs: readonly InputFile[], continuation: Continuation | undefined): Promise<Plan> {
    const { overwrite, valueScale } = this.#base.options;
    const last = continuation?.last;
    return planJob(this.#base, {
      inputs, scale: last?.scale ?? valueScale, history: continuation?.ids.store, rejectsFile: continuation?.rejectsFile,
      overwrite: overwrite || last !== undefined, // it is a commit of this state, or there is none
    });
  }

  async #publishAgain(continuation: Continuation): Promise<void> {
    await this.#base.progress.during('publish', () => publishAgain(this.#base, continuation));
    continuation.isUnpublished = false;
    this.#isRepublished = true;
  }

  /** Every input was counted before. */
  #nothingNew(continuation: Continuation): PartDone {
    const { counters, progress, version, options } = this.#base;
    const { scale, geoDatabase, commit, rows } = continuation.last!;
    const outcome: Outcome = {
      output: options.output, rejectsFile: REJECTS_FILES[options.rejectsFormat], inputs: 0, jobs: 1, parser: 'kernel', users: 0, regions: 0, valueScale: scale, geoDatabase,
      seconds: progress.elapsed, phases: progress.seconds, leftBehind: [...removeTempFolders(options.temp ?? dirname(resolve(options.output))), ...removeStagings(options.output)],
      state: { folder: continuation.folder, commit, isUnchanged: true, isRepublished: this.#isRepublished, knownInputs: this.#known, logs: rows.counted, forgotten: 0 }, report: undefined, version,
    };
    return { outcome, counters, memory: memoryLimit(options), inputs: [], left: 0 };
  }

  /** Lane 1. */
  async #scatter({ source, lanes, rejects, table }: Plan, part: Part): Promise<void> {
    const { options, counters } = this.#base;
    // Each part of a run is committed when it is done: a share is one of what the part has read, a number of rows is the run's.
    const limit = new RejectLimit(options, part.rejected);
    rejects.watch((lines) => limit.see(lines));
    await lanes.scatter(() => source.stream(), rejects);
    table.close();
    limit.check(counters);
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
  async #publish(plan: Plan, runs: Runs, continuation: Continuation | undefined): Promise<Published> {
    const { counters, recorder, context: { signal } } = this.#base;
    const began = performance.now();
    const { inputs } = plan;
    if (counters.bytes === 0 && !continuation?.last) {
      throw allEmpty(inputs);
    }
    const before = continuation?.before ?? NO_ROWS;
    const added = continuation && await addTotals(this.#base, plan, runs, continuation);
    const result = recorder?.startResult({ memory: plan.memory, kernel: await loadKernel<TotalsKernel>('totals', plan.memory) });
    this.#base.resources.add(() => result?.close());
    const written = await writeFiles(this.#base, plan, added?.runs ?? runs, { durable: continuation !== undefined, keep: added?.keep, result });
    assertBalanced(counters, before.counted);
    const rows = this.#rowsWith(before);
    await describe(this.#base, plan, written, { ...rows });
    const published = { users: await written.users(), regions: written.regions };
    signal?.throwIfAborted();
    if (!continuation) await formRejects(plan.staging.folder, rejectsForm(this.#base.options));
    const lost = await keepEarlierReports(this.#base.options, plan.staging.folder);
    const report = recorder && await this.#report(recorder, plan, continuation, { ...published, lost, files: written.files, seconds: (performance.now() - began) / 1000 });
    if (added) await commitAddition(this.#base, plan, continuation, { rows, totals: await added.totals() });
    await plan.staging.publish();
    await continuation?.tidy();
    return { ...published, report };
  }

  /** A commit without a dataset: more is to come. */
  async #checkpoint(plan: Plan, runs: Runs, continuation: Continuation): Promise<Published> {
    const totals = await addTotalsAlone(this.#base, plan, runs, continuation);
    assertRead(this.#base.counters);
    this.#base.context.signal?.throwIfAborted();
    await commitCheckpoint(this.#base, plan, continuation, { rows: this.#rowsWith(continuation.before), totals });
    this.#base.recorder?.addPart(this.#base.counters, plan.inputs, continuation.ids.forgets);
    return NOTHING;
  }

  /** Goes where the dataset's files are. `seconds`: of the phase, which has not ended; `lost`: reports of earlier runs that could not be kept. */
  async #report(
    recorder: RunRecorder, plan: Plan, continuation: Continuation | undefined,
    { files, seconds, lost, ...published }: Published & { files: Written['files']; seconds: number; lost: number },
  ): Promise<Summary['report']> {
    const { counters, progress } = this.#base;
    recorder.addPart(counters, plan.inputs, continuation?.ids.forgets);
    progress.sample();
    const { samples } = progress;
    const outcome = this.#outcome(plan, continuation, { ...published, isUnchanged: false, commit: continuation?.next ?? 0 });
    const phases = { ...progress.seconds, publish: progress.seconds.publish + seconds };
    const report = recorder.finish({ outcome: { ...outcome, phases, seconds: samples.at(-1)!.seconds }, budget: plan.budget, samples, files, lost });
    await addReport(plan.staging.folder, report, { durable: continuation !== undefined });
    return { run: report.run, page: REPORT_PAGE, warnings: report.warnings };
  }

  #rowsWith(before: RowCounts): RowCounts {
    const { read, counted, duplicate, rejected } = this.#base.counters;
    return {
      read: before.read + read, counted: before.counted + counted, duplicates: before.duplicates + duplicate, rejected: before.rejected + rejected,
    };
  }
}

/** What stopped the run: its caller, if it did so, since what fails after that fails because of it. */
function asAborted(error: unknown, signal: AbortSignal | undefined): unknown {
  if (!signal?.aborted) return error;
  return new EtlError('ETL_ABORTED', `The run was stopped (${messageOf(signal.reason)}); nothing was published.`, { cause: signal.reason });
}

/** Bytes on the disk, with those that were `read` before; undefined with a pipe among them. */
function sizeOf(inputs: readonly InputFile[], read: number): number | undefined {
  return inputs.reduce<number | undefined>((sum, { size }) => (sum === undefined || size === undefined ? undefined : sum + size), read);
}
