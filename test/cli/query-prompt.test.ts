/** The prompt of `etl-stream query` in a real terminal, and its history as a file. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { complete } from '../../lib/cli/query/catalog.ts';
import { History, historyFile, MOST_ENTRIES } from '../../lib/cli/query/history.ts';
import { temporaryFolder } from '../temporary.ts';
import { etlStream, PROGRAM } from './program.ts';
import { noTerminal, Terminal } from './terminal.ts';

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';

test('statements over several lines, errors, Tab, Ctrl+C, a dataset that is published anew, and a history that the next prompt has', { skip: noTerminal }, async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'logs'));
  mkdirSync(join(folder, 'temp'));
  writeFileSync(join(folder, 'logs', 'a.csv'), `${HEADER}1,ann,t,8.8.8.8,12\n2,"b\u001b[31mob",t,8.8.8.8,30\n`);
  const publish = () => etlStream(['logs', '-o', 'totals', '-q'], folder);
  assert.equal((await publish()).code, 0);
  const start = (): Terminal => new Terminal(t, 80, folder, `TMPDIR=temp XDG_STATE_HOME='${folder}/state' '${process.execPath}' '${PROGRAM}' query totals; echo "exit code $?"`);
  const prompts = (lines: readonly string[]): number => lines.filter((line) => line.startsWith('sql>')).length;
  /** Enters lines, and waits for the next prompt: what is on the screen then, from the first of them. */
  const enter = async (terminal: Terminal, ...lines: string[]): Promise<string[]> => {
    const before = await terminal.until((screen) => screen.at(-1) === 'sql>');
    const continued = (screen: readonly string[]): number => screen.filter((line) => line.startsWith('  ->')).length;
    for (const [at, line] of lines.entries()) {
      // Else the terminal shows it where it is typed, before the prompt that it is typed at.
      if (at > 0) await terminal.until((screen) => continued(screen) === continued(before) + at && screen.at(-1) === '  ->');
      terminal.type(line);
      terminal.press('Enter');
    }
    const after = await terminal.until((screen) => prompts(screen) > prompts(before) && screen.at(-1) === 'sql>');
    return after.slice(before.length - 1);
  };

  let terminal = start();
  const shown = await enter(terminal, 'SELECT user_id, sum(total_watch_time) AS minutes', "FROM watch_time WHERE user_id <> ';' -- ;", 'GROUP BY ALL ORDER BY ALL;');
  assert.deepEqual(shown.slice(0, -2), [
    'sql> SELECT user_id, sum(total_watch_time) AS minutes', "  -> FROM watch_time WHERE user_id <> ';' -- ;", '  -> GROUP BY ALL ORDER BY ALL;',
    'user_id      minutes', '-----------  -------', 'ann               12', 'b\\x1b[31mob       30',
  ]);
  assert.match(shown.at(-2)!, /^2 rows in [\d.]+ s$/);
  assert.ok((await enter(terminal, 'SELECT nothing;')).includes('  LINE 1: SELECT nothing'), 'an error, and it goes on');
  assert.ok((await enter(terminal, '.tables')).includes('watch_time'));
  assert.ok((await enter(terminal, '.schema runs')).some((line) => /^runs +started_at +TIMESTAMP$/.test(line)));

  terminal.type('SELECT user_id');
  terminal.press('C-c');
  await terminal.until((lines) => lines.at(-1) === 'sql>');
  terminal.type('SELECT count(*) FROM range(1000000000000);');
  terminal.press('Enter');
  // The terminal echoes it itself as soon as the query has it.
  await terminal.until((lines) => lines.at(-1)!.endsWith('range(1000000000000);'));
  while (!terminal.screen.some((line) => line.includes('[ETL_ABORTED]'))) {
    terminal.press('C-c');
    await terminal.until(() => true);
  }
  await terminal.until((lines) => lines.at(-1) === 'sql>');

  writeFileSync(join(folder, 'logs', 'b.csv'), `${HEADER}3,ann,t,8.8.8.8,100\n`);
  assert.equal((await publish()).code, 0);
  await enter(terminal, '.format csv');
  terminal.type('SELECT sum(tot');
  terminal.press('Tab');
  await terminal.until((lines) => lines.at(-1)!.endsWith('total_watch_time'));
  const moved = await enterRest(terminal, ') AS minutes FROM watch_time;');
  assert.deepEqual([moved.some((line) => line.includes('the dataset was published anew')), moved.includes('142')], [true, true], moved.join('\n'));
  terminal.press('C-d');
  await terminal.until((lines) => lines.includes('exit code 0'));
  assert.deepEqual(readdirSync(join(folder, 'temp')), []);

  const file = join(folder, 'state', 'etl-stream', 'query-history');
  const entries = readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as string);
  assert.equal(entries[0], "SELECT user_id, sum(total_watch_time) AS minutes\nFROM watch_time WHERE user_id <> ';' -- ;\nGROUP BY ALL ORDER BY ALL;", 'one entry');
  assert.equal(entries.at(-1), 'SELECT sum(total_watch_time) AS minutes FROM watch_time;');
  assert.equal(statSync(file).mode & 0o777, 0o600);

  writeFileSync(file, `${JSON.stringify(entries[0])}\n`);
  terminal = start();
  await terminal.until((lines) => lines.at(-1) === 'sql>');
  terminal.press('Up');
  await terminal.until((lines) => lines.at(-1)!.endsWith('GROUP BY ALL ORDER BY ALL;'));
  const again = await enterRest(terminal, '');
  assert.ok(again.some((line) => /^ann +112$/.test(line)), again.join('\n'));
  terminal.type('exit');
  terminal.press('Enter');
  await terminal.until((lines) => lines.includes('exit code 0'));
  assert.equal(readFileSync(file, 'utf8').trimEnd().split('\n').length, 1, 'the same again is no further entry');
});

