/** What a query must not do: change or read anything but the dataset, whatever it looks like; the folder is byte for byte what it was, and no error tells of another. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../temporary.ts';
import { treeOf } from '../tree.ts';
import { datasetOf, failureOf, noDuckDB, rowsOf, sessionOf, sharedSession, sourceOf, type Log } from './sessions.ts';

const LOGS: readonly Log[] = [['ann', 'US', '1'], ['bob', 'DE', '2'], ['cat', 'US', 'x']];
/** One for those tests that only ask. */
const shared = sharedSession(LOGS);
const SECRET = 'never to be read';

/** Statements that do more than read; `T`: a folder that DuckDB may write to. */
const WRITES = `
COPY (SELECT 1) TO 'T/x.csv'
COPY watch_time TO 'T/x.parquet' (FORMAT parquet)
/* a */ COPY -- b
COPY FROM DATABASE memory TO x
EXPLAIN ANALYZE COPY (SELECT 1) TO 'T/x.csv'
EXPLAIN /* SELECT 1 */ ANALYZE/**/COPY (SELECT 1) TO 'T/x.csv'
EXPLAIN (ANALYZE) COPY (SELECT 1) TO 'T/x.csv'
EXPLAIN (FORMAT json) COPY (SELECT 1) TO 'T/x.csv'
EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1
EXPLAIN ANALYZE DELETE FROM runs
EXPLAIN EXPLAIN SELECT 1
ATTACH 'T/x.db'
ATTACH ':memory:' AS x
DETACH memory
EXPORT DATABASE 'T/x'
IMPORT DATABASE 'T'
INSTALL httpfs
FORCE INSTALL httpfs FROM 'T'
LOAD httpfs
UPDATE EXTENSIONS
SET memory_limit = '100GB'
SET enable_external_access = true
SET VARIABLE x = 1
RESET memory_limit
PRAGMA database_list
PRAGMA enable_profiling
PRAGMA table_info('watch_time')
CALL enable_logging()
CALL pragma_version()
CREATE TABLE x AS SELECT 1
CREATE OR REPLACE VIEW watch_time AS SELECT 1
CREATE TEMP TABLE x(i INT)
CREATE MACRO m(x) AS x
CREATE SECRET (TYPE s3)
CREATE TYPE x AS ENUM ('a')
DROP VIEW watch_time
ALTER TABLE runs ADD COLUMN x INT
COMMENT ON VIEW watch_time IS 'x'
INSERT INTO runs (run) VALUES ('x')
UPDATE runs SET run = 'x'
DELETE FROM runs
TRUNCATE runs
MERGE INTO runs USING inputs ON true WHEN MATCHED THEN DELETE
WITH x AS (SELECT 1) INSERT INTO runs (run) SELECT 'x'
WITH x AS (DELETE FROM runs RETURNING *) FROM x
VACUUM
ANALYZE
CHECKPOINT
BEGIN
ROLLBACK
USE memory
PREPARE p AS SELECT 1
EXECUTE p
DEALLOCATE p
SELECT 1; SELECT 2
SELECT 1; DROP VIEW watch_time
SELECT 1 /* ; */; DROP VIEW watch_time -- ;
SELECT E'\\'; SELECT 1' ; DROP VIEW watch_time
SELECT $a$;$a$; DROP VIEW watch_time
SELECT 1) AS r; DROP VIEW watch_time; SELECT * FROM (SELECT 1
SELECT 1) TO 'T/x.csv' --
SELECT 1) TO 'T/x.csv' /*
SELECT 'unclosed
SELECT "unclosed
SELECT $$unclosed
SELECT 1 /* unclosed
-- nothing
;
PIVOT watch_time ON geo_region USING sum(log_count)
SELECT getenv('HOME')
SHOW memory_limit
`.trim().split('\n');

