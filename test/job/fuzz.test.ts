/**
 * Random whole jobs against the model. ETL_FUZZ_CASES says how many, ETL_FUZZ_SEED where to start: each case has the seed
 * after the one before. A case that fails is shrunk and left in fixtures/regressions, which is replayed first.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { EtlError, type Summary } from '../../lib/index.ts';
import { defaultColumns } from '../../lib/core/options.ts';
import { rejectCodes } from '../../lib/core/rejects.ts';
import { readSample } from '../../lib/parse/sample.ts';
import { runJob } from '../../lib/pipeline/job.ts';
import { maxmindRegions, readResult } from '../oracle/duckdb.ts';
import { temporaryFolder } from '../temporary.ts';
import { expectedAnswer, type ModelAnswer, type ModelRow } from './model.ts';
import { validateOptions } from './one-shot.ts';
import { database } from './random-database.ts';
import { randomCase, type FuzzCase, type FuzzOptions } from './random-case.ts';
import { shrink } from './shrink.ts';

const CASES = Number(process.env.ETL_FUZZ_CASES ?? 120);
const FIRST_SEED = Number(process.env.ETL_FUZZ_SEED ?? 1);
/** Every so many cases the result is read by DuckDB too. */
const DUCKDB_EVERY = 25;
const regressions = fileURLToPath(new URL('../../fixtures/regressions/', import.meta.url));

/** Region of an address by geo/range-table.ts: blanks around it do not count, the zone of an IPv6 address is only checked. */
function regionRule(lookup: (address: string) => string): (text: string) => string {
  return (text) => {
    const address = text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '');
    return lookup(/^([^%]*:[^%]*)%[0-9a-zA-Z.:-]+$/.exec(address)?.[1] ?? address);
  };
}

/** Runs one case in `folder` and throws an AssertionError when it is not as the model says. */
class Checker {
  readonly #folder: string;
  readonly #regionOf: (address: string) => string;

  constructor(folder: string, regionOf: (address: string) => string) {
    this.#folder = folder;
    this.#regionOf = regionOf;
  }

  static async open(folder: string): Promise<Checker> {
    const geoDb = join(folder, 'geo.mmdb');
    writeFileSync(geoDb, database);
    return new Checker(folder, regionRule(await maxmindRegions(geoDb)));
  }

