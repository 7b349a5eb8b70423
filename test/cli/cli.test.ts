/** The built program from outside: the three ways in, exit codes, messages, signals. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { formatSummary } from '../../lib/cli/summary.ts';
import type { Summary } from '../../lib/index.ts';
import { readResult } from '../oracle/duckdb.ts';
import { temporaryFolder } from '../temporary.ts';
import { etlStream, PROGRAM, start, type Result } from './program.ts';
import { residentProgram } from './resident.ts';

const resident = residentProgram();

const LOGS = `log_id,user_id,timestamp,ip_address,watch_time(min)
1,ann,2026-01-01T00:00:00Z,8.8.8.8,10
2,bob,2026-01-01T00:00:00Z,1.1.1.1,20
1,ann,2026-01-01T00:00:00Z,8.8.8.8,10
3,ann,2026-01-01T00:00:00Z,10.0.0.1,5
`;
const TOTALS = [
  { region: 'AU', user: 'bob', total: 20n, count: 1n },
  { region: 'US', user: 'ann', total: 10n, count: 1n },
  { region: 'ZZ', user: 'ann', total: 5n, count: 1n },
];

test('cat logs.csv | etl-stream publishes into ./etl-output', async (t) => {
  const folder = temporaryFolder(t);
  const { code, stdout, stderr } = await etlStream([], folder, LOGS);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '', 'stdout is for data only');
  for (const line of [/^read +4 /m, /^duplicates +1 +25\.00 %$/m, /^rejected +0$/m, /^counted +3 /m, /^users +2$/m, /^regions +3 /m, /^seconds +[\d.]+ /m, /^peak RSS +[\d.]+ MB {2}of [\d.]+ [MG]B$/m]) assert.match(stderr, line);
  assert.deepEqual(await readResult(join(folder, 'etl-output')), TOTALS);
  assert.deepEqual(readdirSync(folder), ['.etl-output.state', '.etl-output.versions', 'etl-output']);
  assert.ok(existsSync(join(folder, 'etl-output', '_SUCCESS')));
});

test('more --memory than there is, is said; what went to disk has a line of its own', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'a.csv'), LOGS);
  assert.match((await resident(['a.csv', '-o', 'one', '--memory', '10TB'], folder)).stderr, /^etl-stream: warning: the run may take 10000000MB, .* has \d+MB/);
  assert.equal((await resident(['a.csv', '-o', 'two', '--memory', '10TB', '-q'], folder)).stderr, '');
  const { stdout } = await resident(['a.csv', '-o', 'three', '--json'], folder);
  const summary = JSON.parse(stdout) as Summary;
  assert.doesNotMatch(formatSummary(summary), /^(spilled|removed)/m);
  const spilled = { ...summary, spill: { bytes: 2e6, files: 1, rows: 1, splits: 0 }, runs: { made: 3, spilled: 2, merges: 1 }, leftBehind: ['x'] };
  assert.match(formatSummary(spilled), /^spilled +2\.0 MB  to 1 temporary file: 1 row, 2 runs, 1 merge$/m);
  assert.match(formatSummary(spilled), /^removed +1  folder that killed runs left: x$/m);
});

test('a folder, files, and - give the same result; --json prints the summary on stdout, -q nothing', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'logs', 'a.csv'), LOGS);
  writeFileSync(join(folder, 'logs', 'b.csv'), LOGS);
  const json = await etlStream(['logs/', '-o', 'one', '--json'], folder);
  const summary = JSON.parse(json.stdout) as Summary;
  assert.deepEqual(summary.rows, { read: 8, duplicates: 5, rejected: 0, counted: 3 });
  assert.equal(json.stderr, '');
  const quiet = await resident(['logs/a.csv', 'logs/b.csv', '-o', 'two', '-q'], folder);
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, '', '']);
  const dash = await etlStream(['-', '-o', 'three'], folder, LOGS);
  assert.equal(dash.code, 0);
  for (const name of ['one', 'two', 'three']) assert.deepEqual(await readResult(join(folder, name)), TOTALS);
});

test('without a state an output that exists is an error that says --overwrite; --overwrite replaces it, with a state or without', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'a.csv'), LOGS);
  writeFileSync(join(folder, 'changed.csv'), LOGS.replace(',20\n', ',21\n'));
  for (const none of [['--no-state'], []]) {
    const args = ['-o', `out${none.length}`, ...none];
    const published = async (): Promise<object[]> => readResult(join(folder, `out${none.length}`));
    assert.equal((await resident(['a.csv', ...args], folder)).code, 0);
    const again = await resident(['changed.csv', ...args, '--no-state'], folder);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /exists already.*\[ETL_OUTPUT_EXISTS\]\n.*--overwrite/s);
    assert.deepEqual(await published(), TOTALS);
    assert.equal((await resident(['changed.csv', ...args, '--overwrite'], folder)).code, 0);
    assert.deepEqual(await published(), [{ ...TOTALS[0]!, total: 21n }, ...TOTALS.slice(1)]);
  }
});

test('wrong usage exits with 2 and says what is accepted', async (t) => {
  const folder = temporaryFolder(t);
  const cases: [string[], RegExp][] = [
    [['--group-by', 'planet'], /region, user/],
    [['--compression', 'rar'], /zstd, snappy, gzip, none/],
    [['--parquet-encoding', 'x'], /auto, plain/],
    [['--overwrit'], /Did you mean --overwrite/],
    [['--state', ''], /--state must be the path of a folder; --no-state/],
    [['--state'], /argument missing/],
    [['--state', 'etl-output/state'], /lies in the output folder/],
    [['--value-scale', '7'], /0 to 6/],
    [['--value-scale', 'two'], /whole number/],
    [['--id-column', 'user_id'], /both name "user_id"/],
    [['--memory', 'much'], /256MiB/],
    [['--max-spill', '0'], /number of bytes/],
    [['generate'], /folder/],
    [['generate', 'x', '--size', 'huge'], /500MB/],
    [['generate', 'x', '--duplicates', '2'], /duplicates/],
    [['parse', 'x.csv'], /--json/],
  ];
  const assertWrong = ({ code, stdout, stderr }: Result, args: readonly string[], message: RegExp): void => {
    assert.deepEqual([code, stdout], [2, ''], `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, message, args.join(' '));
  };
  for (const [args, message] of cases) assertWrong(await resident(args, folder), args, message);
  const little = ['--memory', '10MB'];
  assertWrong(await etlStream(little, folder, LOGS), little, /--memory 10MB is less than this process needs: at least 1\d\dMB/);
  assert.deepEqual(readdirSync(folder), []);
});

test('a failure exits with 1 and names what is at fault', async (t) => {
  const folder = temporaryFolder(t);
  const missing = await etlStream(['nothing.csv'], folder);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /nothing\.csv.*\[ETL_INPUT_NOT_FOUND\]/);
  assert.match((await resident(['valdate', 'x.csv'], folder)).stderr, /\n  Did you mean the command validate\?\n/);
  const header = await etlStream([], folder, 'id,user\n1,2\n');
  assert.equal(header.code, 1);
  assert.match(header.stderr, /log_id.*\[ETL_HEADER\]/s);
  const nothing = await etlStream([], folder, '');
  assert.equal(nothing.code, 1);
  assert.match(nothing.stderr, /empty/);
  assert.deepEqual(readdirSync(folder), []);
});

test('--help, --version', async (t) => {
  const folder = temporaryFolder(t);
  const help = await resident(['--help'], folder);
  assert.equal(help.code, 0);
  for (const option of ['--output', '--overwrite', '--id-column', '--user-column', '--ip-column', '--value-column', '--value-scale', '--geo-db', '--geo-field', '--group-by', '--compression', '--parquet-encoding', '--state', '--no-state', '--checkpoint', '--temp', '--json', '--quiet']) {
    assert.ok(help.stdout.includes(option), option);
  }
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  assert.equal((await etlStream(['--version'], folder)).stdout, `${version}\n`);
});

/** The staging folder, or that of versions which has it, shows that the run is under way; it waits for more input then. */
async function underWay(folder: string): Promise<void> {
  while (!readdirSync(folder).some((name) => /staging|versions/.test(name))) await new Promise(setImmediate);
}

