/** What a job is told, validated once at the door (`validateOptions`) and passed inwards as is. */
import { basename, dirname, join, resolve } from 'node:path';
import { validateDialect, type DialectOptions } from './dialect.ts';
import { EtlError } from './errors.ts';
import { validateRules, type ColumnRules, type Rule } from './rules.ts';

/** The user's names for the four columns. */
export interface ColumnNames {
  readonly id: string;
  readonly user: string;
  readonly ip: string;
  readonly value: string;
}

export type GroupBy = 'region' | 'user';
export type Compression = 'zstd' | 'snappy' | 'gzip' | 'none';
export type ParquetEncoding = 'auto' | 'plain';

export const encodings = ['auto', 'utf-8', 'utf-16le', 'utf-16be', 'latin1', 'windows-1252'] as const;
/** How the text of inputs is encoded; `auto`: what a byte order mark says, or else UTF-8. */
export type Encoding = (typeof encodings)[number];
export const onErrors = ['reject', 'fail', 'repair'] as const;
/**
 * What happens to a malformed row: it goes to the rejects; the run fails at the first one; it is repaired where the rules of
 * lib/parse/README.md say how, and goes to the rejects else.
 */
export type OnError = (typeof onErrors)[number];
export const rejectsFormats = ['jsonl', 'csv'] as const;
export type RejectsFormat = (typeof rejectsFormats)[number];
/** Most rows that may be rejected: so many, or so large a share (0-1) of all that are read. */
export type MaxRejects = { readonly rows: number } | { readonly share: number };

export const groupings: readonly GroupBy[] = ['region', 'user'];
export const compressions: readonly Compression[] = ['zstd', 'snappy', 'gzip', 'none'];
export const parquetEncodings: readonly ParquetEncoding[] = ['auto', 'plain'];

/** Decimal places that a value may have. */
export const MAX_VALUE_SCALE = 6;
/** The region of an address that gives none. */
export const UNKNOWN_REGION = 'ZZ';

export interface JobOptions {
  /** Paths of files and folders; `-` is standard input. */
  readonly inputs: readonly string[];
  readonly output: string;
  readonly overwrite: boolean;
  readonly columns: ColumnNames;
  /** A pattern for the paths, below a folder that is named, of the files that are its logs; undefined = by their extensions. */
  readonly glob: string | undefined;
  readonly encoding: Encoding;
  readonly dialect: DialectOptions;
  /** Guess what `dialect` does not say, for each input by its beginning. */
  readonly sniff: boolean;
  readonly onError: OnError;
  readonly maxRejects: MaxRejects;
  /** What fields must be like: the bounds of the value first, see core/rules.ts. */
  readonly rules: readonly Rule[];
  readonly rejectsFormat: RejectsFormat;
  /** Most bytes of a record. */
  readonly maxRecord: number;
  /** Decimal places of the value column; undefined = found in the first MiB. */
  readonly valueScale: number | undefined;
  /** Path of an MMDB file; undefined = the embedded one. */
  readonly geoDb: string | undefined;
  /** Dotted path into a database record; undefined = `country.iso_code`, else `country_code`. */
  readonly geoField: string | undefined;
  readonly groupBy: GroupBy;
  readonly compression: Compression;
  readonly parquetEncoding: ParquetEncoding;
  /** Write a report of the run into the dataset. */
  readonly report: boolean;
  /** Folder of the state that the run continues from; undefined = none: all inputs are read, and nothing is kept for later runs. */
  readonly state: string | undefined;
  /** With a state: bytes of inputs after which a run commits what it has. */
  readonly checkpoint: number;
  /** With a state: ids that were counted so many milliseconds ago, or earlier, are forgotten; undefined = none are. */
  readonly dedupWindow: number | undefined;
  /** Folder for temporary files; undefined = beside the output. */
  readonly temp: string | undefined;
  /** Most bytes that temporary files may take at a time; undefined = as many as there are. */
  readonly maxSpill: number | undefined;
  /** Most bytes that the process may have resident; undefined = half of what there is, at most 2 GB, at least 128 MB. */
  readonly memory: number | undefined;
  /** Most threads that work at once; undefined = as many as the machine has for this process. */
  readonly jobs: number | undefined;
}

