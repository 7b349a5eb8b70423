/** Dialects that the kernel does not take: framed, read by csv-parse, the same records however the input is cut. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { Dialect } from '../../lib/core/dialect.ts';
import { Framer } from '../../lib/parse/framer.ts';
import { parseCsv, type CsvRecord, type ParseCsvOptions } from '../../lib/parse/records.ts';
import { random } from '../random.ts';
import { recordsOf as modelled } from '../record-model.ts';
import { implementations, runStage } from './blocks.ts';
import { csvCase } from './csv-cases.ts';
import { generalDialects, lineAt, picker, randomField, randomLines, recordsByCsvParse } from './general.ts';

const SIZES = [1000, 1, 2, 3, 5, 7, 16, 64];
const twin = implementations.find(({ name }) => name === 'twin')!.create;

async function recordsOf(bytes: Buffer, size: number, options: ParseCsvOptions): Promise<CsvRecord[]> {
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
  const records: CsvRecord[] = [];
  for await (const batch of parseCsv(Readable.from(chunks), options)) records.push(...batch);
  return records;
}

test('records of random inputs equal those of csv-parse, lines and bytes those of the text', async () => {
  for (let seed = 1; seed <= 400; seed++) {
    const pick = picker(random(seed));
    const full = pick(generalDialects);
    const { delimiter, quote, escape, comment } = full;
    const dialect = { delimiter, quote, comment, escape: quote === '' ? undefined : escape };
    const field = (): string => randomField(full, pick);
    const bytes = Buffer.from(randomLines(full, pick, () => Array.from({ length: pick([1, 2, 3]) }, field).join(delimiter)));
    const expected = recordsByCsvParse(bytes, full);
    const whole = await recordsOf(bytes, 1000, dialect);
    const told = `seed ${seed}: ${JSON.stringify(dialect)} ${JSON.stringify(bytes.toString())}`;
    assert.deepEqual(whole.map(({ fields }) => fields.map((text) => Buffer.from(text).toString('latin1'))), expected, told);
    for (const { line, byte } of whole) assert.equal(line, lineAt(bytes, byte), told);
    for (const size of SIZES) assert.deepEqual(await recordsOf(bytes, size, dialect), whole, `${told}, chunks of ${size}`);
  }
});

test('malformed and long records: the same frames for every cut, no more kept than the limit', () => {
  const seen = { bad_quote: 0, unterminated_quote: 0, record_too_long: 0, lost: 0 };
  for (let seed = 1; seed <= 1500; seed++) {
    const pick = picker(random(seed));
    const dialect = pick(generalDialects);
    const { delimiter, quote, escape, comment } = dialect;
    const atoms = ['a', 'é', '\n', '\n', '\r', '\r\n', `a${delimiter}b\n`, delimiter, delimiter[0]!, quote, quote, escape + quote, escape, comment, ' ', '0'];
    const bytes = Buffer.from(Array.from({ length: pick([5, 10, 40]) }, () => pick(atoms)).join(''));
    const limit = pick([3, 5, 8, 20, 1000]);
    const told = `seed ${seed}: ${JSON.stringify({ delimiter, quote, escape, comment, limit })} ${JSON.stringify(bytes.toString())}`;
    const framesFor = (size: number): unknown => {
      const framer = new Framer(dialect, limit);
      framer.width = 2;
      const frames: unknown[] = [];
      let [kept, base] = [Buffer.alloc(0), 0];
      for (let from = 0; from === 0 || from < bytes.length; from += size) {
        const last = from + size >= bytes.length;
        kept = Buffer.concat([kept, bytes.subarray(from, from + size)]);
        let at = 0;
        for (let frame = framer.next(kept, at, kept.length, last); frame; frame = framer.next(kept, at, kept.length, last)) {
          frames.push([base + frame.start, base + frame.end, frame.line, frame.fields, frame.problem]);
          assert.equal(frame.line, lineAt(bytes, base + frame.start), told);
          if (frame.problem) seen[frame.problem]++;
          at = frame.next;
        }
        assert.ok(last || kept.length - framer.resume <= limit + 8, told);
        base += framer.resume;
        kept = kept.subarray(framer.resume);
      }
      if (framer.isLost) seen.lost++;
      return [frames, framer.isLost, framer.emptyLines];
    };
    const whole = framesFor(1000);
    for (const size of SIZES) assert.deepEqual(framesFor(size), whole, `${told}, pieces of ${size}`);
  }
  for (const [what, times] of Object.entries(seen)) assert.ok(times > 100, `${what}: ${times}`);
});

test('in dialects of the kernel, frames are its records: unclosed quotes, limits, in any pieces', () => {
  const seen = { bad_quote: 0, unterminated_quote: 0, record_too_long: 0, recovered: 0 };
  for (let seed = 1; seed <= 6000; seed++) {
    const { bytes, delimiter, quote, limit, piece } = csvCase(seed);
    const text = bytes.toString('latin1');
    const { records } = modelled(text, { delimiter, quote, limit });
    const wanted = records.map(({ start, end, line, fields }) => {
      const problem = end - start > limit ? 'record_too_long' : fields.find(({ fault }) => fault)?.fault;
      return [start, Math.min(end, start + limit), line, problem, problem ? 0 : fields.length];
    });
    const framer = new Framer({ delimiter, quote, escape: quote, comment: '' }, limit);
    const frames: unknown[] = [];
    let at = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0;
    for (let to = piece === 0 ? bytes.length : at; ;) {
      for (let frame = framer.next(bytes, at, to, to === bytes.length); frame; frame = framer.next(bytes, at, to, to === bytes.length)) {
        const { start, end, next, line, fields, problem } = frame;
        if (framer.width === 0) framer.width = fields;
        frames.push([start, end, line, problem, problem ? 0 : fields]);
        if (problem) seen[problem]++;
        at = next;
      }
      at = framer.resume;
      if (to === bytes.length) break;
      to = Math.min(to + piece, bytes.length);
    }
    // The end of a line end that is cut in two belongs to no record, and what is lost is no frame.
    assert.deepEqual(frames, wanted, `seed ${seed}, ${JSON.stringify({ delimiter, quote, limit, piece })}: ${JSON.stringify(text)}`);
    if (modelled(text, { delimiter, quote, limit, fields: 1e9 }).records.length < records.length) seen.recovered++;
  }
  for (const [what, times] of Object.entries(seen)) assert.ok(times > 50, `${what}: ${times}`);
});

/** What the stage should make of a record. */
function expectedRow(fields: readonly string[], header: readonly string[]): unknown {
  if (fields.length !== header.length) return { status: 'field_count' };
  const of = (name: string): string => fields[header.indexOf(name)]!;
  if (of('i') === '') return { status: 'missing_id' };
  if (of('u') === '') return { status: 'missing_user' };
  if (of('v') === '') return { status: 'missing_value' };
  if (!/^[ \t]*[+-]?\d+[ \t]*$/.test(of('v'))) return { status: 'bad_value' };
  return { status: 'none', id: of('i'), user: of('u'), ip: of('p'), value: BigInt(of('v')) * 100n };
}