for (const [signal, code, args] of [['SIGHUP', 129, []], ['SIGINT', 130, ['--no-state']], ['SIGTERM', 143, []], ['SIGTERM', 143, ['--no-state']]] as const) {
  test(`${[signal, ...args].join(' ')} while standard input is idle exits with ${code} and leaves nothing`, async (t) => {
    const folder = temporaryFolder(t);
    const { child, result } = start(['-o', 'out', ...args], folder);
    child.stdin!.write(LOGS);
    await underWay(folder);
    child.kill(signal);
    const { code: exit, stderr } = await result;
    assert.equal(exit, code, stderr);
    assert.match(stderr, /\[ETL_ABORTED\]/);
    assert.deepEqual(readdirSync(folder), []);
  });
}

test('with a state SIGINT waits for the end of the run, a second one does not', async (t) => {
  const folder = temporaryFolder(t);
  const once = start(['-o', 'out'], folder);
  const told = new Promise((resolve) => once.child.stderr!.once('data', resolve));
  once.child.stdin!.write(LOGS);
  await underWay(folder);
  once.child.kill('SIGINT');
  await told;
  once.child.stdin!.end();
  const { code, stderr } = await once.result;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /stops at the next checkpoint, or when it is done/);
  assert.deepEqual(await readResult(join(folder, 'out')), TOTALS);

  const twice = start(['-o', 'new/two'], folder);
  const heard = new Promise((resolve) => twice.child.stderr!.once('data', resolve));
  twice.child.stdin!.write(LOGS);
  while (!existsSync(join(folder, 'new'))) await new Promise(setImmediate);
  await underWay(join(folder, 'new'));
  twice.child.kill('SIGINT');
  await heard;
  twice.child.kill('SIGINT');
  assert.equal((await twice.result).code, 130);
  assert.ok(!existsSync(join(folder, 'new')));
});

