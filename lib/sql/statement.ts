/**
 * Which SQL is executed: one statement that only reads. DuckDB's own parser says what a statement is, three times over: there is one
 * (`extractStatements`), of the type SELECT (SHOW, DESCRIBE, SUMMARIZE, FROM and VALUES are such), and its tree (`json_serialize_sql`, which
 * takes nothing else) calls no table function but those named here: some change the session for all that come after
 * (`enable_logging`, `enable_profiling`), write files, or run a text that no one has looked at (`query`). EXPLAIN is taken where what it explains is such a statement by itself: EXPLAIN
 * ANALYZE executes it.
 */
import type { DuckDBConnection, DuckDBPreparedStatement } from '@duckdb/node-api';
import { firstStatement, explained } from './sql-text.ts';

/** A query is refused or wrong: its message is for whoever wrote it. */
export class QueryRefused extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

export interface CheckedStatement {
  /** Without what stands behind its `;`. */
  readonly sql: string;
  readonly isExplain: boolean;
}

const READS_ONLY = 'Queries only read: SELECT, FROM, WITH, VALUES, SHOW, DESCRIBE, SUMMARIZE, and EXPLAIN of one of these.';
const TABLES = 'There are watch_time, runs, inputs and rejects to select from.';
export const MOST_SQL_CHARACTERS = 1 << 20;

/** StatementType of node-api: of a file's own constants, as the module is loaded late. */
const [SELECT, EXPLAIN] = [1, 4];

/** Table functions that only compute, or tell of the catalog and of what is in the dataset's files: DuckDB's lock refuses all others. */
const TABLE_FUNCTIONS = new Set([
  'range', 'generate_series', 'unnest', 'repeat', 'repeat_row', 'json_each', 'json_tree', 'test_all_types',
  'duckdb_columns', 'duckdb_constraints', 'duckdb_databases', 'duckdb_functions', 'duckdb_keywords', 'duckdb_memory', 'duckdb_schemas',
  'duckdb_tables', 'duckdb_types', 'duckdb_views', 'pragma_table_info', 'pragma_version', 'pg_timezone_names', 'icu_calendar_names',
  'parquet_metadata', 'parquet_schema', 'parquet_file_metadata', 'parquet_kv_metadata', 'parquet_bloom_probe',
]);

