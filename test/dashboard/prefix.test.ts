/** A prefix as a range has exactly the texts that begin with it, by their bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterPrefix } from '../../lib/dashboard/prefix.ts';
import { random } from '../random.ts';
import { compare } from './dataset.ts';

test('a range has what begins with its prefix, and nothing else (seed 7)', () => {
  const next = random(7);
  const points = ['\0', 'a', 'b', 'z', '\x7f', '\x80', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10fffe}', '\u{10ffff}'];
  const some = (most: number): string => Array.from({ length: Math.floor(next() * (most + 1)) }, () => points[Math.floor(next() * points.length)]!).join('');
  let [inside, outside, endless] = [0, 0, 0];
  for (let at = 0; at < 20_000; at++) {
    const [text, prefix] = [some(4), some(2)];
    const end = afterPrefix(prefix);
    const isInside = compare(text, prefix) >= 0 && (end === undefined || compare(text, end) < 0);
    assert.equal(isInside, text.startsWith(prefix), JSON.stringify({ text, prefix, end }));
    if (end === undefined) endless++;
    else if (isInside) inside++;
    else outside++;
  }
  assert.ok(inside > 200 && outside > 5000 && endless > 500, `${inside}, ${outside}, ${endless}`);
});