  async check({ files, options }: FuzzCase, duckdb: boolean): Promise<{ answer: ModelAnswer; summary: Summary | undefined }> {
    const { columns = defaultColumns, groupBy = 'region', valueScale, bounds, blockBytes, aggregateBytes, tight, listed, ...rest } = options;
    const work = join(this.#folder, 'work');
    const [input, output] = [join(work, 'in'), join(work, 'out')];
    rmSync(work, { recursive: true, force: true });
    mkdirSync(input, { recursive: true });
    const inputs = files.map(({ name, bytes }) => ({ name: join(input, name), bytes }));
    for (const { name, bytes } of inputs) {
      mkdirSync(dirname(name), { recursive: true });
      writeFileSync(name, bytes);
    }
    const answer = expectedAnswer(inputs, { columns, groupBy, valueScale, bounds, regionOf: this.#regionOf });
    const paths = inputs.map(({ name }) => name).sort().reverse();
    const job = validateOptions({
      maxRecord: 1 << 20, maxRejects: { share: 1 },
      inputs: listed ? [...paths, paths[0]!] : [input], output, columns, groupBy, geoDb: join(this.#folder, 'geo.mmdb'), ...rest,
      ...(valueScale === undefined ? {} : { valueScale }), rules: bounds ? [{ column: columns.value, ...bounds }] : [],
    });
    const limits = { ...tight, ...(blockBytes ? { blockBytes } : {}), ...(aggregateBytes ? { aggregateBytes } : {}) };
    const outcome = await runJob(job, { limits, ...(rest.jobs === undefined ? {} : { threadsFrom: 0 }) }).catch((error: unknown) => error);
    const failed = outcome instanceof EtlError ? outcome.code : outcome instanceof Error ? outcome : undefined;
    assert.deepEqual(failed, answer.error, outcome instanceof Error ? `failed: ${outcome.stack}` : `did not fail with ${answer.error}`);
    assert.deepEqual(readdirSync(work).sort(), answer.error ? ['in'] : ['in', 'out']);
    if (answer.error) return { answer, summary: undefined };

    const summary = outcome as Summary;
    const rows = await publishedRows(output, answer.scale, groupBy);
    assert.deepEqual(rows, answer.rows.map(({ region, user, total, count }) => ({ region, user, total, count })));
    if (duckdb) {
      // Its text decoder drops a byte order mark, and so does this one.
      const line = ({ region, user, total, count }: ModelRow): string => JSON.stringify([region, user, String(total), String(count)]);
      const utf8 = ({ user, ...row }: ModelRow): ModelRow => ({ ...row, user: new TextDecoder().decode(Buffer.from(user, 'latin1')) });
      assert.deepEqual((await readResult(output)).map(line).sort(), rows.map((row) => line(utf8(row))).sort(), 'DuckDB');
    }
    const lines = readFileSync(join(output, '_rejects.jsonl'), 'utf8').split('\n').slice(0, -1);
    const rejects = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(rejects.map(({ message, ...reject }) => (assert.match(String(message), /\.$/), reject)), answer.rejects);
    const by: Record<string, number> = {};
    for (const { code, column, rule } of answer.rejects) {
      const reason = rule === null ? code : `rule ${column}:${rule}`;
      by[reason] = (by[reason] ?? 0) + 1;
    }
    const parts = parquetFiles(output);
    assert.deepEqual(
      {
        rows: summary.rows, rejectedBy: summary.rejectedBy, emptyLines: summary.emptyLines, unknownRegion: summary.unknownRegion, users: summary.users,
        regions: summary.regions, groups: summary.groups, valueScale: summary.valueScale, inputs: summary.inputs, bytes: summary.bytes,
        files: summary.files, outputBytes: summary.outputBytes,
      },
      {
        rows: answer.counts, rejectedBy: by, emptyLines: answer.emptyLines, unknownRegion: answer.unknownRegion, users: answer.users,
        regions: answer.regions, groups: answer.rows.length, valueScale: answer.scale, inputs: files.length,
        bytes: files.reduce((sum, { bytes }) => sum + bytes.length, 0),
        files: parts.length, outputBytes: parts.reduce((sum, path) => sum + statSync(path).size, 0),
      },
    );
    return { answer, summary };
  }

  /** The sentence of a mismatch. */
  async fault(fuzzCase: FuzzCase, duckdb: boolean): Promise<string | undefined> {
    return this.check(fuzzCase, duckdb).then(() => undefined, (error: Error) => error.message);
  }
}

function parquetFiles(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter(({ name }) => name.endsWith('.parquet')).map((entry) => join(entry.parentPath, entry.name)).sort();
}

/** In the order they stand in, regions by bytes. Users have one character a byte. */
async function publishedRows(output: string, scale: number, groupBy: string): Promise<ModelRow[]> {
  const files = await Promise.all(parquetFiles(output).map(async (path) => {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    const total = metadata.schema[2]!;
    assert.equal(total.scale, scale > 0 ? scale : undefined);
    // Without the annotation hyparquet gives the stored integer instead of a rounded number.
    delete total.converted_type;
    delete total.logical_type;
    const parsers = { stringFromBytes: (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1') };
    const rows = await parquetReadObjects({ file, metadata, compressors, parsers }) as (Record<'geo_region' | 'user_id', string> & Record<'total_watch_time' | 'log_count', bigint>)[];
    const folder = /geo_region=([^/]*)\//.exec(relative(output, path).replaceAll('\\', '/'))?.[1];
    assert.equal(folder === undefined, groupBy === 'user');
    return rows.map((row) => ({
      region: folder === undefined ? Buffer.from(row.geo_region, 'latin1').toString() : decodeURIComponent(folder),
      user: row.user_id, total: row.total_watch_time, count: row.log_count,
    }));
  }));
  return files.sort((a, b) => Buffer.compare(Buffer.from(a[0]!.region), Buffer.from(b[0]!.region))).flat();
}

/** `options.json` and, below `files/`, the inputs. `why` in options.json tells what went wrong. */
function readRegression(name: string): FuzzCase {
  const folder = join(regressions, name);
  const { why: _, ...options } = JSON.parse(readFileSync(join(folder, 'options.json'), 'utf8')) as FuzzOptions & { why?: string };
  const entries = readdirSync(join(folder, 'files'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  return { options, files: paths.map((path) => ({ name: relative(join(folder, 'files'), path), bytes: readFileSync(path) })) };
}

function writeRegression(name: string, { files, options }: FuzzCase, why: string): void {
  const folder = join(regressions, name);
  for (const { name: file, bytes } of files) {
    const path = join(folder, 'files', file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  writeFileSync(join(folder, 'options.json'), `${JSON.stringify({ why: why.slice(0, 1000), ...options }, null, 2)}\n`);
}

/** How often each rare thing happened. */
class Tally {
  readonly counts = new Map<string, number>();

  add(what: string, times = 1): void {
    if (times > 0) this.counts.set(what, (this.counts.get(what) ?? 0) + times);
  }

  note({ files, options }: FuzzCase, { met, error, rejects, rows, scale }: ModelAnswer, summary: Summary | undefined): void {
    if (error) return this.add(error);
    for (const { code, raw_base64: base64, truncated, row } of rejects) {
      this.add(code);
      this.add('rejects that are no text', base64 === undefined ? 0 : 1);
      this.add('rejects that are cut', truncated ? 1 : 0);
      this.add('rejects with their fields', row ? 1 : 0);
    }
    this.add('conflicting duplicates', met.conflicts);
    this.add('duplicates across files', met.acrossFiles);
    this.add('ids that differ in case', met.otherCase);
    this.add('ties of top regions', met.ties);
    const { blockBytes = 1 << 20 } = options;
    this.add('quoted fields across blocks', met.quoted.filter(([start, end]) => Math.floor(start / blockBytes) < Math.floor((end - 1) / blockBytes)).length);
    this.add('byte order marks', files.filter(({ bytes }) => bytes.toString('latin1').startsWith('\xef\xbb\xbf')).length);
    this.add('empty lines', summary!.emptyLines);
    this.add('rows of unknown region', summary!.unknownRegion);
    this.add('detected decimals', options.valueScale === undefined && scale > 0 ? 1 : 0);
    this.add('spilled runs', summary!.runs.spilled);
    this.add('several spilled runs', summary!.runs.spilled > 1 ? 1 : 0);
    this.add('spilled rows', summary!.spill.rows);
    this.add('splits', summary!.spill.splits);
    this.add('merges in passes', summary!.runs.merges > 1 ? 1 : 0);
    this.add('several threads', summary!.jobs > 1 ? 1 : 0);
    this.add('results', summary!.groups > 0 ? 1 : 0);
    const [file] = files;
    const { columns = defaultColumns } = options;
    const prefix = files.length === 1 && Buffer.from(readSample(file!.bytes, columns)?.userPrefix ?? []).toString('latin1');
    if (!prefix) return;
    this.add('users behind a prefix', rows.filter(({ user }) => user.startsWith(prefix)).length);
    this.add('users without the prefix of others', rows.filter(({ user }) => !user.startsWith(prefix)).length);
  }
}

/** What 120 cases cannot but meet. */
const EXPECTED = [
  ...rejectCodes.filter((code) => code !== 'none'), 'rule', 'rejects that are no text', 'rejects that are cut', 'rejects with their fields', 'ETL_HEADER', 'ETL_VALUE_OVERFLOW', 'conflicting duplicates', 'duplicates across files',
  'ids that differ in case', 'ties of top regions', 'quoted fields across blocks', 'byte order marks', 'empty lines', 'rows of unknown region',
  'detected decimals', 'spilled runs', 'several spilled runs', 'spilled rows', 'splits', 'merges in passes', 'several threads', 'results',
  'users behind a prefix', 'users without the prefix of others',
];

test('regressions: cases that once failed', async (t) => {
  const checker = await Checker.open(temporaryFolder(t));
  const folders = readdirSync(regressions, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders) assert.equal(await checker.fault(readRegression(name), true), undefined, name);
});

test(`${CASES} random jobs agree with the model`, async (t) => {
  const checker = await Checker.open(temporaryFolder(t));
  const tally = new Tally();
  for (let seed = FIRST_SEED; seed < FIRST_SEED + CASES; seed++) {
    const fuzzCase = randomCase(seed);
    const duckdb = seed % DUCKDB_EVERY === 0;
    try {
      const { answer, summary } = await checker.check(fuzzCase, duckdb);
      tally.note(fuzzCase, answer, summary);
    } catch {
      const smallest = await shrink(fuzzCase, async (candidate) => (await checker.fault(candidate, duckdb)) !== undefined);
      const why = (await checker.fault(smallest, duckdb)) ?? 'does not fail every time';
      writeRegression(`seed-${seed}`, smallest, why);
      assert.fail(`seed ${seed} (ETL_FUZZ_SEED=${seed} ETL_FUZZ_CASES=1), shrunk to fixtures/regressions/seed-${seed}:\n${why}`);
    }
  }
  t.diagnostic([...tally.counts].map(([what, times]) => `${what}: ${times}`).join(', '));
  if (CASES >= 120) assert.deepEqual(EXPECTED.filter((what) => !tally.counts.has(what)), [], 'never happened');
});
