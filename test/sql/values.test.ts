/** Results are what is in the files, by an independent reader, and texts are what DuckDB writes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { openPart } from '../../lib/parquet/read-part.ts';
import type { ResultColumn } from '../../lib/sql/session.ts';
import { temporaryFolder } from '../temporary.ts';
import { datasetOf, noDuckDB, rowsOf, sessionOf, sharedSession, sourceOf, type Log } from './sessions.ts';

const LONG = 'L'.repeat(300);
const REGIONS = ['US', 'null', 'NULL', '__HIVE_DEFAULT_PARTITION__', `it's`, 'a"b', '../../etc', 'a/b\\c', '<img src=x onerror=alert(1)>', '100%', 'ß é 日本', ' ', 'a\nb', '=1+1', '~', '*', '[a-z]', '?', '{a,b}', 'a,b', '.', '..', `${LONG}1`, `${LONG}2`];
const USERS = ['ann', `o'neil`, `x'); DROP VIEW watch_time; --`, '<script>alert(1)</script>', 'a"b', '日本語', 'line\nend', 'tab\tcr\r', '\ufeffmark', '-1', '=cmd()', 'u'.repeat(300), '%', '_', '\\', '😀', '$1', 'NULL', ' '];

const empty = sharedSession([]);

/** Every user in every region, two logs a pair. */
const LOGS: readonly Log[] = REGIONS.flatMap((region, r) => USERS.flatMap((user, u): Log[] => [[user, region, `${r + 1}.5`], [user, region, `${u}.25`]]));

/** By hyparquet; the region is what the files say of themselves. */
async function rowsByHyparquet(output: string): Promise<string[]> {
  const { folder, files } = await sourceOf(output);
  const rows: string[] = [];
  for (const path of files) {
    const { region } = await openPart(join(folder, path));
    const file = await asyncBufferFromFile(join(folder, path));
    const read = await parquetReadObjects({ file, compressors, parsers: { stringFromBytes: (bytes: Uint8Array) => Buffer.from(bytes).toString() } as never });
    for (const row of read) rows.push(JSON.stringify([row.user_id, region ?? row.geo_region, Number(row.total_watch_time).toFixed(2), String(row.log_count)]));
  }
  return rows.sort();
}

async function checkRows(t: TestContext, groupBy: 'region' | 'user'): Promise<void> {
  const output = await datasetOf(temporaryFolder(t), LOGS, { groupBy });
  const session = await sessionOf(t, output);
  const rows = await rowsOf(session, 'FROM watch_time');
  assert.deepEqual(rows.map((row) => JSON.stringify(row)).sort(), await rowsByHyparquet(output));
  assert.equal(rows.length, groupBy === 'region' ? REGIONS.length * USERS.length : USERS.length);
  // Whatever is in a parameter is a value.
  for (const user of USERS) assert.deepEqual(await rowsOf(session, 'SELECT DISTINCT user_id FROM watch_time WHERE user_id = $user', { parameters: { user } }), [[user]]);
  if (groupBy === 'user') return;
  for (const region of REGIONS) {
    const found = await rowsOf(session, 'SELECT geo_region, count(*) FROM watch_time WHERE geo_region = $region GROUP BY ALL', { parameters: { region } });
    assert.deepEqual(found, [[region, String(USERS.length)]]);
  }
}

test('by region: rows as in the files, names of regions and users as they are', { skip: noDuckDB }, (t) => checkRows(t, 'region'));
test('by user: rows as in the files', { skip: noDuckDB }, (t) => checkRows(t, 'user'));

test('a filter by region opens the files of that region only', { skip: noDuckDB }, async (t) => {
  const session = await sessionOf(t, await datasetOf(temporaryFolder(t), LOGS));
  for (const where of [`geo_region = 'US'`, `geo_region = 'a"b'`, `geo_region = '${LONG}1'`, `geo_region IN ('US')`]) {
    const [[, plan]] = await rowsOf(session, `EXPLAIN ANALYZE SELECT sum(log_count) FROM watch_time WHERE ${where}`) as [[string, string]];
    const read = [...plan.matchAll(/Files Read: (\d+)/g)].reduce((sum, [, files]) => sum + Number(files), 0);
    assert.equal(read, 1, `${where}\n${plan}`);
  }
});

test('an empty dataset has tables, with the same columns', { skip: noDuckDB }, async () => {
  const session = await empty();
  assert.deepEqual(await rowsOf(session, 'SELECT count(*) FROM watch_time'), [['0']]);
  assert.deepEqual((await rowsOf(session, 'DESCRIBE watch_time')).map(([name]) => name), ['user_id', 'geo_region', 'total_watch_time', 'log_count']);
  assert.deepEqual(await rowsOf(session, 'SELECT rows_read, result_watch_time::DOUBLE FROM runs'), [['0', '0.0']]);
  assert.deepEqual(await rowsOf(session, 'FROM rejects'), []);
});

