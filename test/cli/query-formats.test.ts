/** Results as text: read back by other readers, to the last digit; and what the prompt takes for a statement. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { painter } from '../../lib/cli/color.ts';
import { csvWriter } from '../../lib/cli/query/csv.ts';
import { writeResult, type MakeWriter } from '../../lib/cli/query/format.ts';
import { jsonWriter } from '../../lib/cli/query/json.ts';
import { isBlank, statementEnd } from '../../lib/cli/query/statement.ts';
import { tableWriter } from '../../lib/cli/query/table.ts';
import { widthOf } from '../../lib/cli/query/width.ts';
import type { ResultColumn } from '../../lib/index.ts';
import { random as seeded } from '../random.ts';

type Row = readonly (string | null)[];

const text = (name: string): ResultColumn => ({ name, type: 'VARCHAR', isNumber: false });
const number = (name: string, type = 'BIGINT'): ResultColumn => ({ name, type, isNumber: true });

/** `batchRows`: so many rows come at a time. */
async function written(make: MakeWriter, columns: readonly ResultColumn[], rows: readonly Row[], batchRows = 3): Promise<string> {
  let all = '';
  async function* batches() {
    for (let from = 0; from < rows.length; from += batchRows) {
      const some = rows.slice(from, from + batchRows);
      yield { rows: some.length, columns: columns.map((_, at) => some.map((row) => row[at]!)) };
    }
  }
  const count = await writeResult({ columns, batches }, make, async (more) => void (all += more));
  assert.equal(count, rows.length);
  return all;
}

const plain = tableWriter({ isShown: false, paint: painter(false) });
const shown = tableWriter({ isShown: true, paint: painter(false) });
const HOSTILE = ['', 'a,b', '"', '""x"', 'line\nend', 'cr\rlf\r\n', '=1+1', "'", ' x ', '\u202eright', '\u001b[31m', '\t', 'ü', '漢字', '👍🏽', 'NULL', '\\N', '<b>', '\ufeff'];

test('CSV and JSON, read back by others, have every value', async () => {
  const seed = Number(process.env.ETL_FUZZ_SEED ?? 7);
  const next = seeded(seed);
  const pick = (): string => Array.from({ length: 1 + Math.floor(next() * 3) }, () => HOSTILE[Math.floor(next() * HOSTILE.length)]!).join('');
  const rows = Array.from({ length: 300 }, (): Row => [next() < 0.1 ? null : pick(), pick(), String(Math.floor(next() * 1e9))]);
  const columns = [text('a,"b'), text('__proto__'), number('n')];
  const csv = await written(csvWriter(), columns, rows);
  const read = parse(csv, { relax_column_count: false, bom: false }) as string[][];
  assert.deepEqual(read, [columns.map(({ name }) => name), ...rows.map((row) => row.map((value) => value ?? ''))], `seed ${seed}`);
  const json = await written(jsonWriter, columns, rows);
  const objects = JSON.parse(json) as Record<string, unknown>[];
  assert.deepEqual(objects.map((object) => columns.map(({ name }) => object[name])), rows.map(([a, b, n]) => [a, b, Number(n)]), `seed ${seed}`);
  assert.equal(json.split('\n').length, rows.length + 3, 'an object a line');
});

test('CSV tells NULL from an empty text, and has no empty lines', async () => {
  assert.equal(await written(csvWriter(), [text('a'), text('b')], [[null, ''], ['', null]]), 'a,b\n,""\n"",\n');
  assert.equal(await written(csvWriter(), [text('a')], [[null], ['']]), 'a\n""\n""\n');
  assert.equal(await written(csvWriter(), [text('a'), number('b')], []), 'a,b\n', 'no rows');
  assert.equal(await written(csvWriter(true), [text('a')], [['x\u001b]0;t\u0007\ny']]), 'a\nx\\x1b]0;t\\x07\\x0ay\n', 'on a terminal');
});

test('JSON has numbers with all their digits, null for what is none, and names that are told apart', async () => {
  const columns = [number('a', 'HUGEINT'), number('a', 'DECIMAL(18,2)'), number('d', 'DOUBLE'), { name: 'b', type: 'BOOLEAN', isNumber: false }, { name: 'j', type: 'JSON', isNumber: false }];
  const rows = [['170141183460469231731687303715884105727', '0.10', '1e+20', 'true', '{"x":\n[1]}'], ['-1', '-0.50', 'nan', 'false', null], [null, null, '-inf', null, '"\\u2028"']];
  assert.equal(await written(jsonWriter, columns, rows), `[
{"a":170141183460469231731687303715884105727,"a_1":0.10,"d":1e+20,"b":true,"j":{"x": [1]}},
{"a":-1,"a_1":-0.50,"d":null,"b":false,"j":null},
{"a":null,"a_1":null,"d":null,"b":null,"j":"\\u2028"}
]
`);
  assert.equal(await written(jsonWriter, [text('a')], []), '[]\n');
  assert.deepEqual(JSON.parse(await written(jsonWriter, ['a', 'a', 'a_1'].map(text), [['1', '2', '3']])), [{ a: '1', a_2: '2', a_1: '3' }]);
});

