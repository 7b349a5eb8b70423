/** However a query ends, it ends with an error, or with its rows, and the next one works. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { QuerySession } from '../../lib/sql/session.ts';
import { temporaryFolder } from '../temporary.ts';
import { datasetOf, failureOf, noDuckDB, rowsOf, sessionOf, sharedSession, sourceOf, type Log } from './sessions.ts';

const LOGS: readonly Log[] = [['ann', 'US', '1'], ['bob', 'DE', '2']];
const shared = sharedSession(LOGS);
const ENDLESS = 'SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c';

/** That the session answers. */
async function works(session: QuerySession): Promise<void> {
  assert.deepEqual(await rowsOf(session, 'SELECT sum(log_count) FROM watch_time'), [['2']]);
}

/** Processes of DuckDB that this one has started. */
function queryProcesses(): number[] {
  const listed = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  return listed.map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line)).filter((found) => found && Number(found[2]) === process.pid && /sql-process\.js|sql\/process\.ts/.test(found[3]!)).map((found) => Number(found![1]));
}

test('a query that takes too long ends by its limit', { skip: noDuckDB }, async () => {
  const session = await shared();
  const [process] = queryProcesses();
  for (const sql of [ENDLESS, `SELECT sleep_ms(60000)`, 'WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r', `EXPLAIN ANALYZE ${ENDLESS}`]) {
    assert.equal((await failureOf(session, sql, { seconds: 0.1 }))?.code, 'ETL_SQL_LIMIT', sql);
    await works(session);
  }
  // Wherever it is at that time.
  for (let milliseconds = 0.5; milliseconds < 10; milliseconds++) assert.equal((await failureOf(session, ENDLESS, { seconds: milliseconds / 1000 }))?.code, 'ETL_SQL_LIMIT');
  assert.deepEqual(await rowsOf(session, 'SELECT 1', { seconds: 1e9 }), [['1']]);
  // It was interrupted: nothing else had to end with it.
  assert.deepEqual(queryProcesses(), [process]);
});

