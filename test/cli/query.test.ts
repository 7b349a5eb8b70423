/** `etl-stream query` from outside: results by every way in and out are those of DuckDB beside it; files are whole or as they were; a query that fails or is stopped leaves nothing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { readResult } from '../oracle/duckdb.ts';
import { etlStream, PROGRAM, start } from './program.ts';
import { residentProgram } from './resident.ts';

const folder = mkdtempSync(join(tmpdir(), 'etl-stream-test-'));
const temp = join(folder, 'temp');
/** Whatever is made for a while is made there, and no configuration of who tests counts. */
const environment = { TMPDIR: temp, XDG_STATE_HOME: join(folder, 'state') };
const query = (args: readonly string[], input: string | Buffer = '') => etlStream(['query', ...args], folder, input, environment);
const resident = residentProgram();
/** Where the way in and out is not what is tested. */
const ask = (args: readonly string[]) => resident(['query', ...args], folder, environment);
const BY_USER = 'SELECT geo_region, user_id, total_watch_time, log_count FROM watch_time ORDER BY ALL';
let expected: string[][] = [];

before(async () => {
  mkdirSync(temp);
  const addresses = ['8.8.8.8', '80.1.2.3', '', '1.1.1.1'];
  const rows = Array.from({ length: 500 }, (_, n) => `${n},user ${n % 7},2026-11-30,${addresses[n % 4]!},${n % 9}${n % 5 === 0 ? '.25' : ''}\n`);
  writeFileSync(join(folder, 'logs.csv'), `log_id,user_id,timestamp,ip_address,watch_time(min)\n${rows.join('')}x,,,,1\n`);
  const { code, stderr } = await resident(['logs.csv', '-o', 'totals', '--max-rejects', '100%', '-q'], folder);
  assert.equal(code, 0, stderr);
  expected = (await readResult(join(folder, 'totals'))).map(({ region, user, total, count }) => [region, user, (Number(total) / 100).toFixed(2), String(count)]);
  expected.sort((a, b) => (a.slice(0, 2).join('\0') < b.slice(0, 2).join('\0') ? -1 : 1));
  assert.ok(expected.length > 20);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const recordsOf = (csv: string | Buffer): string[][] => (parse(csv) as string[][]).slice(1);

test('SQL as an argument, from standard input, with a byte order mark and CRLF, and behind -', async () => {
  for (const [args, input] of [[[BY_USER], ''], [[], `${BY_USER};\n`], [[], `\ufeff-- all\r\n${BY_USER.replaceAll(' ', '\r\n')} ;\r\n`], [['-'], BY_USER]] as const) {
    const { code, stdout, stderr } = await query(['totals', ...args, '--format', 'csv'], input);
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(recordsOf(stdout), expected);
  }
  assert.ok(!existsSync(environment.XDG_STATE_HOME), 'no history but of a prompt');
});

test('each format, to standard output and into a file by its ending, has the same rows', async () => {
  for (const format of ['table', 'csv', 'json', 'parquet']) {
    const file = join(folder, `by-user.${format}`);
    const written = await ask(['totals', BY_USER, '-o', file, ...(format === 'table' ? ['--format', 'table'] : [])]);
    assert.deepEqual([written.code, written.stdout, written.stderr], [0, '', `${expected.length} rows: ${file}\n`]);
    const piped = start(['query', 'totals', BY_USER, '--format', format], folder, undefined, environment);
    const bytes: Buffer[] = [];
    piped.child.stdout!.on('data', (chunk: Buffer) => bytes.push(chunk));
    const { code, stderr } = await piped.result;
    assert.deepEqual([code, stderr], [0, format === 'table' ? `${expected.length} rows\n` : '']);
    for (const content of [readFileSync(file), Buffer.concat(bytes)]) {
      const rows = {
        table: () => content.toString().trimEnd().split('\n').slice(2).map((line) => line.split(/ {2,}/)),
        csv: () => recordsOf(content),
        json: () => (JSON.parse(content.toString()) as object[]).map((row) => Object.values(row).map((value) => (typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(2) : String(value)))),
        parquet: async () => {
          writeFileSync(join(folder, 'copy.parquet'), content);
          const read = await parquetReadObjects({ file: await asyncBufferFromFile(join(folder, 'copy.parquet')), compressors });
          return read.map((row) => [row.geo_region, row.user_id, Number(row.total_watch_time).toFixed(2), String(row.log_count)]);
        },
      }[format]!();
      const shown = format === 'json' ? (await rows).map((row) => [row[0], row[1], Number(row[2]).toFixed(2), row[3]]) : await rows;
      assert.deepEqual(shown, expected, format);
    }
  }
  assert.deepEqual(readdirSync(temp), []);
});

test('a file is replaced when its result is whole, with its mode, also through a link; else it is as it was', async () => {
  const file = join(folder, 'kept.csv');
  writeFileSync(file, 'before');
  chmodSync(file, 0o640);
  symlinkSync('kept.csv', join(folder, 'link.csv'));
  for (const [sql, name, options] of [['SELECT x', 'kept.csv', []], [`SELECT 1 FROM range(5000) t(n) WHERE n < 4000 OR error('late') IS NULL`, 'kept.csv', []], [BY_USER, 'kept.csv', ['--memory', '1MB']], ['SELECT x', 'kept.csv', ['--format', 'parquet']]] as const) {
    const { code, stdout, stderr } = await ask(['totals', sql, '-o', name, ...options]);
    assert.deepEqual([code, stdout, readFileSync(file, 'utf8')], [1, '', 'before'], stderr);
    assert.match(stderr, /\[ETL_SQL(_LIMIT)?\]/);
  }
  const { code, stderr } = await ask(['totals', 'SELECT 1 AS a', '-o', 'link.csv']);
  assert.deepEqual([code, stderr, readFileSync(file, 'utf8'), statSync(file).mode & 0o777], [0, '1 row: link.csv\n', 'a\n1\n', 0o640]);
  assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith('.etl-stream')), []);
});

