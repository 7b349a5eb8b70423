/** The stage, repairing: ragged rows are padded and cut, malformed quotes read again; whole, in every cut, by kernel and twin. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RFC_4180 } from '../../lib/core/dialect.ts';
import { leastReading } from '../../lib/parse/least-reading.ts';
import { recordsOf } from '../record-model.ts';
import { random } from '../random.ts';
import { implementations, runStage } from './blocks.ts';

const HEADER = 'i,u,p,v\n';
const PIECES = [
  '1,a,b,2\n', '3,"q,r",b,4\r\n', '5,"two\nlines",b,6\n', '7,"open,b,8\n', '9,b,c"d,1\n', '1,"a"b,c,3\n', '1,2\n', '1,2,3,4,5,6\n', '1,u,p,"5"x\n', '"1,u,p,5\n',
  '1,"Boots, 10" high",p,4\n', '1,u,p,"\n2,u,p,"3"\n', '\n', ',,,\n', '1,u\n', '"', 'é,"ü"x,p,1\n', '1,"é\xff"x,p,1\n',
];

/** [id, user, status, line, byte] of each row, by the rules. */
function expected(text: string): unknown[] {
  const rows: unknown[] = [];
  const add = (fields: readonly string[], raw: string, line: number, byte: number): void => {
    const [id = '', user = '', , value = ''] = fields;
    let status = id === '' ? 'missing_id' : user === '' ? 'missing_user' : value === '' ? 'missing_value' : /^[+-]?\d+$/.test(value) ? 'none' : 'bad_value';
    if (!Buffer.from(raw, 'latin1').equals(Buffer.from(Buffer.from(raw, 'latin1').toString()))) status = 'invalid_utf8';
    rows.push([...(status === 'invalid_utf8' ? ['', ''] : [id, user]), status, ...(status === 'none' ? [] : [line, byte])]);
  };
  for (const { start, end, line, fields } of recordsOf(text).records.slice(1)) {
    const raw = text.slice(start, end);
    const fault = fields.find((field) => field.fault)?.fault;
    const read = fault ? leastReading(raw, RFC_4180, 4) : undefined;
    if (!fault) add(fields.slice(0, 4).map((field) => field.text), raw, line, start);
    else if (!read) rows.push(['', '', fault, line, start]);
    else for (const { from, to, fields: again } of read) add(again, raw.slice(from, to), line + raw.slice(0, from).split(/\r\n|\n|\r/).length - 1, start + from);
  }
  return rows;
}

test('random malformed texts, in every cut', async () => {
  const met = { read: 0, rejected: 0, ragged: 0 };
  for (let seed = 1; seed <= 250; seed++) {
    const next = random(seed);
    let text = HEADER;
    for (let i = Math.floor(next() * 14); i > 0; i--) text += PIECES[Math.floor(next() * PIECES.length)]!;
    const wanted = expected(text);
    const bytes = Buffer.from(text, 'latin1');
    for (const [{ create, name }, size] of [[implementations[0]!, 1 << 16], [implementations[1]!, 1 << 16], [implementations[0]!, 1 + Math.floor(next() * 60)]] as const) {
      const { rows, rejects } = await runStage(create, [{ name: 'a.csv', bytes }], size, { repair: true, headroom: 1 << 12 });
      let reject = 0;
      const found = rows.map(({ id, user, status }) => {
        if (status === 'none') return [id, user, status];
        const { line, byte } = rejects[reject++]!;
        return [id, user, status, line, byte];
      });
      assert.deepEqual(found, wanted, `seed ${seed}, ${name}, blocks of ${size}: ${JSON.stringify(text)}`);
    }
    const { records } = recordsOf(text);
    met.ragged += records.filter(({ fields }) => fields.length !== 4 && fields.every(({ fault }) => !fault)).length;
    for (const { start, end, fields } of records) {
      if (fields.some(({ fault }) => fault)) met[leastReading(text.slice(start, end), RFC_4180, 4) ? 'read' : 'rejected']++;
    }
  }
  for (const [what, times] of Object.entries(met)) assert.ok(times > 50, `${what}: ${times}`);
});

test('a record that is read as more rows than a batch holds', async () => {
  const text = `${HEADER}1,u"x,p,1\n0,"\n${',u,p,1\n'.repeat(100)}2,u,p,3\n`;
  for (const { create } of implementations) {
    const { rows } = await runStage(create, [{ name: 'a.csv', bytes: Buffer.from(text) }], 1 << 16, { repair: true });
    assert.deepEqual([rows[0]!.user, rows.at(-1)!.id], ['u"x', '2']);
  }
  const many = `${HEADER}1,"\n${'2,u,p,1\n'.repeat(6000)}3,"u"x,p,1\n`;
  const { rows, counters } = await runStage(implementations[0]!.create, [{ name: 'a.csv', bytes: Buffer.from(many) }], 1 << 20, { repair: true });
  assert.equal(counters.read, rows.length);
  assert.ok(rows.filter(({ id }) => id === '2').length === 6000 && rows.at(-1)!.id === '3', `${rows.length}`);
});
