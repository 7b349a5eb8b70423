/** What a dataset says of itself, without a look into its Parquet files: its description and the reports of its runs. */
import { EtlError, messageOf } from '../core/errors.ts';
import { readDescription, type DatasetDescription } from '../dataset/description.ts';
import type { DatasetPlace } from './dataset-place.ts';
import { readReports, type Reports } from './reports.ts';

export interface PublishedDataset extends Reports {
  readonly place: DatasetPlace;
  readonly description: DatasetDescription;
}

/** Throws ETL_INPUT_READ. */
export async function readPublished(place: DatasetPlace): Promise<PublishedDataset> {
  const description = await reading(`the dataset at ${place.output}`, () => readDescription(place.folder));
  return { place, description, ...await readReports(place.folder) };
}

/** Reads `what`, of a dataset. Throws ETL_INPUT_READ. */
export async function reading<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new EtlError('ETL_INPUT_READ', `Cannot read ${what}: ${messageOf(cause)}.`, { cause, hint: 'etl-stream verify says what is wrong with a dataset.' });
  }
}
