/** What there is to select from, for the prompt: tables with their columns, and words that Tab completes. */
import type { DatasetQueries } from '../../index.ts';

export interface CatalogTable {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

const COLUMNS = 'SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY table_oid, column_index';

/** In the order in which the tables were made. */
export async function readCatalog(queries: DatasetQueries): Promise<CatalogTable[]> {
  const tables = new Map<string, { name: string; type: string }[]>();
  for await (const { rows, columns: [names, columns, types] } of (await queries.query(COLUMNS)).batches()) {
    for (let row = 0; row < rows; row++) {
      const table = names![row]!;
      if (!tables.has(table)) tables.set(table, []);
      tables.get(table)!.push({ name: columns![row]!, type: types![row]! });
    }
  }
  return [...tables].map(([name, columns]) => ({ name, columns }));
}

/** SQL that is common in questions; functions with their parenthesis. */
const WORDS = (
  'SELECT FROM WHERE GROUP BY ORDER LIMIT OFFSET HAVING DISTINCT AS AND OR NOT NULL IS IN BETWEEN LIKE ILIKE CASE WHEN THEN ELSE END CAST WITH UNION ALL EXCEPT INTERSECT ' +
  'JOIN LEFT RIGHT FULL INNER OUTER CROSS USING ON VALUES DESC ASC NULLS FIRST LAST FILTER OVER PARTITION QUALIFY EXPLAIN ANALYZE DESCRIBE SUMMARIZE SHOW TABLES TRUE FALSE ' +
  'count( sum( avg( min( max( median( quantile_cont( round( coalesce( row_number( histogram( date_trunc( length( lower( upper('
).split(' ');

export const DOT_COMMANDS = ['.help', '.tables', '.schema', '.format', '.exit'] as const;

/** For readline: what the last word of `line` may become, and that word. */
export function complete(line: string, tables: readonly CatalogTable[], formats: readonly string[]): [hits: string[], word: string] {
  const dot = /^(\.\w*)(?:\s+(\S*))?$/.exec(line);
  if (dot?.[2] !== undefined) {
    const values = dot[1] === '.format' ? formats : dot[1] === '.schema' ? tables.map(({ name }) => name) : [];
    return [values.filter((value) => value.startsWith(dot[2]!)), dot[2]];
  }
  if (dot) return [DOT_COMMANDS.filter((command) => command.startsWith(dot[1]!)), dot[1]!];
  const word = /[\p{L}_][\p{L}\p{N}_]*$/u.exec(line)?.[0] ?? '';
  if (word === '') return [[], word];
  const names = tables.flatMap(({ name, columns }) => [name, ...columns.map((column) => column.name)]);
  const begins = (candidate: string): boolean => candidate.toLowerCase().startsWith(word.toLowerCase());
  const isSmall = word === word.toLowerCase();
  const words = WORDS.filter(begins).map((candidate) => (isSmall ? candidate.toLowerCase() : candidate));
  return [[...new Set([...names.filter(begins), ...words])], word];
}
