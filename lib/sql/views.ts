/** The four tables of a dataset, in SQL. */
import type { DuckDBConnection } from '@duckdb/node-api';
import type { MemoryTable, QuerySource } from './source.ts';

type DuckDB = typeof import('@duckdb/node-api');

/** A text in SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

const COLUMNS = 'user_id, geo_region, total_watch_time, log_count';

/** Of files that are there. Filters by region are left to DuckDB, which then opens the files of these regions only. */
export function watchTimeView({ files, byUser, longRegions = {} }: Pick<QuerySource, 'files' | 'byUser' | 'longRegions'>): string {
  if (files.length === 0) return `CREATE VIEW watch_time AS SELECT ''::VARCHAR AS user_id, ''::VARCHAR AS geo_region, 0::BIGINT AS total_watch_time, 0::BIGINT AS log_count WHERE false`;
  const list = (names: readonly string[]): string => `[${names.map(literal).join(', ')}]`;
  if (byUser) return `CREATE VIEW watch_time AS SELECT ${COLUMNS} FROM read_parquet(${list(files)}, hive_partitioning = false)`;
  // A region that the folder's name does not give as it is: readers take the empty one for NULL, and a long one is cut.
  const special = new Map<string, string[]>();
  const plain: string[] = [];
  for (const file of files) {
    const folder = file.slice(0, file.indexOf('/'));
    const region = Object.hasOwn(longRegions, folder) ? longRegions[folder] : folder === EMPTY_REGION ? '' : undefined;
    if (region === undefined) plain.push(file);
    else special.set(region, [...special.get(region) ?? [], file]);
  }
  const parts = [...special].map(([region, names]) => `SELECT user_id, ${literal(region)} AS geo_region, total_watch_time, log_count FROM read_parquet(${list(names)}, hive_partitioning = false)`);
  if (plain.length > 0) parts.push(`SELECT ${COLUMNS} FROM read_parquet(${list(plain)}, hive_partitioning = true, hive_types = {'geo_region': VARCHAR})`);
  return `CREATE VIEW watch_time AS ${parts.join(' UNION ALL ')}`;
}

const EMPTY_REGION = 'geo_region=__HIVE_DEFAULT_PARTITION__';

/** Of a reject, besides `reason`, which is its code and with a rule that is broken the rule. */
const REJECT_COLUMNS = { file: 'VARCHAR', line: 'BIGINT', byte: 'BIGINT', field_byte: 'BIGINT', column: 'VARCHAR', code: 'VARCHAR', rule: 'VARCHAR', message: 'VARCHAR', raw: 'VARCHAR' };
const REASON = `CASE WHEN code = 'rule' THEN concat('rule ', "column", ':', rule) ELSE code END AS reason`;

/** A line has at most 64 KiB of text, which JSON may write in six times as many characters, twice over. */
const MOST_REJECT_BYTES = 2 << 20;
/** Of CSV, before those that say what is wrong. */
const GIVEN_COLUMNS = ['given_1', 'given_2', 'given_3', 'given_4'];
const CSV_COLUMNS = ['file', 'line', 'byte', 'column', 'code', 'rule', 'message', 'raw'];

/** By DuckDB's readers, when they are asked for; empty where there is no file. */
export function rejectsView(rejects: QuerySource['rejects']): string {
  const from = !rejects ? `(SELECT ${Object.entries(REJECT_COLUMNS).map(([name, type]) => `NULL::${type} AS ${identifier(name)}`).join(', ')} WHERE false)`
    : rejects.format === 'jsonl' ? jsonLines(rejects.path) : csvRecords(rejects.path);
  return `CREATE VIEW rejects AS SELECT ${REASON}, ${Object.keys(REJECT_COLUMNS).map(identifier).join(', ')} FROM ${from}`;
}

function jsonLines(path: string): string {
  const columns = Object.entries(REJECT_COLUMNS).map(([name, type]) => `${literal(name)}: ${literal(type)}`);
  return `read_json(${literal(path)}, format = 'newline_delimited', columns = {${columns.join(', ')}}, maximum_object_size = ${MOST_REJECT_BYTES})`;
}

/** As dataset/rejects-csv.ts writes them, without what core/spreadsheet.ts puts in front of what looks like a formula. */
function csvRecords(path: string): string {
  const columns = [...GIVEN_COLUMNS, ...CSV_COLUMNS].map((name) => `${literal(name)}: 'VARCHAR'`);
  const texts = (name: string): string => {
    const column = identifier(name);
    const isEscaped = `regexp_matches(${column}, '^''[=+@\\t\\n\\r''-]') AND NOT (length(${column}) <= 401 AND regexp_full_match(substr(${column}, 2), '[+-](\\d+(\\.\\d*)?|\\.\\d+)'))`;
    return `CASE WHEN ${isEscaped} THEN substr(${column}, 2) ELSE ${column} END`;
  };
  const values: Readonly<Record<string, string>> = {
    file: `coalesce(${texts('file')}, '')`, line: 'line::BIGINT', byte: 'byte::BIGINT', field_byte: 'NULL::BIGINT', column: texts('column'), code: 'code', rule: texts('rule'),
    message: `coalesce(${texts('message')}, '')`, raw: `coalesce(${texts('raw')}, '')`,
  };
  const given = Object.entries(values).map(([name, value]) => `${value} AS ${identifier(name)}`);
  return `(SELECT ${given.join(', ')} FROM read_csv(${literal(path)}, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', new_line = '\\n', `
    + `max_line_size = ${MOST_REJECT_BYTES}, columns = {${columns.join(', ')}}))`;
}

/** Makes the tables `runs` and `inputs`. */
export async function inputsAndRuns(duckdb: DuckDB, connection: DuckDBConnection, { runs, inputs }: Pick<QuerySource, 'runs' | 'inputs'>): Promise<void> {
  await makeTable(duckdb, connection, 'runs', runs);
  await makeTable(duckdb, connection, 'inputs', inputs);
}

const APPENDED_ROWS = 2048;

async function makeTable({ DuckDBDataChunk, VARCHAR }: DuckDB, connection: DuckDBConnection, name: string, { columns, rows }: MemoryTable): Promise<void> {
  const texts = `given_${name}`;
  await connection.run(`CREATE TABLE ${texts} (${columns.map((column) => `${identifier(column.name)} VARCHAR`).join(', ')})`);
  const appender = await connection.createAppender(texts);
  for (let from = 0; from < rows.length; from += APPENDED_ROWS) {
    const some = rows.slice(from, from + APPENDED_ROWS);
    const chunk = DuckDBDataChunk.create(columns.map(() => VARCHAR));
    chunk.setRows(some.map((row) => row.map((value) => (value === null ? null : String(value)))));
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
  await connection.run(`CREATE TABLE ${name} AS SELECT ${columns.map((column) => `TRY_CAST(${identifier(column.name)} AS ${column.type}) AS ${identifier(column.name)}`).join(', ')} FROM ${texts}`);
  await connection.run(`DROP TABLE ${texts}`);
}
