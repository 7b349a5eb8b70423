// The same job by DuckDB, as fast as we could write it: node duckdb.mjs <folder> <output> <ranges> [formulation] [memory limit].
// Plain JavaScript, so that no transpiler is in its time. What the formulations gave stands in ../README.md.
import { DuckDBInstance } from '@duckdb/node-api';

const THREADS = 2;
const [folder, output, ranges, name, memoryLimit] = process.argv.slice(2);
const quote = (text) => `'${text.replaceAll("'", "''")}'`;

const log = (id = 'VARCHAR') => `read_csv(${quote(`${folder}/*.csv`)}, header = true, auto_detect = false, delim = ',', quote = '"',
  escape = '"', columns = {log_id: '${id}', user_id: 'VARCHAR', timestamp: 'VARCHAR', ip_address: 'VARCHAR', watch: 'INTEGER'})`;

// Address text to numbers: ip4 or ip6 is null. `::` is filled up with zeros first.
const numbers = (from, columns) => `(
  SELECT ${columns}, (q[1]::UINTEGER << 24) + (q[2]::UINTEGER << 16) + (q[3]::UINTEGER << 8) + q[4] AS ip4,
    ((g[1] << 48) + (g[2] << 32) + (g[3] << 16) + g[4])::UHUGEINT * 18446744073709551616
      + ((g[5]::UHUGEINT << 48) + (g[6] << 32) + (g[7] << 16) + g[8]) AS ip6, g
  FROM (SELECT ${columns},
      CASE WHEN NOT contains(ip_address, ':') THEN TRY_CAST(string_split(ip_address, '.') AS UTINYINT[]) END AS q,
      CASE WHEN contains(ip_address, ':') THEN TRY_CAST(list_transform(string_split(filled(ip_address), ':'), lambda x: '0x' || x) AS UBIGINT[]) END AS g
    FROM ${from}))`;

// Numbers to regions by a hash join on buckets that the ranges are cut at (see ../ranges.ts).
const regions = (from, columns) => `(
  SELECT ${columns}, coalesce(ip4_range.region, ip6_range.region, 'ZZ'::region) AS region
  FROM (SELECT ${columns}, ip4::UINTEGER AS ip4, ip4::UINTEGER >> 13 AS bucket4, ip6,
      CASE WHEN g[1] IN (SELECT prefix FROM fine_prefix) THEN 268435456 + (g[1] << 12) + (g[2] >> 4) ELSE g[1] END::UINTEGER AS bucket6
    FROM ${numbers(from, columns)}) AS address
  LEFT JOIN ip4_range ON bucket4 = ip4_range.bucket AND ip4 BETWEEN ip4_range.first AND ip4_range.last
  LEFT JOIN ip6_range ON bucket6 = ip6_range.bucket AND ip6 BETWEEN ip6_range.first AND ip6_range.last)`;

// Equal ids of generated logs are equal rows, so that any of them may win.
const once = (aggregate, from, columns) => `(
  SELECT ${columns.map((column) => `${aggregate}(${column}) AS ${column}`).join(', ')} FROM ${from} GROUP BY log_id)`;

const sums = (from) => `SELECT region::VARCHAR AS geo_region, user_id, sum(watch)::BIGINT AS total_watch_time, count(*) AS log_count
  FROM ${from} GROUP BY region, user_id`;

const unmapped = ['user_id', 'watch', 'ip_address'];
const mapped = ['user_id', 'watch', 'region'];
const mappedLog = (id) => regions(log(id), 'log_id, user_id, watch');

// Without this the optimizer, which cannot know how many rows a CSV file has, builds a hash table of all logs.
const smallTablesBuild = "SET disabled_optimizers = 'build_side_probe_side'";
const uniqueLogs = `CREATE TABLE unique_log AS SELECT user_id, watch, ip4::UINTEGER AS ip4, ip6 FROM ${numbers(once('first', log(), unmapped), 'user_id, watch')}`;

/** The default first. Each is the statements to run before its query, and the query. */
const formulations = {
  'dedup by any_value(), then region': [sums(regions(once('any_value', log(), unmapped), 'user_id, watch'))],
  'dedup to a table, then region by ASOF joins': [uniqueLogs, sums(`(
    SELECT user_id, watch, region FROM unique_log ASOF JOIN ip4_start ON ip4 >= first WHERE ip4 IS NOT NULL
    UNION ALL SELECT user_id, watch, region FROM unique_log ASOF JOIN ip6_start ON ip6 >= first WHERE ip6 IS NOT NULL)`)],
  'dedup by first(), then region': [sums(regions(once('first', log(), unmapped), 'user_id, watch'))],
  'dedup by first(), then region, small tables build': [smallTablesBuild, sums(regions(once('first', log(), unmapped), 'user_id, watch'))],
  'dedup by DISTINCT ON, then region': [sums(regions(`(SELECT DISTINCT ON (log_id) log_id, user_id, watch, ip_address FROM ${log()})`, 'user_id, watch'))],
  'ids as UUID, dedup by first(), then region': [sums(regions(once('first', log('UUID'), unmapped), 'user_id, watch'))],
  'region, then dedup by first()': [smallTablesBuild, sums(once('first', mappedLog(), mapped))],
  'region, then ids as UUID, dedup by first()': [smallTablesBuild, sums(once('first', mappedLog('UUID'), mapped))],
  'region, then ids as 128-bit MD5, dedup by first()': [smallTablesBuild, sums(once('first',
    `(SELECT md5_number(log_id) AS log_id, * EXCLUDE (log_id) FROM ${mappedLog()})`, mapped))],
  'region, then dedup by DISTINCT ON': [smallTablesBuild, sums(`(SELECT DISTINCT ON (log_id) * FROM ${mappedLog()})`)],
  'region, then dedup by DISTINCT of all columns': [smallTablesBuild, sums(`(SELECT DISTINCT * FROM ${mappedLog()})`)],
  'region, then dedup by row_number()': [smallTablesBuild,
    sums(`(SELECT * FROM ${mappedLog()} QUALIFY row_number() OVER (PARTITION BY log_id) = 1)`)],
  'dedup, sum per user and address, then region, sum again': [`
    SELECT region::VARCHAR AS geo_region, user_id, sum(watch)::BIGINT AS total_watch_time, sum(logs)::BIGINT AS log_count
    FROM ${regions(`(SELECT user_id, ip_address, sum(watch) AS watch, count(*) AS logs FROM ${once('first', log(), unmapped)} GROUP BY ALL)`, 'user_id, watch, logs')}
    GROUP BY region, user_id`],
};

