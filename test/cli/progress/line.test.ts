/** The line of progress, drawn for terminals of every width. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { painter } from '../../../lib/cli/color.ts';
import { factsOf } from '../../../lib/cli/progress/facts.ts';
import { clock, short, shortSize } from '../../../lib/cli/progress/figures.ts';
import { drawLine } from '../../../lib/cli/progress/line.ts';
import { number } from '../../../lib/core/figures.ts';
import { Speed, type Speeds } from '../../../lib/cli/progress/speed.ts';
import { phases } from '../../../lib/progress.ts';
import { random } from '../../random.ts';
import { told, type Told } from './told.ts';

const FAST: Speeds = { bytesPerSecond: 123.4e6, rowsPerSecond: 1.24e6, secondsLeft: 42.3 };
const WIDTHS = [40, 60, 80, 120, 200];

function drawn(progress: Told, speeds = FAST, colors = false): string[] {
  return WIDTHS.map((columns) => drawLine(factsOf(told(progress), speeds), columns, painter(colors)));
}

test('reading files', () => {
  assert.deepEqual(drawn({ totalBytes: 1e9, counters: { inputBytes: 374e6, read: 4.2e6, rejected: 12 } }), [
    'scatter [==>    ] 37% 123 MB/s eta 0:42',
    'scatter [==>     ] 37% 123 MB/s 1.2M rows/s 12 rej eta 0:42',
    'scatter [====>       ] 37%  123 MB/s  1.2M rows/s  12 rej  0.4/2.0 GB  eta 0:42',
    'scatter [========>              ] 37 %  123 MB/s  1.2M rows/s  12 rejected  412.0 MB of 2.0 GB memory  all read in 0:42',
    'scatter [==============>                       ] 37 %  123 MB/s  1.2M rows/s  12 rejected  412.0 MB of 2.0 GB memory  all read in 0:42',
  ]);
});

test('all there is to say of a run in parts, with a little memory', () => {
  const counters = { inputBytes: 437e6, read: 4.8e6, counted: 4.1e6, duplicate: 345_678, rejected: 1234, spilledBytes: 3.4e9 };
  assert.deepEqual(drawn({ totalBytes: 1e9, memory: { limit: 128e6, resident: 97.6e6 }, counters }), [
    'scatter [===>   ] 43% 123 MB/s eta 0:42',
    'scatter [==>   ] 43% 123 MB/s 1.2M rows/s 1.2k rej eta 0:42',
    'scatter [===>   ] 43% 123 MB/s 1.2M rows/s 346k dup 1.2k rej 98/128 MB eta 0:42',
    'scatter [==========>              ] 43%  123 MB/s  1.2M rows/s  346k dup  1.2k rej  3.4 GB spilled  98/128 MB  eta 0:42',
    'scatter [================>                     ] 43 %  123 MB/s  1.2M rows/s  345,678 duplicates  1,234 rejected  3.4 GB spilled  97.6 MB of 128.0 MB memory  all read in 0:42',
  ]);
});

test('with a pipe there is no share of anything: what was read, and for how long', () => {
  assert.deepEqual(drawn({ counters: { inputBytes: 4.37e9, read: 48e6 } }, { ...FAST, secondsLeft: undefined }), [
    'scatter 4.4 GB 123 MB/s 1.2M rows/s',
    'scatter 4.4 GB 123 MB/s 1.2M rows/s 0 rej 0.4/2.0 GB 1:23',
    'scatter 4.4 GB  123 MB/s  1.2M rows/s  0 rej  0.4/2.0 GB  1:23',
    'scatter 4.4 GB read  123 MB/s  1.2M rows/s  0 rejected  412.0 MB of 2.0 GB memory  for 1:23',
    'scatter 4.4 GB read  123 MB/s  1.2M rows/s  0 rejected  412.0 MB of 2.0 GB memory  for 1:23',
  ]);
});

test('when all is read there are figures of the phase, and no percentages', () => {
  const counters = { inputBytes: 1e9, read: 11_281_747, counted: 4e6, duplicate: 902_841, rejected: 747 };
  assert.deepEqual(drawn({ phase: 'reduce', totalBytes: 1e9, counters }).slice(2, 4), [
    'reduce 4.9M of 11M rows  903k dup  747 rej  0.4/2.0 GB  1:23',
    'reduce 4,902,841 of 11,281,000 rows  902,841 duplicates  747 rejected  412.0 MB of 2.0 GB memory  for 1:23',
  ]);
  assert.match(drawn({ phase: 'reduce', totalBytes: 1e9, counters: { ...counters, counted: 0, duplicate: 0 } })[2]!, /^reduce 11,281,000 rows  747 rejected  412/);
  assert.deepEqual(drawn({ phase: 'publish', totalBytes: 1e9, counters: { ...counters, groups: 1, files: 1, outputBytes: 500 } }).slice(2, 4), [
    'publish 1 row in 1 file  903k dup  747 rej  0.4/2.0 GB  1:23',
    'publish 1 row in 1 file, 500 B  902,841 duplicates  747 rejected  412.0 MB of 2.0 GB memory  for 1:23',
  ]);
});

test('a part of a run that is added up is not the end of it: the bar stays', () => {
  const [, , line] = drawn({ phase: 'reduce', totalBytes: 1e9, counters: { inputBytes: 5e8, counted: 1 } });
  assert.match(line!, /^reduce \[=+> +\] 50%/);
});

test('100 % is for what is read to its end, also where a file has grown meanwhile, or is empty', () => {
  const share = (inputBytes: number, totalBytes: number): string => /^.*%/.exec(drawn({ totalBytes, counters: { inputBytes } })[3]!)![0];
  assert.match(share(999_999_999, 1e9), /\[=+> *\] 99 %$/);
  for (const [read, total] of [[1e9, 1e9], [2e9, 1e9], [0, 0]]) assert.match(share(read!, total!), /\[=+\] 100 %$/);
  assert.match(share(0, 1e9), /\[> +\] 0 %$/);
});

test('colors are few, and take no room', () => {
  const progress: Told = { totalBytes: 1e9, counters: { inputBytes: 374e6, rejected: 12 } };
  const plain = drawn(progress);
  const colored = drawn(progress, FAST, true);
  assert.deepEqual(colored.map((line) => stripVTControlCharacters(line)), plain);
  assert.match(colored[2]!, /^\x1b\[1mscatter\x1b\[22m \[\x1b\[32m=+>\x1b\[39m +\] 37% .*\x1b\[33m12 rej\x1b\[39m/);
});

test('no progress whatever makes a line that does not fit', (t) => {
  const seed = Number(process.env['ETL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const next = random(seed);
  /** Of any size, 0 often. */
  const some = (): number => (next() < 0.2 ? 0 : Math.floor(10 ** (next() * 16)));
  const maybe = <T>(value: T): T | undefined => (next() < 0.3 ? undefined : value);
  let bars = 0;
  for (let round = 0; round < 20_000; round++) {
    const columns = round % 50 === 0 ? Math.floor(next() * 20) : 20 + Math.floor(next() * 181);
    const progress = told({
      phase: phases[Math.floor(next() * 4)]!, seconds: some() / 10, totalBytes: maybe(some()), memory: { limit: some(), resident: some() },
      counters: {
        inputBytes: some(), read: some(), counted: some(), duplicate: some(), rejected: some(), spilledBytes: some(), groups: some(), files: some(), outputBytes: some(),
      },
    });
    const speeds: Speeds = { bytesPerSecond: maybe(some()), rowsPerSecond: maybe(some()), secondsLeft: maybe(some()) };
    const line = drawLine(factsOf(progress, speeds), columns, painter(next() < 0.5));
    const visible = stripVTControlCharacters(line);
    assert.ok(visible.length < Math.max(columns, 1), `${visible.length} of ${columns}: ${visible}`);
    assert.match(visible, /^[ -~]*$/);
    assert.doesNotMatch(visible, /NaN|undefined|Infinity|-\d/);
    if (columns >= 20) assert.ok(visible.startsWith(progress.phase), visible);
    assert.equal(visible.trim(), visible);
    assert.match(line.replaceAll(/\x1b\[\d+m/g, ''), /^[ -~]*$/);
    bars += Number(visible.includes('['));
  }
  assert.ok(bars > 5000, `${bars} bars`);
});