/** Names that lead out, and functions that read by name, list, tell of the system, or change the session for who comes next. */
const NAMES = ['/etc/passwd', 'T/secret.csv', '../secret.csv', 'geo_region=US/../../secret.csv', '_etl/dataset.json', '_etl/reports/*', 'linked.parquet', 'geo_region=XX/part-00000.parquet', 'http://127.0.0.1:9/x.parquet',
  'https://127.0.0.1:9/x.csv', 's3://bucket/x.parquet', 'file:///etc/passwd', '/proc/self/environ', '/dev/stdin', '*', '**/*.parquet', '~/x.csv'];
const READERS = ['read_csv', 'read_csv_auto', 'read_text', 'read_blob', 'read_json', 'read_json_auto', 'read_ndjson', 'read_parquet', 'parquet_scan', 'parquet_metadata', 'parquet_schema', 'parquet_file_metadata', 'parquet_kv_metadata', 'sniff_csv', 'glob', 'read_duckdb', 'sqlite_scan'];
const CALLS = [
  `query('SELECT 1')`, `query('FROM enable_log' || 'ging()')`, `query_table('watch_time')`, `query_table(['/etc/passwd'])`, `json_execute_serialized_sql(json_serialize_sql('SELECT 1'))`, `enable_logging()`,
  `enable_logging(storage = 'file', storage_path = 'T/log')`, `"Enable_Logging"()`, `system.main.enable_logging()`, `enable_profiling(save_location = 'T/profile')`, 'disable_logging()', 'truncate_duckdb_logs()', 'checkpoint()', 'force_checkpoint()', 'duckdb_settings()', 'duckdb_secrets()', 'duckdb_extensions()',
  'duckdb_temporary_files()', `histogram('T/secret.csv', x)`, `histogram_values('T/secret.csv', x)`, 'duckdb_logs()', 'pragma_database_size()', 'arrow_scan(1, 2, 3)', `which_secret('a', 'b')`, `sql_auto_complete('x')`, 'enable_peg_parser()',
];

test('statements that do more than read are refused, and nothing is changed', { skip: noDuckDB }, async (t) => {
  const folder = temporaryFolder(t);
  const output = await datasetOf(folder, LOGS);
  const temp = join(folder, 'temp');
  mkdirSync(temp);
  writeFileSync(join(temp, 'secret.csv'), `${SECRET}\n`);
  writeFileSync(join(folder, 'secret.csv'), `${SECRET}\n`);
  const { folder: snapshot } = await sourceOf(output);
  symlinkSync(join(folder, 'secret.csv'), join(snapshot, 'linked.parquet'));
  const before = treeOf(folder);
  const session = await sessionOf(t, output, { temp });
  const first = await rowsOf(session, 'FROM watch_time ORDER BY ALL');
  const attacks = [
    ...WRITES,
    ...NAMES.flatMap((name) => [`FROM '${name}'`, `FROM "${name}"`, ...READERS.map((reader) => `FROM ${reader}('${name}')`)]),
    ...CALLS.flatMap((call) => [`FROM ${call}`, `SELECT (SELECT count(*) FROM ${call})`, `WITH a AS (FROM ${call}) FROM a`, `EXPLAIN ANALYZE FROM ${call}`, `FROM range(1) AS r, LATERAL (FROM ${call}) AS l`]),
    `FROM "T/secret".csv`, `FROM "T/secret"."csv" AS x`, `FROM "T/x".y.csv`, `DESCRIBE "T/secret".csv`, `DESCRIBE 'T/secret.csv'`, `SHOW "T/secret.csv"`, `SHOW TABLES FROM "T/x"`, `SUMMARIZE 'T/secret.csv'`, `SELECT count(*) FROM runs JOIN 'T/secret.csv' ON true`, `SELECT 1 INTO x`,
    // A text that is planned, or a way to a file of the dataset by which one could ask what else there is.
    `SELECT json_serialize_plan('SELECT current_setting(''temp_directory'')', optimize := true)`, `SELECT main."JSON_Serialize_Plan"('FROM read_csv(''T/secret.csv'')')`,
    ...['/proc/self/cwd/geo_region=US/part-00000.parquet', '/etc/../proc/self/cwd/geo_region=US/part-00000.parquet', 'geo_region=US/../geo_region=US/part-00000.parquet', 'file:geo_region=US/part-00000.parquet', '..', 'T/x.parquet']
      .flatMap((name) => [`FROM parquet_schema('${name}')`, `FROM parquet_metadata(['geo_region=US/part-00000.parquet', '${name}'])`]),
    `FROM parquet_schema('geo_region=US' || '/part-00000.parquet')`, 'FROM parquet_schema(NULL)', 'FROM parquet_schema()',
    `FROM duckdb_settings`, `FROM pg_catalog.pg_settings`, `SELECT current_setting('temp_directory')`, `SELECT "current_setting"('temp_directory')`,
  ].map((sql) => sql.replaceAll('T/', `${temp}/`).replaceAll(`'T'`, `'${temp}'`));
  for (const sql of attacks) {
    const failure = await failureOf(session, sql);
    assert.equal(failure?.code, 'ETL_SQL', sql);
    const told = `${failure.message}\n${failure.hint}\n${String(failure.cause)}`;
    assert.ok(!told.includes(SECRET), told);
    // A path that was not asked for.
    for (const path of [homedir(), process.cwd(), temp]) if (path !== '/' && !sql.includes(path)) assert.ok(!told.includes(path), `${sql}: ${told}`);
  }
  assert.ok(attacks.length > 400);
  assert.deepEqual(await rowsOf(session, 'FROM watch_time ORDER BY ALL'), first);
  assert.deepEqual(await rowsOf(session, 'SELECT count(*) FROM runs'), [['1']]);
  await session.close();
  assert.deepEqual(treeOf(folder), before);
});

