/** parseCsv: any chunks, the same records; equal to csv-parse and to the fixtures. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { parse as csvParse } from 'csv-parse/sync';
import { parseCsv, type CsvRecord, type ParseCsvOptions } from '../../lib/parse/records.ts';
import { random } from '../random.ts';

function* chunksOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function recordsOf(bytes: Uint8Array, size: number, options?: ParseCsvOptions): Promise<CsvRecord[]> {
  const records: CsvRecord[] = [];
  for await (const batch of parseCsv(Readable.from(chunksOf(bytes, size)), options)) records.push(...batch);
  return records;
}

const folder = new URL('../../fixtures/csv/', import.meta.url);
for (const file of readdirSync(folder).filter((name) => name.endsWith('.csv'))) {
  test(`fixtures/csv/${file}, in chunks of 1 to 20 bytes`, async () => {
    const bytes = readFileSync(new URL(file, folder));
    const expected = JSON.parse(readFileSync(new URL(file.replace('.csv', '.json'), folder), 'utf8')) as string[][];
    const whole = await recordsOf(bytes, 1 << 20);
    assert.deepEqual(whole.map((record) => record.fields), expected);
    for (let size = 1; size <= 20; size++) assert.deepEqual(await recordsOf(bytes, size), whole, `chunks of ${size}`);
  });
}

test('line, byte and problem of each record', async () => {
  const text = '\ufeffa,"b\r\nc"\r\n\n\ré,x"y\nlast,"open';
  for (const size of [1, 2, 5, 100]) {
    assert.deepEqual(await recordsOf(Buffer.from(text), size), [
      { fields: ['a', 'b\r\nc'], line: 1, byte: 3, problem: undefined },
      { fields: ['é', 'x"y'], line: 5, byte: 15, problem: 'bad_quote' },
      { fields: ['last', '"open'], line: 6, byte: 22, problem: 'unterminated_quote' },
    ]);
  }
});

test('many random records equals csv-parse, in chunks that cut characters', async () => {
  const next = random(3);
  const pieces = ['a', 'user_1', ' ', '', '"q"', '"a,b"', '"x""y"', '"\n"', '"é\r\n"', '日本語', '0'.repeat(100)];
  let text = '';
  while (text.length < 1 << 18) {
    text += Array.from({ length: 1 + Math.floor(next() * 6) }, () => pieces[Math.floor(next() * pieces.length)]).join(',');
    text += ['\n', '\r\n', '\r'][Math.floor(next() * 3)];
  }
  const bytes = Buffer.from(text);
  const expected = csvParse(bytes, { relax_column_count: true, skip_empty_lines: true, record_delimiter: ['\r\n', '\n', '\r'] }) as unknown as string[][];
  for (const size of [997, 65536, bytes.length]) {
    const records = await recordsOf(bytes, size);
    assert.deepEqual(records.map((record) => record.fields), expected, `chunks of ${size}`);
    let line = 1;
    let byte = 0;
    for (const record of records) {
      line += bytes.subarray(byte, record.byte).toString('latin1').split(/\r\n|\n|\r/).length - 1;
      byte = record.byte;
      assert.equal(record.line, line);
    }
  }
});

test('long records and many windows: one record of the limit, byte by byte pieces around it', async () => {
  const long = `"${'é\n'.repeat(100_000)}"`;
  const text = `${'a,b\n'.repeat(50_000)}${long},x\n${'c,d\r\n'.repeat(50_000)}`;
  const records = await recordsOf(Buffer.from(text), 4099);
  assert.equal(records.length, 100_001);
  assert.deepEqual(records[50_000]!.fields, ['é\n'.repeat(100_000), 'x']);
  assert.equal(records.at(-1)!.line, 200_001);
  assert.equal(records.at(-1)!.byte, Buffer.byteLength(text) - 5);
  const tiny = await recordsOf(Buffer.from(`"${'é\n'.repeat(9000)}",y\nz`), 1);
  assert.deepEqual(tiny.map(({ fields, line }) => [fields[0]!.length, line]), [[18_000, 1], [1, 9002]]);
});

test('a record over the limit ends the iteration, after the records before it', async () => {
  for (const size of [1, 10, 1000]) {
    for (const text of ['a,b\r\nc\n12345678901\nd\n', 'a,b\r\nc\n"2345\n78901,\n,,,,,,,,']) {
      const seen: string[][] = [];
      await assert.rejects(async () => {
        for await (const batch of parseCsv(Readable.from(chunksOf(Buffer.from(text), size)), { maxRecordBytes: 10, name: 'x.csv' })) {
          for (const { fields } of batch) seen.push(fields);
        }
      }, { code: 'ETL_INPUT_READ', message: 'The record at line 3 (byte 7) of x.csv is longer than 10 bytes.' });
      assert.deepEqual(seen, [['a', 'b'], ['c']]);
    }
  }
  assert.equal((await recordsOf(Buffer.from('1234567890\r\n1234567890'), 3, { maxRecordBytes: 10 })).length, 2);
});

test('batches stay valid, and other dialects', async () => {
  const batches = [];
  const source = Readable.from(chunksOf(Buffer.from("a;'b;''c'\n".repeat(50_000)), 65536));
  for await (const batch of parseCsv(source, { delimiter: ';', quote: "'" })) batches.push(batch);
  assert.ok(batches.length > 10);
  for (const batch of batches) {
    for (let record = 0; record < batch.length; record += 97) assert.deepEqual(batch.fields(record), ['a', "b;'c"]);
  }
});

test('leaving early destroys the source', async () => {
  const source = Readable.from((function* () {
    for (;;) yield Buffer.from('a,b\n');
  })());
  for await (const batch of parseCsv(source)) {
    assert.deepEqual(batch.fields(0), ['a', 'b']);
    break;
  }
  assert.equal(source.destroyed, true);
});

test('empty input, strings, errors of the source and wrong options', async () => {
  assert.deepEqual(await recordsOf(Buffer.from(''), 1), []);
  assert.deepEqual(await recordsOf(Buffer.from('\ufeff\n\r\n'), 1), []);
  const strings = Readable.from(['é,"x', '\n"\n']);
  for await (const batch of parseCsv(strings)) assert.deepEqual(batch.fields(0), ['é', 'x\n']);
  const failing = Readable.from((async function* () {
    yield Buffer.from('a\n');
    throw new Error('unplugged');
  })());
  await assert.rejects(async () => {
    for await (const batch of parseCsv(failing)) void batch;
  }, /unplugged/);
  for (const options of [{ delimiter: '\n' }, { quote: ',' }, { quote: 'éé' }, { delimiter: '' }, { maxRecordBytes: 0 }, { maxRecordBytes: NaN }]) {
    await assert.rejects(recordsOf(Buffer.from('a'), 1, options), { code: 'ETL_USAGE' }, JSON.stringify(options));
  }
});
