/** When progress is shown, and as what: a line on a terminal, lines elsewhere; and in colors or not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasColors, painter } from '../../../lib/cli/color.ts';
import { tell } from '../../../lib/cli/messages.ts';
import { showProgress, type ShowOptions } from '../../../lib/cli/progress/show.ts';
import { told } from './told.ts';

const ESCAPES = '\x1b';

/** A stream that keeps what it is given. */
function stream(isTTY: boolean, columns = 80) {
  const writes: string[] = [];
  return { isTTY, columns, writes, write: (text: string) => writes.push(text) };
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

test('nothing is written for a run that ends at once, in a terminal or not', () => {
  for (const [isTTY, seconds] of [[true, 0.4], [false, 9.9]] as const) {
    const output = stream(isTTY);
    const show = showProgress({ stream: output, environment });
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
  const written: string[] = [];
  const terminal = { isTTY: true, columns: 80, write: (text: string) => written.push(text) };
  t.mock.method(process.stderr, 'write', (text: string) => Boolean(written.push(text)));
  const show = showProgress({ stream: terminal, environment });
  tell('first\n');
  show.update(told({ seconds: 1 }));
  tell('second\n');
  tell('third\n');
  show.update(told({ seconds: 2 }));
  show.end();
  tell('last\n');
  const line = written[1]!;
  assert.match(line, /scatter/);
  assert.deepEqual(written.map((text) => (text.includes('scatter') ? 'line' : text)), ['first\n', 'line', '\r\x1b[J', 'second\n', 'third\n', 'line', '\r\x1b[J', 'last\n']);
});

test('elsewhere, and on a terminal that is dumb, there is a plain line every ten seconds', () => {
  for (const [isTTY, TERM] of [[false, 'xterm'], [true, 'dumb']] as const) {
    const output = stream(isTTY);
    const show = showProgress({ stream: output, environment: { TERM, FORCE_COLOR: '1' } });
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
