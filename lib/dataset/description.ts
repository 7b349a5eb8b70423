/**
 * `_etl/dataset.json`: what a dataset is, for people and for later commands. It holds nothing that differs between two
 * runs over the same input with the same options: no times, no process, no machine.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';

/** Where it stands in a dataset. */
export const DATASET_FILE = '_etl/dataset.json';

export interface DatasetDescription {
  /** Version of this file's format. */
  readonly format: 1;
  /** Version of etl-stream. */
  readonly version: string;
  readonly groupBy: string;
  readonly columns: Readonly<Record<string, string>>;
  readonly valueScale: number;
  readonly geoDatabase: { readonly type: string; readonly buildDate: string };
  readonly rows: Readonly<Record<string, number>>;
  readonly files: readonly { readonly path: string; readonly rows: number; readonly bytes: number }[];
}

/** Writes the description into the staging folder. */
export async function describeDataset(folder: string, description: DatasetDescription): Promise<void> {
  const path = join(folder, DATASET_FILE);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${JSON.stringify(description, null, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot write ${path}: ${messageOf(cause)}.`, { cause });
  }
}

/** That of a dataset. Throws an Error that says why there is none. */
export async function readDescription(folder: string): Promise<DatasetDescription> {
  const description = JSON.parse(await readFile(join(folder, DATASET_FILE), 'utf8')) as DatasetDescription;
  if (description?.format !== 1) throw new Error(`it has format ${String(description?.format)}, and this version of etl-stream reads format 1`);
  const { files } = description;
  const isFile = (file: Partial<DatasetDescription['files'][0]> | null): boolean =>
    typeof file?.path === 'string' && Number.isSafeInteger(file.rows) && Number.isSafeInteger(file.bytes);
  if (!Array.isArray(files) || !files.every(isFile)) throw new Error('its list of files is none');
  return description;
}