test('the stage: rows, rejects, lines and bytes in any blocks, together with inputs of the kernel', async () => {
  let [good, rejected] = [0, 0];
  for (let seed = 1; seed <= 40; seed++) {
    const pick = picker(random(seed));
    const dialect: Dialect = { ...pick(generalDialects), skipLines: pick([0, 0, 2]) };
    const header = pick([['i', 'u', 'p', 'v'], ['v', 'x', 'i', 'p', 'u']]);
    const field = (): string => randomField(dialect, pick);
    const record = (): string => {
      const fields = header.map((name) => (name === 'v' ? pick(['7', ' 12', field()]) : field()));
      return (pick([0, 1, 2, 3, 4]) === 0 ? fields.slice(1) : fields).join(dialect.delimiter);
    };
    const skipped = dialect.skipLines > 0 ? 'one"\r\ntwo\n' : '';
    const text = header.join(dialect.delimiter) + pick(['\n', '\r\n']) + randomLines(dialect, pick, record);
    const bytes = Buffer.from(skipped + text);
    const inputs = [
      { name: 'kernel.csv', bytes: Buffer.from('u,i,v,p\nU,1,2,3\n,1,2,3\n') },
      { name: 'general.csv', bytes, dialect },
      { name: 'kernel2.csv', bytes: Buffer.from('i,u,p,v\nI,U,P,1') },
    ];
    const told = `seed ${seed}: ${JSON.stringify(dialect)} ${JSON.stringify(bytes.toString())}`;
    const expected = recordsByCsvParse(Buffer.from(text), dialect).slice(1).map((fields) => expectedRow(fields, header));
    const whole = await runStage(twin, inputs, 1000);
    const rows = whole.rows.slice(2, -1).map(({ raw: _raw, status, ...row }) => (status === 'none' ? { status, ...row } : { status }));
    assert.deepEqual(rows, expected, told);
    good += rows.filter(({ status }) => status === 'none').length;
    for (const { line, byte, raw, file } of whole.rejects.slice(1)) {
      assert.equal(file, 'general.csv');
      assert.equal(line, lineAt(bytes, byte), told);
      assert.equal(bytes.toString('utf8', byte, byte + Buffer.byteLength(raw)), raw, told);
      rejected++;
    }
    for (const size of [1, 3, 7, 64]) {
      const cut = await runStage(twin, inputs, size, { emptyLast: pick([true, false]) });
      assert.deepEqual(cut.rows, whole.rows, `${told}, blocks of ${size}`);
      assert.deepEqual(cut.rejects, whole.rejects, `${told}, blocks of ${size}`);
      assert.deepEqual({ ...cut.counters }, { ...whole.counters });
    }
  }
  assert.ok(good > 20 && rejected > 20, `${good} good, ${rejected} rejected`);
});
