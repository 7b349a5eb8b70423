/** What the dashboard answers is what a plain program counts, whatever users and regions are called. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { parse } from 'csv-parse/sync';
import { EtlError } from '../../lib/core/errors.ts';
import type { Overview, QueryAnswer, Rejects, RowPage, Runs, Selection } from '../../lib/dashboard/api.ts';
import { datasetOf, noDuckDB } from '../sql/sessions.ts';
import { temporaryFolder } from '../temporary.ts';
import { announcements, open, type Client, type Failed } from './client.ts';
import { compare, makeDataset, REGIONS, told, type Made, type ModelRow } from './dataset.ts';

const byTotal = (a: ModelRow, b: ModelRow): number => b.total - a.total || compare(a.region, b.region) || compare(a.user, b.user);

/** As reports say it of the lower end: 0, 0.01, 0.02, 0.05 and so on. */
function bucketFrom({ total }: ModelRow): string {
  let from = 0;
  for (let power = 1; power <= total; power *= 10) for (const step of [1, 2, 5]) if (step * power <= total) from = step * power;
  return (from / 100).toFixed(2);
}

function assertSelection(selection: Selection, rows: readonly ModelRow[], top: number): void {
  assert.equal(selection.rows, rows.length);
  assert.equal(selection.logs, rows.reduce((sum, { logs }) => sum + logs, 0));
  assert.equal(selection.watchTime, (rows.reduce((sum, { total }) => sum + total, 0) / 100).toFixed(2));
  assert.deepEqual(selection.top, rows.toSorted(byTotal).slice(0, top).map(told));
  const buckets = new Map<string, number>();
  for (const row of rows) buckets.set(bucketFrom(row), (buckets.get(bucketFrom(row)) ?? 0) + 1);
  assert.deepEqual(new Map(selection.distribution.filter((bucket) => bucket.rows > 0).map(({ from, rows: of }) => [from, of])), new Map([...buckets].sort(([a], [b]) => Number(a) - Number(b))));
}

function grouped(rows: readonly ModelRow[], key: 'user' | 'region'): Map<string, ModelRow[]> {
  const groups = new Map<string, ModelRow[]>();
  for (const row of rows) groups.set(row[key], [...groups.get(row[key]) ?? [], row]);
  return groups;
}

async function allPages(client: Client, path: string, parameters: Record<string, string>, next: string): Promise<RowPage['rows'][number][]> {
  const rows: RowPage['rows'][number][] = [];
  for (let more: string | null = ''; more !== null;) {
    const page: RowPage = await client.get<RowPage>(path, more === '' ? parameters : { ...parameters, [next]: more });
    rows.push(...page.rows);
    more = page.next;
  }
  return rows;
}