export const defaultColumns: ColumnNames = { id: 'log_id', user: 'user_id', ip: 'ip_address', value: 'watch_time(min)' };
export const DEFAULT_OUTPUT = './etl-output';
export const DEFAULT_MAX_REJECTS: MaxRejects = { share: 0.05 };
export const DEFAULT_MAX_RECORD = 16e6;
/** A record is one piece of memory, which 32 bits address. */
export const MOST_MAX_RECORD = 256e6;
/** Some ten seconds of work. */
export const DEFAULT_CHECKPOINT = 4e9;

/** Where the state of an output stands unless something else is said: beside it. Absolute. */
export function defaultState(output: string): string {
  const path = resolve(output);
  return join(dirname(path), `.${basename(path)}.state`);
}

/** Whether the name of an input or output is a URL, which only Spark reads and writes: `s3a://bucket/logs`, `dbfs:/logs`. One letter and a colon is a drive. */
export function isUrl(name: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\//i.test(name);
}

/** What a caller of the library may leave out. */
export type RunOptions = { readonly [Name in keyof Omit<JobOptions, 'inputs' | 'columns' | 'rules' | 'state'>]?: JobOptions[Name] | undefined } & {
  readonly inputs: readonly string[];
  readonly columns?: { readonly [Role in keyof ColumnNames]?: string | undefined };
  /** What fields must be like, besides the default bounds of the value: 0 and a day of minutes. */
  readonly rules?: readonly ColumnRules[] | undefined;
  /** Folder of the state that the run continues from; default: `.<name>.state` beside the output. false = none: all inputs are read, and nothing is kept for later runs. */
  readonly state?: string | false | undefined;
};

