/** Totals that a state keeps, and how what was added to it becomes a commit and a dataset. */
import { basename, dirname, join } from 'node:path';
import { newCounters } from '../core/counters.ts';
import { EtlError, messageOf } from '../core/errors.ts';
import { Resources } from '../core/resources.ts';
import type { SortedRun } from '../core/stage.ts';
import { syncFile, syncFolders } from '../core/sync-folder.ts';
import { DATASET_FILE } from '../dataset/description.ts';
import { joinRejects, REJECTS_FILES, rejectsIn, type KeptRejects } from '../dataset/rejects-file.ts';
import { STATE_MARK, writeStateMark } from '../dataset/state-mark.ts';
import { PageMerger } from '../dedup/page-merger.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { IdPageKernel } from '../kernels/twins/id-pages.ts';
import type { MergeKernel } from '../kernels/twins/merge.ts';
import type { SpillKernel } from '../kernels/twins/spill.ts';
import { KeepTotals } from '../merge/keep-totals.ts';
import { mergeInto } from '../merge/passes.ts';
import { KeptRuns, type KeptRun } from '../spill/kept-runs.ts';
import { DEFAULT_PACK_BYTES, RunFiles } from '../spill/run-files.ts';
import type { RowCounts } from '../state/records.ts';
import type { JobBase } from './base.ts';
import type { Addition, Continuation } from './continuation.ts';
import { planPublishing, type PublishPlan } from './plan.ts';
import { describe, rejectsForm, writeFiles, type Runs } from './publish.ts';
import { keepEarlierReports } from './reports.ts';
import { renumbered } from './renumbered-run.ts';

export interface AddedTotals {
  /** To be published. */
  readonly runs: Runs;
  /** Is to have them while they are. */
  readonly keep: KeepTotals | undefined;
  /** What to commit, when they are published. Throws ETL_STATE_WRITE. */
  totals(): Promise<KeptRun>;
}

/**
 * Adds the totals of earlier commits to those of the run. By region, what is kept is what is published; by user, totals have to be
 * merged for it before, since what is published does not say which region they are of.
 */
export async function addTotals(base: JobBase, plan: PublishPlan, { runs, files }: Runs, continuation: Continuation): Promise<AddedTotals> {
  const { resources, options } = base;
  if (options.groupBy === 'user') {
    const { merged, totals } = await mergeTotals(base, plan, { runs, files }, continuation);
    resources.add(() => merged.close());
    return { runs: { runs: [merged], files }, keep: undefined, totals: async () => totals };
  }
  const { memory, regions, budget: { runBufferBytes } } = plan;
  let totals: KeptRun | undefined;
  const { store, all } = await withEarlier(base, plan, runs, continuation, (run) => (totals = run));
  const keep = await KeepTotals.open(store, { memory, kernel: await loadKernel<MergeKernel>('merge', memory), regions, packBytes: 8 * runBufferBytes });
  resources.add(() => keep.discard());
  const finish = async (): Promise<KeptRun> => {
    await (await keep.finish()).close();
    return totals!;
  };
  return { runs: { runs: all, files }, keep, totals: finish };
}

/** The same when nothing is to be published. */
export async function addTotalsAlone(base: JobBase, plan: PublishPlan, runs: Runs, continuation: Continuation): Promise<KeptRun> {
  const { merged, totals } = await mergeTotals(base, plan, runs, continuation);
  await merged.close();
  return totals;
}

/** All totals as one run, which is kept: of the caller, who closes it. */
async function mergeTotals(base: JobBase, plan: PublishPlan, { runs, files }: Runs, continuation: Continuation) {
  const { options: { groupBy }, context: { signal }, counters } = base;
  const { memory, budget: { runBufferBytes, fanIn } } = plan;
  let totals: KeptRun | undefined;
  const { store, all } = await withEarlier(base, plan, runs, continuation, (run) => (totals = run));
  const merged = await mergeInto(store, all, {
    memory, kernel: await loadKernel<MergeKernel>('merge', memory), byUser: groupBy === 'user', bufferBytes: runBufferBytes, fanIn, temp: files,
    counters, isStopped: () => signal?.aborted ?? false,
  });
  return { merged, totals: totals! };
}

/** All that is to be merged, and where to. */
async function withEarlier({ resources }: JobBase, plan: PublishPlan, runs: readonly SortedRun[], continuation: Continuation, kept: (run: KeptRun) => void) {
  const { memory, regions } = plan;
  const { last, next } = continuation;
  const files = await keptRuns(plan, continuation);
  const store = files.store(`totals-${next}.run`, kept);
  if (!last) return { store, all: runs };
  const earlier = await files.open(last.totals);
  resources.add(() => earlier.close());
  return { store, all: [...runs, renumbered(earlier, last.regions, regions, memory)] };
}

