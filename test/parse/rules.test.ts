/** Rules of the host against a naive model, over random rows; and what each kind of rule takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonOfReject } from '../../lib/core/rejects.ts';
import { ruledColumns, validateRules, type ColumnRules, type Rule } from '../../lib/core/rules.ts';
import { fieldCheck, MAX_CHECKED_BYTES } from '../../lib/parse/field-checks.ts';
import { random } from '../random.ts';
import { columns, implementations, runStage } from './blocks.ts';

const rulesOf = (...given: ColumnRules[]): Rule[] => validateRules([{ column: 'v', min: 'none', max: 'none' }, ...given], columns);
const options = (rules: Rule[]) => ({ rules, columns: { ...columns, ruled: ruledColumns(rules, columns) } });

/** Whether a text fulfils the rules of a column, by what core/rules.ts says of them. */
function naive(text: string, { required, optional, type, min, max, pattern, oneOf }: ColumnRules): boolean {
  if (optional && text === '') return true;
  if (required && text === '') return false;
  const isNumber = /^[ \t]*[+-]?(\d+\.?\d*|\.\d+)[ \t]*$/.test(text);
  // Few digits, with few decimals: exact.
  if (min !== undefined && !(isNumber && Number(text) >= Number(min))) return false;
  if (max !== undefined && !(isNumber && Number(text) <= Number(max))) return false;
  if (type === 'number' && !isNumber) return false;
  if (type === 'integer' && !(isNumber && !text.includes('.'))) return false;
  if (type === 'ip' && !['1.2.3.4', '::1', ' ::1'].includes(text)) return false;
  if (pattern !== undefined && new RegExp(pattern, 'u').exec(text)?.[0] !== text) return false;
  return oneOf === undefined || oneOf.includes(text);
}

const FIELDS = ['', 'a', 'ab', 'é', '1', '-1', '2.50', ' 7', '1e3', '1.2.3.4', '::1', ' ::1', 'x,y', 'q"q', 'two\nlines', '10', '.5', '-0.5'];
const POOL: Omit<ColumnRules, 'column'>[] = [
  { required: true }, { type: 'number' }, { type: 'integer' }, { type: 'ip' }, { min: 1 }, { max: '2.5' }, { min: '-0.5', max: 2 }, { pattern: '[a-zé]+' },
  { pattern: '.' }, { oneOf: ['a', '', 'two\nlines', 'x,y'] }, { optional: true, type: 'integer' }, { optional: true, oneOf: ['q"q'] },
];