test('what is long, deep or never closed is answered by the parser, or ends the process, which is there again', { skip: noDuckDB }, async () => {
  const session = await shared();
  const many = 200_000;
  for (const sql of [`SELECT e'${'a'.repeat(many)}`, `SELECT ${Array.from({ length: 50_000 }, (_, n) => `$a${n}$ `).join('')}`, `SELECT E'${`\\'`.repeat(many)}`, `SELECT ${'('.repeat(many)}1${')'.repeat(many)}`, `SELECT ${'NOT '.repeat(many)}true`, `SELECT 1::INT${'[]'.repeat(many)}`, `SELECT ${' '.repeat(1 << 20)}1`]) {
    assert.equal((await failureOf(session, sql, { seconds: 20 }))?.code, 'ETL_SQL', sql.slice(0, 40));
  }
  // DuckDB's stack is full, and it ends without a word, or is large enough.
  const deep = await failureOf(session, `SELECT json_structure(repeat('[', 1000000) || repeat(']', 1000000))`);
  assert.ok([undefined, 'ETL_SQL'].includes(deep?.code), deep?.code);
  await works(session);
});

test('a query that takes too much memory ends by its limit', { skip: noDuckDB }, async (t) => {
  const session = await sessionOf(t, await datasetOf(temporaryFolder(t), LOGS), { memory: 220e6 });
  for (const sql of [
    `SELECT repeat('x', 1000000) FROM range(100000)`, 'SELECT list(i) FROM range(100000000) r(i)', 'SELECT count(DISTINCT i) FROM range(100000000) r(i)',
    `WITH RECURSIVE r(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM r) SELECT max(length(s)) FROM r`,
  ]) {
    assert.equal((await failureOf(session, sql))?.code, 'ETL_SQL_LIMIT', sql);
    await works(session);
  }
});

test('what is cancelled ends, wherever it is', { skip: noDuckDB }, async () => {
  const session = await shared();
  await assert.rejects(session.query('SELECT 1', { signal: AbortSignal.abort('why') }), { code: 'ETL_ABORTED', cause: 'why' });
  const running = new AbortController();
  const query = session.query(ENDLESS, { signal: running.signal });
  await works(session); // with the other one under way
  running.abort();
  await assert.rejects(query, { code: 'ETL_ABORTED' });
  // Between two batches.
  const between = new AbortController();
  const batches = (await session.query('FROM range(10000000)', { signal: between.signal })).batches();
  await batches.next();
  between.abort();
  await assert.rejects(batches.next(), { code: 'ETL_ABORTED' });
  // While it waits for its turn, which then is another's.
  const [first, second] = [await session.query('FROM range(10000000)'), await session.query('FROM range(10000000)')];
  const waiting = new AbortController();
  const third = session.query('SELECT 1', { signal: waiting.signal });
  const fourth = rowsOf(session, 'SELECT 4');
  waiting.abort();
  await assert.rejects(third, { code: 'ETL_ABORTED' });
  await first.close();
  assert.deepEqual(await fourth, [['4']]);
  // A loop that is left.
  for await (const { rows } of second.batches()) {
    assert.ok(rows > 0);
    break;
  }
  await works(session);
});

test('a process that is killed, or cannot be stopped, is an error once', { skip: noDuckDB }, async (t) => {
  const session = await sessionOf(t, await datasetOf(temporaryFolder(t), LOGS));
  const mine = (): number => queryProcesses().at(-1)!;
  const query = failureOf(session, ENDLESS);
  await works(session);
  const first = mine();
  process.kill(first, 'SIGKILL');
  assert.equal((await query)?.code, 'ETL_SQL');
  await works(session);
  // In the middle of its rows.
  const batches = (await session.query('FROM range(100000000)')).batches();
  await batches.next();
  process.kill(mine(), 'SIGKILL');
  await assert.rejects((async () => {
    for await (const _ of batches);
  })(), { code: 'ETL_SQL' });
  await works(session);
  // One that does nothing any more.
  const stuck = mine();
  process.kill(stuck, 'SIGSTOP');
  assert.equal((await failureOf(session, 'SELECT 1', { seconds: 0.05 }))?.code, 'ETL_SQL_LIMIT');
  await works(session);
  assert.ok(!queryProcesses().includes(stuck));
  // What ends a terminal's processes is for who started this one to decide.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(mine(), signal);
  await works(session);
});

test('a million rows come as they are read, and are made no faster', { skip: noDuckDB }, async () => {
  const session = await shared();
  const result = await session.query(`SELECT i, 'user_' || i, i * 0.5, repeat('x', 20) FROM range(1000000) r(i)`);
  let [rows, sum, most] = [0, 0, 0];
  const before = process.memoryUsage.rss();
  for await (const batch of result.batches()) {
    rows += batch.rows;
    for (const value of batch.columns[0]!) sum += Number(value);
    most = Math.max(most, process.memoryUsage.rss());
  }
  assert.deepEqual([rows, sum], [1_000_000, 499_999_500_000]);
  assert.ok(most - before < 150e6, `${most - before} bytes more`);
  // 10 GB, of which one batch is read: the process would not live to give them all.
  const wide = (await session.query(`SELECT repeat('x', 500) FROM range(20000000)`)).batches();
  const { value } = await wide.next() as { value: { rows: number } };
  assert.ok(value.rows <= 16384, `${value.rows} rows in a batch`);
  await wide.return(undefined);
  await works(session);
});

test('what is closed answers no more, and leaves nothing', { skip: noDuckDB }, async (t) => {
  const folder = temporaryFolder(t);
  const temp = join(folder, 'temp');
  mkdirSync(temp);
  const before = queryProcesses();
  const session = await sessionOf(t, await datasetOf(folder, LOGS), { temp });
  const query = failureOf(session, ENDLESS);
  await works(session);
  await Promise.all([session.close(), session.close()]);
  assert.equal((await query)?.code, 'ETL_ABORTED');
  await assert.rejects(session.query('SELECT 1'), { code: 'ETL_ABORTED' });
  assert.deepEqual(queryProcesses(), before);
  assert.deepEqual(readdirSync(temp), []);
});

test('a result is exported as Parquet, by parameters as well; what fails leaves no file', { skip: noDuckDB }, async (t) => {
  const folder = temporaryFolder(t);
  const exports = join(folder, `it's`);
  mkdirSync(exports);
  const session = await sessionOf(t, await datasetOf(folder, LOGS), { temp: exports });
  const path = join(exports, 'a.parquet');
  assert.deepEqual(await session.exportParquet(`SELECT user_id, $x AS x, i FROM watch_time, range(2) r(i) WHERE geo_region <> ';' -- end`, path, { parameters: { x: `'a"` } }), { rows: 4 });
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors });
  assert.deepEqual(rows.map((row) => `${String(row.user_id)} ${String(row.x)} ${String(row.i)}`).sort(), [`ann 'a" 0`, `ann 'a" 1`, `bob 'a" 0`, `bob 'a" 1`]);
  const failing = join(exports, 'b.parquet');
  const fails = (sql: string, options = {}): Promise<unknown> => session.exportParquet(sql, failing, options);
  await assert.rejects(fails(`SELECT 1) TO '${failing}' (FORMAT csv) --`), { code: 'ETL_SQL' });
  await assert.rejects(fails(`COPY (SELECT 1) TO '${failing}'`), { code: 'ETL_SQL' });
  await assert.rejects(fails('EXPLAIN SELECT 1'), { code: 'ETL_SQL' });
  await assert.rejects(fails(`SELECT 'x'::INT FROM range(100000)`), { code: 'ETL_SQL' });
  await assert.rejects(fails('SELECT 1, sleep_ms(60000)', { seconds: 0.1 }), { code: 'ETL_SQL_LIMIT' });
  await assert.rejects(session.exportParquet('SELECT 1', join(folder, 'nowhere', 'c.parquet')), { code: 'ETL_OUTPUT_WRITE' });
  assert.deepEqual(readdirSync(exports), ['a.parquet']);
  await works(session);
  const without = await shared();
  await assert.rejects(without.exportParquet('SELECT 1', failing), { code: 'ETL_USAGE' });
  assert.ok(!existsSync(failing));
});

test('files that are no Parquet are an error of the query, or of the start', { skip: noDuckDB }, async (t) => {
  const source = await sourceOf(await datasetOf(temporaryFolder(t), LOGS));
  for (const path of source.files) writeFileSync(join(source.folder, path), 'PAR1 no PAR1');
  await assert.rejects(QuerySession.start(source, { memory: 300e6, threads: 1 }), { code: 'ETL_SQL' });
});
