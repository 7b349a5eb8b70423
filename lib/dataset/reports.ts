/**
 * Where reports of runs stand in a dataset (what is in them: report/report.ts), and how a dataset comes to have those of
 * earlier runs: by links to the same files, since a report is never changed.
 *
 *   _etl/reports/20261130T045026123Z-3f2a9c.json   of each run that made the dataset, the last MOST_REPORTS of them
 *   _etl/report.html                            of the last one
 *
 * Whatever else stands among them, of another kind, name or size, is left where it is.
 */
import { copyFile, link, lstat, mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';

export const REPORT_PAGE = '_etl/report.html';
export const REPORTS_FOLDER = '_etl/reports';
/** Besides the run's own. */
export const MOST_EARLIER = 99;
/** A report that lists all it may, with names of 160 characters, was 0.3 MB. */
export const MOST_REPORT_BYTES = 8 << 20;

const NAME = /^\d{8}T\d{9}Z-[0-9a-f]{6}\.json$/;

/** Whether a path in a dataset is one of these. */
export function isReport(path: string): boolean {
  return path === REPORT_PAGE || (path.startsWith(`${REPORTS_FOLDER}/`) && NAME.test(path.slice(REPORTS_FOLDER.length + 1)));
}

/** Paths of a dataset's reports, the newest last. None where they cannot be listed. */
export async function reportsIn(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, REPORTS_FOLDER)).catch(() => []);
  const found: string[] = [];
  for (const name of names.filter((name) => NAME.test(name)).sort()) {
    const path = join(folder, REPORTS_FOLDER, name);
    const info = await lstat(path).catch(() => undefined);
    if (info?.isFile() && info.size <= MOST_REPORT_BYTES) found.push(path);
  }
  return found;
}

/** Gives a dataset that is being made the last reports of the one it continues; gives how many it could not. Throws ETL_OUTPUT_WRITE. */
export async function keepReports(earlier: string, folder: string): Promise<number> {
  const reports = (await reportsIn(earlier)).slice(-MOST_EARLIER);
  if (reports.length === 0) return 0;
  await makeFolder(folder);
  let lost = 0;
  for (const from of reports) {
    const to = join(folder, from.slice(earlier.length));
    // Not every file system has links.
    await link(from, to).catch(() => copyFile(from, to)).catch(() => lost++);
  }
  return lost;
}

export interface WrittenReport {
  /** Name of the run. */
  readonly run: string;
  readonly json: string;
  /** Pieces of the page. */
  readonly page: readonly Uint8Array[];
  /** Both are on the disk when this is done, but for their folders' entries. */
  readonly durable: boolean;
}

/** Throws ETL_OUTPUT_WRITE. */
export async function writeReport(folder: string, { run, json, page, durable }: WrittenReport): Promise<void> {
  await makeFolder(folder);
  await write(join(folder, REPORTS_FOLDER, `${run}.json`), [Buffer.from(json)], durable);
  await write(join(folder, REPORT_PAGE), page, durable);
}

async function makeFolder(folder: string): Promise<void> {
  const path = join(folder, REPORTS_FOLDER);
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot make ${path}: ${messageOf(cause)}.`, { cause });
  });
}

async function write(path: string, pieces: readonly Uint8Array[], durable: boolean): Promise<void> {
  try {
    const file = await open(path, 'wx');
    try {
      for (const piece of pieces) await file.writeFile(piece);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot write ${path}: ${messageOf(cause)}.`, { cause });
  }
}
