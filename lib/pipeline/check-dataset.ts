/**
 * Goes over a dataset: what it says of itself is what its commit says, each file that it names is there, is of the region that
 * it should be, and can be read to the end by another reader; region by region they have what the totals have.
 */
import { isDeepStrictEqual } from 'node:util';
import { readdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { messageOf } from '../core/errors.ts';
import { DATASET_FILE, readDescription, type DatasetDescription } from '../dataset/description.ts';
import { ALWAYS, REJECTS } from '../dataset/replaceable.ts';
import { REJECTS_FILE } from '../dataset/rejects-file.ts';
import { isReport } from '../dataset/reports.ts';
import { partitionFolder } from '../parquet/hive-path.ts';
import { openPart } from '../parquet/read-part.ts';
import type { Committed, Schema } from './state-content.ts';
import { difference, RegionSums } from './region-sums.ts';

export interface CheckDatasetOptions {
  /** Its folder, without links: it stays the one it is. */
  readonly folder: string;
  /** The commit that it is; undefined: an earlier one, and only its files can be looked at. */
  readonly last: Committed | undefined;
  readonly schema: Schema;
  /** By the totals; undefined: they are not known. */
  readonly expected: RegionSums | undefined;
  readonly tell: (problem: string) => void;
}

export interface DatasetFound {
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
}

export async function checkDataset({ folder, last, schema, expected, tell }: CheckDatasetOptions): Promise<DatasetFound> {
  const found = { files: 0, rows: 0, bytes: 0 };
  let description: DatasetDescription;
  try {
    description = await readDescription(folder);
  } catch (error) {
    tell(`The dataset's ${DATASET_FILE} cannot be read: ${messageOf(error)}.`);
    return found;
  }
  if (last && !isDeepStrictEqual(saidBy(description), saidBy({ ...schema, ...last }))) tell(`The dataset's ${DATASET_FILE} is not that of commit ${last.commit}.`);
  checkNames(folder, description, tell);
  const sums = await RegionSums.load();
  const damaged = new Set<string>(); // folders of regions
  for (const file of description.files) {
    try {
      await addFile(folder, file, schema, sums);
      found.files++;
      found.rows += file.rows;
      found.bytes += file.bytes;
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      tell(`The dataset's file ${file.path} is ${missing ? 'missing' : `not what was published: ${messageOf(error)}`}.`);
      damaged.add(folderOf(file.path));
    }
  }
  if (!expected || !last) return found;
  for (const region of new Set([...expected.regions, ...sums.regions].sort())) {
    if (damaged.has(schema.groupBy === 'region' ? partitionFolder(region) : '')) continue; // told
    const different = difference(region, sums.of(region), expected.of(region));
    if (different !== undefined) tell(`The dataset is not what its totals are: ${different}`);
  }
  return found;
}

/** Adds a file's rows. Throws an error that says what is wrong with it. */
async function addFile(folder: string, { path, rows, bytes }: DatasetDescription['files'][0], { groupBy, valueScale }: Schema, sums: RegionSums): Promise<void> {
  const { size } = await stat(join(folder, path));
  if (size !== bytes) throw new Error(`it has ${size} bytes, and should have ${bytes}`);
  const part = await openPart(join(folder, path));
  if (part.rows !== rows) throw new Error(`it has ${part.rows} rows, and should have ${rows}`);
  if (part.scale !== valueScale) throw new Error(`it has ${part.scale} decimal places, and should have ${valueScale}`);
  if (groupBy === 'region' && part.region === undefined) throw new Error('it does not say which region it is of');
  if (part.region !== undefined && partitionFolder(part.region) !== folderOf(path)) throw new Error(`it is of the region ${JSON.stringify(part.region)}`);
  let seen = 0;
  for await (const { users, totals, logs, regions } of part.groups()) {
    seen += users.length;
    for (let row = 0; row < users.length; row++) {
      const region = part.region ?? Buffer.from(regions![row]!).toString();
      sums.add(region, users[row]!, totals[row]!, logs[row]!);
    }
  }
  if (seen !== rows) throw new Error(`it has ${seen} rows in its row groups, and should have ${rows}`);
}

/** That nothing else is there: who reads the folder reads it, too. */
function checkNames(folder: string, { files }: DatasetDescription, tell: (problem: string) => void): void {
  const named = new Set(files.map(({ path }) => path));
  const there = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
  for (const path of there) if (!named.has(path) && !ALWAYS.has(path) && !REJECTS.has(path) && !isReport(path)) tell(`The dataset has a file that etl-stream did not write: ${path}.`);
  for (const path of ALWAYS) if (!there.includes(path)) tell(`The dataset's file ${path} is missing.`);
  const rejects = there.filter((path) => REJECTS.has(path));
  if (rejects.length === 0) tell(`The dataset's file ${REJECTS_FILE} is missing.`);
  if (rejects.length > 1) tell(`The dataset has two files of rejects: ${rejects.join(' and ')}.`);
}

/** What a description and a commit both say. */
function saidBy({ groupBy, columns, valueScale, geoDatabase, rows }: Readonly<Record<Exclude<keyof DatasetDescription, 'format' | 'version' | 'files'>, unknown>>): unknown {
  return { groupBy, columns, valueScale, geoDatabase, rows };
}

/** '' when it stands in the dataset's folder itself. */
function folderOf(path: string): string {
  return path.split('/').slice(0, -1).join('/');
}
