/**
 * A dataset as queries see it: its files by its description, `runs` by the reports in it, `inputs` by the ledger of its state, where that is
 * beside it, belongs to it and can be read without a trace; else by the reports. Memory: reports, and what the state's database holds.
 */
import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { defaultState } from '../core/options.ts';
import type { DatasetDescription } from '../dataset/description.ts';
import { REJECTS_FILES } from '../dataset/rejects-file.ts';
import { readStateMark, type StateMark } from '../dataset/state-mark.ts';
import { openPart } from '../parquet/read-part.ts';
import type { RunReport } from '../report/report.ts';
import type { MemoryTable, QuerySource } from '../sql/session.ts';
import { State } from '../state/state.ts';
import { describedRegion } from './described-region.ts';
import { reading, type PublishedDataset } from './published.ts';
import { idOf } from './state-content.ts';

/** Throws ETL_INPUT_READ when a file cannot be read. What is wrong with reports or the state is no error: they are left out. */
export async function querySource({ place: { output, folder }, description, reports }: PublishedDataset): Promise<QuerySource> {
  return {
    folder,
    files: description.files.map(({ path }) => path),
    byUser: description.groupBy === 'user',
    longRegions: await longRegions(output, folder, description),
    rejects: await rejectsOf(folder),
    runs: runsTable(reports, description.valueScale),
    inputs: await ledgerInputs(output, folder) ?? reportedInputs(reports),
  };
}

/** How parquet/hive-path.ts ends the name of a folder that is too long. */
const CUT_NAME = /~[0-9a-f]{32}$/;

/** The full name stands in the files. */
async function longRegions(output: string, folder: string, description: DatasetDescription): Promise<Record<string, string>> {
  const names: Record<string, string> = {};
  for (const file of description.files) {
    const { path } = file;
    const name = dirname(path);
    if (!CUT_NAME.test(name) || Object.hasOwn(names, name)) continue;
    const { region } = await reading(`${output}/${path}`, () => openPart(join(folder, path), describedRegion(description, file)));
    if (region !== undefined) names[name] = region;
  }
  return names;
}

async function rejectsOf(folder: string): Promise<QuerySource['rejects']> {
  for (const format of ['jsonl', 'csv'] as const) {
    const path = REJECTS_FILES[format];
    const isFile = await lstat(join(folder, path)).then((info) => info.isFile(), () => false);
    if (isFile) return { path, format };
  }
  return undefined;
}

type Columns<Row> = readonly { readonly name: string; readonly type: string; readonly of: (row: Row) => MemoryTable['rows'][number][number] | undefined }[];

function tableOf<Row>(columns: Columns<Row>, rows: readonly Row[]): MemoryTable {
  return { columns: columns.map(({ name, type }) => ({ name, type })), rows: rows.map((row) => columns.map(({ of }) => of(row) ?? null)) };
}

/** DuckDB has decimals of at most 38 digits. */
const MOST_SCALE = 18;