/** Fills in the defaults. Throws ETL_USAGE with what is wrong and what is accepted. */
export function validateOptions(options: RunOptions): JobOptions {
  const { inputs } = options ?? {};
  if (!Array.isArray(inputs) || inputs.length === 0 || !inputs.every((input) => typeof input === 'string' && input !== '')) {
    throw usage('inputs must be a list of at least one path; "-" is standard input');
  }
  const columns: ColumnNames = { ...defaultColumns, ...withoutUndefined(options.columns ?? {}) };
  const roles = Object.keys(defaultColumns) as (keyof ColumnNames)[];
  for (const role of roles) {
    if (typeof columns[role] !== 'string' || columns[role] === '') throw usage(`--${role}-column must be the name of a column`);
    const twin = roles.find((other) => other !== role && columns[other] === columns[role]);
    if (twin) throw usage(`--${role}-column and --${twin}-column both name ${JSON.stringify(columns[role])}`);
  }
  const { valueScale } = options;
  if (valueScale !== undefined && !(Number.isInteger(valueScale) && valueScale >= 0 && valueScale <= MAX_VALUE_SCALE)) {
    throw usage(`--value-scale must be a whole number from 0 to ${MAX_VALUE_SCALE}, not ${String(valueScale)}`);
  }
  for (const name of ['overwrite', 'sniff', 'report'] as const) {
    if (typeof (options[name] ?? false) !== 'boolean') throw usage(`${name} must be true or false`);
  }
  if (options.glob !== undefined && (typeof options.glob !== 'string' || options.glob === '')) throw usage('--glob must be a pattern such as **/*.log');
  const output = options.output ?? DEFAULT_OUTPUT;
  if (typeof output !== 'string' || output === '') throw usage('--output must be the path of a folder');
  if (options.temp !== undefined && (typeof options.temp !== 'string' || options.temp === '')) throw usage('--temp must be the path of a folder');
  for (const [option, bytes] of [['--memory', options.memory], ['--max-spill', options.maxSpill], ['--checkpoint', options.checkpoint]] as const) {
    if (bytes !== undefined && !(Number.isSafeInteger(bytes) && bytes > 0)) throw usage(`${option} must be a whole number of bytes, at least 1, not ${String(bytes)}`);
  }
  const { jobs, dedupWindow } = options;
  for (const [option, given] of [['--checkpoint', options.checkpoint], ['--dedup-window', dedupWindow]] as const) {
    if (given !== undefined && options.state === false) throw usage(`${option} says something of the state, and there is none with --no-state`);
  }
  if (dedupWindow !== undefined && !(Number.isSafeInteger(dedupWindow) && dedupWindow > 0)) throw usage(`--dedup-window must be a whole number of milliseconds, at least 1, not ${String(dedupWindow)}`);
  if (jobs !== undefined && !(Number.isInteger(jobs) && jobs >= 1)) throw usage(`--jobs must be a whole number, at least 1, not ${String(jobs)}`);
  return {
    inputs,
    output,
    overwrite: options.overwrite ?? false,
    columns,
    glob: options.glob,
    encoding: oneOf('--encoding', options.encoding ?? 'auto', encodings),
    dialect: validateDialect(options.dialect ?? {}),
    sniff: options.sniff ?? false,
    onError: oneOf('--on-error', options.onError ?? 'reject', onErrors),
    maxRejects: maxRejectsOf(options.maxRejects ?? DEFAULT_MAX_REJECTS),
    rules: validateRules(options.rules ?? [], columns),
    rejectsFormat: oneOf('--rejects-format', options.rejectsFormat ?? 'jsonl', rejectsFormats),
    maxRecord: maxRecordOf(options.maxRecord ?? DEFAULT_MAX_RECORD),
    valueScale,
    geoDb: options.geoDb,
    geoField: options.geoField,
    groupBy: oneOf('--group-by', options.groupBy ?? 'region', groupings),
    compression: oneOf('--compression', options.compression ?? 'zstd', compressions),
    parquetEncoding: oneOf('--parquet-encoding', options.parquetEncoding ?? 'auto', parquetEncodings),
    report: options.report ?? true,
    state: stateOf(options.state, output),
    checkpoint: options.checkpoint ?? DEFAULT_CHECKPOINT,
    dedupWindow,
    temp: options.temp,
    maxSpill: options.maxSpill,
    memory: options.memory,
    jobs,
  };
}

function maxRejectsOf(limit: MaxRejects): MaxRejects {
  const valid = 'rows' in limit ? Number.isSafeInteger(limit.rows) && limit.rows >= 0 : limit.share >= 0 && limit.share <= 1;
  if (!valid) throw usage(`--max-rejects must be a number of rows, or a share such as 5%, not ${JSON.stringify(limit)}`);
  return limit;
}

function maxRecordOf(bytes: number): number {
  if (Number.isInteger(bytes) && bytes >= 1 && bytes <= MOST_MAX_RECORD) return bytes;
  throw usage(`--max-record must be a size from 1 to ${MOST_MAX_RECORD / 1e6}MB, not ${String(bytes)}`);
}

/** undefined = none. */
function stateOf(state: string | false | undefined, output: string): string | undefined {
  if (state === undefined) return defaultState(output);
  if (state === false) return undefined;
  if (typeof state !== 'string' || state === '') throw usage('--state must be the path of a folder; --no-state (as a library: state: false) is a run without one');
  return state;
}

function oneOf<T extends string>(option: string, value: T, accepted: readonly T[]): T {
  if (accepted.includes(value)) return value;
  throw usage(`${option} must be one of ${accepted.join(', ')}, not ${JSON.stringify(value)}`);
}

function withoutUndefined<T>(object: { readonly [Key in string]?: T | undefined }): Record<string, T> {
  return Object.fromEntries(Object.entries(object).filter((entry): entry is [string, T] => entry[1] !== undefined));
}

function usage(problem: string): EtlError {
  return new EtlError('ETL_USAGE', `${problem}.`);
}
