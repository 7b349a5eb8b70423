/** Rules as they are given: what is accepted, what each becomes, and what is refused with its name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultColumns as columns } from '../../lib/core/options.ts';
import { FIRST_RULE, STATUSES } from '../../lib/core/rejects.ts';
import { MAX_RULES, parseRule, ruledColumns, validateRules, type ColumnRules } from '../../lib/core/rules.ts';
import { REJECT_RULE } from '../../lib/kernels/layout.ts';

const named = (...given: ColumnRules[]): string[] => validateRules(given, columns).map(({ column, name }) => `${column}:${name}`);
const bounds = ['watch_time(min):min=0', 'watch_time(min):max=1440'];

test('the bounds of the value come first, those of the caller instead of the default ones', () => {
  assert.deepEqual(named(), bounds);
  assert.deepEqual(named({ column: 'watch_time(min)', max: 'none' }), [bounds[0], 'watch_time(min):max=none']);
  assert.deepEqual(named({ column: 'a', min: -0.5 }, { column: 'watch_time(min)', max: 600, required: true, min: '-1.50' }, { column: 'a', max: '3' }), [
    'watch_time(min):min=-1.50', 'watch_time(min):max=600', 'a:min=-0.5', 'watch_time(min):required', 'a:max=3',
  ]);
  assert.deepEqual(validateRules([], { ...columns, value: 'v' }).map(({ column }) => column), ['v', 'v']);
});

test('one object, or one line for each rule: the same', () => {
  const lines = ['a:b:required', 'a:type=ip', 'a:one-of=x||y=z', 'c:pattern=\\d:(min=1|2)', 'watch_time(min):min=none', 'c:min=.5', 'c:max=+7.'];
  const given: ColumnRules[] = [
    { column: 'a:b', required: true }, { column: 'a', type: 'ip', oneOf: ['x', '', 'y=z'] }, { column: 'c', pattern: '\\d:(min=1|2)' },
    { column: 'watch_time(min)', min: 'none' }, { column: 'c', min: '.5', max: '+7.' },
  ];
  const sorted = (rules: ColumnRules[]): unknown => validateRules(rules, columns).sort((a, b) => (a.column + a.name < b.column + b.name ? -1 : 1));
  assert.deepEqual(sorted(lines.map((text) => parseRule(text))), sorted(given));
  assert.deepEqual(ruledColumns(validateRules(given, columns), columns), ['a:b', 'a', 'c']);
});

test('what is no rule is wrong usage, which names it', () => {
  for (const line of ['', 'a', 'a:', ':required', 'a:requires', 'a:required=1', 'a:min', 'a:range=3']) assert.throws(() => parseRule(line), { code: 'ETL_USAGE', message: /--rule/ }, line);
  const wrong: [string, unknown][] = [
    ['min must be a decimal', { column: 'a', min: 'x' }], ['max must be a decimal', { column: 'a', max: '1e3' }], ['min must be a decimal', { column: 'a', min: NaN }],
    ['type must be one of', { column: 'a', type: 'date' }], ['no regular expression', { column: 'a', pattern: '(' }], ['no regular expression', { column: 'a', pattern: 'a)(b' }],
    ['list of texts', { column: 'a', oneOf: [] }], ['says nothing', { column: 'a' }], ['must name its column', { required: true }], ['must name its column', null],
    ['only the value column', { column: 'a', max: 'none' }], ['cannot be', { column: 'user_id', optional: true }], ['is true', { column: 'a', required: 'yes' }],
    ['is more than max=1440', { column: 'watch_time(min)', min: 1441 }], ['is more than max=1', { column: 'a', min: 2, max: 1 }],
    ['must be at most', { column: 'watch_time(min)', min: 1e13, max: 'none' }],
  ];
  for (const [message, rule] of wrong) assert.throws(() => named(rule as ColumnRules), { code: 'ETL_USAGE', message: new RegExp(message) }, JSON.stringify(rule));
  assert.throws(() => named({ column: 'a', min: 1 }, { column: 'a', min: 2 }), { code: 'ETL_USAGE', message: /say the same/ });
  assert.throws(() => named({ column: 'a', required: true, optional: true }), { code: 'ETL_USAGE', message: /exclude each other/ });
  assert.deepEqual(named({ column: 'a', pattern: 'x' }, { column: 'a', pattern: 'y' }).slice(2), ['a:pattern=x', 'a:pattern=y'], 'both must hold');
  assert.throws(() => validateRules(Array.from({ length: 33 }, (_, i) => ({ column: `c${i}`, required: true as const })), columns), { code: 'ETL_USAGE', message: /more than 32 columns/ });
});

test('statuses of rules are where kernels have them, and there is one for each rule that a run may have', () => {
  assert.equal(FIRST_RULE, REJECT_RULE);
  assert.ok(FIRST_RULE + MAX_RULES <= STATUSES);
});