test('values are as DuckDB writes them', { skip: noDuckDB }, async () => {
  const session = await empty();
  const values: readonly (readonly [sql: string, text: string | null])[] = [
    ['NULL', null], [`''`, ''], ['true', 'true'], ['1.10::DECIMAL(10,2)', '1.10'], ['-0.01::DECIMAL(38,2)', '-0.01'], ['170141183460469231731687303715884105727::HUGEINT', '170141183460469231731687303715884105727'],
    ['9007199254740993', '9007199254740993'], ['1e20::DOUBLE', '1e+20'], [`'NaN'::DOUBLE`, 'nan'], [`'-inf'::FLOAT`, '-inf'], ['1::DOUBLE', '1.0'], ['0.1::FLOAT', '0.1'],
    [`'\\xAA\\x00b'::BLOB`, '\\xAA\\x00b'], [`[1, NULL, 2]`, '[1, NULL, 2]'], [`{'a': 'x', 'b': NULL}`, `{'a': x, 'b': NULL}`], [`MAP {'k': 1}`, '{k=1}'], [`TIMESTAMP '2026-01-02 03:04:05.678'`, '2026-01-02 03:04:05.678'],
    [`TIMESTAMPTZ '2026-01-02 03:04:05+02'`, '2026-01-02 01:04:05+00'], [`DATE '2026-01-02'`, '2026-01-02'], [`INTERVAL 25 HOUR`, '25:00:00'], [`'3f2504e0-4f89-11d3-9a0c-0305e82c3301'::UUID`, '3f2504e0-4f89-11d3-9a0c-0305e82c3301'],
    [`'a'::ENUM('a', 'b')`, 'a'], [`'101'::BIT`, '101'], [`chr(65279) || 'x'`, '\ufeffx'], [`'${'long '.repeat(50)}'`, 'long '.repeat(50)], [`chr(0) || 'z'`, '\0z'], [`'日本'`, '日本'],
  ];
  const sql = `SELECT ${values.map(([value], n) => `${value} AS c${n}`).join(', ')}`;
  assert.deepEqual(await rowsOf(session, sql), [values.map(([, text]) => text)]);
  const columnsOf = async (sql: string, parameters = {}): Promise<readonly ResultColumn[]> => {
    const result = await session.query(sql, { parameters });
    await result.close();
    return result.columns;
  };
  assert.deepEqual(await columnsOf(`SELECT 1.5::DECIMAL(18,2) AS a, 'x' AS "a", [1] AS l, 1::UTINYINT AS u, $p + 1 AS p WHERE $q = 'x'`, { p: 1n, q: 'x' }), [
    { name: 'a', type: 'DECIMAL(18,2)', isNumber: true }, { name: 'a_1', type: 'VARCHAR', isNumber: false }, { name: 'l', type: 'INTEGER[]', isNumber: false },
    { name: 'u', type: 'UTINYINT', isNumber: true }, { name: 'p', type: 'HUGEINT', isNumber: true },
  ]);
  assert.deepEqual((await columnsOf(`SELECT 1 AS a, 2 AS "a", 3`)).map(({ name }) => name), ['a', 'a', '3']);
  // Every type there is, against what DuckDB itself casts.
  const every = (await rowsOf(session, 'FROM test_all_types()')).flat();
  const names = (await columnsOf('FROM test_all_types()')).map(({ name }) => `"${name}"::VARCHAR`);
  assert.deepEqual(every, (await rowsOf(session, `SELECT ${names.join(', ')} FROM test_all_types()`)).flat());
});

test('rows come in the order that the query says', { skip: noDuckDB }, async () => {
  const session = await empty();
  const rows = await rowsOf(session, 'SELECT i, i % 7 FROM range(50000) AS r(i) ORDER BY i % 7 DESC, i');
  const expected = Array.from({ length: 50000 }, (_, i) => [i, i % 7] as const).sort(([a, restA], [b, restB]) => restB - restA || a - b);
  assert.deepEqual(rows, expected.map(([i, rest]) => [String(i), String(rest)]));
});

test('values of many batches are whole: what they are copied from is there until they are', { skip: noDuckDB }, async () => {
  const session = await empty();
  const { batches } = await session.query('SELECT n, repeat(chr((65 + n % 26)::INT), 5000) FROM range(20000) rows(n)');
  let rows = 0;
  for await (const { rows: count, columns: [numbers, texts] } of batches()) {
    for (let row = 0; row < count; row++) {
      const n = Number(numbers![row]);
      assert.equal(n, rows++);
      assert.ok(texts![row] === String.fromCharCode(65 + n % 26).repeat(5000), `row ${n} begins with ${JSON.stringify(texts![row]!.slice(0, 20))}`);
    }
  }
  assert.equal(rows, 20_000);
});
