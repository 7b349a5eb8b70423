/** `runs`, `inputs` and `rejects` are what reports, ledger and rejects file say; the library's door; and what is said where there is no DuckDB. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { describeState, openQueries, queryDataset, readReports, run, type RejectRecord } from '../../lib/index.ts';
import { temporaryFolder } from '../temporary.ts';
import { treeOf } from '../tree.ts';
import { datasetOf, noDuckDB, rowsOf, sessionOf } from './sessions.ts';

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';

test('runs are the reports, inputs the ledger, which is only looked at', { skip: noDuckDB }, async (t) => {
  const folder = temporaryFolder(t);
  const output = join(folder, 'out');
  for (const name of ['a.csv', 'b.csv']) {
    writeFileSync(join(folder, name), `${HEADER}1${name},ann,t,8.8.8.8,1.25\n1${name},ann,t,8.8.8.8,1\n2${name},bob,t,1.1.1.1,x\n`);
    await run({ inputs: [join(folder, name)], output, valueScale: 2, maxRejects: { share: 1 }, jobs: 1 });
  }
  const state = join(folder, '.out.state');
  const before = treeOf(state);
  const session = await sessionOf(t, output);
  assert.deepEqual(treeOf(state), before);
  const { reports } = await readReports(output);
  assert.equal(reports.length, 2);
  const rows = await rowsOf(session, 'SELECT run, started_at, ended_at, version, seconds, rows_read, rows_counted, rows_duplicates, rows_rejected, bytes, peak_memory_bytes, memory_limit_bytes, result_rows, result_watch_time, commit FROM runs ORDER BY started_at');
  const when = (iso: string): string => iso.replace('T', ' ').replace(/\.?0*Z$/, '');
  assert.deepEqual(rows, reports.map(({ run: name, startedAt, endedAt, version, summary, memory, result }) => [
    name, when(startedAt), when(endedAt), version, String(summary.seconds), '3', '1', '1', '1', String(summary.bytes), String(memory.peakBytes), String(memory.limitBytes), String(result.rows), result.total, String(summary.state!.commit),
  ]));
  const { inputs } = await describeState({ output });
  const listed = inputs.map(({ path, size, rows: count, commit, when: at, fingerprint }) => [path, String(size), String(count), String(commit), when(at), fingerprint, 'ledger']);
  assert.deepEqual(await rowsOf(session, 'SELECT path, size, rows, commit, counted_at, fingerprint, source FROM inputs ORDER BY commit'), listed);
  // Without the state, by the reports.
  renameSync(state, join(folder, 'away'));
  const reported = await sessionOf(t, output);
  assert.deepEqual(await rowsOf(reported, 'SELECT path, rows, rejected, commit, run, source FROM inputs ORDER BY run'), reports.map(({ run: name, inputs: { listed: [input] }, summary }) => [input!.name, '3', '1', String(summary.state!.commit), name, 'report']));
  // One of another dataset is not its own.
  await run({ inputs: [join(folder, 'a.csv')], output: join(folder, 'other'), jobs: 1, maxRejects: { share: 1 } });
  renameSync(join(folder, '.other.state'), state);
  assert.deepEqual(await rowsOf(await sessionOf(t, output), 'SELECT DISTINCT source FROM inputs'), [['report']]);
});

/** Fields of a log that is rejected for its minutes, in which CSV, spreadsheets and SQL each see something. */
const HOSTILE = ['=1+1', '+x', '-1', '-1.5.2', '@a', `'`, `''`, `'=x`, `'1`, 'a\rb', 'a\nb', '\tx', `a"b`, '日本', '', 'x'.repeat(5000), '\ufeffx', `+${'1'.repeat(500)}`, `-${'1'.repeat(300)}`, '\\N', 'NULL', 'a,b', ' '];

