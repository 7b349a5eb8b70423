/** Rejects as CSV: an independent reader finds all of them in it, and what was escaped for spreadsheets comes back exactly. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { rejectLine, type Reject, type RejectCode } from '../../lib/core/rejects.ts';
import { escapedBytes, escapeField } from '../../lib/core/spreadsheet.ts';
import { REJECT_COLUMNS, rejectsAsCsv } from '../../lib/dataset/rejects-csv.ts';
import { random } from '../random.ts';

const DANGEROUS = ['=', '+', '-', '@', '\t', '\r', '\n', "'"];

test('escaping: nothing that a spreadsheet takes for a formula is left, numbers are, and it can be undone', () => {
  const next = random(3);
  const pieces = [...DANGEROUS, "''", '1', '.', '5', 'a', 'é', ',', '"', ' ', '-1', '+.5', '1e3'];
  const texts = ['', '-5', '+1.5', '-.5', '+5.', '-', '+', "'", "''", "'-5", "'=x", '=1+1', '-1-1', '-5 ', '\t5', '@x', '\u0000=', `-${'9'.repeat(1000)}`];
  for (let i = 0; i < 20_000; i++) texts.push(Array.from({ length: Math.floor(next() * 5) }, () => pieces[Math.floor(next() * pieces.length)]).join(''));
  let escaped = 0;
  for (const text of texts) {
    const field = escapeField(text);
    const isNumber = /^[+-](\d+\.?\d*|\.\d+)$/.test(text) && text.length < 400;
    assert.equal(field, DANGEROUS.includes(text[0]!) && !isNumber ? `'${text}` : text, JSON.stringify(text));
    assert.ok(!/^[=+\-@\t\r\n]/.test(field) || isNumber, JSON.stringify(field));
    const bytes = Buffer.from(field);
    assert.equal(bytes.subarray(escapedBytes(bytes)).toString(), text, JSON.stringify(text));
    escaped += field === text ? 0 : 1;
  }
  assert.ok(escaped > 5000);
  assert.deepEqual(["'x", "'5", "'-5", "'", 'x'].map((text) => escapedBytes(Buffer.from(text))), [0, 0, 0, 0, 0], 'and what was not escaped is left');
});

test('a record for each line, cut anywhere, read by csv-parse', async () => {
  const next = random(8);
  const some = (): string => Array.from({ length: Math.floor(next() * 8) }, () => ['a', '"', ',', '\n', '\r', '=', 'é', '\u{1f600}', "'", '\0'][Math.floor(next() * 10)]).join('');
  const codes: [RejectCode, string | undefined][] = [['bad_value', 'v'], ['missing_id', 'i'], ['field_count', undefined], ['rule', 'other'], ['rule', 'u']];
  const rejects = Array.from({ length: 500 }, (_, line): Reject => {
    const [code, column] = codes[line % codes.length]!;
    const row = code === 'field_count' || line % 11 === 0 ? undefined : { i: some(), u: some(), p: some(), v: some() };
    return {
      file: some(), line, byte: line * 2 ** 30, fieldByte: undefined, column, code, rule: code === 'rule' ? `pattern=${some()}` : undefined, message: some(), raw: some(),
      rawBase64: undefined, truncated: false, row,
    };
  });
  const lines = Buffer.from(rejects.map(rejectLine).join(''));
  const columns = ['i', 'u', 'p', 'v'];
  const expected = rejects.map((reject) => {
    const row = reject.column === 'other' ? undefined : reject.row;
    const said = [reject.file, reject.line, reject.byte, reject.column ?? '', reject.code, reject.rule ?? '', reject.message, reject.raw].map(String);
    return [...columns.map((name) => row?.[name as 'i'] ?? ''), ...said].map(escapeField);
  });
  for (const size of [1, 7, 1000, 1 << 20]) {
    const pieces = Array.from({ length: Math.ceil(lines.length / size) }, (_, i) => lines.subarray(i * size, (i + 1) * size));
    const text = (await Readable.from(rejectsAsCsv(Readable.from(pieces), columns)).toArray()).join('');
    assert.deepEqual(parse(text, { record_delimiter: '\n' }), [[...columns, ...REJECT_COLUMNS], ...expected], `pieces of ${size}`);
  }
});