test('random rows and rules: what the stage takes is what a model takes', async () => {
  let [good, bad] = [0, 0];
  for (let seed = 1; seed <= 60; seed++) {
    const next = random(seed);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
    const names = ['x', 'i', 'y', 'u', 'p', 'v', 'z'].sort(() => next() - 0.5);
    const given = ['x', 'y', 'p', 'u', 'z'].filter(() => next() < 0.5).map((column): ColumnRules => {
      const rules = pick(POOL);
      return { column, ...(column === 'u' && rules.optional ? { required: true } : rules) };
    });
    const quoted = (text: string): string => (/[",\n]/.test(text) || next() < 0.2 ? `"${text.replaceAll('"', '""')}"` : text);
    const rows = Array.from({ length: 60 }, (_, row) => Object.fromEntries(names.map((name) => [name, { i: `id${row}`, v: '5' }[name] ?? (pick(FIELDS) || (name === 'u' ? 'u' : ''))])));
    const text = [names, ...rows.map((row) => names.map((name) => quoted(row[name]!)))].map((line) => line.join(',')).join('\n');
    const expected = rows.filter((row) => given.every((rules) => naive(row[rules.column]!, rules))).map(({ i }) => i);
    for (const size of [1 << 16, 7 + seed]) {
      const outcome = await runStage(implementations[0]!.create, [{ name: 'a.csv', bytes: Buffer.from(text) }], size, options(rulesOf(...given)));
      assert.deepEqual(outcome.rows.filter(({ status }) => status === 'none').map(({ id }) => id), expected, `seed ${seed}: ${JSON.stringify(given)}`);
      assert.deepEqual([outcome.counters.read, outcome.counters.rejected, outcome.rejects.length], [60, 60 - expected.length, 60 - expected.length]);
      for (const reject of outcome.rejects) {
        const { fieldByte, column, row, byte } = reject;
        assert.match(reasonOfReject(reject), /^rule [xypuz]:/);
        assert.equal(row!.i, /id\d+/.exec(reject.raw)![0]);
        // The field at fault is where it says, a quote included.
        const at = text.slice(Buffer.from(text).subarray(0, fieldByte).toString().length);
        const whole = rows[Number(row!.i!.slice(2))]![column!]!;
        assert.ok(at.startsWith(whole) || at.startsWith(`"${whole.replaceAll('"', '""')}"`), JSON.stringify([at.slice(0, 20), whole]));
        assert.ok(fieldByte! >= byte);
      }
    }
    good += expected.length;
    bad += 60 - expected.length;
  }
  assert.ok(good > 300 && bad > 300, `${good} good, ${bad} bad`);
});

test('the first rule that is broken is told, the bounds of the value before others', async () => {
  const given: ColumnRules[] = [{ column: 'p', pattern: '\\d+' }, { column: 'v', max: 10, pattern: '\\d' }, { column: 'p', oneOf: ['1'] }];
  const text = 'i,u,p,v\n1,u,1,5\n2,u,x,11\n3,u,x,10\n4,u,2,10\n5,u,1,10\n6,u,1,-1\n';
  const rules = validateRules(given, columns);
  const { rejects, counters, rows } = await runStage(implementations[0]!.create, [{ name: 'a', bytes: Buffer.from(text) }], 64, options(rules));
  assert.deepEqual(rejects.map(({ rule, column, message }) => [column, rule, message]), [
    ['v', 'max=10', 'The column "v" has "11", which is not at most 10.'],
    ['p', 'pattern=\\d+', 'The column "p" has "x", which does not match \\d+.'],
    ['v', 'pattern=\\d', 'The column "v" has "10", which does not match \\d.'],
    ['v', 'pattern=\\d', 'The column "v" has "10", which does not match \\d.'],
    ['v', 'min=0', 'The column "v" has "-1", which is not at least 0.'],
  ]);
  assert.deepEqual([...counters.rejectedBy].reduce((sum, [, count]) => sum + count, 0), 5);
  assert.deepEqual(rows.filter(({ status }) => status !== 'none').map(({ value }) => value), [0n, 0n, 0n, 0n, 0n]);
});

test('columns that the header lacks, or has twice', async () => {
  const rules = rulesOf({ column: 't', required: true });
  const read = (header: string): Promise<unknown> => runStage(implementations[0]!.create, [{ name: 'a.csv', bytes: Buffer.from(`${header}\n1,2,3,4,5,6\n`) }], 10, options(rules));
  await assert.rejects(read('i,u,p,v,x,y'), { code: 'ETL_HEADER', message: 'The header of a.csv has no column `t` (--rule).' });
  await assert.rejects(read('i,u,p,v,t,t'), { code: 'ETL_HEADER', message: /the column `t` more than once \(--rule\)/ });
});

test('types', () => {
  const takes = (rules: Omit<ColumnRules, 'column'>, text: string): boolean => {
    const check = fieldCheck(rulesOf({ column: 'c', ...rules }).at(-1)!);
    return check({ bytes: Buffer.byteLength(text), text: () => text });
  };
  for (const text of [
    '2026-11-29', '2026-11-29T23:59:59Z', '2026-11-29 23:59', '2024-02-29T00:00:00.123456789+05:30', '2000-02-29', '2026-11-29t01:02:03z', ' 2026-11-29\t',
    '2026-11-29T01:02:03-0800', '2026-11-29T01:02+01', '2026-11-29T01:02:03,5Z',
  ]) assert.ok(takes({ type: 'timestamp' }, text), text);
  for (const text of [
    '', 'now', '2026-13-01', '2026-00-10', '2026-02-29', '1900-02-29', '2026-04-31', '2026-1-1', '26-01-01', '2026-11-29T24:00:00Z', '2026-11-29T23:60', '2026-11-29T23:59:60Z',
    '2026-11-29T', '2026-11-29Z', '1764460800', '2026-11-29T01:02:03+24:00', '2026-11-29\n',
  ]) assert.ok(!takes({ type: 'timestamp' }, text), text);
  for (const text of ['1.2.3.4', '::1', '2001:db8::1%eth0', ' ::ffff:1.2.3.4 ']) assert.ok(takes({ type: 'ip' }, text), text);
  for (const text of ['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '::1::', 'localhost']) assert.ok(!takes({ type: 'ip' }, text), text);
  for (const text of ['999999999999999999999999.5', '0000000000000000000000000000000000000002', '2.000']) assert.ok(takes({ min: 2 }, text), text);
  for (const text of ['-999999999999999999999999.5', '1.99999999999999999999999', '-0', '-2', '']) assert.ok(!takes({ min: 2 }, text), text);
  assert.deepEqual(['-1.5', '-1.6', '-1.50', '-1.4', '-15', '0', '-0.0'].map((text) => takes({ max: '-1.5' }, text)), [true, true, true, false, true, false, false]);
  assert.ok(takes({ pattern: 'a|b' }, 'b') && !takes({ pattern: 'a|b' }, 'ab'), 'the whole field');
  assert.ok(!takes({ pattern: 'x*' }, 'x\n') && takes({ pattern: '.' }, '\u{1f600}'));
  assert.ok(takes({ pattern: 'x*' }, 'x'.repeat(MAX_CHECKED_BYTES)) && !takes({ pattern: 'x*' }, 'x'.repeat(MAX_CHECKED_BYTES + 1)), 'as long as it may be');
  assert.ok(takes({ oneOf: ['y'.repeat(20_000)] }, 'y'.repeat(20_000)) && !takes({ oneOf: ['a', 'b'] }, 'a|b') && takes({ oneOf: ['a', ''] }, ''));
});
