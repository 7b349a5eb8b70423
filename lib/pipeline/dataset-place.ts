/** Where a dataset is that a person names. */
import { realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EtlError, messageOf } from '../core/errors.ts';
import { DATASET_FILE } from '../dataset/description.ts';

export interface DatasetPlace {
  /** Absolute. */
  readonly output: string;
  /** Without links: whatever is published later, this is the dataset that it was, as long as it is there. */
  readonly folder: string;
  /** What tells it from another one at the same place. */
  readonly made: string;
}

/** Throws ETL_USAGE, ETL_INPUT_NOT_FOUND, ETL_INPUT_READ. */
export async function datasetAt(output: string): Promise<DatasetPlace> {
  if (typeof output !== 'string' || output === '') throw new EtlError('ETL_USAGE', 'output must be the path of a folder.');
  const path = resolve(output);
  let folder: string;
  try {
    folder = await realpath(path);
    if (!(await stat(folder)).isDirectory()) throw notFound(output, 'it is not a folder');
  } catch (error) {
    throw error instanceof EtlError ? error : isMissing(error) ? notFound(output, 'there is nothing') : unreadable(output, error);
  }
  try {
    const { ino, mtimeMs } = await stat(join(folder, DATASET_FILE));
    return { output: path, folder, made: `${ino} ${mtimeMs}` };
  } catch (error) {
    throw isMissing(error) ? notFound(output, `it has no ${DATASET_FILE}`) : unreadable(output, error);
  }
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function notFound(output: string, why: string): EtlError {
  return new EtlError('ETL_INPUT_NOT_FOUND', `There is no dataset at ${output}: ${why}.`, {
    hint: 'Name the folder that a run published: what was said with -o, or ./etl-output.',
  });
}

function unreadable(output: string, cause: unknown): EtlError {
  return new EtlError('ETL_INPUT_READ', `Cannot read the dataset at ${output}: ${messageOf(cause)}.`, { cause });
}