if (folder === '--list') {
  process.stdout.write(Object.keys(formulations).join('\n') + '\n');
  process.exit();
}

const instance = await DuckDBInstance.create(':memory:', { threads: String(THREADS) });
const connection = await instance.connect();
const statements = formulations[name || Object.keys(formulations)[0]];
const result = statements.at(-1);
const wide = (column) => `${column}_high::UHUGEINT * 18446744073709551616 + ${column}_low AS ${column}`;
const tables = {
  ip4_range: ['ip4-buckets', '* REPLACE (region::region AS region)'],
  ip6_range: ['ip6-buckets', `bucket, ${wide('first')}, ${wide('last')}, region::region AS region`],
  fine_prefix: ['ip6-fine-prefixes', '*'],
  ip4_start: ['ip4', '* REPLACE (region::region AS region)'],
  ip6_start: ['ip6', `${wide('first')}, region::region AS region`],
};
const parquet = (file) => quote(`${ranges}/${file}.parquet`);
for (const statement of [
  'SET preserve_insertion_order = false',
  ...(memoryLimit ? [`SET memory_limit = ${quote(memoryLimit)}`, `SET temp_directory = ${quote(`${output}.tmp`)}`] : []),
  'SET partitioned_write_max_open_files = 400', // there are some 240 regions; 100 is the default
  `CREATE MACRO filled(ip) AS trim(replace(ip, '::', ':' || repeat('0:',
    8 - (length(ip) - length(replace(ip, ':', ''))) + starts_with(ip, '::')::INTEGER + ends_with(ip, '::')::INTEGER)), ':')`,
  `CREATE TYPE region AS ENUM (SELECT region FROM ${parquet('regions')} ORDER BY region)`,
  ...Object.entries(tables).filter(([table]) => result.includes(table))
    .map(([table, [file, columns]]) => `CREATE TABLE ${table} AS SELECT ${columns} FROM ${parquet(file)}`),
  ...statements.slice(0, -1),
  `COPY (${result}) TO ${quote(output)} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (geo_region))`,
]) {
  await connection.run(statement);
}
connection.closeSync();
instance.closeSync();
