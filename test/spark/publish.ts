/**
 * What a Spark job publishes is a dataset like any other: totals that are made by hand are published by Python (publish.py), and read by the
 * tools that local datasets are read by. The model is the rows themselves.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { defaultState } from '../../lib/core/options.ts';
import type { DatasetDescription } from '../../lib/dataset/description.ts';
import { EtlError, inspectDataset, queryDataset, readReports, run, verifyDataset, type Summary } from '../../lib/index.ts';
import { partitionFolder } from '../../lib/parquet/hive-path.ts';
import { random } from '../random.ts';
import { skip } from './python.ts';
import { ask } from './session.ts';

type Row = readonly [region: string, user: string, units: string, logs: number];

interface Case {
  readonly settings: Readonly<Record<string, unknown>> & { readonly output: string };
  readonly rows: readonly Row[];
  readonly scale: number;
  /** Partitions of the last shuffle. */
  readonly tasks: number;
  /** Lines of the file, by input. */
  readonly rejects: readonly (readonly string[])[];
  /** Logs that are counted and not written. */
  readonly lost?: number;
  /** Spark has the regions as they are, and not `stored`. */
  readonly asTheyAre?: true;
  /** The job fails when all is written. */
  readonly damage?: true;
  /** false: as in an object store. */
  readonly renames?: false;
}