test('where no file may be written', async () => {
  mkdirSync(join(folder, 'there'));
  symlinkSync(join(folder, 'totals'), join(folder, 'there', 'in'));
  for (const [file, code, message] of [
    ['there', 2, /--output there is a folder\. \[ETL_USAGE\]/], ['totals/x.csv', 2, /inside the dataset/], ['there/in/x.parquet', 2, /inside the dataset/], ['totals', 2, /is a folder/], ['', 2, /must be the path of a file/],
    ['.totals.versions/x.csv', 2, /inside the dataset/], ['.totals.state/x.csv', 2, /inside the dataset/], ['x.csv.gz', 2, /--output x\.csv\.gz says no format.*\[ETL_USAGE\]\n {2}Let it end with \.csv/],
    ['none/x.csv', 1, /Cannot write none\/x\.csv: there is no folder none\. \[ETL_OUTPUT_WRITE\]/], ['none/x.parquet', 1, /there is no folder none/], ['logs.csv/x.csv', 1, /\[ETL_OUTPUT_WRITE\]/],
    ...(process.platform === 'linux' ? [['/dev/full', 1, /Cannot write \/dev\/full: ENOSPC.*\[ETL_OUTPUT_WRITE\]/] as const] : []),
  ] as const) {
    const result = await ask(['totals', BY_USER, '-o', file]);
    assert.deepEqual([result.code, result.stdout], [code, ''], `${file}: ${result.stderr}`);
    assert.match(result.stderr, message);
  }
  assert.deepEqual([existsSync(join(folder, 'none')), existsSync(join(folder, 'x.csv.gz')), readdirSync(temp)], [false, false, []]);
  assert.deepEqual(readdirSync(join(folder, 'totals')).filter((name) => !/^(geo_region=|_)/.test(name)), []);
});