/** Makes all that was written durable, then commits it. */
export async function commitAddition(
  base: JobBase, plan: PublishPlan, continuation: Continuation, { rows, totals }: { rows: RowCounts; totals: KeptRun },
): Promise<void> {
  const rejects = await allRejects(continuation);
  await complete(base, plan, continuation, continuation.next, rejects);
  base.context.signal?.throwIfAborted();
  await commit(base, plan, continuation, { rows, totals, rejects, isComplete: true });
}

/** Commits what is not published. */
export async function commitCheckpoint(
  base: JobBase, plan: PublishPlan, continuation: Continuation, added: { rows: RowCounts; totals: KeptRun },
): Promise<void> {
  await commit(base, plan, continuation, { ...added, rejects: await allRejects(continuation), isComplete: false });
  await continuation.tidy();
}

async function commit(
  base: JobBase, { scale, regions, geoDatabase, memory }: PublishPlan, continuation: Continuation, added: Pick<Addition, 'rows' | 'totals' | 'rejects' | 'isComplete'>,
): Promise<void> {
  const kernel = await loadKernel<IdPageKernel>('dedup', memory);
  await continuation.ids.merge(new PageMerger({ memory, kernel, signal: base.context.signal }));
  const { readBy } = base.counters;
  await continuation.commit({ ...added, scale, regions, geoDatabase, version: base.version }, ({ number }) => readBy.get(number) ?? 0);
}

/** Publishes the last commit from its totals: a process was killed before it did, or somebody removed the dataset. */
export async function publishAgain(shared: JobBase, continuation: Continuation): Promise<void> {
  const { scale, regions, geoDatabase, rows, totals, rejects, commit } = continuation.last!;
  const resources = new Resources();
  const base: JobBase = { ...shared, resources, counters: newCounters() };
  let failure: unknown;
  try {
    const plan = await planPublishing(base, { scale, regions, geoDatabase });
    const { spill, memory, budget: { runBufferBytes } } = plan;
    const kernel = await loadKernel<SpillKernel>('spill', memory);
    const run = await (await keptRuns(plan, continuation)).open(totals);
    resources.add(() => run.close());
    const files = new RunFiles({ spill, memory, kernel, readBytes: runBufferBytes });
    const written = await writeFiles(base, plan, { runs: [run], files }, { durable: true });
    if (base.counters.published !== rows.counted) {
      throw new EtlError('ETL_STATE_DAMAGED', `The totals of commit ${commit} have ${base.counters.published} logs, and ${rows.counted} were counted.`, {
        hint: 'Rebuild the dataset from all logs with --overwrite.',
      });
    }
    await describe(base, plan, written, { ...rows });
    await keepEarlierReports(base.options, plan.staging.folder);
    await complete(base, plan, continuation, commit, rejects);
    await plan.staging.publish();
  } catch (error) {
    failure = error;
  }
  failure = await resources.close(failure);
  if (failure !== undefined) throw failure;
}

/** Adds to the staging folder what a dataset of a state has besides; then all of it is on the disk. */
async function complete(
  { options }: JobBase, { staging: { folder } }: PublishPlan, continuation: Continuation, commit: number, rejects: readonly KeptRejects[],
): Promise<void> {
  const form = rejectsForm(options);
  await joinRejects(continuation.folder, rejects, folder, form);
  await writeStateMark(folder, continuation.mark(commit));
  try {
    for (const file of [REJECTS_FILES[form.format], STATE_MARK, DATASET_FILE]) await syncFile(join(folder, file));
    await syncFolders(folder);
  } catch (cause) {
    throw new EtlError('ETL_OUTPUT_WRITE', `Could not sync ${folder}: ${messageOf(cause)}.`, { cause });
  }
}

async function allRejects(continuation: Continuation): Promise<KeptRejects[]> {
  return [...(continuation.last?.rejects ?? []), ...await ownRejects(continuation.rejectsFile)];
}

/** The run's rejects file, if there is anything in it: it is on the disk then. */
async function ownRejects(path: string): Promise<KeptRejects[]> {
  try {
    const rejects = await rejectsIn(dirname(path), basename(path));
    if (!rejects) return [];
    await syncFile(path);
    return [rejects];
  } catch (cause) {
    throw new EtlError('ETL_STATE_WRITE', `Could not sync ${path}: ${messageOf(cause)}.`, { cause });
  }
}

async function keptRuns({ memory, budget }: PublishPlan, { folder }: Continuation): Promise<KeptRuns> {
  return new KeptRuns({
    folder, memory, kernel: await loadKernel<SpillKernel>('spill', memory), readBytes: budget.runBufferBytes, packBytes: DEFAULT_PACK_BYTES,
  });
}