interface Told {
  readonly summary?: Summary;
  readonly leftBehind?: readonly string[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

const LONG = ['long '.repeat(80), 'long '.repeat(81), 'ö'.repeat(120)];
const ODD = [
  '', 'ZZ', 'US', 'DE', '001', '1e3', 'null', 'NULL', '__HIVE_DEFAULT_PARTITION__', 'ß', 'São Paulo', '日本', '🦜', 'a/b', 'a=b%c', '%41', '..', '.', ' ', "it's", '"q"', 'tab\tline\n',
  '~0123456789abcdef0123456789abcdef', '\ufeffA', '+', 'a+b', '*', '[x]', '{y}', '?', ':', '#', '\\', ...LONG,
];
/** What Spark itself makes folders of, whatever the locale. */
const PLAIN = ODD.filter((region) => !LONG.includes(region) && /^(?!~)[\x20-\x7e]+$/.test(region) && region !== '__HIVE_DEFAULT_PARTITION__');
const GEO = { type: 'test', buildDate: '2026-11-01T00:00:00Z', regions: ODD };
const SEED = 20261130;

function rowsOf(regions: readonly string[], users: number, scale: number): Row[] {
  const next = random(SEED);
  const known = new Set<string>();
  const rows: Row[] = [];
  for (const region of regions) {
    for (let at = 0; at < users * (region === 'US' ? 20 : 1); at++) {
      const user = next() < 0.3 ? `user ü ${Math.floor(next() * 50)}` : `u${Math.floor(next() * 1e6)}`;
      const digits = Math.floor(next() * (scale > 0 ? 17 : 18));
      const units = BigInt(Math.floor(next() * 9e8)) * 10n ** BigInt(digits) / 10n ** 8n * (next() < 0.1 ? -1n : 1n);
      if (!known.has(`${region}\n${user}`)) rows.push([region, user, String(units), 1 + Math.floor(next() * 5)]);
      known.add(`${region}\n${user}`);
    }
  }
  // More than Spark has bounds of, in a row group, and in a page.
  if (users > 3) for (const user of ['x', 'y']) rows.push(['DE', user.repeat(5000), '1', 1]);
  return rows;
}

const line = (file: string, number: number): string => JSON.stringify({ file, line: number, byte: 0, field_byte: null, column: null, code: 'field_count', rule: null, message: 'm', raw: 'ü', row: null });
const REJECTS = [[line('logs/a.csv', 2), line('logs/a.csv', 3)], [line('logs/b.csv.gz', 7)]];
const CSV = [['1,u,8.8.8.8,"x\ny",logs/a.csv,2,0,,field_count,,m,ü', '2,u,8.8.8.8,x,logs/a.csv,3,0,,field_count,,m,ü'], ['3,u,8.8.8.8,x,logs/b.csv.gz,7,0,,field_count,,m,ü']];
const SOME = rowsOf(['US', 'DE'], 3, 0);

let folder = '';
const told = new Map<string, Told>();
let folders: readonly string[] = [];
const at = (name: string): string => join(folder, name, 'out');
const some = (name: string, settings: Record<string, unknown> = {}, more: Partial<Case> = {}): Case => ({ settings: { output: at(name), ...settings }, rows: SOME, scale: 0, tasks: 2, rejects: [], ...more });

/** What stands at an output before: told by the case's name. */
const prepared: Readonly<Record<string, (output: string) => void | Promise<void>>> = {
  async link(output) {
    writeFileSync(join(dirname(output), 'log.csv'), 'log_id,user_id,ip_address,watch_time(min)\n1,u,8.8.8.8,5\n');
    await run({ inputs: [join(dirname(output), 'log.csv')], output });
  },
  foreign: (output) => {
    mkdirSync(output);
    writeFileSync(join(output, 'mine.txt'), 'mine');
  },
  strange: (output) => symlinkSync('elsewhere', output),
  leftovers: (output) => {
    const host = readFileSync('/proc/sys/kernel/hostname', 'utf8').trim();
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const here = { host, boot, pidNamespace: readlinkSync('/proc/self/ns/pid') };
    const leave = (name: string, owner: object, days: number): void => {
      const path = join(dirname(output), `.out.spark-${name}`);
      mkdirSync(join(path, 'data'), { recursive: true });
      writeFileSync(join(path, '.etl-stream-owner.json'), JSON.stringify(owner));
      utimesSync(join(path, '.etl-stream-owner.json'), Date.now() / 1000 - days * 86400, Date.now() / 1000 - days * 86400);
    };
    leave('gone', { ...here, pid: 999_999_999, started: '1' }, 0);
    leave('at-work', { ...here, pid: process.pid, started: readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ')[19]! }, 3);
    leave('elsewhere-old', { ...here, host: 'another', pid: 1, started: '1' }, 2);
    leave('elsewhere-new', { ...here, host: 'another', pid: 1, started: '1' }, 0.5);
    mkdirSync(join(dirname(output), '.out2.spark-of-another-output'));
  },
  aside: (output) => {
    mkdirSync(join(dirname(output), '.out.previous', '_etl'), { recursive: true });
    writeFileSync(join(dirname(output), '.out.previous', '_etl', 'dataset.json'), JSON.stringify({ format: 1, files: [] }));
  },
};

/** One after another, in this order: some have the output of one before. */
const cases: Readonly<Record<string, () => Case>> = {
  odd: () => some('odd', { geo: GEO }, { rows: rowsOf(ODD, 9, 2), scale: 2, tasks: 5, rejects: REJECTS }),
  plain: () => some('plain [1] {2} a%20b+c', {}, { rows: rowsOf(PLAIN, 4, 0), tasks: 3, asTheyAre: true }),
  users: () => some('users', { groupBy: 'user', rejectsFormat: 'csv' }, { rows: rowsOf(ODD, 9, 6).filter(([, user], index, all) => all.findIndex(([, other]) => other === user) === index), scale: 6, tasks: 4, rejects: CSV }),
  empty: () => some('empty', { rejectsFormat: 'csv' }, { rows: [] }),
  emptyUsers: () => some('emptyUsers', { groupBy: 'user', report: false }, { rows: [], scale: 1 }),
  twice: () => some('empty'),
  replaced: () => some('empty', { overwrite: true }),
  lost: () => some('empty', { overwrite: true }, { lost: 1 }),
  damage: () => some('damage/deeper', {}, { damage: true }),
  link: () => some('link', { overwrite: true }),
  linkKept: () => some('link'),
  foreign: () => some('foreign', { overwrite: true }),
  strange: () => some('strange', { overwrite: true }),
  leftovers: () => some('leftovers'),
  aside: () => some('aside'),
  object: () => some('object', {}, { renames: false, rejects: REJECTS }),
  objectReplaced: () => some('object', { overwrite: true, run: '20261130T045026124Z-3f2a9c' }, { renames: false }),
  mounted: () => some('mounted', { output: 'viewfs://test/mounted/deep/out' }),
  mountedTwice: () => some('mounted', { output: 'viewfs://test/mounted/deep/out' }),
  mountedReplaced: () => some('mounted', { output: 'viewfs://test/mounted/deep/out', overwrite: true, geo: GEO }, { rows: rowsOf(PLAIN, 2, 0) }),
  mountedLost: () => some('mounted', { output: 'viewfs://test/mounted/other/out', overwrite: true }, { lost: 1 }),
  root: () => some('root', { output: 'viewfs://test' }),
  objectLost: () => some('objectLost', {}, { renames: false, lost: -1 }),
};

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'etl-stream-test-'));
  mkdirSync(join(folder, 'mounted'));
  for (const [name, prepare] of Object.entries(prepared)) {
    mkdirSync(join(folder, name));
    await prepare(at(name));
  }
  const answer = await ask<{ folders: readonly string[]; cases: readonly Told[] }>('publish', { folders: ODD, mounted: `file:${folder}/mounted`, cases: Object.values(cases).map((make) => make()) });
  folders = answer.folders;
  for (const [index, name] of Object.keys(cases).entries()) told.set(name, answer.cases[index]!);
});
after(() => rmSync(folder, { recursive: true, force: true }));