function runsTable(reports: readonly RunReport[], scale: number): MemoryTable {
  return tableOf<RunReport>([
    { name: 'run', type: 'VARCHAR', of: ({ run }) => run },
    { name: 'started_at', type: 'TIMESTAMP', of: ({ startedAt }) => timestamp(startedAt) },
    { name: 'ended_at', type: 'TIMESTAMP', of: ({ endedAt }) => timestamp(endedAt) },
    { name: 'version', type: 'VARCHAR', of: ({ version }) => version },
    { name: 'seconds', type: 'DOUBLE', of: ({ summary }) => summary.seconds },
    { name: 'jobs', type: 'INTEGER', of: ({ summary }) => summary.jobs },
    { name: 'inputs', type: 'BIGINT', of: ({ summary }) => summary.inputs },
    { name: 'rows_read', type: 'BIGINT', of: ({ summary }) => summary.rows.read },
    { name: 'rows_counted', type: 'BIGINT', of: ({ summary }) => summary.rows.counted },
    { name: 'rows_duplicates', type: 'BIGINT', of: ({ summary }) => summary.rows.duplicates },
    { name: 'rows_rejected', type: 'BIGINT', of: ({ summary }) => summary.rows.rejected },
    { name: 'input_bytes', type: 'BIGINT', of: ({ summary }) => summary.inputBytes },
    { name: 'bytes', type: 'BIGINT', of: ({ summary }) => summary.bytes },
    { name: 'megabytes_per_second', type: 'DOUBLE', of: ({ summary }) => summary.megabytesPerSecond },
    { name: 'rows_per_second', type: 'DOUBLE', of: ({ summary }) => summary.rowsPerSecond },
    { name: 'peak_memory_bytes', type: 'BIGINT', of: ({ memory }) => memory.peakBytes },
    { name: 'memory_limit_bytes', type: 'BIGINT', of: ({ memory }) => memory.limitBytes },
    { name: 'commit', type: 'BIGINT', of: ({ summary }) => summary.state?.commit },
    { name: 'result_users', type: 'BIGINT', of: ({ summary }) => summary.users },
    { name: 'result_regions', type: 'BIGINT', of: ({ summary }) => summary.regions },
    { name: 'result_rows', type: 'BIGINT', of: ({ result }) => result.rows },
    { name: 'result_logs', type: 'BIGINT', of: ({ result }) => result.logs },
    { name: 'result_watch_time', type: `DECIMAL(38, ${Math.min(scale, MOST_SCALE)})`, of: ({ result }) => result.total },
    { name: 'warnings', type: 'BIGINT', of: ({ warnings }) => warnings.length },
  ], reports);
}

/** An input, as the ledger or a report has it. */
interface KnownInput {
  readonly path: string;
  readonly size: number | null;
  readonly rows: number;
  readonly rejected?: number;
  readonly commit: number | undefined;
  readonly when: string;
  readonly fingerprint?: string;
  readonly run?: string;
  readonly source: 'ledger' | 'report';
}

function inputsTable(inputs: readonly KnownInput[]): MemoryTable {
  return tableOf<KnownInput>([
    { name: 'path', type: 'VARCHAR', of: ({ path }) => path },
    { name: 'size', type: 'BIGINT', of: ({ size }) => size },
    { name: 'rows', type: 'BIGINT', of: ({ rows }) => rows },
    { name: 'rejected', type: 'BIGINT', of: ({ rejected }) => rejected },
    { name: 'commit', type: 'BIGINT', of: ({ commit }) => commit },
    { name: 'counted_at', type: 'TIMESTAMP', of: ({ when }) => timestamp(when) },
    { name: 'fingerprint', type: 'VARCHAR', of: ({ fingerprint }) => fingerprint },
    { name: 'run', type: 'VARCHAR', of: ({ run }) => run },
    { name: 'source', type: 'VARCHAR', of: ({ source }) => source },
  ], inputs);
}

/** Of the commits that the dataset was published from; undefined without a state that can be read and is its own. */
async function ledgerInputs(output: string, folder: string): Promise<MemoryTable | undefined> {
  const mark: StateMark | undefined = await readStateMark(folder).catch(() => undefined);
  if (!mark) return undefined;
  try {
    const state = await State.open(defaultState(output), { copy: true });
    try {
      if (!state.head || idOf(state.head) !== mark.state) return undefined;
      const inputs: KnownInput[] = [];
      for await (const { path, size, rows, commit, when, fingerprint } of state.inputs()) {
        if (commit <= mark.commit) inputs.push({ path, size, rows, commit, when, fingerprint, source: 'ledger' });
      }
      return inputsTable(inputs);
    } finally {
      await state.close();
    }
  } catch {
    return undefined; // a run has it, or it is elsewhere, or damaged: `state check` says so
  }
}

function reportedInputs(reports: readonly RunReport[]): MemoryTable {
  return inputsTable(reports.flatMap(({ run, endedAt, inputs, summary }) => inputs.listed.map(({ name, bytes, rows, rejected }): KnownInput => ({
    path: name, size: bytes, rows, rejected, commit: summary.state?.commit, when: endedAt, run, source: 'report',
  }))));
}

/** ISO 8601 of UTC as DuckDB takes it for a TIMESTAMP, which has no zone. */
function timestamp(iso: string): string {
  return iso.replace('T', ' ').replace(/Z$/, '');
}
