/** The fields of a record, one at a time, are those that the record stream gives. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { parseCsv, type CsvRecord } from '../../lib/parse/records.ts';
import { contentOf, fieldAt, firstBadField, marksOf, recordFields } from '../../lib/parse/record-fields.ts';
import { random } from '../random.ts';

const marks = marksOf({});

test('random records: the same fields, the same faults', async () => {
  const next = random(5);
  const pieces = ['"', '"', '""', ',', ',', 'a', 'é', ' ', '\n', '"x"', '","'];
  let [seen, bad] = [0, 0];
  for (let round = 0; round < 400; round++) {
    const text = Buffer.from(Array.from({ length: 1 + Math.floor(next() * 14) }, () => pieces[Math.floor(next() * pieces.length)]).join(''));
    const records: CsvRecord[] = [];
    for await (const batch of parseCsv(Readable.from([text]))) records.push(...batch);
    for (const [i, { fields, byte, problem }] of records.entries()) {
      // Line ends behind it belong to no record, unless its last field was never closed.
      const bytes = text.subarray(byte, records[i + 1]?.byte);
      const without = bytes.subarray(0, bytes.toString('latin1').replace(/\n+$/, '').length);
      const record = [...recordFields(without, marks)].at(-1)!.bad && fields.at(-1)!.endsWith('\n') ? bytes : without;
      const found = [...recordFields(record, marks)];
      assert.deepEqual(found.map((field) => contentOf(record, field, marks).toString()), fields, JSON.stringify(text.toString()));
      assert.equal(firstBadField(record, marks) !== undefined, problem !== undefined, JSON.stringify(text.toString()));
      assert.deepEqual(fieldAt(record, fields.length - 1, marks), found.at(-1));
      seen += fields.length;
      bad += problem ? 1 : 0;
    }
  }
  assert.ok(seen > 1000 && bad > 100, `${seen} fields, ${bad} malformed`);
});

test('places and bytes, other delimiters, no quotes', () => {
  const record = Buffer.from('a;"b;""c""";;d');
  const semicolon = marksOf({ delimiter: ';' });
  assert.deepEqual([...recordFields(record, semicolon)].map(({ start, end }) => [start, end]), [[0, 1], [2, 11], [12, 12], [13, 14]]);
  assert.equal(contentOf(record, fieldAt(record, 1, semicolon)!, semicolon).toString(), 'b;"c"');
  assert.equal(fieldAt(record, 4, semicolon), undefined);
  const unquoted = marksOf({ delimiter: ';', quote: '' });
  assert.deepEqual([...recordFields(record, unquoted)].map(({ start, bad }) => [start, bad]), [[0, false], [2, false], [5, false], [12, false], [13, false]]);
  assert.deepEqual([...recordFields(Buffer.alloc(0), marks)], [{ start: 0, end: 0, quoted: false, bad: false }]);
});