function summaryOf(name: string): Summary {
  const { summary, error } = told.get(name)!;
  assert.ok(summary, JSON.stringify(error));
  return summary;
}

function units(text: string): bigint {
  return BigInt(text.replace('.', ''));
}

async function queried(output: string, sql: string): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = [];
  for await (const row of await queryDataset(output, sql, { threads: 1 })) rows.push([...row]);
  return rows;
}

const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** The tools see exactly the rows, and nothing wrong. */
async function assertDataset(name: string, made = cases[name]!()): Promise<DatasetDescription> {
  const { rows, settings: { output, groupBy = 'region' }, rejects } = made;
  const summary = summaryOf(name);
  const { problems, dataset } = await verifyDataset({ output });
  assert.deepEqual(problems, []);
  assert.equal(dataset.rows, rows.length);
  assert.equal(dataset.rejects, rejects.flat().length);
  const found = await queried(output, 'SELECT geo_region, user_id, CAST(total_watch_time AS VARCHAR), CAST(log_count AS VARCHAR) FROM watch_time');
  const same = (all: readonly (readonly unknown[])[]): string[] => all.map((row) => JSON.stringify(row)).sort();
  assert.deepEqual(same(found.map(([region, user, total, logs]) => [region, user, String(units(total!)), logs])), same(rows.map(([region, user, total, logs]) => [region, user, total, String(logs)])));

  const sums = new Map<string, { total: bigint; logs: number; rows: number }>();
  for (const [region, , total, logs] of rows) {
    const sum = sums.get(region) ?? { total: 0n, logs: 0, rows: 0 };
    sums.set(region, { total: sum.total + BigInt(total), logs: sum.logs + logs, rows: sum.rows + 1 });
  }
  const inspection = await inspectDataset(output);
  assert.equal(inspection.engine, 'spark');
  const regions = (all: readonly { region: string; logs: number; rows: number; total: bigint }[]): unknown => [...all].sort((a, b) => bytewise(a.region, b.region));
  const model = regions(Array.from(sums, ([region, sum]) => ({ region, ...sum })));
  assert.deepEqual(regions(inspection.regions.map(({ region, logs, rows: of, watchTime }) => ({ region, logs, rows: of, total: units(watchTime) }))), model);

  const { reports, damaged } = await readReports(output);
  assert.deepEqual(damaged, []);
  if (summary.report) {
    const { result, summary: inReport, inputs } = reports[0]!;
    const { report: _, ...without } = summary;
    assert.ok(isDeepStrictEqual(JSON.parse(JSON.stringify(inReport)), without), 'a report has the summary');
    assert.deepEqual(regions(result.regions.listed.map(({ total, ...of }) => ({ ...of, total: units(total) }))), model);
    const sorted = [...rows].sort((a, b) => (BigInt(a[2]) === BigInt(b[2]) ? bytewise(groupBy === 'user' ? '' : a[0], groupBy === 'user' ? '' : b[0]) || bytewise(a[1], b[1]) : BigInt(a[2]) > BigInt(b[2]) ? -1 : 1));
    assert.deepEqual(result.top.map(({ user, region, total, logs }) => [region, user, String(units(total)), logs]), sorted.slice(0, 20));
    for (const { from, to, rows: of } of result.distribution) {
      const [low, high] = [units(from), units(to)];
      const inside = rows.filter(([, , total]) => (low < 0n ? BigInt(total) > low && BigInt(total) <= high : BigInt(total) >= low && BigInt(total) < high));
      assert.equal(of, inside.length, `${from} to ${to}`);
    }
    assert.equal(result.distribution.reduce((sum, { rows: of }) => sum + of, 0), rows.length);
    assert.deepEqual(inputs.listed.map(({ rejected, rejectedBy }) => ({ rejected, rejectedBy })), rejects.length === 0 ? [{ rejected: 0, rejectedBy: {} }, { rejected: 0, rejectedBy: {} }] : [
      { rejected: rejects[0]!.length, rejectedBy: { bad_value: rejects[0]!.length } }, { rejected: rejects[1]!.length, rejectedBy: { 'rule w:max=1440': rejects[1]!.length } },
    ]);
    const page = readFileSync(join(output, summary.report.page), 'utf8');
    const data = /<script type="application\/json"[^>]*>(.*?)<\/script>/s.exec(page)?.[1];
    assert.ok(isDeepStrictEqual((JSON.parse(data!) as { result: unknown }).result, JSON.parse(JSON.stringify(result))), 'the page has the report');
  }
  assert.equal(summary.users, new Set(rows.map(([, user]) => user)).size);
  assert.equal(summary.regions, sums.size);
  assert.equal(summary.groups, rows.length);
  assert.deepEqual(hiddenBeside(output), []);
  return JSON.parse(readFileSync(join(output, '_etl/dataset.json'), 'utf8')) as DatasetDescription;
}

