/** The region of a file of a dataset, as its description and its folder say; what etl-stream itself wrote says it itself. */
import type { DatasetDescription, DescribedFile } from '../dataset/description.ts';
import { regionOfFolder } from '../parquet/hive-path.ts';

/** For `openPart`; undefined where the file says it, and by user. */
export function describedRegion({ engine, groupBy }: Pick<DatasetDescription, 'engine' | 'groupBy'>, { path, region }: DescribedFile): string | undefined {
  if (engine === undefined || groupBy !== 'region') return undefined;
  return region ?? regionOfFolder(path.slice(0, path.lastIndexOf('/')));
}
