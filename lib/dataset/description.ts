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
  /** Apache Spark wrote the files, by a job of etl-stream: they say nothing of the dataset themselves. Not there: etl-stream did. */
  readonly engine?: 'spark' | undefined;
  readonly groupBy: string;
  readonly columns: Readonly<Record<string, string>>;
  readonly valueScale: number;
  readonly geoDatabase: { readonly type: string; readonly buildDate: string };
  readonly rows: Readonly<Record<string, number>>;
  readonly files: readonly DescribedFile[];
}

/** A Parquet file of a dataset. */
export interface DescribedFile {
  /** Below the dataset's folder, with `/`. */
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  /** Of its bytes, in hexadecimal; undefined in a dataset of an earlier version. */
  readonly sha256?: string;
  /** Of a file that Spark wrote, where its folder's name does not hold all of the region's (parquet/hive-path.ts). */
  readonly region?: string;
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

/** What each Parquet file of a dataset says of it. */
export function fileMetadata({ version, columns, geoDatabase }: Pick<DatasetDescription, 'version' | 'columns' | 'geoDatabase'>): Record<string, string> {
  return {
    'etl-stream.version': version,
    'etl-stream.columns': JSON.stringify(columns),
    'etl-stream.geo_database': geoDatabase.type,
    'etl-stream.geo_database_build_date': geoDatabase.buildDate,
  };
}

/** That of a dataset. Throws what the file system throws, and an Error that says why it is none. */
export async function readDescription(folder: string): Promise<DatasetDescription> {
  const description = JSON.parse(await readFile(join(folder, DATASET_FILE), 'utf8')) as Partial<DatasetDescription> | null;
  if (description?.format !== 1) throw new Error(`it has format ${String(description?.format)}, and this version of etl-stream reads format 1`);
  for (const [name, isRight] of Object.entries(FIELDS)) {
    if (!isRight(description[name as keyof typeof FIELDS])) throw new Error(`its ${name} is not what it can be`);
  }
  return description as DatasetDescription;
}

/** Nothing outside of the dataset. */
const PATH = /^(geo_region=[^/\0]+\/)?part-\d{5,}\.parquet$/;

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const hasTexts = (value: unknown, keys: readonly string[]): boolean => isRecord(value) && keys.every((key) => typeof value[key] === 'string');

const FIELDS: Readonly<Record<Exclude<keyof DatasetDescription, 'format'>, (value: unknown) => boolean>> = {
  version: (value) => typeof value === 'string',
  engine: (value) => value === undefined || value === 'spark',
  groupBy: (value) => value === 'region' || value === 'user',
  columns: (value) => hasTexts(value, ['id', 'user', 'ip', 'value']),
  valueScale: isCount,
  geoDatabase: (value) => hasTexts(value, ['type', 'buildDate']),
  rows: (value) => isRecord(value) && ['read', 'counted', 'duplicates', 'rejected'].every((name) => isCount(value[name])),
  files: (value) => Array.isArray(value) && value.every((file: unknown) => isRecord(file) && PATH.test(String(file.path)) && isCount(file.rows) && isCount(file.bytes)
    && (file.sha256 === undefined || /^[0-9a-f]{64}$/.test(String(file.sha256))) && (file.region === undefined || typeof file.region === 'string')),
};
