/** Shades of the map: every value has one, larger values have none that is for smaller ones, and bounds are figures that can be read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bounds, shadeOf, SHADES } from '../../lib/dashboard/page/shades.ts';
import { random } from '../random.ts';

test('bounds of values far apart, near each other, and of none', () => {
  assert.deepEqual(bounds([691_068_131, 175_094_031, 69_210, 1]), [1e8, 1e7, 1e6, 1e5, 1e4]);
  assert.deepEqual(bounds([900, 120, 20, 7]), [300, 100, 30, 10, 3]);
  assert.deepEqual(bounds([48, 21]), [20]);
  assert.deepEqual(bounds([0.42, 0.13]), [0.2, 0.1]);
  assert.deepEqual(bounds([1e6, 999_999]), [1e6, 5e5]);
  assert.deepEqual([bounds([]), bounds([0, -5])], [[], []]);
  assert.deepEqual([1e9, 691_068_131, 1e8, 99_999_999, 1e4, 9999, 0, -7].map((value) => shadeOf(value, [1e8, 1e7, 1e6, 1e5, 1e4])), [6, 6, 6, 5, 2, 1, 1, 1]);
  assert.equal(shadeOf(0, []), 1);
});

test('shades keep the order of values, whatever they are', () => {
  const next = random(8);
  for (let round = 0; round < 500; round++) {
    const values = Array.from({ length: 1 + Math.floor(next() * 40) }, () => (next() < 0.1 ? -1 : 1) * 10 ** (next() * 12 - 2)).sort((a, b) => a - b);
    const from = bounds(values);
    const shades = values.map((value) => shadeOf(value, from));
    assert.ok(from.length < SHADES && from.every((bound, at) => at === 0 || bound < from[at - 1]!), `${from.join()} of ${values.join()}`);
    assert.ok(shades.every((shade, at) => Number.isInteger(shade) && shade >= 1 && shade <= SHADES && shade >= (shades[at - 1] ?? 1)), `${shades.join()} of ${values.join()}`);
    if (values.at(-1)! > 0) assert.equal(shades.at(-1), SHADES, 'the most has the last shade');
    if (from.length > 0) assert.match(String(from[0]), /^(0\.0*)?[1235]0*$/);
  }
});
