/**
 * What is asked of the dashboard to read or write what is not its dataset's, to hang it, to fill its memory or to end it: none of it gets through,
 * others are answered meanwhile, and it ends as it should. The built program, as a user starts it.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import type { Problem, QueryAnswer, Selection } from '../../lib/dashboard/api.ts';
import { start } from '../cli/program.ts';
import { noDuckDB } from '../sql/sessions.ts';
import { temporaryFolder } from '../temporary.ts';
import { treeOf } from '../tree.ts';
import { makeDataset } from './dataset.ts';

const HANGING = 'SELECT count(*) FROM range(10000000000) a, range(1000) b WHERE (a.range * b.range) % 7 = 3';
const isLinux = process.platform === 'linux';

const REFUSED = [
  `COPY watch_time TO '/tmp/x.csv'`, `COPY (SELECT 1) TO 'x.parquet' (FORMAT parquet)`, `COPY watch_time FROM '/etc/passwd'`, `EXPLAIN ANALYZE COPY watch_time TO 'x.csv'`, `ATTACH '/tmp/x.db'`, `ATTACH 'x.db' AS x`, `DETACH memory`,
  `SELECT * FROM read_csv('/etc/passwd')`, `SELECT * FROM read_text('/etc/passwd')`, `SELECT * FROM read_blob('/proc/self/environ')`, `FROM '/etc/passwd'`, `FROM glob('/*')`, `SELECT * FROM read_json('/etc/hosts')`, `SELECT * FROM read_parquet('/**/*.parquet')`,
  `SELECT * FROM read_parquet('../*/*.parquet')`, `SELECT * FROM '_etl/dataset.json'`, `SELECT * FROM read_csv('https://example.com/x.csv')`, `SELECT * FROM sniff_csv('/etc/passwd')`, `SELECT * FROM query('COPY watch_time TO ''x''')`, `SELECT * FROM query_table('watch_time')`,
  `INSTALL httpfs`, `LOAD httpfs`, `LOAD '/tmp/x.duckdb_extension'`, `FORCE INSTALL httpfs FROM community`, `UPDATE EXTENSIONS`, `SET enable_external_access = true`, `SET memory_limit = '10GB'`, `RESET memory_limit`, `PRAGMA memory_limit='10GB'`, `PRAGMA database_list`, `PRAGMA enable_profiling`,
  `CALL enable_logging()`, `CALL pragma_version()`, `SELECT * FROM enable_logging()`, `SELECT * FROM duckdb_secrets()`, `SELECT * FROM duckdb_settings()`, `SELECT current_setting('home_directory')`, `SELECT getenv('HOME')`,
  `CREATE TABLE x AS SELECT 1`, `CREATE OR REPLACE VIEW watch_time AS SELECT 1`, `CREATE SECRET (TYPE s3)`, `CREATE MACRO f(x) AS x`, `DROP VIEW watch_time`, `ALTER VIEW watch_time RENAME TO x`, `INSERT INTO runs VALUES (1)`, `UPDATE runs SET run = 'x'`, `DELETE FROM runs`, `TRUNCATE runs`,
  `EXPORT DATABASE '/tmp/x'`, `IMPORT DATABASE '/tmp/x'`, `CHECKPOINT`, `VACUUM`, `BEGIN`, `COMMIT`, `PREPARE x AS SELECT 1`, `EXECUTE x`, `USE memory`, `SELECT 1; DROP VIEW watch_time`, `SELECT 1; SELECT 2`, `/* */; COPY runs TO 'x'`, `SELECT 1 --\n; DROP VIEW watch_time`,
  `SELECT * FROM watch_time WHERE geo_region = $region`, `SELECT ?`, `WITH x AS (DELETE FROM runs RETURNING *) SELECT * FROM x`, `MERGE INTO runs USING inputs ON true WHEN MATCHED THEN DELETE`, `SELECT * FROM checkpoint()`, `SELECT * FROM force_checkpoint()`,
];

interface Running {
  readonly pid: number;
  readonly stderr: () => string;
  get<T>(path: string, parameters?: Readonly<Record<string, string>>): Promise<{ status: number; body: T; response: Response }>;
  query(sql: string, signal?: AbortSignal): Promise<{ status: number; body: QueryAnswer & { error?: Problem } }>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  stop(): Promise<{ code: number | null; stdout: string; stderr: string }>;
}

async function serve(t: TestContext, output: string, folder: string, temp: string): Promise<Running> {
  mkdirSync(temp, { recursive: true });
  const { child, result } = start(['dashboard', output, '--timeout', '2s'], folder, undefined, { TMPDIR: temp });
  t.after(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr!.on('data', (piece) => (stderr += String(piece)));
  const [line] = await once(child.stdout!, 'data') as [Buffer];
  const url = String(line).trim();
  return {
    pid: child.pid!, stderr: () => stderr,
    async get(path, parameters = {}) {
      const response = await fetch(`${url}${path.slice(1)}?${new URLSearchParams(parameters)}`);
      return { status: response.status, body: await response.json() as never, response };
    },
    async query(sql, signal) {
      const response = await fetch(`${url}api/query`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql }), ...(signal && { signal }) });
      return { status: response.status, body: await response.json() as QueryAnswer };
    },
    fetch: (path, init) => fetch(`${url}${path.slice(1)}`, init),
    async stop() {
      child.kill('SIGTERM');
      return result;
    },
  };
}