test('whole numbers have commas', () => {
  for (const value of [0, 7, 999, 1000, 123456, 1234567, 2 ** 53 - 1, -1234]) assert.equal(number(value), value.toLocaleString('en-US'));
});

test('numbers of three digits', () => {
  assert.deepEqual([0, 999, 999.6, 1000, 9949, 9950, 99_500, 999_499, 999_500, 1.25e6, 999e9, 2e17].map(short),
    ['0', '999', '1.0k', '1.0k', '9.9k', '10k', '100k', '999k', '1.0M', '1.3M', '999G', '200P']);
  assert.deepEqual([0, 1500, 2.5e7].map(shortSize), ['0 B', '1.5 KB', '25 MB']);
  assert.deepEqual([0, 59.6, 3599, 3600, 3725, 172_799, 172_800, 4e5].map(clock), ['0:00', '1:00', '59:59', '1h00', '1h02', '47h59', '2d00', '4d15']);
});

test('speeds are of the last seconds; what is left is reckoned by all of the reading', () => {
  const speed = new Speed();
  const at = (seconds: number, inputBytes: number, phase: Told['phase'] = 'scatter'): Speeds => (
    speed.add(told({ phase: phase!, seconds, totalBytes: 1000, counters: { inputBytes, read: inputBytes / 10 } }))
  );
  const unknown = { bytesPerSecond: undefined, rowsPerSecond: undefined, secondsLeft: undefined };
  assert.deepEqual(at(3, 0, 'plan'), unknown);
  assert.deepEqual(at(4, 0), unknown);
  assert.deepEqual(at(5, 100), { bytesPerSecond: 100, rowsPerSecond: 10, secondsLeft: 9 });
  for (let seconds = 6; seconds <= 12; seconds++) at(seconds, 100);
  assert.deepEqual(at(14, 200), { bytesPerSecond: 100 / 4, rowsPerSecond: 10 / 4, secondsLeft: 800 / 20 });
  assert.deepEqual(at(30, 200), { bytesPerSecond: 0, rowsPerSecond: 0, secondsLeft: 800 / (200 / 26) });
  assert.deepEqual(at(31, 1200).secondsLeft, 0, 'it grew');
});
