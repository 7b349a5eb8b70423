/** Quotes that are never closed: kernel = twin = the written rules (record-model.ts), whole and in every cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordsOf, type ModelDialect } from '../record-model.ts';
import { random } from '../random.ts';
import { implementations, runStage, type Outcome } from './blocks.ts';

const HEADER = 'i,u,p,v\n';
const DIALECT = { delimiter: ',', quote: '"', escape: '"', comment: '', header: true, names: [], skipLines: 0 };

/** What a stage's rows say of the records' structure, and what the model says. */
async function told(outcome: Promise<Outcome>, limit: number): Promise<unknown> {
  const { rows, rejects, error } = await outcome.then((done) => ({ ...done, error: undefined }), (cause: Error) => ({ rows: [], rejects: [], error: cause }));
  if (error) return /opens a quote that is never closed/.test(error.message) ? 'lost' : error;
  const places = rejects.map(({ line, byte, code }) => `${line} ${byte} ${code}`);
  return { rows: rows.map(({ raw, status, id }) => [status === 'record_too_long' ? raw.slice(0, limit) : raw, status, id]), places };
}

function expected(text: string, dialect: ModelDialect, limit: number): unknown {
  const { records } = recordsOf(text, { ...dialect, limit });
  const rows: [string, string, string][] = [];
  const places: string[] = [];
  const width = dialect.fields ?? records.shift()?.fields.length ?? 0;
  for (const { start, end, line, fields } of records) {
    const raw = text.slice(start, end);
    if (raw.length > limit && fields.at(-1)!.fault === 'unterminated_quote' ) return 'lost';
    let status = 'none';
    const fault = fields.find((field) => field.fault)?.fault;
    if (raw.length > limit) status = 'record_too_long';
    else if (fault) status = fault;
    else if (fields.length !== width) status = 'field_count';
    const [id = '', user = '', , value = ''] = fields.map((field) => field.text);
    if (status === 'none') {
      if (id === '') status = 'missing_id';
      else if (user === '') status = 'missing_user';
      else if (value === '') status = 'missing_value';
      else if (!/^[ \t]*[+-]?(\d+\.?\d*|\.\d+)[ \t]*$/.test(value)) status = 'bad_value';
    }
    const isSplit = !['record_too_long', 'bad_quote', 'unterminated_quote', 'field_count'].includes(status);
    rows.push([status === 'record_too_long' ? raw.slice(0, limit) : raw, status, isSplit ? id : '']);
    if (status !== 'none') places.push(`${line} ${start} ${status}`);
  }
  return { rows, places };
}

const PIECES = [
  '1,a,b,2\n', '3,"q,r",b,4\r\n', '5,"two\nlines",b,6\n', '7,"open,b,8\n', '9,b,"open\r\n', '"open', '",', '"', '""', ',', '\n', '\r', 'x', '"a"b,', '1,2,3\n',
  '1,"b ""c""",d,3\n', '1,x"",""y,3\n', '7,"o,b,8\n1,a,b,2\n1,a,b,2\n', '"\n', ',"', '\n"',
  `8,"${'some text\n'.repeat(9)}",b,8\n`, `8,"${'some text\n'.repeat(3)}`, `8,"${'1,a,b,2\n'.repeat(9)}`, `8,"x${'1,a,b,2\n'.repeat(9)}",c,d`,
];

function hostile(next: () => number): string {
  let text = '';
  for (let i = Math.floor(next() * 30); i > 0; i--) text += PIECES[Math.floor(next() ** 1.5 * PIECES.length)]!;
  return text;
}

test('random texts: the written rules, kernel and twin, whole and cut', async () => {
  const met = { proved: 0, unterminated: 0, long: 0, lost: 0 };
  for (let seed = 1; seed <= Number(process.env.ETL_QUOTE_CASES ?? 400); seed++) {
    const next = random(seed);
    const text = HEADER + hostile(next);
    next();
    const limit = next() < 0.5 ? 60 : 1 << 16;
    const what = `seed ${seed}, limit ${limit}: ${JSON.stringify(text)}`;
    const wanted = expected(text, {}, limit);
    const options = { maxRecordBytes: limit };
    for (const { name, create } of implementations) {
      assert.deepEqual(await told(runStage(create, [{ name: 'a.csv', bytes: Buffer.from(text) }], 1 << 16, options), limit), wanted, `${what} (${name})`);
    }
    const size = 1 + Math.floor(next() * 80);
    const headroom = next() < 0.5 ? 8 : undefined;
    const cut = runStage(implementations[0]!.create, [{ name: 'a.csv', bytes: Buffer.from(text) }], size, { ...options, headroom });
    assert.deepEqual(await told(cut, limit), wanted, `${what}, blocks of ${size}, headroom ${headroom}`);
    if (wanted === 'lost') {
      met.lost++;
      continue;
    }
    const { rejects } = await cut;
    const plain = recordsOf(text, { limit: 1e9, fields: 1e9 }).records.length;
    if (recordsOf(text, { limit }).records.length > plain) met.proved++;
    met.unterminated += rejects.filter(({ code }) => code === 'unterminated_quote').length;
    met.long += rejects.filter(({ code }) => code === 'record_too_long').length;
  }
  assert.ok(met.proved > 50 && met.unterminated > 50 && met.long > 20 && met.lost > 0, JSON.stringify(met));
});