test('- and /dev/stdout are standard output', async () => {
  const { code, stdout, stderr } = await query(['totals', 'SELECT 7 AS a', '-o', '-', '--format', 'csv']);
  assert.deepEqual([code, stdout, existsSync(join(folder, '-'))], [0, 'a\n7\n', false], stderr);
  if (process.platform === 'win32') return;
  const command = `'${process.execPath}' '${PROGRAM}' query totals 'SELECT 7 AS a' -q -o /dev/stdout --format csv | cat`;
  assert.equal(execFileSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8' }), 'a\n7\n');
});

test('what is wrong is told with its place, and what to do; nothing is on standard output', async () => {
  for (const [args, code, message] of [
    [['totals', 'SELECT nothing FROM watch_time'], 1, /^etl-stream: Binder Error.*"nothing".* \[ETL_SQL\]\n(  .*\n)*  LINE 1: SELECT nothing FROM watch_time\n {17}\^\n  There are watch_time, runs, inputs and rejects/],
    [['totals', 'SELECT 1; SELECT 2'], 1, /one statement .*\[ETL_SQL\]/], [['totals', ' -- \n;'], 2, /There is no SQL\. \[ETL_USAGE\]/], [['totals'], 2, /There is no SQL/],
    [['none', 'SELECT 1'], 1, /There is no dataset at none/], [['totals', 'SELECT 1', '--format', 'xml'], 2, /must be one of table, csv, json, parquet/], [['totals', 'SELECT 1', '--jobs', '0'], 2, /--jobs.*\n {2}etl-stream query --help lists what is accepted\./],
    [['totals', 'SELECT count(*) FROM range(1000000000000)', '--timeout', '1s'], 1, /\[ETL_SQL_LIMIT\]/],
    [['totals', 'FROM', 'watch_time'], 2, /\[ETL_USAGE\]\n {2}.*between quotes/], [['totals', `SELECT 'a' + 1`], 1, /\n {4}Candidate functions:\n/],
    [['totals', `SELECT cast(E'etl-stream: done\\n\\x1b[31m\\netl-stream: x' AS INTEGER)`], 1, /\[ETL_SQL\]/],
  ] as [string[], number, RegExp][]) {
    const result = await ask(args);
    assert.deepEqual([result.code, result.stdout], [code, ''], `${args.join(' ')}: ${result.stderr}`);
    assert.match(result.stderr, message);
    assert.doesNotMatch(result.stderr.slice(1), /\u001b|^etl-stream:/m, 'a value cannot look like a message');
  }
  const latin = await query(['totals'], Buffer.from('SELECT \xe4', 'latin1'));
  assert.match(latin.stderr, /is no UTF-8\. \[ETL_USAGE\]/);
  const json = await query(['totals', 'SELECT x', '--log-format', 'json']);
  assert.deepEqual([(JSON.parse(json.stderr) as { code: string }).code, json.code], ['ETL_SQL', 1]);
});

test('a signal ends a query that is printing, a reader that has seen enough too; nothing of it is left', async () => {
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
    const { child, result } = start(['query', 'totals', 'FROM range(1000000000000)', '--format', 'csv'], folder, undefined, environment);
    await once(child.stdout!, 'readable'); // and is not read: it waits for room
    child.kill(signal);
    assert.deepEqual([(await result).code, readdirSync(temp)], [code, []]);
  }
  const waiting = start(['query', 'totals'], folder, undefined, environment);
  waiting.child.stdin!.write('SELECT');
  await once(waiting.child, 'spawn');
  const { child, result } = start(['query', 'totals', 'FROM range(1000000000000)'], folder, undefined, environment);
  const isClosed = assert.rejects(result, { code: 'ERR_STREAM_PREMATURE_CLOSE' });
  await once(child.stdout!, 'readable');
  child.stdout!.destroy();
  const [code] = await once(child, 'exit') as [number];
  await isClosed;
  assert.deepEqual([code, readdirSync(temp)], [0, []]);
  waiting.child.stdin!.end(' 1 AS a');
  assert.equal((await waiting.result).stdout, 'a\n-\n1\n', 'SQL that comes bit by bit');
});

test('what a run says of how to query its result is so', { skip: process.platform === 'win32' }, async () => {
  for (const [grouping, column] of [['region', 'geo_region'], ['user', 'user_id']] as const) {
    const { stderr } = await resident(['logs.csv', '-o', `by-${grouping}`, '--group-by', grouping, '--no-state', '--max-rejects', '100%'], folder);
    const [, first, second] = /^query {6}etl-stream (.*)\n {11}(.*)$/m.exec(stderr)!;
    const command = `'${process.execPath}' '${PROGRAM}' ${first}\n${second}`;
    const rows = execFileSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n');
    assert.match(rows[0]!, new RegExp(`^${column} +`));
    assert.ok(rows.length > 3, rows.join('\n'));
  }
});

test('options in the environment; no rows have columns', async () => {
  const result = await resident(['query', 'totals', 'SELECT 1 AS a'], folder, { ...environment, ETL_STREAM_QUERY_FORMAT: 'json', ETL_STREAM_MEMORY: '300MB' });
  assert.deepEqual([result.code, result.stdout, result.stderr], [0, '[\n{"a":1}\n]\n', '']);
  const quiet = await ask(['totals', 'SELECT 1 AS a WHERE false', '-q']);
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, 'a\n-\n', '']);
});
