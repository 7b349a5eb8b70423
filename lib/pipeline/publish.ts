/** Lane 3: totals as sorted runs become the files of a dataset, in its staging folder. */
import { randomBytes } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type { JobOptions } from '../core/options.ts';
import type { ResultBatch, RegionColumn, SortedRun } from '../core/stage.ts';
import { describeDataset, fileMetadata } from '../dataset/description.ts';
import type { RejectsForm } from '../dataset/rejects-file.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { MergeKernel } from '../kernels/twins/merge.ts';
import type { UsersKernel } from '../kernels/twins/users.ts';
import { DistinctUsers } from '../merge/distinct-users.ts';
import type { KeepTotals } from '../merge/keep-totals.ts';
import { mergeRuns } from '../merge/merge.ts';
import { createParquetStage, ROW_GROUP_BYTES, ROW_GROUP_ROWS, type PartFile } from '../parquet/stage.ts';
import type { ResultCollector } from '../report/result.ts';
import type { RunFiles } from '../spill/run-files.ts';
import { stoppable, type JobBase } from './base.ts';
import type { PublishPlan } from './plan.ts';

/** Sorted runs, and where to put merged ones when there are too many to merge at once. */
export interface Runs {
  readonly runs: readonly SortedRun[];
  readonly files: RunFiles;
}

/** What the files hold. */
export interface Written {
  readonly files: readonly PartFile[];
  readonly regions: number;
  /** Counts different users, which may take a while where memory is short. Once. */
  users(): Promise<number>;
}

export interface WriteOptions {
  /** The files are on the disk when this is done, but for their folders' entries. */
  readonly durable?: boolean;
  /** Has the totals, too. */
  readonly keep?: KeepTotals | undefined;
  /** Is shown them, for the report. */
  readonly result?: ResultCollector | undefined;
}

/** Merges the runs into Parquet files. */
export async function writeFiles(base: JobBase, plan: PublishPlan, { runs, files }: Runs, { durable = false, keep, result }: WriteOptions = {}): Promise<Written> {
  const { options: { groupBy, columns, compression, parquetEncoding }, counters, resources, version } = base;
  const { staging, spill, encoders, scale, memory, geoDatabase } = plan;
  const { fanIn, runBufferBytes, columnAreas, distinctBytes, writesAtOnce } = plan.budget;
  const regions = new Set<string>();
  const distinct = new DistinctUsers({
    memory, kernel: await loadKernel<UsersKernel>('users', memory), seed: randomBytes(8).readBigUInt64LE(),
    spill, pageBytes: distinctBytes, tableBytes: distinctBytes,
  });
  resources.add(() => distinct.close());
  const parquet = createParquetStage({
    folder: staging.folder, groupBy, scale, compression, encoding: parquetEncoding, counters, version,
    writesAtOnce, durable, tier: plan.tier,
    ...(encoders && { encode: encoders.encode, encodesAtOnce: Math.max(encoders.count, columnAreas - 2) }),
    metadata: fileMetadata({ version, columns: { ...columns }, geoDatabase }),
  });
  await pipeline(
    mergeRuns({
      runs, memory, kernel: await loadKernel<MergeKernel>('merge', memory), regions: plan.regions, groupBy, counters,
      maxRows: ROW_GROUP_ROWS, maxBytes: ROW_GROUP_BYTES, columnAreas, fanIn, bufferBytes: runBufferBytes, temp: files,
      maxTotal: scale > 0 ? 10n ** 18n : undefined,
    }),
    async function* count(batches: AsyncIterable<ResultBatch>) {
      for await (const batch of batches) {
        const logs = sum(batch.counts);
        counters.published += logs;
        result?.add(batch, logs);
        if (batch.region !== undefined) {
          regions.add(batch.region);
          await distinct.add(batch);
        }
        await keep?.add(batch);
        if (batch.topRegions) addRegions(regions, batch.topRegions);
        yield batch;
      }
    },
    parquet,
    stoppable(base),
  );
  const users = async (): Promise<number> => (groupBy === 'region' ? countUsers(distinct, base.context.signal) : counters.groups);
  return { files: parquet.files, users, regions: regions.size };
}

/** How a dataset has its rejects: with the four columns in this order. */
export function rejectsForm({ columns: { id, user, ip, value }, rejectsFormat: format }: Pick<JobOptions, 'columns' | 'rejectsFormat'>): RejectsForm {
  return { format, columns: [id, user, ip, value] };
}

/** Writes the dataset's description beside its files. `rows`: all that it was made of. Throws ETL_OUTPUT_WRITE. */
export async function describe(
  { options: { groupBy, columns }, version }: JobBase, { staging, scale, geoDatabase }: PublishPlan, { files }: Written, rows: Readonly<Record<string, number>>,
): Promise<void> {
  await describeDataset(staging.folder, {
    format: 1, version, groupBy, columns: { ...columns }, valueScale: scale, geoDatabase, rows: { ...rows },
    files: files.map(({ path, rows, bytes, sha256 }) => ({ path, rows, bytes, sha256 })),
  });
}

/** Where memory is short it reads files again and again: an abort ends it, too. */
async function countUsers(distinct: DistinctUsers, signal: AbortSignal | undefined): Promise<number> {
  signal?.throwIfAborted();
  const stop = (): void => void distinct.close().catch(() => undefined); // told when all is closed
  signal?.addEventListener('abort', stop);
  try {
    return await distinct.count();
  } finally {
    signal?.removeEventListener('abort', stop);
  }
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