/** A real pipe (what `spawn` makes is a socket) whose producer, the test, never ends: `input` is for the program. */
function endlessPipe(t: TestContext): { input: number; producer: number } {
  const path = join(temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const producer = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const input = openSync(path, 'r');
  t.after(() => [input, producer].forEach(closeSync));
  return { input, producer };
}

/** Writes as the program reads, and until it ends. More than a pipe holds: some of it has been read then. */
async function give(producer: number, text: string, child: ChildProcess): Promise<void> {
  for (let rest = Buffer.from(text); rest.length > 0 && child.exitCode === null; await new Promise(setImmediate)) {
    try {
      rest = rest.subarray(writeSync(producer, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
  test(`${signal} ends a process that waits for an idle pipe, whose producer lives on`, { skip: process.platform === 'win32' }, async (t) => {
    const folder = temporaryFolder(t);
    const { input, producer } = endlessPipe(t);
    const { child, result } = start(['--no-state', '-o', 'out'], folder, input);
    await give(producer, LOGS.repeat(1000), child);
    await underWay(folder);
    // What is left in the pipe is taken away: the program waits for more.
    assert.throws(() => { while (readSync(producer, Buffer.alloc(1 << 16)) > 0); }, { code: 'EAGAIN' });
    if (process.platform === 'linux') while (!/\) S /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'))) await new Promise(setImmediate);
    child.kill(signal);
    const { code: exit, stderr } = await result;
    assert.equal(exit, code, stderr);
    assert.match(stderr, /\[ETL_ABORTED\]/);
    assert.deepEqual(readdirSync(folder), []);
  });
}

test('a named pipe that nobody writes to keeps no process that is told to end', { skip: process.platform !== 'linux' }, async (t) => {
  const folder = temporaryFolder(t);
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const { child, result } = start(['pipe', '--no-state', '-o', 'new/out'], folder);
  while (readdirSync(folder).length === 1) await new Promise(setImmediate);
  child.kill('SIGINT');
  assert.equal((await result).code, 130);
  assert.deepEqual(readdirSync(folder), ['pipe']);
});

test('a job that fails ends while the producer of its pipe lives on', { skip: process.platform === 'win32' }, async (t) => {
  const folder = temporaryFolder(t);
  // The first input fails at its end, when standard input is read ahead: more than a sample, less than a block behind it.
  writeFileSync(join(folder, 'a.csv'), `${LOGS}4,"${'x'.repeat(2 << 20)}`);
  const { input, producer } = endlessPipe(t);
  const { child, result } = start(['a.csv', '-', '-o', 'out', '--max-record', '1MB'], folder, input);
  await give(producer, LOGS + '\n'.repeat(3 << 19), child);
  const { code, stderr } = await result;
  assert.equal(code, 1);
  assert.match(stderr, /opens a quote that is never closed.*\[ETL_INPUT_READ\]/);
  mkdirSync(join(folder, 'out'));
  writeFileSync(join(folder, 'out', 'mine'), '');
  const exists = await start(['-o', 'out'], folder, endlessPipe(t).input).result;
  assert.equal(exists.code, 1);
  assert.match(exists.stderr, /\[ETL_OUTPUT_EXISTS\]/);
});

test('a failure ends the process while standard input is still open', async (t) => {
  const folder = temporaryFolder(t);
  const { child, result } = start(['-o', 'out', '--value-scale', '0'], folder);
  child.stdin!.on('error', () => undefined);
  child.stdin!.write(`no,such,columns\n${'1,2,3\n'.repeat(400_000)}`);
  const { code, stderr } = await result; // nobody ends standard input
  assert.equal(code, 1);
  assert.match(stderr, /\[ETL_HEADER\]/);
  assert.deepEqual(readdirSync(folder), []);
});

test('a second signal does not wait, and leaves nothing either', async (t) => {
  const folder = temporaryFolder(t);
  const { child, result } = start(['--no-state', '-o', 'new/out', '--temp', 'temp'], folder);
  child.stdin!.write(LOGS);
  while (readdirSync(folder).length < 2) await new Promise(setImmediate);
  child.kill('SIGINT');
  child.kill('SIGTERM');
  const { code } = await result;
  assert.ok(code === 130 || code === 143, String(code));
  assert.deepEqual(readdirSync(folder), []);
});

test('pipes of the shell are inputs', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'a.csv'), LOGS);
  const shell = (command: string): number | null => spawnSync('bash', ['-c', command, process.execPath, PROGRAM], { cwd: folder }).status;
  assert.equal(shell('"$0" "$1" <(cat a.csv) <(cat a.csv) -o one'), 0);
  assert.equal(shell('cat a.csv | "$0" "$1" /dev/stdin -o two'), 0);
  for (const name of ['one', 'two']) assert.deepEqual(await readResult(join(folder, name)), TOTALS);
});

test('standard output that cannot be written is an error with a code; messages that nobody reads are none', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'a.csv'), LOGS);
  const shell = (command: string): { status: number | null; stderr: string } =>
    spawnSync('bash', ['-c', `set -o pipefail; ${command}`, process.execPath, PROGRAM], { cwd: folder, encoding: 'utf8' });
  const full = shell('"$0" "$1" a.csv -o one --json > /dev/full');
  assert.equal(full.status, 1);
  assert.match(full.stderr, /^etl-stream: Cannot write to standard output: .*\[ETL_OUTPUT_WRITE\]/);
  assert.equal(shell('"$0" "$1" a.csv -o two 2> /dev/full').status, 0);
  for (const name of ['one', 'two']) assert.deepEqual(await readResult(join(folder, name)), TOTALS);
});

