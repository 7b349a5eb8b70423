/** When progress is shown, and as what: a line on a terminal, lines elsewhere; and in colors or not. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { hasColors, painter } from '../../../lib/cli/color.ts';
import { setLogFormat, tell } from '../../../lib/cli/messages.ts';
import { showProgress, type ShowOptions } from '../../../lib/cli/progress/show.ts';
import { told } from './told.ts';

const ESCAPES = '\x1b';

/** A stream that keeps what it is given. */
function stream(isTTY: boolean, columns = 80) {
  const writes: string[] = [];
  return { isTTY, columns, writes, write: (text: string) => writes.push(text) };
}

/** The process's own for as long as the test takes; what node:test writes meanwhile goes there, too, but it does not. */
function stderr(t: TestContext, isTTY: boolean): { writes: string[] } {
  const writes: string[] = [];
  const { isTTY: before } = process.stderr;
  process.stderr.isTTY = isTTY as true;
  t.after(() => {
    process.stderr.isTTY = before;
  });
  t.mock.method(process.stderr, 'write', (text: string) => Boolean(writes.push(text)));
  return { writes };
}

const environment: ShowOptions['environment'] = { TERM: 'xterm' };

test('a terminal has one line, a write each time, at most ten times a second, and nothing in the first half second', () => {
  const terminal = stream(true);
  const show = showProgress({ stream: terminal, environment });
  for (let milliseconds = 0; milliseconds < 5000; milliseconds += 7) show.update(told({ seconds: milliseconds / 1000, counters: { inputBytes: milliseconds * 1e6 } }));
  assert.ok(terminal.writes.length >= 40 && terminal.writes.length <= 46, `${terminal.writes.length} in 4.5 s`);
  for (const text of terminal.writes) assert.match(text, /^\r\x1b\[\?7l[^\r\n]+\x1b\[\?7h\x1b\[J\r$/);
  terminal.writes.length = 0;
  show.end();
  show.end();
  show.update(told({ seconds: 100 }));
  assert.deepEqual(terminal.writes, ['\r\x1b[J']);
});

test('nothing is written for a run that ends at once, in a terminal or not', (t) => {
  for (const [isTTY, seconds] of [[true, 0.4], [false, 9.9]] as const) {
    const output = stderr(t, isTTY);
    const show = showProgress({ environment });
    for (let at = 0; at <= seconds; at += 0.1) show.update(told({ seconds: at }));
    show.clear();
    show.end();
    assert.deepEqual(output.writes, []);
  }
});

test('the width is the one that the terminal has now; one that does not say has 80', () => {
  const terminal = stream(true, 200);
  const show = showProgress({ stream: terminal, environment });
  const drawn = (seconds: number): number => {
    show.update(told({ seconds, totalBytes: 1e9, counters: { inputBytes: 5e8, duplicate: 1e6, spilledBytes: 1e6 } }));
    return terminal.writes.at(-1)!.replaceAll(/\x1b\[\??\d*[a-zA-Z]|\r/g, '').length;
  };
  assert.ok(drawn(1) > 100);
  for (const [second, columns] of [[2, 40], [3, 120], [4, 0]] as const) {
    terminal.columns = columns;
    const width = drawn(second);
    assert.ok(width < (columns || 80) && width > (columns || 80) / 2, `${width} of ${columns}`);
  }
  show.end();
});

test('a message has the line to itself, and is written after it is gone', (t) => {
  const { writes: written } = stderr(t, true);
  const show = showProgress({ environment });
  tell('first');
  show.update(told({ seconds: 1 }));
  tell('second');
  tell('third');
  show.update(told({ seconds: 2 }));
  show.end();
  tell('last');
  const line = written[1]!;
  assert.match(line, /scatter/);
  assert.deepEqual(written.map((text) => (text.includes('scatter') ? 'line' : text)), ['etl-stream: first\n', 'line', '\r\x1b[J', 'etl-stream: second\n', 'etl-stream: third\n', 'line', '\r\x1b[J', 'etl-stream: last\n']);
});

test('elsewhere, and on a terminal that is dumb, there is a plain line every ten seconds', (t) => {
  for (const [isTTY, TERM] of [[false, 'xterm'], [true, 'dumb']] as const) {
    const output = stderr(t, isTTY);
    const show = showProgress({ environment: { TERM, FORCE_COLOR: '1' } });
    for (let seconds = 0; seconds <= 45; seconds += 0.1) {
      if (seconds > 21 && seconds < 33) continue; // held up
      show.update(told({ seconds, totalBytes: 100e6, counters: { inputBytes: seconds * 1e6, read: seconds * 1e4 } }));
    }
    show.end();
    assert.equal(output.writes.length, 4);
    const at = (percent: number, left: string): string => (
      `etl-stream: scatter, ${percent} %, 1.0 MB/s, 10k rows/s, 0 rejected, 412.0 MB of 2.0 GB memory, all read in ${left}\n`
    );
    const [first, second, third, last] = output.writes;
    assert.deepEqual([first, second, third, last], [at(10, '1:30'), at(20, '1:20'), at(33, '1:07'), at(40, '1:00')]);
    assert.ok(!output.writes.join('').includes(ESCAPES));
  }
});

test('as JSON there are figures every ten seconds, and phases, whatever stderr is', async (t) => {
  const { writes } = stderr(t, true);
  await setLogFormat('json');
  t.after(() => setLogFormat('text'));
  const show = showProgress({ environment });
  for (const [phase, seconds] of [['plan', 0], ['scatter', 1], ['scatter', 5], ['scatter', 11], ['reduce', 12]] as const) {
    show.update(told({ phase, seconds, totalBytes: 1e9, counters: { inputBytes: 1e7 * seconds, read: seconds } }));
  }
  show.end();
  const messages = writes.map((line) => JSON.parse(line) as { msg: string; level: string; phase?: string; progress?: Record<string, unknown> });
  assert.deepEqual(messages.map(({ msg, phase }) => phase ?? msg), [
    'plan', 'scatter', 'scatter, 11 %, 10 MB/s, 1 rows/s, 0 rejected, 412.0 MB of 2.0 GB memory, all read in 1:29', 'reduce',
  ]);
  const { progress } = messages[2]!;
  assert.deepEqual([progress!['totalBytes'], progress!['secondsLeft'], (progress!['counters'] as Record<string, unknown>)['read']], [1e9, 89, 11]);
});

test('colors: --no-color, else FORCE_COLOR, else NO_COLOR, else a terminal that takes them', () => {
  const colors = (isTTY: boolean, of: Record<string, string>, flag?: boolean): boolean => hasColors({ stream: { isTTY }, environment: of, flag });
  const cases: [boolean, boolean, Record<string, string>, boolean?][] = [
    [true, true, {}], [false, false, {}], [false, true, { TERM: 'dumb' }], [true, true, { TERM: 'xterm' }], [false, true, {}, false],
    [false, true, { NO_COLOR: '1' }], [true, true, { NO_COLOR: '' }], [false, true, { NO_COLOR: '0' }], [true, false, { FORCE_COLOR: '1' }],
    [true, false, { FORCE_COLOR: 'true', NO_COLOR: '1', TERM: 'dumb' }], [false, true, { FORCE_COLOR: '0' }], [false, true, { FORCE_COLOR: 'false' }],
    [true, true, { FORCE_COLOR: '' }], [false, true, { FORCE_COLOR: '3' }, false], [true, true, {}, true],
  ];
  for (const [expected, isTTY, of, flag] of cases) assert.equal(colors(isTTY, of, flag), expected, JSON.stringify([isTTY, of, flag]));
  assert.equal(painter(true)('red', 'x'), '\x1b[31mx\x1b[39m');
  assert.equal(painter(false)('red', 'x'), 'x');
});

test('a line without colors has no escapes but those that keep it one line', () => {
  for (const options of [{ color: false, environment }, { environment: { TERM: 'xterm', NO_COLOR: '1' } }]) {
    const terminal = stream(true);
    const show = showProgress({ stream: terminal, ...options });
    show.update(told({ seconds: 1, totalBytes: 1e9, counters: { inputBytes: 5e8, rejected: 7 } }));
    show.end();
    assert.match(terminal.writes[0]!, /^\r\x1b\[\?7lscatter \[[ -~]*7 rej[ -~]*\x1b\[\?7h\x1b\[J\r$/);
  }
});