/** What jobs leave. */
function hiddenBeside(output: string): string[] {
  return readdirSync(dirname(output)).filter((name) => name.startsWith('.out.') && !/\.(versions|state)$/.test(name));
}

test('regions of any name, several parts each, decimals, rejects', { skip }, async () => {
  const { files, engine } = await assertDataset('odd');
  assert.equal(engine, 'spark');
  assert.ok(files.some(({ path }) => path === 'geo_region=US/part-00002.parquet'), 'a region has several parts');
  assert.ok(files.every(({ sha256 }) => sha256 !== undefined));
  assert.deepEqual([...new Set(files.flatMap(({ region }) => region ?? []))].sort(), [...LONG].sort(), 'what a name does not hold is told');
  assert.equal(readFileSync(join(at('odd'), '_rejects.jsonl'), 'utf8'), `${REJECTS.flat().join('\n')}\n`);
  assert.deepEqual(summaryOf('odd').rejectedBy, { bad_value: 2, 'rule w:max=1440': 1 });
});

test('folders have the names that a local run gives them', { skip }, () => {
  assert.deepEqual(folders, ODD.map(partitionFolder));
});

test('regions that Spark made folders of by its own rules, in a folder of a strange name', { skip }, async () => {
  await assertDataset('plain');
});

test('by user; rejects as CSV', { skip }, async () => {
  const { files } = await assertDataset('users');
  assert.deepEqual(files.map(({ path }) => path), ['part-00000.parquet', 'part-00001.parquet', 'part-00002.parquet', 'part-00003.parquet']);
  const header = 'log_id,user_id,ip_address,"watch, ""time""",_reject_file,_reject_line,_reject_byte,_reject_column,_reject_code,_reject_rule,_reject_message,_reject_raw';
  assert.equal(readFileSync(join(at('users'), '_rejects.csv'), 'utf8'), `${[header, ...CSV.flat()].join('\n')}\n`);
});

