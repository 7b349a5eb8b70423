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
  const description = await readDescription(place.folder).catch((cause: unknown) => {
    throw new EtlError('ETL_INPUT_READ', `Cannot read the dataset at ${place.output}: ${messageOf(cause)}.`, { cause, hint: 'etl-stream verify says what is wrong with a dataset.' });
  });
  return { place, description, ...await readReports(place.folder) };
}