/** Processes that it has started, and what the system says of the memory of one. */
const childrenOf = (pid: number): number[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter((text) => text !== '').map(Number);
const kilobytesOf = (pid: number, file: string, what: string): number => Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))![1]);

test('none of it gets through, and it goes on', { skip: noDuckDB }, async (t) => {
  const folder = temporaryFolder(t);
  const temp = join(folder, 'temp');
  const data = join(folder, 'data');
  mkdirSync(data);
  const { output } = await makeDataset(data);
  const before = treeOf(data);
  const running = await serve(t, output, folder, temp);
  const { get, query } = running;
  const sums = 'SELECT count(*), sum(total_watch_time), sum(log_count) FROM watch_time';
  const truth = (await query(sums)).body.rows;
  const us = (await get<Selection>('/api/selection', { region: 'US' })).body;
  const isWhole = async (): Promise<void> => {
    assert.deepEqual((await query(sums)).body.rows, truth);
    const answer = await get<Selection>('/api/selection', { region: 'US' });
    assert.deepEqual(answer.body, us);
  };

  await t.test('statements that are not to read the dataset', async () => {
    for (const sql of REFUSED) {
      const { status, body } = await query(sql);
      assert.equal(status, 400, `${sql}: ${JSON.stringify(body).slice(0, 300)}`);
      assert.match(body.error!.code, /^ETL_SQL$/, sql);
      // What a statement says itself it may be told.
      const told = JSON.stringify(body.error).replaceAll(/'[^']*'|"[^"]*"/g, (quoted) => (sql.includes(quoted.slice(1, -1)) ? '' : quoted));
      for (const path of [folder, temp, process.cwd(), '/root', '/home', 'node_modules']) assert.ok(!told.includes(path), `${sql}: ${told}`);
      const response = await running.fetch(`/api/export?${new URLSearchParams({ sql, format: 'parquet' })}`);
      assert.equal(response.status, 400, sql);
      assert.match(await response.text(), /^\{"error":/);
    }
    await isWhole();
    assert.deepEqual(treeOf(data), before);
  });

  await t.test('HTML and SQL in every parameter', async () => {
    const texts = [`<script>alert(1)</script>`, `'; DROP VIEW watch_time; --`, `' OR '1'='1`, `" OR ""="`, `\\`, `$region`, `%`, `\0`, `{{7*7}}`, `../../etc/passwd`, `\r\nSet-Cookie: a=b`, `__proto__`, '\ud800', '😀'.repeat(500)];
    const parameters = { '/api/overview': ['snapshot'], '/api/selection': ['region', 'snapshot'], '/api/top': ['region', 'offset'], '/api/users': ['region', 'prefix', 'after'], '/api/rejects': ['reason'], '/api/runs': ['snapshot'], '/api/export': ['sql', 'format'], '/api/events': ['x'], '/api/none': ['x'] };
    for (const [path, names] of Object.entries(parameters)) {
      for (const [name, text] of names.flatMap((name) => texts.map((text) => [name, text] as const))) {
        if (path === '/api/events') continue;
        const { status, response, body } = await get<object>(path, { [name]: text });
        assert.ok([200, 400, 404, 410].includes(status), `${path} ${name} ${text}: ${status} ${JSON.stringify(body)}`);
        assert.match(response.headers.get('content-type')!, /^application\/json/, path);
        assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
        assert.equal(response.headers.get('set-cookie'), null);
      }
    }
    await isWhole();
  });

  await t.test('answers without end are cut, and queries without end are ended', async () => {
    const many = (await query('SELECT range, repeat(\'x\', 50) FROM range(1000000)')).body;
    assert.deepEqual([many.rows.length, many.isCut], [1000, true]);
    const wide = (await query(`SELECT repeat('x', 20000) FROM range(1000)`)).body;
    assert.ok(wide.isCut && wide.rows.length < 1000, JSON.stringify(wide).slice(0, 300));
    const [first, second, meanwhile] = await Promise.all([query(HANGING), query(HANGING), isQuick(get)]);
    for (const { status, body } of [first, second]) assert.deepEqual([status, body.error?.code], [422, 'ETL_SQL_LIMIT']);
    assert.ok(meanwhile);
    // Whoever goes away takes his query with him: else these would be in the way of what comes next for 20 seconds.
    const controller = new AbortController();
    const gone = Array.from({ length: 4 }, () => query(HANGING, controller.signal).catch(() => 'gone'));
    await isQuick(get);
    controller.abort();
    assert.deepEqual(new Set(await Promise.all(gone)), new Set(['gone']));
    await isWhole();
  });

  await t.test('queries that eat memory', async () => {
    for (const sql of [
      'SELECT list(range) FROM range(1000000000)', `SELECT string_agg(repeat('x', 1000), '') FROM range(10000000)`,
      `SELECT * FROM (SELECT range, random() AS r, repeat('x', 200) FROM range(100000000)) ORDER BY r LIMIT 5000000`, `SELECT repeat('x', 50000000) FROM range(5)`,
    ]) {
      const { status, body } = await query(sql);
      assert.ok([200, 400, 422].includes(status), `${sql}: ${status}`);
      if (status === 200) assert.ok(body.isCut, sql);
    }
    await isWhole();
    if (isLinux) assert.ok([running.pid, ...childrenOf(running.pid)].reduce((sum, pid) => sum + kilobytesOf(pid, 'smaps_rollup', 'Pss'), 0) < 500_000);
  });

  await t.test('processes that are killed are there again', { skip: isLinux ? false : 'by /proc' }, async () => {
    for (let time = 0; time < 2; time++) {
      const children = childrenOf(running.pid);
      assert.equal(children.length, 2);
      for (const pid of children) process.kill(pid, 'SIGKILL');
      const [answer, ...views] = await Promise.all([query(sums), get<Selection>('/api/selection', { region: 'DE' }), get('/api/users', { prefix: `x${time}` })]);
      for (const { status } of views) assert.equal(status, 200);
      assert.ok([200, 400].includes(answer.status), 'a query that was quicker than the news of the end has failed');
      await isWhole();
    }
  });

  await t.test('a great many at a time', async () => {
    const statuses = await Promise.all(Array.from({ length: 250 }, async (_, at) => {
      const { status } = at % 5 === 0 ? await query(`SELECT ${at}`) : await get(at % 2 ? '/api/selection' : '/api/users', at % 2 ? { region: `r${at}` } : { prefix: `user_${at}` });
      return status;
    }));
    assert.deepEqual([...new Set(statuses)].filter((status) => ![200, 429].includes(status)), []);
    const controller = new AbortController();
    const streams = await Promise.all(Array.from({ length: 60 }, () => running.fetch('/api/events', { signal: controller.signal })));
    assert.deepEqual(streams.filter(({ status }) => status === 429).length, 10);
    controller.abort();
    while ((await running.fetch('/api/events', { signal: AbortSignal.timeout(200) })).status === 429); // until they are given up
    await isWhole();
  });

  await t.test('exports that are left', async () => {
    for (const format of ['csv', 'parquet']) {
      for (let time = 0; time < 3; time++) {
        const controller = new AbortController();
        const response = await running.fetch(`/api/export?${new URLSearchParams({ format, sql: 'SELECT range, random() AS r FROM range(1000000)' })}`, { signal: controller.signal });
        assert.equal(response.status, 200);
        await response.body!.getReader().read();
        controller.abort();
      }
    }
    // Who takes a file as slowly as he likes keeps nobody from the SQL box, nor does who waits for his behind him.
    const slow = new AbortController();
    const endlessFile = `/api/export?${new URLSearchParams({ format: 'csv', sql: 'FROM range(100000000000)' })}`;
    const held = await running.fetch(endlessFile, { signal: slow.signal });
    const behind = running.fetch(endlessFile);
    for (let time = 0; time < 3; time++) assert.deepEqual((await query(sums, AbortSignal.timeout(10_000))).body.rows, truth);
    assert.equal(held.status, 200);
    slow.abort();
    const next = await behind;
    assert.equal(next.status, 200);
    await next.body!.cancel();
    const endless = await running.fetch(`/api/export?${new URLSearchParams({ format: 'csv', sql: 'FROM range(100000000000) WHERE hash(range) % 1000 = 0' })}`);
    assert.equal(endless.status, 200);
    await assert.rejects(endless.arrayBuffer(), 'its time is over in the middle, and the answer does not look whole');
    await isWhole();
    while (readdirSync(temp).some((name) => name.startsWith('etl-stream-dashboard') && readdirSync(join(temp, name)).some((file) => /^\d+\.parquet$/.test(file)))) await isWhole();
  });

  if (isLinux) assert.ok(kilobytesOf(running.pid, 'status', 'VmHWM') < 250_000, `the server had ${kilobytesOf(running.pid, 'status', 'VmHWM')} KB`);
  const children = isLinux ? childrenOf(running.pid) : [];
  const { code, stdout, stderr } = await running.stop();
  assert.equal(code, 0, stderr);
  assert.equal(stdout.split('\n').length, 2, stdout);
  assert.equal(stderr.split('\n').length, 2, stderr);
  for (const pid of children) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  assert.deepEqual(readdirSync(temp), []);
  assert.deepEqual(treeOf(data), before);
});

/** The page's own views, while the SQL box is busy. */
async function isQuick(get: Running['get']): Promise<boolean> {
  for (const path of ['/api/overview', '/api/top', '/api/users', '/api/rejects', '/api/runs']) assert.equal((await get(path)).status, 200, path);
  return true;
}
