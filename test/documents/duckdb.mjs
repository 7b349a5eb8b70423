// `duckdb -c SQL` for documents: DuckDB's library, printing as its command line (1.5) does, which is not on npm.
import { DuckDBInstance } from '@duckdb/node-api';

const [flag, sql, ...more] = process.argv.slice(2);
if (flag !== '-c' || sql === undefined || more.length > 0) {
  console.error('only duckdb -c SQL is known here');
  process.exit(2);
}
const NAMES = { TINYINT: 'int8', SMALLINT: 'int16', INTEGER: 'int32', BIGINT: 'int64', HUGEINT: 'int128', UBIGINT: 'uint64' };
const NUMBERS = /INT$|^INTEGER$|^DECIMAL|^DOUBLE$|^FLOAT$/;

const connection = await (await DuckDBInstance.create(':memory:')).connect();
const reader = await connection.runAndReadAll(sql);
const rows = reader.getRowsJson();
const columns = reader.columnNames().map((name, at) => {
  const type = String(reader.columnType(at));
  const texts = rows.map((row) => (row[at] === null ? 'NULL' : String(row[at])));
  const head = [name, NAMES[type] ?? type.toLowerCase()];
  return { head, texts, isNumber: NUMBERS.test(type), width: Math.max(...[...head, ...texts].map((text) => text.length)) };
});
const rule = (left, middle, right) => left + columns.map(({ width }) => '─'.repeat(width + 2)).join(middle) + right;
const line = (cells) => `│ ${cells.join(' │ ')} │`;
const centred = (text, width) => text.padStart(text.length + ((width - text.length) >> 1)).padEnd(width);
console.log([
  rule('┌', '┬', '┐'),
  ...[0, 1].map((at) => line(columns.map(({ head, width }) => centred(head[at], width)))),
  rule('├', '┼', '┤'),
  ...rows.map((_, at) => line(columns.map(({ texts, isNumber, width }) => (isNumber ? texts[at].padStart(width) : texts[at].padEnd(width))))),
  rule('└', '┴', '┘'),
].join('\n'));