test('one quote that is never closed costs one row, wherever the next quote is', async () => {
  const good = (from: number, count: number): string => Array.from({ length: count }, (_, i) => `${from + i},u,1.2.3.4,5\n`).join('');
  const cases = [good(10, 50), `${good(10, 3)}99,"u",1.2.3.4,5\n${good(20, 3)}`, `${good(10, 3)}99,u,1.2.3.4,"5"\n`, `${good(10, 200)}`, good(10, 1), '10,u,1.2.3.4,5'];
  for (const rest of cases) {
    for (const { create } of implementations) {
      for (const [size, headroom] of [[1 << 16, undefined], [50, undefined], [7, 10], [64, 100]] as const) {
        const bytes = Buffer.from(`${HEADER}1,"u,1.2.3.4,5\n${rest}`);
        const { rows, rejects } = await runStage(create, [{ name: 'a.csv', bytes }], size, { maxRecordBytes: 1000, headroom });
        assert.deepEqual(rejects.map(({ code, line, raw }) => [code, line, raw]), [['unterminated_quote', 2, '1,"u,1.2.3.4,5']]);
        assert.equal(rows.length, 1 + rest.split('\n').filter(Boolean).length);
      }
    }
  }
});

test('text in quotes that is no record stays one record, and one reject if malformed', async () => {
  const text = `${HEADER}1,"a\nb\nc",p,2\n3,"a\nsay "hi", b\nc",p,4\n5,u,p,6\n`;
  const { rows } = await runStage(implementations[0]!.create, [{ name: 'a.csv', bytes: Buffer.from(text) }], 13, {});
  assert.deepEqual(rows.map(({ status }) => status), ['none', 'bad_quote', 'bad_quote', 'none']);
});

test('lines that are skipped, inputs without a header, without quotes, in every cut', async () => {
  const dialects: [string, Partial<typeof DIALECT>][] = [
    ['# "made\r\n\r\nby hand\ni,u,p,v\n1,2,3,4\n', { skipLines: 3 }],
    ['a\rb\r\ni|u|p|v\n1|"2"|3|4\n', { skipLines: 2, delimiter: '|' }],
    ['1,2,3,4\n5,6,7,8', { header: false, names: ['i', 'u', 'p', 'v'] as never }],
    ['x\n1,2,3,4\n5,6,7,8', { header: false, names: ['i', 'u', 'p', 'v'] as never, skipLines: 1 }],
    ["i\tu\tp\tv\n1\t\"2\t3\t4\n5\t\"a\"b\t7\t8\n", { delimiter: '\t', quote: '' }],
    ["i;u;p;v\n1;'2;\n';3;4\n", { delimiter: ';', quote: "'" }],
  ];
  for (const [text, partial] of dialects) {
    const dialect = { ...DIALECT, ...partial };
    for (const bom of ['', '\ufeff']) {
      const input = { name: 'a.csv', bytes: Buffer.from(bom + text), dialect };
      const whole = await runStage(implementations[0]!.create, [input, { name: 'b.csv', bytes: Buffer.from(`${HEADER}9,9,9,9\n`) }], 1 << 16, {});
      assert.deepEqual(whole.rejects, [], text);
      assert.ok(whole.rows.length >= 2);
      const names = recordsOf(Buffer.from(bom + text).toString('latin1'), { ...dialect, ...(dialect.header ? {} : { fields: 4 }) }).records.slice(dialect.header ? 1 : 0);
      assert.deepEqual(whole.rows.slice(0, -1).map(({ id, user }) => [id, user]), names.map(({ fields }) => [fields[0]!.text, fields[1]!.text]));
      for (let size = 1; size <= 64; size++) {
        for (const { create } of size < 20 ? implementations : implementations.slice(0, 1)) {
          const cut = await runStage(create, [input, { name: 'b.csv', bytes: Buffer.from(`${HEADER}9,9,9,9\n`) }], size, {});
          assert.deepEqual([cut.rows, cut.counters], [whole.rows, whole.counters], `${text} in blocks of ${size}`);
        }
      }
    }
  }
});