test('what only looks like an attack is answered', { skip: noDuckDB }, async () => {
  const session = await shared();
  for (const [sql, value] of [
    [`;; SELECT 'a;b' -- ; DROP VIEW watch_time`, 'a;b'], ['/* COPY */ SELECT $x$; COPY$x$ /* /* nested ; */ */ ;', '; COPY'], [`SELECT E'it''s \\' ;' ; -- end`, `it's ' ;`],
    ['SELECT 1 AS x$a$ ;', '1'], ['FROM (VALUES (1)) SELECT *', '1'], [`WITH "copy" AS (SELECT 'x' AS "drop;") SELECT "drop;" FROM "copy"`, 'x'], ['(SELECT 2)', '2'], ['TABLE runs LIMIT 0', undefined], [`SELECT 'COPY x TO ''y'''`, `COPY x TO 'y'`],
  ] as const) assert.equal((await rowsOf(session, sql))[0]?.[0], value, sql);
  for (const sql of ['SHOW TABLES', 'SHOW ALL TABLES', 'DESCRIBE watch_time', 'SUMMARIZE runs', 'EXPLAIN SELECT 1', 'EXPLAIN (FORMAT json) SELECT 1', 'explain analyze (select 1)', '-- why\nEXPLAIN FROM runs;', `PIVOT watch_time ON geo_region IN ('US', 'DE') USING sum(log_count)`,
    `FROM parquet_metadata('geo_region=US/part-00000.parquet')`, `FROM parquet_schema(['./geo_region=US/part-00000.parquet', 'geo_region=DE/part-00000.parquet'])`, 'FROM information_schema.tables', 'FROM duckdb_columns()']) assert.ok((await rowsOf(session, sql)).length > 0, sql);
});

test('an error points at its place in the query as it was given', { skip: noDuckDB }, async () => {
  const session = await shared();
  const place = (await Promise.all(['SELECT 1\nFROM\n  nothing', 'SELECT 1,\n  SELEC 2', `SELECT 1,\n\n   'x'::INT`, `FROM watch_time\nWHERE user_id::INT = 1`].map((sql) => failureOf(session, sql))))
    .map((failure) => /^LINE .*\n *\^/m.exec(failure!.message)?.[0]);
  assert.deepEqual(place, ['LINE 3:   nothing\n          ^', 'LINE 2:   SELEC 2\n                ^', `LINE 3:    'x'::INT\n              ^`, 'LINE 2: WHERE user_id::INT = 1\n                     ^']);
});

