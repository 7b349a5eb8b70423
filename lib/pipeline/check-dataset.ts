/**
 * Goes over a dataset, on its own and as what its commit says:
 *
 *   description   one, whose rows balance; that of the commit
 *   names         all files that it names, and no other
 *   bytes         of each Parquet file those that were written
 *   files         can be read to the end by another reader; made with what the description says (those of Spark say nothing of that);
 *                 of the region that their folder says; in order of users, part after part, none twice; their statistics are true (parquet/check-part.ts)
 *   sums          logs are as many as were counted; region by region what the totals have
 *   rejects       as many as were rejected
 *   reports       can be read
 *
 * Goes on after what it finds.
 */
import { createHash } from 'node:crypto';
import { createReadStream, readdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../core/errors.ts';
import type { RejectsFormat } from '../core/options.ts';
import { countRejects } from '../dataset/count-rejects.ts';
import { DATASET_FILE, fileMetadata, readDescription, type DatasetDescription, type DescribedFile } from '../dataset/description.ts';
import { ALWAYS, REJECTS } from '../dataset/replaceable.ts';
import { REJECTS_FILE, REJECTS_FILES } from '../dataset/rejects-file.ts';
import { isReport, REPORTS_FOLDER } from '../dataset/reports.ts';
import { STATE_MARK } from '../dataset/state-mark.ts';
import { checkPart } from '../parquet/check-part.ts';
import { partitionFolder, partName } from '../parquet/hive-path.ts';
import { openPart, type Part } from '../parquet/read-part.ts';
import { describedRegion } from './described-region.ts';
import { difference, RegionSums } from './region-sums.ts';
import { readReports } from './reports.ts';
import type { Committed, Schema } from './state-content.ts';

export interface CheckDatasetOptions {
  /** Its folder, without links: it stays the one it is. */
  readonly folder: string;
  /** The commit that it is, and what all of them have in common; undefined: not known, and the dataset stands alone. */
  readonly commit?: { readonly last: Committed; readonly schema: Schema } | undefined;
  /** By the totals; undefined: they are not known. */
  readonly expected?: RegionSums | undefined;
  /** It is of a state. */
  readonly hasState: boolean;
  readonly tell: (problem: string) => void;
}

/** What is good. */
export interface DatasetFound {
  readonly files: number;
  readonly rowGroups: number;
  readonly rows: number;
  readonly bytes: number;
  /** Counted logs. */
  readonly logs: number;
  readonly rejects: number;
}

export const NOTHING_FOUND: DatasetFound = { files: 0, rowGroups: 0, rows: 0, bytes: 0, logs: 0, rejects: 0 };

export async function checkDataset({ folder, commit, expected, hasState, tell }: CheckDatasetOptions): Promise<DatasetFound> {
  let description: DatasetDescription;
  try {
    description = await readDescription(folder);
  } catch (error) {
    tell(`The dataset's ${DATASET_FILE} cannot be read: ${messageOf(error)}.`);
    return NOTHING_FOUND;
  }
  const { read, counted, duplicates, rejected } = description.rows;
  if (read !== counted! + duplicates! + rejected!) {
    tell(`The rows in the dataset's ${DATASET_FILE} do not balance: ${read} read, ${counted} counted, ${duplicates} duplicates, ${rejected} rejected.`);
  }
  if (commit && !isDeepStrictEqual(saidBy(description), saidBy({ ...commit.schema, ...commit.last }))) {
    tell(`The dataset's ${DATASET_FILE} is not that of commit ${commit.last.commit}.`);
  }
  checkNames(folder, description, hasState, tell);
  const files = new FilesCheck(folder, description, await RegionSums.load(), tell);
  for (const file of description.files) await files.check(file);
  files.checkSums(expected);
  for (const { file, problem } of (await readReports(folder)).damaged) tell(`The dataset's ${REPORTS_FOLDER}/${file} is no report: ${problem}.`);
  return { ...files.found, rejects: await checkRejects(folder, rejected!, tell) };
}

class FilesCheck {
  readonly found = { ...NOTHING_FOUND } as { -readonly [Name in keyof DatasetFound]: DatasetFound[Name] };
  readonly #folder: string;
  readonly #description: DatasetDescription;
  readonly #metadata: ReadonlyMap<string, string>;
  readonly #sums: RegionSums;
  readonly #tell: (problem: string) => void;
  /** Folders, '' of the dataset itself, in which something is wrong. */
  readonly #damaged = new Set<string>();
  /** What was read of the folder of the last file. */
  #before: { folder: string; parts: number; last: Uint8Array | undefined } | undefined;

  constructor(folder: string, description: DatasetDescription, sums: RegionSums, tell: (problem: string) => void) {
    this.#folder = folder;
    this.#description = description;
    this.#metadata = new Map(description.engine === undefined ? Object.entries(fileMetadata(description)) : []);
    this.#sums = sums;
    this.#tell = tell;
  }

  async check(file: DescribedFile): Promise<void> {
    const problems: string[] = [];
    try {
      await this.#read(file, (problem) => problems.push(problem));
    } catch (error) {
      problems.push((error as NodeJS.ErrnoException).code === 'ENOENT' ? MISSING : messageOf(error));
    }
    if (problems.length === 0) return;
    this.#damaged.add(folderOf(file.path));
    for (const problem of problems) {
      this.#tell(`The dataset's file ${file.path} is ${problem === MISSING ? problem : `not what was published: ${problem}`}.`);
    }
  }

  /** Logs of the whole, where all files are what they should be; each region's, where `expected` says. */
  checkSums(expected: RegionSums | undefined): void {
    const { groupBy, rows: { counted } } = this.#description;
    const logs = this.#sums.regions.reduce((sum, region) => sum + this.#sums.of(region).logs, 0n);
    this.found.logs = Number(logs);
    if (this.#damaged.size === 0 && logs !== BigInt(counted!)) this.#tell(`The dataset's files have ${logs} logs, and ${counted} were counted.`);
    if (!expected) return;
    for (const region of new Set([...expected.regions, ...this.#sums.regions].sort())) {
      if (this.#damaged.has(groupBy === 'region' ? partitionFolder(region) : '')) continue; // told
      const different = difference(region, this.#sums.of(region), expected.of(region));
      if (different !== undefined) this.#tell(`The dataset is not what its totals are: ${different}`);
    }
  }

  async #read(file: DescribedFile, tell: (problem: string) => void): Promise<void> {
    const { path, rows, bytes, sha256 } = file;
    const { groupBy, valueScale } = this.#description;
    const full = join(this.#folder, path);
    const { size } = await stat(full);
    if (size !== bytes) throw new Error(`it has ${size} bytes, and should have ${bytes}`);
    let problems = 0;
    const told = (problem: string): void => {
      problems++;
      tell(problem);
    };
    const part = await openPart(full, describedRegion(this.#description, file));
    if (part.rows !== rows) throw new Error(`it has ${part.rows} rows, and should have ${rows}`);
    if (part.scale !== valueScale) throw new Error(`it has ${part.scale} decimal places, and should have ${valueScale}`);
    if (groupBy === 'region' && part.region === undefined) throw new Error('it does not say which region it is of');
    if (part.region !== undefined && partitionFolder(part.region) !== folderOf(path)) throw new Error(`it is of the region ${JSON.stringify(part.region)}`);
    this.#checkMetadata(part, told);
    const after = this.#place(path, told);
    if (sha256 !== undefined && await sha256Of(full) !== sha256) throw new Error('it has other bytes, by their SHA-256');
    const last = await checkPart({ path: full, part, isOfSpark: this.#description.engine === 'spark', scale: valueScale, after, tell: told, add: (...row) => this.#sums.add(...row) });
    this.#before!.last = last;
    if (problems > 0) return;
    this.found.files++;
    this.found.rowGroups += part.rowGroups.length;
    this.found.rows += rows;
    this.found.bytes += bytes;
  }

  #checkMetadata({ pairs }: Part, tell: (problem: string) => void): void {
    for (const [key, should] of this.#metadata) {
      const is = pairs.get(key);
      if (is !== should && `\ufeff${is}` !== should) tell(`its ${key} is ${is === undefined ? 'missing' : JSON.stringify(is)}, and should be ${JSON.stringify(should)}`);
    }
  }

  /** Parts of a folder stand one behind the other. Gives the last user of the one before. */
  #place(path: string, tell: (problem: string) => void): Uint8Array | undefined {
    const folder = folderOf(path);
    if (this.#before?.folder !== folder) this.#before = { folder, parts: 0, last: undefined };
    const name = partName(this.#before.parts++);
    if (!path.endsWith(name)) tell(`it should be called ${name}`);
    return this.#before.last;
  }
}

const MISSING = 'missing';

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) hash.update(piece);
  return hash.digest('hex');
}

/** That nothing else is there: who reads the folder reads it, too. */
function checkNames(folder: string, { files }: DatasetDescription, hasState: boolean, tell: (problem: string) => void): void {
  const named = new Set(files.map(({ path }) => path));
  const there = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
  for (const path of there) if (!named.has(path) && !ALWAYS.has(path) && !REJECTS.has(path) && !isReport(path)) tell(`The dataset has a file that etl-stream did not write: ${path}.`);
  for (const path of ALWAYS) if (!there.includes(path) && (hasState || path !== STATE_MARK)) tell(`The dataset's file ${path} is missing.`);
  if (named.size < files.length) tell(`The dataset's ${DATASET_FILE} names a file twice.`);
  const rejects = there.filter((path) => REJECTS.has(path));
  if (rejects.length === 0) tell(`The dataset's file ${REJECTS_FILE} is missing.`);
  if (rejects.length > 1) tell(`The dataset has two files of rejects: ${rejects.join(' and ')}.`);
}

/** Gives how many there are. */
async function checkRejects(folder: string, rejected: number, tell: (problem: string) => void): Promise<number> {
  for (const [format, name] of Object.entries(REJECTS_FILES) as [RejectsFormat, string][]) {
    try {
      const rows = await countRejects(join(folder, name), format);
      if (rows !== rejected) tell(`The dataset's ${name} has ${rows} rows, and ${rejected} were rejected.`);
      return rows;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') tell(`The dataset's ${name} is not what was published: ${messageOf(error)}.`);
    }
  }
  return 0;
}

/** What a description and a commit both say. */
function saidBy({ groupBy, columns, valueScale, geoDatabase, rows }: Readonly<Record<Exclude<keyof DatasetDescription, 'format' | 'version' | 'engine' | 'files'>, unknown>>): unknown {
  return { groupBy, columns, valueScale, geoDatabase, rows };
}

/** '' when it stands in the dataset's folder itself. */
function folderOf(path: string): string {
  return path.split('/').slice(0, -1).join('/');
}