test('an empty result', { skip }, async () => {
  assert.deepEqual((await assertDataset('emptyUsers')).files, []);
  assert.ok(!existsSync(join(at('emptyUsers'), '_etl/report.html')), 'no report was wanted');
  assert.equal(summaryOf('empty').files, 0);
});

test('an output that is there: refused, replaced when that is wanted, untouched by what fails', { skip }, async () => {
  assert.deepEqual(told.get('twice')!.error, {
    code: 'ETL_OUTPUT_EXISTS', message: `The output ${at('empty')} exists already.`,
    hint: 'It has no state, so nothing can be added to it. Add --overwrite to replace it, or choose another folder with -o.',
  });
  assert.equal(told.get('lost')!.error!.code, 'ETL_UNBALANCED');
  assert.match(told.get('lost')!.error!.message, /^\d+ rows were counted, but the result has \d+\.$/);
  await assertDataset('replaced');
});

test('what fails leaves nothing, nor the folders above', { skip }, () => {
  assert.equal(told.get('damage')!.error!.message, 'the job fails');
  assert.ok(!existsSync(join(folder, 'damage')));
  assert.equal(told.get('objectLost')!.error!.code, 'ETL_UNBALANCED');
  assert.ok(!existsSync(join(folder, 'objectLost')));
});

test('what is not ours is never replaced', { skip }, () => {
  const refused = (name: string, why: string): void => assert.deepEqual(told.get(name)!.error, {
    code: 'ETL_OUTPUT_EXISTS', message: `The output ${at(name)} exists already and is never replaced: ${why}.`, hint: 'Choose another folder with -o, or clear this one yourself.',
  });
  refused('foreign', 'it was not written by etl-stream');
  refused('strange', 'it is a symbolic link');
  assert.equal(readFileSync(join(at('foreign'), 'mine.txt'), 'utf8'), 'mine');
  assert.equal(readlinkSync(at('strange')), 'elsewhere');
});

test('an output with a state stays a link to a version, and the state says that it is not its own', { skip }, async () => {
  assert.ok(lstatSync(at('link')).isSymbolicLink());
  assert.equal(told.get('linkKept')!.error!.code, 'ETL_OUTPUT_EXISTS');
  assert.equal(readdirSync(join(folder, 'link/.out.versions')).length, 2, 'and the one before is there for who reads it');
  const { problems, state } = await verifyDataset({ output: at('link') });
  assert.deepEqual([problems, state], [[], { is: 'none' }], 'the state beside it is of what stood there before');
  assert.ok((await verifyDataset({ output: at('link'), state: defaultState(at('link')) })).problems.length > 0, 'unless it is named');
  await assert.rejects(run({ inputs: [join(folder, 'link/log.csv')], output: at('link') }), (error: EtlError) => error.code === 'ETL_OUTPUT_EXISTS' && error.message.includes('was not made with the state'));
});

test('staging folders of jobs that are gone are removed, others not', { skip }, () => {
  const path = (name: string): string => join(folder, 'leftovers', `.out.spark-${name}`);
  summaryOf('leftovers');
  assert.deepEqual([...told.get('leftovers')!.leftBehind!].sort(), [path('elsewhere-old'), path('gone')]);
  assert.deepEqual(readdirSync(join(folder, 'leftovers')).sort(), ['.out.spark-at-work', '.out.spark-elsewhere-new', '.out2.spark-of-another-output', 'out']);
});