test('control codes of an input do not reach the terminal', async (t) => {
  const { stderr } = await etlStream([], temporaryFolder(t), 'a\u001b]0;title\u0007,b\n');
  assert.match(stderr, /\[ETL_HEADER\].*\\x1b\]0;title\\x07/s);
  assert.ok(!stderr.includes('\u001b'));
});

test('generate writes logs that the job takes, the same for the same arguments', async (t) => {
  const folder = temporaryFolder(t);
  const args = ['--files', '2', '--size', '300KB', '--users', '500', '--duplicates', '0.1', '--seed', '9'];
  for (const name of ['one', 'two']) assert.equal((await resident(['generate', name, ...args], folder)).code, 0);
  assert.deepEqual(readdirSync(join(folder, 'one')), ['logs-0001.csv', 'logs-0002.csv']);
  for (const name of readdirSync(join(folder, 'one'))) {
    assert.ok(readFileSync(join(folder, 'one', name)).equals(readFileSync(join(folder, 'two', name))));
  }
  const { code, stdout } = await resident(['one', '--json'], folder);
  assert.equal(code, 0);
  assert.ok((JSON.parse(stdout) as Summary).rows.duplicates > 200);
});

test('parse --json prints every record as an array', async (t) => {
  const folder = temporaryFolder(t);
  const text = 'a,b\r\n"x,1","say ""hi""\n"\r\n\r\né,\n';
  const expected = [['a', 'b'], ['x,1', 'say "hi"\n'], ['é', '']];
  writeFileSync(join(folder, 'a.csv'), text);
  for (const result of [await etlStream(['parse', 'a.csv', '--json'], folder), await etlStream(['parse', '--json'], folder, text)]) {
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(result.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown), expected);
  }
  const missing = await resident(['parse', 'b.csv', '--json'], folder);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /b\.csv.*\[ETL_INPUT_READ\]/);
});

