/** Progress in a real terminal: one line that is never wrapped, which makes way for messages, and of which nothing is left. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { generateLogs } from '../../../lib/generate/generate.ts';
import { temporaryFolder } from '../../temporary.ts';
import { PROGRAM } from '../program.ts';
import { noTerminal, Terminal } from '../terminal.ts';

const PROGRESS = /^(plan|scatter|reduce|publish) /;
const MEGABYTE = 1e6;

interface Scene {
  readonly terminal: Terminal;
  /** Writes the next megabytes of logs. */
  feed(megabytes: number): Promise<void>;
  end(): Promise<void>;
}

/** A run that reads a pipe, as fast as the test has it. */
async function runIn(t: TestContext, columns: number, flags: string, before = 'echo before'): Promise<Scene> {
  const folder = temporaryFolder(t);
  await generateLogs({ folder: join(folder, 'logs'), size: 8 * MEGABYTE, users: 1000, files: 1, badRows: 0.005, duplicates: 0.1 });
  const text = readFileSync(join(folder, 'logs', 'logs-0001.csv'));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const program = `'${process.execPath}' '${PROGRAM}' - -o out -j 1 --group-by user ${flags}`;
  const terminal = new Terminal(t, columns, folder, `${before}; ${program} < pipe; echo "exit code $?"`);
  const pipe = await open(join(folder, 'pipe'), 'w');
  let isOpen = true;
  const end = async (): Promise<void> => {
    if (isOpen) await pipe.close();
    isOpen = false;
  };
  t.after(end);
  let fed = 0;
  return {
    terminal,
    async feed(megabytes) {
      const part = text.subarray(fed, fed + megabytes * MEGABYTE);
      fed += part.length;
      await pipe.write(part);
    },
    end,
  };
}

/** Of what was fed, as much as is told: blocks of 1 MiB, of which two may be on their way. */
function shows(megabytes: number): (lines: string[]) => boolean {
  return (lines) => lines.some((line) => Number(/^scatter ([\d.]+) MB/.exec(line)?.[1]) >= megabytes - 2.2);
}

for (const [columns, flags] of [[80, '--no-state'], [120, '--no-state --no-color']] as const) {
  test(`one line at ${columns} columns, and then the summary alone`, { skip: noTerminal }, async (t) => {
    const { terminal, feed, end } = await runIn(t, columns, flags);
    for (const megabytes of [3, 5, 7]) {
      await feed(megabytes === 3 ? 3 : 2);
      const lines = await terminal.until(shows(megabytes));
      assert.deepEqual(lines.map((line) => (PROGRESS.test(line) ? 'progress' : line)), ['before', 'progress']);
      assert.ok(lines[1]!.length < columns && / MB\/s .* rows\/s .*\d rej.*(2\.0|[01]\.\d) GB|MB memory/.test(lines[1]!), lines[1]);
      assert.equal(/\x1b\[\d*m/.test(terminal.colors), !flags.includes('no-color'));
    }
    await end();
    const lines = await terminal.until((now) => now.at(-1) === 'exit code 0');
    assert.deepEqual(lines.slice(0, 4).map((line) => line.split(' ')[0]), ['before', 'read', 'duplicates', 'rejected']);
    assert.ok(lines.some((line) => /^output .* out$/.test(line)), lines.join('\n'));
    assert.ok(!lines.some((line) => PROGRESS.test(line)), lines.join('\n'));
  });
}

test('in a window that is made narrower and wider there is one line still', { skip: noTerminal }, async (t) => {
  const { terminal, feed, end } = await runIn(t, 120, '--no-state', 'seq 1 40');
  await feed(3);
  await terminal.until(shows(3));
  // At the bottom of a full screen, as people have it: what tmux makes narrower at the top of an empty one, it scrolls off in part.
  for (const columns of [60, 30, 100, 45, 120]) {
    terminal.resize(columns);
    // Drawn for the new width: what it was before has more columns, or fewer.
    const isDrawn = (line: string): boolean => line.length < columns && (columns < 120 || line.includes('memory')) && (columns !== 100 || line.includes('GB'));
    await terminal.until((now) => now.length === 41 && now[39] === '40' && PROGRESS.test(now[40]!) && isDrawn(now[40]!));
  }
  await end();
  const lines = await terminal.until((now) => now.at(-1) === 'exit code 0');
  assert.ok(!lines.some((line) => PROGRESS.test(line)), lines.join('\n'));
});

test('Ctrl-C: what is said stands in its own line, above progress, and the error in place of it', { skip: noTerminal }, async (t) => {
  const { terminal, feed, end } = await runIn(t, 80, '--state state');
  await feed(3);
  await terminal.until(shows(3));
  terminal.press('C-c');
  const SENTENCE = 'etl-stream: stops at the next checkpoint, or when it is done; once more stops it at once';
  const joined = (lines: string[]): string => lines.map((line) => (PROGRESS.test(line) ? 'progress' : line)).join('\n');
  // More than 80 characters, and so two lines of the screen.
  await terminal.until((now) => joined(now) === `before\n${SENTENCE.slice(0, 80)}\n${SENTENCE.slice(80)}\nprogress`);
  terminal.press('C-c');
  const lines = await terminal.until((now) => now.at(-1) === 'exit code 130');
  assert.equal(joined(lines.slice(0, 4)), `before\n${SENTENCE.slice(0, 80)}\n${SENTENCE.slice(80)}\netl-stream: The run was stopped (stopped by SIGINT); nothing was published. [ETL`);
  assert.ok(!lines.some((line) => PROGRESS.test(line)), lines.join('\n'));
  await end();
});