/** Each of them as minutes, in a field too many, and as a user that a rule does not take; and a row that is no UTF-8. The lines are those of the same run as JSON. */
async function rejectsDataset(t: TestContext, rejectsFormat: 'jsonl' | 'csv'): Promise<{ output: string; lines: RejectRecord[] }> {
  const folder = temporaryFolder(t);
  const rows = HOSTILE.map((text) => `"${text.replaceAll('"', '""')}"`).flatMap((text, n) => [`${n},ann,t,8.8.8.8,${text}\n`, `${n}b,ann,t,8.8.8.8,1,${text}\n`, `${n}c,${text},t,8.8.8.8,1\n`]);
  writeFileSync(join(folder, '-logs.csv'), Buffer.concat([Buffer.from(HEADER + rows.join('')), Buffer.from([0xff, 0x2c, 0xfe, 0x00, 0x0a])]));
  const of = async (format: 'jsonl' | 'csv'): Promise<string> => {
    const output = join(folder, format);
    await run({ inputs: [join(folder, '-logs.csv')], output, state: false, rejectsFormat: format, maxRejects: { share: 1 }, rules: [{ column: 'user_id', pattern: 'ann' }], jobs: 1 });
    return output;
  };
  const lines = readFileSync(join(await of('jsonl'), '_rejects.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as RejectRecord);
  return { output: rejectsFormat === 'jsonl' ? join(folder, 'jsonl') : await of('csv'), lines };
}

for (const format of ['jsonl', 'csv'] as const) {
  test(`rejects of ${format} are what was rejected, to the last character`, { skip: noDuckDB }, async (t) => {
    const { output, lines } = await rejectsDataset(t, format);
    assert.ok(['bad_value', 'field_count', 'rule', 'missing_value'].every((code) => lines.some((line) => line.code === code)));
    const session = await sessionOf(t, output);
    const rows = await rowsOf(session, 'SELECT file, line, byte, "column", code, rule, message, raw, reason FROM rejects ORDER BY byte');
    assert.deepEqual(rows, lines.map(({ file, line, byte, column, code, rule, message, raw }) => [file, String(line), String(byte), column, code, rule, message, raw, code === 'rule' ? `rule ${column}:${rule}` : code]));
  });
}

test('a program asks one query, and the process ends with its rows', { skip: noDuckDB }, async (t) => {
  const output = await datasetOf(temporaryFolder(t), [['ann', 'US', '1.5'], ['bob', 'DE', '2']]);
  const result = await queryDataset(output, 'SELECT user_id, total_watch_time FROM watch_time WHERE user_id <> $not ORDER BY 1', { parameters: { not: 'x' }, memory: 300e6, threads: 1, seconds: 20 });
  assert.deepEqual(result.columns.map(({ name, type }) => [name, type]), [['user_id', 'VARCHAR'], ['total_watch_time', 'DECIMAL(18,1)']]);
  const rows = [];
  for await (const row of result) rows.push(row);
  assert.deepEqual(rows, [['ann', '1.5'], ['bob', '2.0']]);
  for await (const _ of await queryDataset(output, 'FROM range(100000000)', { memory: 300e6 })) break;
  await (await queryDataset(output, 'FROM watch_time')).close();
  await assert.rejects(queryDataset(output, 'DROP VIEW watch_time'), { code: 'ETL_SQL' });
  await assert.rejects(queryDataset(`${output}-none`, 'SELECT 1'), { code: 'ETL_INPUT_NOT_FOUND' });
  await assert.rejects(queryDataset(output, 'FROM watch_time', { signal: AbortSignal.abort() }), { code: 'ETL_ABORTED' });
  for (const seconds of [0, -1, NaN, '5']) await assert.rejects(queryDataset(output, 'SELECT 1', { seconds: seconds as number }), { code: 'ETL_USAGE', message: /^seconds must be a number over 0/ });
  await assert.rejects(queryDataset(output, undefined as unknown as string), { code: 'ETL_USAGE' });
  const queries = await openQueries({ output });
  for (const path of [join(output, 'x.parquet'), join(output, 'geo_region=US', 'x.parquet'), '']) await assert.rejects(queries.exportParquet('SELECT 1', path), { code: 'ETL_USAGE' }, path);
  await queries.close();
});

test('without DuckDB the message says how to add it', { skip: !existsSync('dist/lib/sql-process.js') && 'there is no build' }, async (t) => {
  const folder = temporaryFolder(t);
  const output = await datasetOf(folder, [['ann', 'US', '1']]);
  // The built program among all of its packages but this one.
  const root = join(folder, 'installed');
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  cpSync('dist', join(root, 'dist'), { recursive: true });
  cpSync('package.json', join(root, 'package.json'));
  for (const name of readdirSync('node_modules')) if (name !== '@duckdb' && !name.startsWith('.')) symlinkSync(resolve('node_modules', name), join(root, 'node_modules', name));
  const script = `import { queryDataset } from ${JSON.stringify(join(root, 'dist/lib/index.js'))};
    await queryDataset(${JSON.stringify(output)}, 'SELECT 1').catch(({ code, message, hint }) => console.log(JSON.stringify({ code, message, hint })));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.deepEqual([stdout.trim(), stderr], [JSON.stringify({ code: 'ETL_SQL_MISSING', message: 'Queries need DuckDB, which is not installed.', hint: 'Add it by npm install @duckdb/node-api, with -g if etl-stream was installed so.' }), '']);
  rmSync(root, { recursive: true });
});