test('parse: dialects, malformed records on stderr, repairs, the first fault', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'a.csv'), 'junk\na || b\n# no\n1 || "x || y"\n2\n"3 || z\n');
  const args = ['parse', 'a.csv', '--json', '--delimiter', ' || ', '--comment', '#', '--skip-lines', '1'];
  const lines = (text: string): unknown[] => text.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown);
  const rejecting = await resident(args, folder);
  assert.equal(rejecting.code, 0, rejecting.stderr);
  assert.deepEqual(lines(rejecting.stdout), [['a', 'b'], ['1', 'x || y']]);
  assert.deepEqual((lines(rejecting.stderr) as { line: number; byte: number; code: string }[]).map(({ line, byte, code }) => [line, byte, code]), [
    [5, 31, 'field_count'], [6, 33, 'unterminated_quote'],
  ]);
  const repairing = await resident([...args, '--on-error', 'repair'], folder);
  assert.deepEqual(lines(repairing.stdout), [['a', 'b'], ['1', 'x || y'], ['2', ''], ['"3', 'z']]);
  assert.deepEqual((lines(repairing.stderr) as { repair: string }[]).map(({ repair }) => repair), ['padded', 'reread']);
  const failing = await resident([...args, '--on-error', 'fail'], folder);
  assert.equal(failing.code, 3);
  assert.match(failing.stderr, /line 5 \(byte 31\) of a\.csv .*\[ETL_REJECTED\]/);
  writeFileSync(join(folder, 'b.gz'), gzipSync(Buffer.from('\ufeffé,b\n1,2\n', 'utf16le')));
  assert.deepEqual(lines((await resident(['parse', 'b.gz', '--json'], folder)).stdout), [['é', 'b'], ['1', '2']]);
  const sniffing = await etlStream(['parse', '--json', '--sniff'], folder, "a;b\n'1;x';2\n'3';4\n");
  assert.deepEqual(lines(sniffing.stdout), [['a', 'b'], ['1;x', '2'], ['3', '4']]);
  assert.match(sniffing.stderr, /sniffed: delimiter ;, quote ', header: yes \(<stdin>\)/);
});

test('a reader that has seen enough is not an error', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'a.csv'), 'a,b\n'.repeat(200_000));
  const pipe = 'set -o pipefail; "$0" "$1" parse a.csv --json | head -n 1';
  const { status, stdout, stderr } = spawnSync('bash', ['-c', pipe, process.execPath, PROGRAM], { cwd: folder, encoding: 'utf8' });
  assert.deepEqual([status, stdout, stderr], [0, '["a","b"]\n', '']);
});

test('without input on a terminal: help', { skip: spawnSync('script', ['--version']).status !== 0 }, async () => {
  const { stdout } = spawnSync('script', ['-qec', `${process.execPath} ${PROGRAM}`, '/dev/null'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  assert.match(stdout, /Usage: etl-stream/);
});
