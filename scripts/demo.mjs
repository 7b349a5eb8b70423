// npm run demo: about 200 MB of logs, the job, the same once more, which finds nothing new, and a look at the result. Everything goes to demo-output/, made anew.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';

const program = 'dist/bin/etl-stream.js';
const run = (...args) => {
  console.log(`\n$ etl-stream ${args.join(' ')}`);
  const { status } = spawnSync(process.execPath, [program, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
};

rmSync('demo-output', { recursive: true, force: true });
run('generate', 'demo-output/logs', '--files', '4', '--size', '200MB', '--users', '400000', '--bad-rows', '0.0005');
run('demo-output/logs', '-o', 'demo-output/totals');
run('demo-output/logs', '-o', 'demo-output/totals');

const connection = await (await DuckDBInstance.create(':memory:')).connect();
const show = async (title, sql) => {
  const rows = (await connection.runAndReadAll(sql)).getRowsJS();
  console.log(`\n${title}`);
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  for (const row of rows) console.log(row.map((cell, column) => (column === 0 ? String(cell).padEnd(widths[column]) : String(cell).padStart(widths[column]))).join('  '));
};
const totals = `read_parquet('demo-output/totals/*/*.parquet', hive_partitioning = true)`;
await show('Top users (user, region, minutes, logs), read back from the Parquet:',
  `select user_id, geo_region, total_watch_time, log_count from ${totals} order by total_watch_time desc, user_id limit 5`);
await show('Top regions (region, minutes, logs, users):',
  `select geo_region, sum(total_watch_time)::bigint, sum(log_count)::bigint, count(*) from ${totals} group by all order by 2 desc, 1 limit 8`);
console.log('\nThe logs and totals are in demo-output/.');
