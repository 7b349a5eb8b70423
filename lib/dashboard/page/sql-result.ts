/** The answer to a query as a table, and links to all of it as files. Values are as DuckDB writes them. */
import { h, visible, type Child } from '../../page/dom.ts';
import { count, number, seconds } from '../../page/format.ts';
import { table } from '../../page/table.ts';
import type { QueryAnswer } from '../api.ts';
import { addressFor } from './load.ts';
import { longText } from './long-text.ts';

const MOST_CELL = 160;

/** `sql`: the query that this is the answer to. */
export function resultOf(sql: string, answer: QueryAnswer): HTMLElement {
  const { snapshot, columns, rows, isCut } = answer;
  if (columns.length === 2 && columns[0]!.name === 'explain_key' && columns[1]!.name === 'explain_value') return h('div', { class: 'result' }, ...rows.map(([, plan]) => planOf(plan ?? '')));
  const download = (format: 'csv' | 'parquet', name: string): HTMLElement => h('a', { href: addressFor('api/export', { sql, format, snapshot }), download: `query.${format}` }, `Download ${name}`);
  const result = table(`Result: ${count(rows.length, 'row')}${isCut ? ', the first ones' : ''}`, columns.map(({ name, isNumber }) => ({ name: name, isFigure: isNumber })),
    rows.map((row) => row.map((value) => cell(value))));
  for (const [at, heading] of [...result.querySelectorAll('thead th')].entries()) heading.append(h('span', { class: 'type' }, columns[at]!.type));
  return h('div', { class: 'result' },
    result,
    isCut && h('p', { class: 'note' }, `The first ${number(rows.length)} rows are shown; a download has all of them.`),
    h('p', { class: 'downloads' }, download('csv', 'CSV'), download('parquet', 'Parquet')));
}

/** As EXPLAIN gives it: a drawing of many lines. */
function planOf(plan: string): HTMLElement {
  return h('pre', { tabindex: '0', role: 'region', 'aria-label': 'Plan of the query' }, plan.trimEnd().split('\n').map((line) => (line === '' ? '' : visible(line))).join('\n'));
}

/** What is told of it when it comes. */
export function statusOf({ rows, isCut, seconds: took }: QueryAnswer): string {
  return `${isCut ? 'More than ' : ''}${count(rows.length, 'row')} in ${seconds(took)}.`;
}

function cell(value: string | null): Child {
  if (value === null) return h('span', { class: 'null' }, 'NULL');
  return value === '' ? h('span', { class: 'null' }, '(empty)') : longText(value, MOST_CELL);
}