/** Ends the line that is begun. */
async function enterRest(terminal: Terminal, text: string): Promise<string[]> {
  if (text !== '') terminal.type(text);
  terminal.press('Enter');
  return terminal.until((lines) => lines.at(-1) === 'sql>');
}

test('what needs no prompt has none; what a prompt cannot show is refused', { skip: noTerminal }, async (t) => {
  const folder = temporaryFolder(t);
  for (const [args, message] of [['-o x.csv', /There is no SQL: standard input is a terminal/], ['| cat', /There is no SQL: standard input is a terminal/], ['--format parquet', /Parquet is nothing for a terminal/], ['', /There is no dataset at none/]] as const) {
    const terminal = new Terminal(t, 80, folder, `'${process.execPath}' '${PROGRAM}' query none ${args}; echo end`);
    const lines = await terminal.until((screen) => screen.at(-1) === 'end');
    assert.match(lines.join(' '), message);
  }
});

test('Tab completes tables, columns, words in the case of the writer, and commands', () => {
  const tables = [{ name: 'watch_time', columns: [{ name: 'user_id', type: 'VARCHAR' }] }, { name: 'runs', columns: [{ name: 'users', type: 'BIGINT' }] }];
  const of = (line: string) => complete(line, tables, ['table', 'csv']);
  assert.deepEqual(of('SELECT us'), [['user_id', 'users', 'using'], 'us']);
  assert.deepEqual(of('SELECT US'), [['user_id', 'users', 'USING'], 'US']);
  assert.deepEqual(of('FROM w')[0], ['watch_time', 'where', 'when', 'with']);
  assert.deepEqual([of('SELECT '), of('.f'), of('.format c'), of('.schema ')], [[[], ''], [['.format'], '.f'], [['csv'], 'c'], [['watch_time', 'runs'], '']]);
});

test('a history has the last 1,000 statements, for its user only, and is no reason to fail', { skip: process.platform === 'win32' }, (t) => {
  const file = join(temporaryFolder(t), 'new', 'query-history');
  const history = History.open(file);
  for (const statement of ['SELECT 1;', 'a\n"b"', 'a\n"b"']) history.add(statement);
  assert.deepEqual([history.entries, statSync(file).mode & 0o777, statSync(join(file, '..')).mode & 0o777], [['a\n"b"', 'SELECT 1;'], 0o600, 0o700]);
  chmodSync(file, 0o644);
  History.open(file).add('c');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(History.open(file).entries, ['c', 'a\n"b"', 'SELECT 1;']);
  writeFileSync(file, `${Array.from({ length: 1500 }, (_, n) => `"${n}"\n`).join('')}{"no": 1}\n"cut of`);
  const { entries } = History.open(file);
  assert.deepEqual([entries.length, entries[0], entries.at(-1)], [MOST_ENTRIES, '1499', '500']);
  assert.equal(readFileSync(file, 'utf8').split('\n').length, MOST_ENTRIES + 1, 'and the file is short again');
  for (const nowhere of [join(file, 'below', 'a-file'), undefined]) {
    const none = History.open(nowhere);
    none.add('x');
    assert.deepEqual(none.entries, ['x']);
  }
});

test('where a history is: by the XDG specification, or the custom of the system', { skip: process.platform === 'win32' }, () => {
  const of = (environment: Record<string, string>, platform: NodeJS.Platform = 'linux', home = '/home/you') => historyFile(environment, platform, home);
  assert.equal(of({}), '/home/you/.local/state/etl-stream/query-history');
  assert.equal(of({ XDG_STATE_HOME: '/s' }), '/s/etl-stream/query-history');
  assert.equal(of({ XDG_STATE_HOME: 's' }), of({}), 'a relative one does not count');
  assert.equal(of({}, 'darwin'), '/home/you/Library/Application Support/etl-stream/query-history');
  assert.equal(of({ LOCALAPPDATA: '/local' }, 'win32'), '/local/etl-stream/query-history');
  assert.equal(of({}, 'linux', ''), undefined, 'no home');
});