test('parameters are values, all of them, and no others', { skip: noDuckDB }, async () => {
  const session = await shared();
  for (const value of [`'; DROP VIEW watch_time; --`, `") FROM read_text('/etc/passwd')`, '$x', '', '日本\n\0', '\\']) {
    assert.deepEqual(await rowsOf(session, 'SELECT $x', { parameters: { x: value } }), [[value]]);
    assert.deepEqual(await rowsOf(session, 'FROM watch_time WHERE user_id = $x', { parameters: { x: value } }), []);
  }
  const values = { n: 3, f: 0.5, b: 2n ** 100n, z: null, unsafe: 2 ** 60 };
  assert.deepEqual(await rowsOf(session, 'SELECT $n, $f, $b, $z, $unsafe', { parameters: values }), [['3', '0.5', String(2n ** 100n), null, '1.152921504606847e+18']]);
  for (const [sql, parameters] of [['SELECT $x', {}], ['SELECT 1', { x: 1 }], ['SELECT ?', {}], ['SELECT $x', { X: 'a', y: 1 }], ['SELECT $constructor', {}], [`SELECT $x`, { x: true as never }], [`SELECT $x`, { x: { toString: () => 'x' } as never }], ['SELECT $x', { x: 2n ** 200n }]] as const) {
    assert.equal((await failureOf(session, sql, { parameters }))?.code, 'ETL_SQL', sql);
  }
});

test('of a hostile dataset only files of its own are read', { skip: noDuckDB }, async (t) => {
  const folder = temporaryFolder(t);
  const output = await datasetOf(folder, LOGS);
  const source = await sourceOf(output);
  const [us, de] = ['geo_region=US', 'geo_region=DE'].map((region) => join(source.folder, region));
  // One region's folder, another's file and the rejects stand elsewhere.
  renameSync(us!, join(folder, 'elsewhere'));
  symlinkSync(join(folder, 'elsewhere'), us!);
  renameSync(join(de!, 'part-00000.parquet'), join(folder, 'elsewhere', 'other.parquet'));
  symlinkSync(join(folder, 'elsewhere', 'other.parquet'), join(de!, 'part-00000.parquet'));
  writeFileSync(join(folder, 'secret.jsonl'), `{"file": "${SECRET}"}\n`);
  renameSync(join(source.folder, '_rejects.jsonl'), join(folder, 'rejects.jsonl'));
  symlinkSync(join(folder, 'secret.jsonl'), join(source.folder, '_rejects.jsonl'));
  const session = await sessionOf(t, await sourceOf(output));
  assert.deepEqual(await rowsOf(session, 'FROM watch_time'), []);
  assert.deepEqual(await rowsOf(session, 'FROM rejects'), []);
  for (const name of ['geo_region=US/part-00000.parquet', 'geo_region=DE/part-00000.parquet']) assert.equal((await failureOf(session, `FROM read_parquet('${name}')`))?.code, 'ETL_SQL');
  const lying = await sessionOf(t, { ...source, files: ['../elsewhere/part-00000.parquet', join(folder, 'elsewhere/part-00000.parquet'), `x'); DROP --`, '', '.', '\0'], rejects: { path: '../secret.jsonl', format: 'jsonl' } });
  assert.deepEqual(await rowsOf(lying, 'FROM watch_time'), []);
  assert.deepEqual(await rowsOf(lying, 'FROM rejects'), []);
});

test('a description that names files elsewhere is no dataset', { skip: noDuckDB }, async (t) => {
  const output = await datasetOf(temporaryFolder(t), LOGS);
  const { folder } = await sourceOf(output);
  const path = join(folder, '_etl', 'dataset.json');
  const description = JSON.parse(readFileSync(path, 'utf8')) as { files: { path: string }[] };
  for (const name of ['/etc/passwd', '../x/part-00000.parquet', 'geo_region=../part-00000.parquet/../../x', `geo_region=US/part-00000.parquet'); DROP VIEW x; --`]) {
    writeFileSync(path, JSON.stringify({ ...description, files: [{ ...description.files[0], path: name }] }));
    await assert.rejects(sourceOf(output), { code: 'ETL_INPUT_READ' });
  }
  assert.ok(readdirSync(folder).includes('_etl'));
});
