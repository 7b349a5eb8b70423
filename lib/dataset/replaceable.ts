/**
 * What may be replaced: nothing, or a dataset of ours that holds nothing else. A folder is ours when every file in it is
 * named by its description (DATASET_FILE), is one that each dataset has, or a report of a run.
 */
import { readdirSync } from 'node:fs';
import { lstat, readFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { EtlError } from '../core/errors.ts';
import { DATASET_FILE, readDescription, type DatasetDescription } from './description.ts';
import { REJECTS_FILES } from './rejects-file.ts';
import { isReport } from './reports.ts';
import { STATE_MARK } from './state-mark.ts';
import { isThere, linkedVersion } from './versions.ts';

/** What each dataset has besides its Parquet files and rejects, the mark only one of a state. */
export const ALWAYS: ReadonlySet<string> = new Set(['_SUCCESS', DATASET_FILE, STATE_MARK]);
/** It has one of these. */
export const REJECTS: ReadonlySet<string> = new Set(Object.values(REJECTS_FILES));

/** Throws ETL_OUTPUT_EXISTS unless the path `output` is free, or may be replaced and `overwrite` says so. `at`: where that is just now. */
export async function checkReplaceable(output: string, overwrite: boolean, at = output): Promise<void> {
  if (!(await isThere(at))) return;
  const folder = await linkedVersion(at) ?? at;
  const foreign = await firstForeign(folder);
  if (foreign !== undefined) {
    throw new EtlError('ETL_OUTPUT_EXISTS', `The output ${output} exists already and is never replaced: ${foreign}.`, {
      hint: 'Choose another folder with -o, or clear this one yourself.',
    });
  }
  if (overwrite) return;
  throw new EtlError('ETL_OUTPUT_EXISTS', `The output ${output} exists already.`, {
    hint: await exists(join(folder, STATE_MARK))
      ? 'It has a state: leave out --no-state to add what is new. Or add --overwrite to replace it, or choose another folder with -o.'
      : await isOfSpark(folder) ? 'It was made on Spark, which keeps no state, so nothing can be added to it. Add --overwrite to count all logs anew, or choose another folder with -o.'
      : 'It has no state, so nothing can be added to it. Add --overwrite to replace it, or choose another folder with -o.',
  });
}

/** Why a path is not ours to replace; undefined when it is: an empty folder, or a dataset and nothing else. */
async function firstForeign(output: string): Promise<string | undefined> {
  const info = await lstat(output);
  if (info.isSymbolicLink()) return 'it is a symbolic link';
  if (!info.isDirectory()) return 'it is not a folder';
  if ((await lstat(dirname(output))).dev !== info.dev) return 'it is a mount point, which cannot be renamed; choose a folder inside it';
  if (readdirSync(output).length === 0) return undefined;
  const ours = new Set([...ALWAYS, ...REJECTS]);
  try {
    const { format, files } = JSON.parse(await readFile(join(output, DATASET_FILE), 'utf8')) as DatasetDescription;
    if (format !== 1) return `it was written by another version of etl-stream (format ${String(format)})`;
    for (const { path } of files) ours.add(path);
  } catch {
    return 'it was not written by etl-stream';
  }
  // Only now: what is no dataset may be a whole disk. Not asynchronous: waiting for each folder takes four times as long.
  for (const entry of readdirSync(output, { recursive: true, withFileTypes: true })) {
    const path = relative(output, join(entry.parentPath, entry.name)).split(sep).join('/');
    if (!entry.isDirectory() && !ours.has(path) && !isReport(path)) return `it holds ${path}, which etl-stream did not write`;
  }
  return undefined;
}

/** Whether Spark has written the dataset: it keeps no state. */
export async function isOfSpark(folder: string): Promise<boolean> {
  return readDescription(folder).then(({ engine }) => engine === 'spark', () => false);
}

/** Whether there is a folder at the path that says it is a dataset. */
export async function isDataset(path: string): Promise<boolean> {
  return readFile(join(path, DATASET_FILE)).then(() => true, () => false);
}

/** Whether there is anything at the path; a dangling link is something. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    throw error;
  }
}
