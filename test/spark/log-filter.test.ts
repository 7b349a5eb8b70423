/** The job takes of a folder what a local run takes: every pattern and name by picomatch here, and by Python's re there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { logsIn } from '../../lib/source/log-filter.ts';
import { sparkGlob } from '../../lib/spark/glob.ts';
import { random } from '../random.ts';
import { python, pythonEnvironment, skip } from './python.ts';

const patterns = [
  '**/*.log', '*.csv', '2026-*/{eu,us}/*', '!(a|b)*.csv', '[ab]?.csv', '**', '*', '!*.csv', '+(x|y).log', '@(a).csv', 'a/**/b.csv', '.*', '**/.*', '{a..c}.csv', '[[:alpha:]]*', '[[:space:]]*',
  'a(b|c)d', 'é*.csv', '?.csv', '*😀*', '[😀x].csv', '[^a].csv', '[!a-c]*', 'a$b', 'a.b', 'a\\*b', '*.{csv,tsv}', '?(a)b', '*(a|b)', 'a/b', './a', '**/a/*', '[[]a', '[]a]', 'a&&b', '[a&&b]x', '[a||b]x',
  '\\a.csv', '\\d*', '[\\d]x', '[\\w-]+', 'x^y', '(?=a)*', '**/{.hidden,seen}/*.csv', '*a*\n', '.{csv,x}', '[a.]csv',
];
const names = [
  '', 'a', 'b', 'ab', 'abd', 'acd', 'a.csv', 'b.csv', 'c.csv', 'd.csv', 'ax.csv', 'x.log', 'xy.log', 'a/b', 'a/b.csv', 'a/x/b.csv', 'a/x/y/b.csv', 'a/.x/b.csv', '.a', '.a.csv', 'x/.a', '2026-01/eu/a', '2026-01/de/a',
  '2026-01/eu/.a', 'é.csv', 'éa.csv', '😀', 'a😀.csv', '😀.csv', 'x.csv', 'a$b', 'a.b', 'axb', 'a*b', 'a.tsv', 'A.CSV', 'a.csv.gz', 'a.csv\n', 'a\nb.csv', 'a\u2028.csv', ' x', '\u00a0x', '\ufeff', '1', '1x', 'ä1', 'dx', '-+',
  'x^y', '[a', ']a', 'a&&b', '&x', '|x', 'bx', '**', '*', '*.csv', '[ab]?.csv', '(?=a)*', 'seen/x.csv', 'q/.hidden/a.csv', 'aa\n', 'x/a/y', '.csv', 'acsv', 'a.log', 'x/a.log', '.x/a.log', 'a.csv/', 'LOGS.TSV.ZST', 'x.csv.xz',
];

test('the same names are logs, by hand-picked patterns and by random ones', { skip }, () => {
  const seed = Number(process.env.ETL_FUZZ_SEED ?? 7);
  const next = random(seed);
  const below = (count: number): number => Math.floor(next() * count);
  const pieces = ['*', '**', '?', '/', 'a', 'b', '.', '[ab]', '[^a]', '{a,b}', '!(a)', '@(a|b)', '+(b)', '*(a)', '.csv', '$', '\\', 'é'];
  const made = Array.from({ length: 300 }, () => Array.from({ length: 1 + below(5) }, () => pieces[below(pieces.length)]).join(''));
  const globs = [undefined, ...patterns, ...made].filter((glob) => {
    try {
      logsIn(glob);
      return true;
    } catch {
      return false; // no pattern, on either side
    }
  });
  const cases = globs.map((glob) => ({ glob: glob === undefined ? null : sparkGlob(glob), names }));
  const { stdout, stderr } = spawnSync(python, [join(import.meta.dirname, 'log_filter.py')], { input: JSON.stringify(cases), encoding: 'utf8', env: { ...process.env, ...pythonEnvironment() } });
  assert.ok(stdout !== '', stderr);
  const answers = JSON.parse(stdout) as (boolean[] | string)[];
  let [taken, left] = [0, 0];
  for (const [at, glob] of globs.entries()) {
    const filter = logsIn(glob);
    const answer = answers[at]!;
    assert.ok(Array.isArray(answer), `${glob}: ${JSON.stringify(answer)}, ${cases[at]!.glob?.regex}`);
    for (const [which, name] of names.entries()) {
      const expected = name !== '' && filter.isLog(name);
      assert.equal(answer[which], expected, `seed ${seed}: ${glob} for ${JSON.stringify(name)}, by ${cases[at]!.glob?.regex}`);
      if (expected) taken++;
      else left++;
    }
  }
  assert.ok(taken > 500 && left > 500, `${taken} taken, ${left} left`);
});