test('a table is aligned by what its text takes on a terminal, and tells NULL from a text', async () => {
  assert.equal(await written(plain, [text('name'), number('n'), text('last')], [['ann', '7', null], ['漢字', '-1234', 'NULL'], ['e\u0301', null, "'NULL'"]]), [
    'name      n  last', '----  -----  --------', 'ann       7  NULL', "漢字  -1234  'NULL'", "e\u0301      NULL  ''NULL''", '',
  ].join('\n'));
  assert.equal(await written(plain, [text('a'), number('bc')], []), 'a  bc\n-  --\n', 'no rows');
  assert.equal(await written(plain, [], [[], []]), '\n\n', 'no columns');
  assert.match(await written(tableWriter({ isShown: true, paint: painter(true) }), [text('a')], [[null]]), /\u001b\[2mNULL\u001b\[22m\n$/);
});

test('no value of a table is acted upon by a terminal, takes two lines, or is cut but on a terminal; numbers never are', async () => {
  const long = `${'漢'.repeat(100)}\u202e\n`;
  const digits = '1'.repeat(200);
  const columns = [text('a\u001b[31m\n'), text('b'), number('n', 'HUGEINT')];
  const all = await written(plain, columns, [[long, 'x', digits], ...HOSTILE.map((value): Row => [value, value, '1'])]);
  assert.ok(all.includes(`${'漢'.repeat(100)}\\u202e\\x0a  x`), 'what is over its width shifts the rest');
  const cut = await written(shown, columns, [[long, 'x', digits]]);
  const [, , row] = cut.split('\n');
  assert.ok(row!.startsWith(`${'漢'.repeat(38)}...`) && row!.endsWith(digits), row);
  for (const made of [all, cut]) assert.doesNotMatch(made, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  assert.equal(all.split('\n').length, HOSTILE.length + 4);
});

test('a plan is shown as it is drawn, on a terminal too, and nothing else of it is acted upon', async () => {
  const columns = [text('explain_key'), text('explain_value')];
  const drawn = `${'┌'.padEnd(100, '─')}┐\n│ \u001b[31m │\n`;
  for (const make of [plain, shown]) assert.equal(await written(make, columns, [['logical_plan', drawn], ['physical_plan', drawn]]), drawn.replace('\u001b', '\\x1b').repeat(2));
});

test('widths are those of the first 1,000 rows, in any batches; a later row that is wider is whole', async () => {
  const rows = Array.from({ length: 2500 }, (_, n): Row => [n === 999 ? 'x'.repeat(9) : n === 1000 ? 'y'.repeat(20) : 'z', String(n)]);
  const columns = [text('a'), number('n')];
  const wanted = await written(plain, columns, rows, 2500);
  for (const batchRows of [1, 7, 999, 1000, 1001]) assert.equal(await written(plain, columns, rows, batchRows), wanted);
  const lines = wanted.split('\n');
  assert.deepEqual([lines[2], lines[1001], lines[1002], lines[1003]], ['z            0', 'xxxxxxxxx  999', `${'y'.repeat(20)}  1000`, 'z          1001']);
  assert.ok(lines.slice(2, 1002).every((line) => widthOf(line) === 14));
});

test('rows are written as they come, and a reader that fails ends the query', async () => {
  let made = 0;
  let isEnded = false;
  async function* batches() {
    try {
      for (;;) yield { rows: 1000, columns: [Array.from({ length: 1000 }, () => String(made++))] };
    } finally {
      isEnded = true;
    }
  }
  await assert.rejects(writeResult({ columns: [number('n')], batches }, plain, async () => Promise.reject(new Error('full'))), /full/);
  assert.deepEqual([made, isEnded], [1000, true]);
});

test('a statement ends at a ; that is no part of a text, a name or a comment', () => {
  const whole: readonly string[] = [
    'SELECT 1;', "SELECT ';';", `SELECT "a;b" FROM t;`, "SELECT 'it''s;';", "SELECT e'\\';';", "SELECT 1 -- ;\n;", 'SELECT /* ; /* ; */ ; */ 1;', 'SELECT $$;$$;', 'SELECT $a$;$$;$a$;', "SELECT name'x;';", '; ', 'SELECT $1 + $2;',
  ];
  for (const sql of whole) {
    assert.equal(statementEnd(sql), sql.trimEnd().length, sql);
    for (let end = 0; end < sql.trimEnd().length; end++) assert.equal(statementEnd(sql.slice(0, end)), undefined, sql.slice(0, end));
  }
  assert.equal(statementEnd('SELECT 1; SELECT 2;'), 9);
  assert.equal(statementEnd(`SELECT '${'('.repeat(1e6)}`), undefined, 'in no time');
  for (const blank of ['', ' \n', ';', '-- x', '/* y */ ; ; -- z']) assert.ok(isBlank(blank), blank);
  for (const not of ['x', "''", '(', '-', '/']) assert.ok(!isBlank(not), not);
});
