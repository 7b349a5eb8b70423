/**
 * The folder of a job: all that `spark-submit` needs besides Spark.
 *
 *   job.py                  what is submitted
 *   etl_stream_spark.zip    its modules, and the template of the report; made by the build
 *   settings.json           what the job is told (settings.ts)
 *   ranges/                 the IP database, as Parquet (range-files.ts)
 *   README.md               how it is submitted; only of one that is kept
 */
import { randomBytes } from 'node:crypto';
import { copyFile, lstat, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { tmpdir } from 'node:os';
import { EtlError, messageOf } from '../core/errors.ts';
import { OwnFolder } from '../core/own-folder.ts';
import { jobReadme } from './job-readme.ts';
import { writeRanges } from './range-files.ts';
import type { SparkJobOptions, SparkSettings } from './settings.ts';

export const JOB = 'job.py';
export const MODULES = 'etl_stream_spark.zip';
export const SETTINGS = 'settings.json';
export const RANGES = 'ranges';
const README = 'README.md';

export interface GeoOptions {
  readonly geoDb?: string | undefined;
  readonly geoField?: string | undefined;
}

/** Makes a temporary one, for this user alone. Throws ETL_TEMP_WRITE, ETL_GEO_DATABASE. */
export async function makeJobFolder(options: SparkJobOptions, geo: GeoOptions): Promise<OwnFolder> {
  let folder;
  try {
    folder = OwnFolder.create({ parent: tmpdir(), prefix: '.etl-stream-spark', mode: 0o700 });
    await fill(folder.path, options, geo);
    return folder;
  } catch (cause) {
    await folder?.remove().catch(() => undefined); // the first error says more
    if (cause instanceof EtlError) throw cause;
    throw new EtlError('ETL_TEMP_WRITE', `Cannot write the job into a temporary folder: ${messageOf(cause)}.`, { cause, hint: 'The variable TMPDIR names another place for it.' });
  }
}

/**
 * Writes one that is kept, in one step: into a folder that is not there or is empty, or with `overwrite` in place of another job. Throws ETL_OUTPUT_EXISTS,
 * ETL_OUTPUT_WRITE, ETL_GEO_DATABASE.
 */
export async function writeJobFolder(path: string, options: SparkJobOptions, geo: GeoOptions): Promise<void> {
  const target = resolve(path);
  let own;
  try {
    await checkTarget(path, options.overwrite);
    own = OwnFolder.create({ parent: dirname(target), prefix: `.${basename(target)}.staging` });
    const settings = await fill(own.path, options, geo);
    await writeFile(join(own.path, README), jobReadme(settings));
    own.unmark();
    await replace(target, own.path);
    own.keep();
  } catch (cause) {
    await own?.remove().catch(() => undefined);
    if (cause instanceof EtlError) throw cause;
    throw new EtlError('ETL_OUTPUT_WRITE', `Cannot write the job to ${path}: ${messageOf(cause)}.`, { cause });
  }
}

async function fill(folder: string, options: SparkJobOptions, { geoDb, geoField }: GeoOptions): Promise<SparkSettings> {
  for (const name of [JOB, MODULES]) await copyFile(new URL(`./job/${name}`, import.meta.url), join(folder, name));
  const { type, buildDate, regions } = await writeRanges(join(folder, RANGES), { file: geoDb, field: geoField });
  const settings: SparkSettings = { ...options, geo: { type, buildDate, regions } };
  await writeFile(join(folder, SETTINGS), `${JSON.stringify(settings, null, 2)}\n`);
  return settings;
}

/** Throws ETL_OUTPUT_EXISTS where something stands that may not be replaced. */
async function checkTarget(path: string, overwrite: boolean): Promise<void> {
  const info = await lstat(path).catch(() => undefined);
  if (info === undefined) return;
  const exists = (why: string, hint: string): EtlError => new EtlError('ETL_OUTPUT_EXISTS', `The folder ${path} exists already${why}.`, { hint });
  if (!info.isDirectory()) throw exists(' and is never replaced: it is no folder', 'Choose another one with --emit.');
  const names = await readdir(path);
  if (names.length === 0) return;
  const foreign = names.find((name) => ![JOB, MODULES, SETTINGS, RANGES, README].includes(name));
  if (foreign !== undefined || !(await isJob(path))) {
    throw exists(` and is never replaced: ${foreign === undefined ? 'it holds no job' : `it holds ${foreign}, which no job has`}`, 'Choose another one with --emit, or clear this one yourself.');
  }
  if (!overwrite) throw exists(', with a job', 'Add --overwrite to replace it, or choose another one with --emit.');
}

async function isJob(path: string): Promise<boolean> {
  try {
    const { format, geo } = JSON.parse(await readFile(join(path, SETTINGS), 'utf8')) as Partial<SparkSettings>;
    return format === 1 && geo !== undefined;
  } catch {
    return false;
  }
}

/** Gives `made` the name `target`; what stands there, an empty folder or a job, goes. */
async function replace(target: string, made: string): Promise<void> {
  const aside = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`);
  const before = await rename(target, aside).then(() => true, () => false);
  try {
    await rename(made, target);
  } catch (cause) {
    if (before) await rename(aside, target);
    throw cause;
  }
  if (before) await rm(aside, { recursive: true, force: true }).catch(() => undefined);
}