/** A name that DuckDB may take for that of a file, and read it. */
const LIKE_FILE = /[./\\:*?[]/;

/** Settings have the paths of folders outside of the dataset; the plan of a text has them, too, and the text is looked at by no one. */
const HIDDEN = new Set(['duckdb_settings', 'pg_settings', 'current_setting', 'duckdb_logs', 'duckdb_secrets', 'json_serialize_plan']);

/** Throws QueryRefused, and what DuckDB throws. */
export async function checkStatement(connection: DuckDBConnection, given: string): Promise<CheckedStatement> {
  if (given.length > MOST_SQL_CHARACTERS) throw new QueryRefused(`A query has at most ${MOST_SQL_CHARACTERS} characters, and this one has ${given.length}.`);
  if (given.includes('\0')) throw new QueryRefused('A query is a text without NUL characters.');
  const { sql, isBlank, isLast } = firstStatement(given);
  if (isBlank) throw new QueryRefused('There is no query: say what to select.');
  if (!isLast) throw new QueryRefused('Only one statement can be asked at a time.', READS_ONLY);
  const rest = explained(sql);
  // Before anything else: the tree is made by the parser alone, which reads no files, as IMPORT would.
  const tree = await treeOf(connection, rest ?? sql);
  if (tree === undefined) throw /\bpivot/i.test(sql) ? new QueryRefused('A PIVOT must say which values become columns.', 'PIVOT … ON column IN (…) USING …') : refused();
  checkTree(tree);
  if (await typeOf(connection, rest ?? sql) !== SELECT) throw refused();
  if (rest !== undefined && await typeOf(connection, sql) !== EXPLAIN) throw refused();
  return { sql, isExplain: rest !== undefined };
}

/** undefined: it is no single SELECT. Throws QueryRefused for what is no SQL. */
async function treeOf(connection: DuckDBConnection, sql: string): Promise<unknown> {
  const result = await connection.runAndReadAll('SELECT json_serialize_sql($sql::VARCHAR)', { sql });
  const tree = JSON.parse(String(result.value(0, 0))) as { error: boolean; error_type?: string; error_message?: string; position?: string; statements?: unknown[] };
  if (!tree.error) return tree.statements?.length === 1 ? tree : undefined;
  if (tree.error_type === 'not implemented') return undefined;
  throw new QueryRefused(`${String(tree.error_message)}${placeIn(sql, Number(tree.position))}`);
}

/** The line in which the parser stumbled, with a mark, as DuckDB shows it. `position`: in characters. */
function placeIn(sql: string, position: number): string {
  if (!Number.isInteger(position)) return '';
  const before = sql.slice(0, position);
  const start = before.lastIndexOf('\n') + 1;
  const [line] = sql.slice(start).split('\n', 1);
  const name = `LINE ${before.split('\n').length}: `;
  return line!.length > MOST_LINE ? '' : `\n\n${name}${line}\n${' '.repeat(name.length + position - start)}^`;
}

const MOST_LINE = 200;

function checkTree(tree: unknown): void {
  const open: unknown[] = [tree];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (typeof node !== 'object' || node === null) continue;
    if (Array.isArray(node)) {
      for (const item of node) open.push(item);
      continue;
    }
    const { type, function: called, function_name: name, table_name: table, schema_name: schema, catalog_name: catalog } = node as Record<string, unknown>;
    if (type === 'TABLE_FUNCTION') {
      const tableFunction = String((called as { function_name?: unknown } | null)?.function_name).toLowerCase();
      if (!TABLE_FUNCTIONS.has(tableFunction)) throw new QueryRefused(`The function ${tableFunction} cannot be used here.`, TABLES);
      if (tableFunction.startsWith('parquet_') && !isOfDataset((called as { children?: readonly unknown[] }).children?.[0])) throw new QueryRefused(`${tableFunction} takes the name of a file, or a list of names, as a text.`, 'Names are as in geo_region=US/part-00000.parquet.');
    }
    // DuckDB puts the three together again before it looks for a file.
    const file = type === 'BASE_TABLE' || type === 'SHOW_REF' ? [catalog, schema, table].find((part) => LIKE_FILE.test(String(part ?? ''))) : undefined;
    if (file !== undefined) throw new QueryRefused(`There is no table ${String(file)}: files cannot be read here.`, TABLES);
    for (const hidden of [name, table]) {
      if (typeof hidden === 'string' && HIDDEN.has(hidden.toLowerCase().replaceAll('"', ''))) throw new QueryRefused(`${hidden} cannot be used here.`);
    }
    for (const value of Object.values(node)) if (typeof value === 'object' && value !== null) open.push(value);
  }
}

/**
 * Whether an argument is a text, or a list of some, that leads nowhere but down from the dataset's folder. DuckDB lets in whatever leads to one of the
 * dataset's files: by a way through another folder (`/home/ann/../…`) one could ask whether that is there.
 */
function isOfDataset(argument: unknown): boolean {
  const { class: of, function_name: name, children, value } = (argument ?? {}) as { class?: unknown; function_name?: unknown; children?: readonly unknown[]; value?: { value?: unknown } };
  if (of === 'FUNCTION') return name === 'list_value' && children!.length > 0 && children!.every(isOfDataset);
  const path = value?.value;
  return of === 'CONSTANT' && typeof path === 'string' && !/^[/\\~]|^[a-z]+:|(^|[/\\])\.\.([/\\]|$)/i.test(path);
}

async function typeOf(connection: DuckDBConnection, sql: string): Promise<number> {
  const extracted = await connection.extractStatements(sql);
  if (extracted.count !== 1) throw refused();
  const prepared: DuckDBPreparedStatement = await extracted.prepare(0);
  try {
    return prepared.statementType;
  } finally {
    prepared.destroySync();
  }
}

function refused(): QueryRefused {
  return new QueryRefused('This statement is refused.', READS_ONLY);
}