test('a dataset that a killed run left aside is put back', { skip }, () => {
  assert.equal(told.get('aside')!.error!.code, 'ETL_OUTPUT_EXISTS');
});

test('where a rename is a copy', { skip }, async () => {
  assert.deepEqual(told.get('object')!.error, undefined);
  await assertDataset('objectReplaced');
  assert.equal((await readReports(at('object'))).reports.length, 1, 'nothing of the dataset before is left');
});

test('a file system that only Hadoop knows', { skip }, async () => {
  assert.match(told.get('mountedTwice')!.error!.message, /^The output viewfs:\/\/test\/mounted\/deep\/out exists already\.$/);
  assert.equal(told.get('mountedLost')!.error!.code, 'ETL_UNBALANCED');
  assert.equal(told.get('root')!.error!.code, 'ETL_USAGE');
  assert.deepEqual(readdirSync(join(folder, 'mounted')), ['deep']);
  const output = join(folder, 'mounted/deep/out');
  for (const path of readdirSync(dirname(output), { recursive: true, encoding: 'utf8' })) if (/\/\.[^/]+\.crc$/.test(path)) rmSync(join(dirname(output), path)); // Hadoop's own, and not seen through it
  const { rows, ...rest } = cases.mountedReplaced!();
  await assertDataset('mountedReplaced', { ...rest, rows, settings: { ...rest.settings, output } });
});

test('a local run says that Spark keeps no state, and replaces the dataset when it is told to', { skip }, async () => {
  const options = { inputs: [join(folder, 'link/log.csv')], output: at('replacedLocally') };
  cpSync(at('empty'), options.output, { recursive: true });
  for (const state of [undefined, false] as const) {
    await assert.rejects(run({ ...options, state }), (error: EtlError) => error.code === 'ETL_OUTPUT_EXISTS' && error.hint!.includes('Spark, which keeps no state'));
  }
  const { rows } = await run({ ...options, state: false, overwrite: true });
  assert.equal(rows.counted, 1);
  assert.equal((await inspectDataset(options.output)).engine, undefined);
});

test('damage is found', { skip }, async () => {
  const { files } = JSON.parse(readFileSync(join(at('odd'), '_etl/dataset.json'), 'utf8')) as DatasetDescription;
  const output = join(folder, 'damaged/out');
  const damage = async (change: (description: DatasetDescription) => unknown): Promise<readonly string[]> => {
    rmSync(output, { recursive: true, force: true });
    cpSync(at('odd'), output, { recursive: true });
    const path = join(output, '_etl/dataset.json');
    const description = JSON.parse(readFileSync(path, 'utf8')) as DatasetDescription;
    writeFileSync(path, JSON.stringify(change(description) ?? description));
    return (await verifyDataset({ output })).problems;
  };
  const cut = files.findIndex(({ region }) => region !== undefined);
  const renamed = await damage(({ files: all }) => void Object.assign(all[cut]!, { region: 'another' }));
  assert.ok(renamed.some((problem) => problem.includes('it is of the region "another"')), renamed.join('\n'));
  const unnamed = await damage(({ files: all }) => void delete (all[cut] as { region?: string }).region);
  assert.ok(unnamed.some((problem) => problem.includes('it does not say which region it is of')), unnamed.join('\n'));
  const ofOther = await damage((description) => ({ ...description, engine: 'flink' }));
  assert.ok(ofOther.some((problem) => problem.includes('its engine is not what it can be')), ofOther.join('\n'));
  const local = await damage(({ engine: _, ...description }) => description);
  assert.ok(local.some((problem) => problem.includes('it does not say which region it is of')), 'only what Spark wrote may say nothing');
});
