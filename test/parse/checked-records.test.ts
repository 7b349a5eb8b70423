/** checkCsv: what is malformed, what repairs make of it, and that both are told. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { checkCsv, type CheckCsvOptions } from '../../lib/parse/checked-records.ts';

async function check(text: string | Buffer, options: CheckCsvOptions = {}): Promise<{ records: string[][]; told: string[] }> {
  const records: string[][] = [];
  const told: string[] = [];
  const bytes = Buffer.from(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, at) => bytes.subarray(at * 7, at * 7 + 7));
  for await (const part of checkCsv(Readable.from(chunks), options)) {
    records.push(...part.records);
    told.push(...part.malformed.map(({ line, byte, code, repair }) => `${line} ${byte} ${code}${repair ? ` ${repair}` : ''}`));
  }
  return { records, told };
}

const repair = { onError: 'repair' } as const;

test('reject leaves malformed records out', async () => {
  const text = Buffer.concat([Buffer.from('a,b\n1,2\n3\n4,5,6\nx"y,7\n8,'), Buffer.from([0xff]), Buffer.from('\n9,10\n')]);
  assert.deepEqual(await check(text), {
    records: [['a', 'b'], ['1', '2'], ['9', '10']],
    told: ['3 8 field_count', '4 10 field_count', '5 16 bad_quote', '6 22 invalid_utf8'],
  });
});

test('repair pads, cuts, and reads quotes again; invalid UTF-8 stays a reject', async () => {
  const text = Buffer.concat([Buffer.from('a,b\n1,2\n3\n4,5,6\nx"y,7\n8,'), Buffer.from([0xff]), Buffer.from('\n9,10\n')]);
  assert.deepEqual(await check(text, repair), {
    records: [['a', 'b'], ['1', '2'], ['3', ''], ['4', '5'], ['x"y', '7'], ['9', '10']],
    told: ['3 8 field_count padded', '4 10 field_count cut', '5 16 bad_quote reread', '6 22 invalid_utf8'],
  });
});

test('repair leaves out a repeated header, and rejects the rows of another table', async () => {
  const text = 'a,b,c\n1,2,3\na,b,c\n4,5,6\na,b\n7,8\n9"9,10\n11,12,13\n14,15\n';
  assert.deepEqual(await check(text, repair), {
    records: [['a', 'b', 'c'], ['1', '2', '3'], ['4', '5', '6'], ['11', '12', '13'], ['14', '15', '']],
    told: ['3 12 field_count repeated_header', '5 24 field_count', '6 28 field_count', '7 32 bad_quote', '9 48 field_count padded'],
  });
  assert.equal((await check(text)).records.length, 5); // no repair: a record like any other
});

test('columns that are named have the width, else the first record does', async () => {
  const options = { ...repair, header: false, names: ['a', 'b', 'c'], skipLines: 1 };
  assert.deepEqual((await check('junk"\n1,2\na,b,c\n', options)).records, [['1', '2', '']]);
  assert.deepEqual((await check('1,2\n3\n', { ...repair, header: false })).records, [['1', '2'], ['3', '']]);
  assert.deepEqual(await check('', options), { records: [], told: [] });
});

test('fail ends at the first malformed record, after those before it', async () => {
  const records: string[][] = [];
  await assert.rejects(async () => {
    for await (const part of checkCsv(Readable.from([Buffer.from('a,b\n1,2\n3\n4,5\n')]), { onError: 'fail', name: 'x.csv' })) records.push(...part.records);
  }, { code: 'ETL_REJECTED', message: /line 3 \(byte 8\) of x\.csv/ });
  assert.deepEqual(records, [['a', 'b'], ['1', '2']]);
});

test('other dialects: repairs, with characters of several bytes', async () => {
  const dialect = { delimiter: ' ¦ ', quote: '“', comment: '#' };
  assert.deepEqual(await check('a ¦ b\n# no\n“1 ¦ “x ¦ y“\né“ ¦ 2\n3\n', { ...dialect, ...repair }), {
    records: [['a', 'b'], ['“1', 'x ¦ y'], ['é“', '2'], ['3', '']],
    told: ['3 12 bad_quote reread', '4 33 bad_quote reread', '5 44 field_count padded'],
  });
});
