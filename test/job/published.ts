/** A dataset of a run, read back byte for byte by readers that share no code with the writer. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATASET_FILE, type DatasetDescription } from '../../lib/dataset/description.ts';
import { hyparquetContents, type Dataset } from '../parquet/readers.ts';

/** The files that a dataset says it has, each with the region that stands in the file itself. */
export async function publishedAt(folder: string): Promise<Dataset> {
  const { files, valueScale } = JSON.parse(readFileSync(join(folder, DATASET_FILE), 'utf8')) as DatasetDescription;
  const parts = await Promise.all(files.map(async (file) => {
    const { metadata } = await hyparquetContents(join(folder, file.path));
    const region = metadata.key_value_metadata?.find(({ key }) => key === 'geo_region')?.value;
    // The reader drops a byte order mark from what is in the file; the folder has it.
    const marked = region !== undefined && file.path.startsWith('geo_region=%EF%BB%BF') ? `\ufeff${region}` : region;
    return { ...file, sha256: file.sha256 ?? '', rowGroups: metadata.row_groups.length, region: marked };
  }));
  return { folder, files: parts, scale: valueScale };
}

/** Paths of all that there is below a folder, links not followed. */
export function everythingIn(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[]).sort();
}

/** A field of CSV, quoted where it has to be, or if `quoted`. */
export function csvField(text: string, quoted = false): string {
  return quoted || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** As `linesOf` has it in parquet/readers.ts. */
export function line(region: string, user: string, total: number, count = 1): string {
  return `${region}|${Buffer.from(user).toString('hex')}|${total}|${count}`;
}
