/** What a job on Spark is told: `settings.json`, from the same validated options as a local run's. */
import { resolve } from 'node:path';
import type { DialectOptions } from '../core/dialect.ts';
import type { ColumnNames, JobOptions, MaxRejects, RunOptions } from '../core/options.ts';
import { isUrl, validateOptions } from '../core/options.ts';
import { ruledColumns, type Check, type Rule } from '../core/rules.ts';
import { runName } from '../core/run-name.ts';
import { packageVersion } from '../core/version.ts';
import { sparkGlob, type SparkGlob } from './glob.ts';
import { javaPattern } from './pattern.ts';
import { refuse } from './refusals.ts';

/** Inputs that a report tells, of many. */
const MOST_PATHS = 100;

/** Which IP database the range table is of. */
export interface SparkGeo {
  readonly type: string;
  readonly buildDate: string;
  /** By number. */
  readonly regions: readonly string[];
}

/** A rule of the run; a pattern besides as Java's regular expressions write it. */
export type SparkRule = Omit<Rule, 'check'> & { readonly check: Check | (Extract<Check, { kind: 'pattern' }> & { readonly java: string }) };

/** As `Settings` of the job has it (job/etl_stream_spark/settings.py), and as its files hold it. */
export interface SparkSettings {
  readonly format: 1;
  readonly version: string;
  /** Name of the run; '': the job, which may be submitted again and again, makes one. */
  readonly run: string;
  /** URLs as given, and absolute paths. */
  readonly inputs: readonly string[];
  /** The same as they were given: what messages and rejects call them. */
  readonly names: readonly string[];
  /** A URL as given, or an absolute path; and as it was given. */
  readonly output: string;
  readonly outputName: string;
  readonly overwrite: boolean;
  readonly columns: ColumnNames;
  readonly glob: SparkGlob | null;
  readonly encoding: JobOptions['encoding'];
  /** What was said of it. */
  readonly dialect: DialectOptions;
  readonly onError: JobOptions['onError'];
  readonly maxRejects: MaxRejects;
  readonly rules: readonly SparkRule[];
  /** Columns with rules besides the four. */
  readonly ruled: readonly string[];
  readonly rejectsFormat: JobOptions['rejectsFormat'];
  readonly maxRecord: number;
  readonly valueScale: number | null;
  readonly groupBy: JobOptions['groupBy'];
  readonly compression: JobOptions['compression'];
  readonly parquetEncoding: JobOptions['parquetEncoding'];
  readonly report: boolean;
  readonly geo: SparkGeo;
  /** As a report tells them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Version of the Node that wrote this. */
  readonly node: string;
}

export type SparkJobOptions = Omit<SparkSettings, 'geo'>;

/**
 * All but the IP database, for which the job's folder has to be there. `isKept`: the job is submitted later, maybe more than once. Throws ETL_USAGE for
 * options that are wrong, and for what Spark cannot do.
 */
export async function sparkJobOptions(options: RunOptions, { isKept = false } = {}): Promise<SparkJobOptions> {
  refuse(options);
  const job = validateOptions({ ...options, state: false });
  const { inputs, output, overwrite, columns, glob, encoding, dialect, onError, maxRejects, rules, rejectsFormat, maxRecord, valueScale, groupBy, compression, parquetEncoding, report } = job;
  return {
    format: 1,
    version: packageVersion(),
    run: isKept ? '' : runName(new Date()),
    inputs: inputs.map(located),
    names: inputs,
    output: located(output),
    outputName: output,
    overwrite, columns,
    glob: glob === undefined ? null : sparkGlob(glob),
    encoding,
    dialect: said(dialect),
    onError, maxRejects,
    rules: await Promise.all(rules.map(sparkRule)),
    ruled: ruledColumns(rules, columns),
    rejectsFormat, maxRecord,
    valueScale: valueScale ?? null,
    groupBy, compression, parquetEncoding, report,
    options: toldOptions(job),
    node: process.versions.node,
  };
}

/** Whether a rule has one: then Java needs deep stacks. */
export function hasPatterns({ rules }: Pick<SparkSettings, 'rules'>): boolean {
  return rules.some(({ check }) => check.kind === 'pattern');
}

function located(name: string): string {
  return isUrl(name) ? name : resolve(name);
}

function said({ escape: _, ...dialect }: DialectOptions): DialectOptions {
  return Object.fromEntries(Object.entries(dialect).filter(([, value]) => value !== undefined));
}

async function sparkRule(rule: Rule): Promise<SparkRule> {
  const { check, column } = rule;
  return check.kind === 'pattern' ? { ...rule, check: { ...check, java: await javaPattern(check.pattern, column) } } : rule;
}

/** Settings of Spark are not among them: they may be keys to a store. */
function toldOptions({ rules, ...options }: JobOptions): Record<string, unknown> {
  const told = { ...options, inputs: options.inputs.slice(0, MOST_PATHS), rules: rules.map(({ column, name }) => `${column}:${name}`), engine: 'spark' };
  return Object.fromEntries(Object.entries(told).map(([name, value]) => [name, value ?? null]));
}
