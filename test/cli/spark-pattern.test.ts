/** Patterns of rules for Spark: how they are told, and which are refused. What Java makes of them: test/spark/checks.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complement, pointsOf, union } from '../../lib/spark/code-points.ts';
import { javaPattern } from '../../lib/spark/pattern.ts';

const TOLD: [pattern: string, java: string][] = [
  ['[a-z]+\\d{2,3}?', '\\A(?:[a-z]{1,}[0-9]{2,3}?)\\z'],
  ['^a.b$|', '\\A(?:\\Aa[\\x{0}-\\x{9}\\x{b}-\\x{c}\\x{e}-\\x{2027}\\x{202a}-\\x{d7ff}\\x{e000}-\\x{10ffff}]b\\z|)\\z'],
  ['[&&[-]', '\\A(?:[\\x{26}\\x{2d}\\x{5b}])\\z'],
  ['[]|[^]|\\ud800', '\\A(?:(?:(?!))|[\\x{0}-\\x{d7ff}\\x{e000}-\\x{10ffff}]|(?:(?!)))\\z'],
  ['(?<year>\\d)(-)\\k<year>1', '\\A(?:([0-9])(?:\\x{2d})(?:\\1)1)\\z'],
  ['(?<=\\d)(?!x)(?:a?){3}', '\\A(?:(?<=[0-9])(?!x)(?:a{0,1}){0,3})\\z'],
];

const REFUSED: [pattern: string, about: RegExp][] = [
  ['(?<=a+)b', /"a\+": a look behind without an end would/],
  ['(?<=.)b', /"\.": a look behind at characters over U\+FFFF/],
  ['(?<!\\W)b', /look behind at characters/],
  ['(?:(a)|b)\\1', /"\\\\1": a reference to a group that need not have matched/],
  ['(a)*\\1', /a reference to a group/],
  ['\\1(a)', /a reference to a group/],
  ['(a\\1)', /a reference to a group/],
  ['(?=(a))\\1', /a reference to a group/],
  ['(?:|(?<!a)){2}', /a repetition of what may be nothing, on a condition, would/],
  ['(?:a){3000000000}', /more than 2147483647 repetitions/],
];

test('patterns are told by code points, and groups by number where something refers to them', async () => {
  for (const [pattern, java] of TOLD) assert.equal(await javaPattern(pattern, 'x'), java, pattern);
});

test('what need not mean the same is refused, with the part at fault and what to do', async () => {
  for (const [pattern, about] of REFUSED) {
    await assert.rejects(javaPattern(pattern, 'a column'), (error: Error & { code: string; hint: string }) => {
      assert.equal(error.code, 'ETL_USAGE', pattern);
      assert.match(error.message, /^--rule a column:pattern has ".*would not mean the same in Spark\.$/);
      assert.match(error.message, about);
      return error.hint !== '';
    });
  }
});

test('sets of code points: every one is in a set or in its complement, halves of pairs in neither', () => {
  for (const source of ['\\s', '\\p{L}', '[^\\w]']) {
    const set = pointsOf(source);
    const both = [...set, ...complement(set)];
    assert.deepEqual(union(both), [[0, 0xd7ff], [0xe000, 0x10ffff]]);
    assert.equal(both.reduce((sum, [from, to]) => sum + to - from + 1, 0), 0x110000 - 0x800);
    const expression = new RegExp(`^${source}$`, 'u');
    for (const [from, to] of set) for (const point of [from, to]) assert.ok(expression.test(String.fromCodePoint(point)));
    for (const [from, to] of complement(set)) for (const point of [from, to]) assert.ok(!expression.test(String.fromCodePoint(point)));
  }
});
