/** `--log-format json`: every line on stderr is one of JSON with level, time and message; errors have code, cause and what to do next. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { errorCodes, nextSteps } from '../../lib/core/errors.ts';
import { temporaryFolder } from '../temporary.ts';
import { etlStream } from './program.ts';

const LOGS = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n1,ann,t,8.8.8.8,10\n';

interface Line {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly [more: string]: unknown;
}

function linesOf(stderr: string): Line[] {
  const lines = stderr.trimEnd().split('\n').map((line) => JSON.parse(line) as Line);
  for (const { level, time, msg } of lines) {
    assert.match(level, /^(info|warn|error)$/);
    assert.equal(new Date(time).toISOString(), time);
    assert.equal(typeof msg, 'string');
  }
  return lines;
}

test('a run tells its warnings, guesses and summary; stdout has data alone', async (t) => {
  const folder = temporaryFolder(t);
  const { code, stdout, stderr } = await etlStream(['--log-format', 'json', '--memory', '10TB', '--sniff', '-o', 'out', '--json'], folder, LOGS);
  assert.equal(code, 0, stderr);
  const lines = linesOf(stderr);
  assert.deepEqual(lines.filter(({ level }) => level === 'warn').map(({ limit }) => limit), [10e12]);
  assert.equal(lines.find(({ msg }) => msg.startsWith('sniffed'))?.level, 'info');
  assert.equal((JSON.parse(stdout) as { rows: { counted: number } }).rows.counted, 1);
  const { stderr: told, stdout: nothing } = await etlStream(['--log-format', 'json', '-o', 'other'], folder, LOGS);
  assert.equal(nothing, '');
  const done = linesOf(told).find(({ msg }) => msg === 'done')!;
  assert.equal((done.summary as { rows: { counted: number } }).rows.counted, 1);
  assert.equal((await etlStream(['--log-format', 'json', '-o', 'quiet', '-q'], folder, LOGS)).stderr, '');
});

test('errors have code, hint and cause, wherever they come from: the command line, the environment, a run', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(`${folder}/\u001b[31m\u009b`);
  const cases: [args: string[], code: number, error: string, environment?: Record<string, string>][] = [
    [['--log-format', 'json', '--nonsense'], 2, 'ETL_USAGE'], [['--log-format=json', '--memory'], 2, 'ETL_USAGE'],
    [['--log-format', 'json', 'nothing.csv'], 1, 'ETL_INPUT_NOT_FOUND'], [['--log-format', 'json', '\u001b[31m\u009b'], 1, 'ETL_INPUT_NOT_FOUND'],
    [['state', 'none', '--log-format', 'json'], 1, 'ETL_STATE_READ'], [['--jobs', 'x'], 2, 'ETL_USAGE', { ETL_STREAM_LOG_FORMAT: 'json' }],
  ];
  for (const [args, code, error, environment] of cases) {
    const result = await etlStream(args, folder, '', environment);
    assert.equal(result.code, code, result.stderr);
    assert.doesNotMatch(result.stderr, /[\u001b\u009b]/);
    const line = linesOf(result.stderr).at(-1)!;
    assert.deepEqual([line.level, line.code, typeof line.hint], ['error', error, 'string'], args.join(' '));
  }
});

test('there is something to do next for every code', () => {
  assert.deepEqual(Object.keys(nextSteps).sort(), Object.keys(errorCodes).sort());
  for (const [code, step] of Object.entries(nextSteps)) assert.match(step, /^[A-Z].*\.$|^etl-stream .*\.$/, code);
});