describe('answers', { skip: noDuckDB }, () => {
  let folder: string;
  let made: Made;
  let client: Client;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'etl-stream-test-'));
    made = await makeDataset(folder);
    client = await open(undefined, { output: made.output });
  });
  after(async () => {
    await client?.dashboard.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const inRegion = (region: string | undefined): ModelRow[] => made.rows.filter((row) => region === undefined || row.region === region);

  test('the overview, by the report', async () => {
    const overview = await client.get<Overview>('/api/overview');
    assertSelection(overview.selection, made.rows, 20);
    assert.equal(overview.totals.users, new Set(made.rows.map(({ user }) => user)).size);
    assert.deepEqual(overview.read, { read: 3005, counted: 3000, duplicates: 0, rejected: 5 });
    assert.deepEqual(overview.regions.map(({ region }) => region).sort(), REGIONS.toSorted());
    assert.equal(overview.name, 'out');
    assert.equal(overview.hasSql, true);
    assert.equal(overview.geoDatabase.isEmbedded, false);
    const runs = await client.get<Runs>('/api/runs');
    assert.deepEqual(runs.runs.at(-1), overview.lastRun);
    assert.equal(runs.runs[0]!.watchTime, overview.totals.watchTime);
    assert.deepEqual(Object.keys(runs.runs[0]!.regions).sort(), REGIONS.toSorted());
  });

  test('a selection of each region, and of one that is none', async () => {
    for (const region of [undefined, ...REGIONS]) {
      for (let time = 0; time < 2; time++) assertSelection(await client.get<Selection>('/api/selection', region === undefined ? {} : { region }), inRegion(region), 50);
    }
    for (const region of ['us', '', `US' OR '1'='1`, 'US\0', '%', 'y'.repeat(8000)]) {
      const none = await client.get<Selection>('/api/selection', { region });
      assert.deepEqual([none.rows, none.logs, Number(none.watchTime), none.distribution, none.top], [0, 0, 0, [], []], region.slice(0, 20));
    }
  });

  test('pages of users by prefix, and of the most watch time', async () => {
    for (const region of [undefined, 'US', REGIONS[3]!]) {
      const of = region === undefined ? {} : { region };
      assert.deepEqual(await allPages(client, '/api/top', of, 'offset'), inRegion(region).sort(byTotal).slice(0, 1000).map(told));
      for (const prefix of ['', 'user_00', 'ab', '=', '<script', '😀', '\u{10ffff}', '\ud7ff', `'`, '%', 'none']) {
        assert.deepEqual(await allPages(client, '/api/users', { ...of, prefix }, 'after'), inRegion(region).filter(({ user }) => user.startsWith(prefix)).map(told), prefix);
      }
    }
    for (const after of ['x', 'W10', Buffer.from('[1,2]').toString('base64url')]) await client.get('/api/users', { after }, 400);
    for (const offset of ['-1', '1e3', '0x1', '1001', '']) await client.get('/api/top', { offset }, 400);
  });

  test('rejects, with examples of a reason', async () => {
    const all = await client.get<Rejects>('/api/rejects');
    assert.deepEqual(all.reasons, [{ reason: 'missing_id', rows: 3 }, { reason: 'bad_value', rows: 2 }]);
    assert.equal(all.rows, 5);
    assert.deepEqual(all.examples.map(({ reason }) => reason), ['missing_id', 'missing_id', 'missing_id', 'bad_value', 'bad_value']);
    const [example] = (await client.get<Rejects>('/api/rejects', { reason: 'bad_value' })).examples;
    assert.deepEqual([example!.column, example!.raw.endsWith('=1+1')], ['watch_time(min)', true]);
    assert.deepEqual((await client.get<Rejects>('/api/rejects', { reason: `' OR ''='` })).examples, []);
  });

  test('a query and its files', async () => {
    const sql = 'SELECT user_id, geo_region, total_watch_time, log_count, NULL::VARCHAR AS "=none" FROM watch_time ORDER BY user_id, geo_region';
    const answer = await client.post<QueryAnswer>({ sql });
    const expected = made.rows.map(told).map(({ user, region, total, logs }) => [user, region, total, String(logs), null]);
    assert.deepEqual([answer.rows, answer.isCut], [expected.slice(0, 1000), expected.length > 1000]);
    assert.deepEqual(answer.columns.map(({ isNumber }) => isNumber), [false, false, true, true, false]);
    const csv = await client.fetch(`/api/export?${new URLSearchParams({ sql, format: 'csv' })}`);
    assert.equal(csv.headers.get('content-disposition'), 'attachment; filename="etl-stream.csv"');
    const [head, ...records] = parse(await csv.text(), { record_delimiter: '\r\n' }) as string[][];
    assert.deepEqual(head, ['user_id', 'geo_region', 'total_watch_time', 'log_count', `'=none`]);
    const escaped = (value: string): string => (/^[=+\-@\t\r\n']/.test(value) && !/^[+-]\d+$/.test(value) ? `'${value}` : value);
    assert.deepEqual(records, expected.map((row) => row.map((value) => escaped(value ?? ''))));
    const parquet = await client.fetch(`/api/export?${new URLSearchParams({ sql, format: 'parquet' })}`);
    const objects = await parquetReadObjects({ file: await parquet.arrayBuffer(), compressors });
    assert.deepEqual(objects.map(({ user_id, geo_region }) => [user_id, geo_region]), expected.map(([user, region]) => [user, region]));
    assert.equal((await client.post<QueryAnswer>({ sql: 'FROM range(100000)' })).isCut, true);
    const { error } = await client.post<Failed>({ sql: 'SELECT nothing FROM watch_time' }, 400);
    assert.equal(error.code, 'ETL_SQL');
  });
});

test('without a report the overview comes from the files', { skip: noDuckDB }, async (t) => {
  const made = await makeDataset(temporaryFolder(t), { report: false, state: false });
  const client = await open(t, { output: made.output });
  const overview = await client.get<Overview>('/api/overview');
  assertSelection(overview.selection, made.rows, 50);
  assert.equal(overview.lastRun, null);
  const regions = grouped(made.rows, 'region');
  assert.deepEqual(new Map(overview.regions.map(({ region, total, rows }) => [region, [total, rows]])), new Map(Array.from(regions, ([region, rows]) => [region, [(rows.reduce((sum, { total }) => sum + total, 0) / 100).toFixed(2), rows.length]])));
});

test('by user there is a row for each', { skip: noDuckDB }, async (t) => {
  const made = await makeDataset(temporaryFolder(t), { groupBy: 'user', state: false });
  const client = await open(t, { output: made.output });
  const users = grouped(made.rows, 'user');
  const overview = await client.get<Overview>('/api/overview');
  assert.equal(overview.totals.users, users.size);
  const rows = await allPages(client, '/api/users', {}, 'after');
  assert.deepEqual(rows.map(({ user, total }) => [user, total]), Array.from(users, ([user, of]) => [user, (of.reduce((sum, { total }) => sum + total, 0) / 100).toFixed(2)]));
  const { watchTime } = await client.get<Selection>('/api/selection', { region: 'US' });
  assert.equal(watchTime, overview.regions.find(({ region }) => region === 'US')!.total);
});

test('a publication is announced; the snapshot before is answered, one before that is gone', { skip: noDuckDB }, async (t) => {
  const made = await makeDataset(temporaryFolder(t));
  const client = await open(t, { output: made.output });
  const controller = new AbortController();
  t.after(() => controller.abort());
  const heard = announcements(client, controller.signal);
  const first = (await heard.next()).value as string;
  const before = await client.get<Selection>('/api/selection', { region: 'US', snapshot: first });
  await made.publish(2);
  const second = (await heard.next()).value as string;
  assert.notEqual(second, first);
  const now = await client.get<Selection>('/api/selection', { region: 'US' });
  assert.equal(now.snapshot, second);
  assertSelection(now, made.rows.filter(({ region }) => region === 'US'), 50);
  assert.deepEqual(await client.get('/api/selection', { region: 'US', snapshot: first }), before);
  const old = await client.get<Selection>('/api/selection', { region: 'DE', snapshot: first }); // which nobody asked for before
  assert.equal(old.snapshot, first);
  assert.ok(old.logs < (await client.get<Selection>('/api/selection', { region: 'DE' })).logs);
  await made.publish(3);
  const third = (await heard.next()).value as string;
  const { error } = await client.get<Failed>('/api/selection', { region: 'US', snapshot: first }, 410);
  assert.equal(error.code, 'ETL_INPUT_NOT_FOUND');
  assert.equal((await client.get<QueryAnswer>('/api/overview', { snapshot: second })).snapshot, second);
  assert.equal((await client.post<QueryAnswer>({ sql: 'SELECT 1', snapshot: third })).snapshot, third);
});

test('what is there no more is shown as long as it can be', { skip: noDuckDB }, async (t) => {
  const made = await makeDataset(temporaryFolder(t), { state: false });
  const client = await open(t, { output: made.output });
  await client.get('/api/overview');
  rmSync(made.output, { recursive: true });
  assert.ok(!existsSync(made.output));
  await client.get('/api/overview');
  const { error } = await client.get<Failed>('/api/selection', { region: 'DE' }, 404);
  assert.ok(!JSON.stringify(error).includes(made.output), JSON.stringify(error));
});

test('a plain folder that another takes the place of', { skip: noDuckDB }, async (t) => {
  const made = await makeDataset(temporaryFolder(t), { state: false });
  const client = await open(t, { output: made.output });
  const controller = new AbortController();
  t.after(() => controller.abort());
  const heard = announcements(client, controller.signal);
  const first = (await heard.next()).value as string;
  await client.get('/api/selection', { region: 'US' });
  await made.publish(2, { overwrite: true });
  const second = (await heard.next()).value as string;
  assert.equal((await client.get<Selection>('/api/selection', { region: 'US', snapshot: first })).snapshot, first, 'which it has');
  for (const region of ['US', 'DE']) assert.equal((await client.get<Selection>('/api/selection', { region })).snapshot, second);
  assert.equal((await client.post<QueryAnswer>({ sql: 'SELECT sum(log_count) FROM watch_time' })).rows[0]![0], '3000');
  for (const body of [{ sql: 'SELECT 1', snapshot: first }]) assert.equal((await client.post<Failed>(body, 410)).error.code, 'ETL_INPUT_NOT_FOUND');
  await client.get<Failed>('/api/selection', { region: 'DE', snapshot: first }, 410);
});

test('totals on both sides of 0 are in the buckets that a report has', { skip: noDuckDB }, async (t) => {
  const minutes = [-70_000, -1000, -999, -20, -19, -5, -2, -1, 0, 0, 1, 2, 3, 5, 10, 11, 99, 100, 1000, 1001, 4_000_000];
  for (const places of [0, 2]) {
    const logs = minutes.map((value, at) => [`user ${at}`, 'DE', (value / 10 ** places).toFixed(places)] as const);
    const output = await datasetOf(temporaryFolder(t), logs, { rules: [{ column: 'watch_time(min)', min: 'none', max: 'none' }], valueScale: places });
    const client = await open(t, { output });
    const { selection } = await client.get<Overview>('/api/overview');
    assert.equal(selection.distribution.reduce((sum, { rows }) => sum + rows, 0), minutes.length);
    for (const region of [{}, { region: 'DE' }]) {
      const counted = await client.get<Selection>('/api/selection', region);
      assert.deepEqual(counted.distribution, selection.distribution);
      assert.equal(counted.watchTime, selection.watchTime);
    }
  }
});

test('without DuckDB there is what the last report says', async (t: TestContext) => {
  const missing = async (): Promise<never> => {
    throw new EtlError('ETL_SQL_MISSING', 'Queries need DuckDB, which is not installed.');
  };
  const made = await makeDataset(temporaryFolder(t));
  const client = await open(t, { output: made.output }, missing);
  assert.equal((await client.get<Overview>('/api/overview')).hasSql, false);
  assert.equal((await client.get<Runs>('/api/runs')).runs.length, 1);
  for (const path of ['/api/selection', '/api/top', '/api/users', '/api/rejects']) assert.equal((await client.get<Failed>(path, {}, 503)).error.code, 'ETL_SQL_MISSING', path);
  assert.equal((await client.post<Failed>({ sql: 'SELECT 1' }, 503)).error.code, 'ETL_SQL_MISSING');
  const bare = await makeDataset(temporaryFolder(t), { report: false, state: false });
  await assert.rejects(open(t, { output: bare.output }, missing), { code: 'ETL_SQL_MISSING' });
});
