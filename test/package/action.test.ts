/** The GitHub action: its steps are run as the runner runs them (test/package/runner.ts), with the build of this checkout in the place of one that its first step makes. */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { Summary } from '../../lib/index.ts';
import { temporaryFolder } from '../temporary.ts';
import { readAction, runAction, type StepsResult } from './runner.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const action = readAction(join(checkout, 'action.yml'));
const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';
const row = (id: string, value = '10'): string => `${id},u1,2026-11-30T00:00:00Z,8.8.8.8,${value}\n`;
const rows = (count: number): string => Array.from({ length: count }, (_, index) => row(`id-${index}`)).join('');

/** A workspace with some files, and the action in it. */
function workspaceWith(context: TestContext, files: Readonly<Record<string, string>>) {
  const folder = temporaryFolder(context);
  const workspace = join(folder, 'workspace');
  mkdirSync(workspace);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(workspace, name, '..'), { recursive: true });
    writeFileSync(join(workspace, name), text);
  }
  const start = (inputs: Record<string, string>, more?: Record<string, string>): StepsResult => runAction(action, checkout, workspace, join(folder, 'runner'), inputs, more);
  return { folder, workspace, start };
}

test('outputs, the table of the summary, and annotations at the first rejected rows', (context) => {
  const bad = [20, 30, 40].map((line) => `bad-${line}`);
  const lines = `${HEADER}${rows(100)}`.trimEnd().split('\n');
  for (const [index, id] of bad.entries()) lines[19 + 10 * index] = row(id, 'many').trimEnd();
  const { workspace, start } = workspaceWith(context, { 'logs/a.csv': `${lines.join('\n')}\n`, 'logs/b.csv': `${HEADER}${row('id-0')}` });
  const { code, outputs, summary, annotations } = start({ inputs: 'logs', output: 'totals', args: '--no-state\n--max-rejects=50%', 'max-annotations': '2' });

  assert.equal(code, 0);
  const json = JSON.parse(readFileSync(outputs['summary']!, 'utf8')) as Summary;
  assert.deepEqual(outputs, { rows: '101', counted: '97', duplicates: '1', rejected: '3', output: join(workspace, 'totals'), summary: outputs['summary'], 'exit-code': '0' });
  assert.equal(json.rows.read, 101);
  assert.ok(existsSync(join(outputs['output']!, '_SUCCESS')));
  for (const line of ['| rows read | 101 |', '| duplicates | 1 |', '| rejected | 3 |', '| counted | 97 |', '| bad&#95;value | 3 |', '| biggest regions | watch time | logs | share |', '| US | 970 | 97 | 100.0 % |']) assert.ok(summary.includes(`${line}\n`), summary);
  assert.deepEqual(annotations, [20, 30].map((line) => ({
    kind: 'warning', properties: { file: 'logs/a.csv', line: String(line), title: 'bad_value' }, message: 'The value "many" is not a decimal number.',
  })));

  const csv = start({ inputs: 'a.csv\nb.csv', args: '--no-state\n--overwrite\n--max-rejects=50%\n--rejects-format=csv', 'working-directory': 'logs', output: '../totals' });
  assert.deepEqual([csv.code, csv.outputs['output'], csv.annotations.length], [0, join(workspace, 'totals'), 3]);
  assert.deepEqual(csv.annotations.slice(0, 2), annotations);
});

test('with a state, a second run has nothing to read', (context) => {
  const { start } = workspaceWith(context, { 'logs/a.csv': `${HEADER}${rows(10)}` });
  assert.equal(start({ inputs: 'logs' }).outputs['counted'], '10');
  const { code, outputs, summary } = start({ inputs: 'logs' });
  assert.deepEqual([code, outputs['rows'], outputs['rejected']], [0, '0', '0']);
  assert.match(summary, /\| counted in all \| 10 \|/);
});

test('too many rejected rows: exit code 3, an error, the reasons, and a warning for each of them at its first row', (context) => {
  const { workspace, start } = workspaceWith(context, { 'logs/a.tsv': `${HEADER}${row('1', 'x')}${row('2')}${row('', '1')}${row('3', 'y')}`.replaceAll(',', ';') });
  const { code, outputs, summary, annotations } = start({ inputs: 'logs', args: '-j\n1\n--delimiter\n;\n--no-state\n--memory=200MB' });

  assert.equal(code, 3);
  assert.deepEqual(outputs, { rows: '4', counted: '', duplicates: '', rejected: '3', output: '', summary: '', 'exit-code': '3' });
  assert.deepEqual(annotations.map(({ kind, properties }) => [kind, properties['file'], properties['line'], properties['title']]), [
    ['error', undefined, undefined, 'etl-stream'], ['warning', 'logs/a.tsv', '4', 'missing_id: 1 row'], ['warning', 'logs/a.tsv', '2', 'bad_value: 2 rows'],
  ]);
  assert.match(annotations[0]!.message, /3 of 4 rows were rejected.*\[ETL_REJECTED\]\n +Nothing was published/);
  assert.match(summary, /too many rows are rejected[^]*\| read \| 4 \|[^]*\| bad&#95;value \| 2 \|/);
  assert.deepEqual(readdirSync(workspace), ['logs']);
});

test('what is wrong with the step is an error that says so', (context) => {
  const { start } = workspaceWith(context, { 'a.csv': `${HEADER}${rows(3)}` });
  assert.match(start({ inputs: 'a.csv', args: 'validate' }).annotations[0]!.message, /no summary of a run/);
  for (const [inputs, exitCode, message] of [
    [{ inputs: 'missing.csv' }, '1', /Cannot find the input missing\.csv.*\[ETL_INPUT_NOT_FOUND\]/],
    [{ inputs: 'a.csv', args: '--no-such-option' }, '2', /--no-such-option/],
    [{ inputs: '\n' }, '', /No inputs are given/],
    [{ inputs: 'a.csv', 'working-directory': 'nowhere' }, '', /There is no folder "nowhere"/],
    [{ inputs: 'a.csv', 'max-annotations': 'all' }, '', /max-annotations must be a whole number, not "all"/],
    [{ inputs: 'a.csv', args: 'state' }, '1', /There is no state/],
  ] as const) {
    const { code, outputs, annotations } = start(inputs);
    assert.equal(code, Number(exitCode || 1), JSON.stringify(inputs));
    assert.equal(outputs['exit-code'], exitCode);
    assert.equal(annotations.length, 1);
    assert.match(annotations[0]!.message, message);
  }
});

test('texts of inputs and logs are never commands: of a shell, of the runner, or of Markdown', (context) => {
  const name = 'logs/a,line=1::error::%0A$(touch pwned)`touch pwned`\n::error::b.csv';
  const hostile = '"x\n::error file=other.js::pwned\n::set-output name=rows::0\n| <img src=x> | ![a](b) |"';
  const { workspace, start } = workspaceWith(context, { [name]: `${HEADER}${row('1', hostile)}${row('2')}`, '-o': `${HEADER}${row('3')}`, validate: `${HEADER}${row('4')}` });

  const kept = start({ inputs: 'logs\n-o\nvalidate', output: '-$(touch pwned); touch pwned', args: '--no-state\n--max-rejects=50%\n--comment=; touch pwned # "$(touch pwned)' });
  assert.equal(kept.code, 0, kept.log);
  assert.deepEqual([kept.outputs['output'], kept.outputs['rows'], kept.outputs['rejected']], [join(workspace, '-$(touch pwned); touch pwned'), '4', '1']);
  assert.equal(kept.annotations.length, 1);
  assert.deepEqual(kept.annotations[0]!.properties, { file: name, line: '2', title: 'bad_value' });
  assert.match(kept.annotations[0]!.message, /^The value "x.*::error file=other\.js::pwned/s);
  assert.match(kept.summary, /&#36;&#40;touch pwned&#41;/);

  const failed = start({ inputs: 'logs', args: '--no-state' });
  assert.equal(failed.code, 3);
  assert.deepEqual(failed.annotations.map(({ kind, properties }) => [kind, properties['file']]), [['error', undefined], ['warning', name]]);
  const rule = start({ inputs: 'logs', args: '--no-state\n--max-rejects=100%\n--rule=user_id:one-of=<b>|`a`\n--rule=log_id:pattern=[0-9]\n--overwrite' });
  assert.equal(rule.code, 0, rule.log);
  for (const { summary } of [kept, failed, rule]) assert.doesNotMatch(summary, /<|`|\]\(|::/);
  assert.match(rule.summary, /\| rule user&#95;id&#58;one-of=&#60;b&#62;&#124;&#96;a&#96; \| 1 \|/);

  assert.deepEqual(start({ inputs: 'a', version: '$(touch pwned)' }).annotations.map(({ message }) => message), ['"$(touch pwned)" is no version.']);
  assert.deepEqual(readdirSync(workspace, { recursive: true }).filter((path) => String(path).endsWith('pwned') && !String(path).includes('touch')), []);
});

test('the first step builds the checkout, or takes a version from the registry', (context) => {
  const { folder, start } = workspaceWith(context, {});
  const copied = join(folder, 'action');
  mkdirSync(join(folder, 'bin'));
  mkdirSync(copied);
  cpSync(join(checkout, 'scripts/github-action.mjs'), join(copied, 'scripts/github-action.mjs'));
  const called = join(folder, 'called');
  writeFileSync(join(folder, 'bin/npm'), `#!/bin/sh\necho "$PWD $*" >> '${called}'\n`);
  chmodSync(join(folder, 'bin/npm'), 0o755);
  const PATH = [join(folder, 'bin'), process.env['PATH']].join(delimiter);

  start({ inputs: 'a' }, { PATH, GITHUB_ACTION_PATH: copied });
  assert.deepEqual(readFileSync(called, 'utf8').trim().split('\n'), [`${copied} ci --no-audit --no-fund --ignore-scripts`, `${copied} run build`]);
  writeFileSync(called, '');
  start({ inputs: 'a', version: '0.1.0' }, { PATH, GITHUB_ACTION_PATH: copied });
  assert.match(readFileSync(called, 'utf8'), /install .*--ignore-scripts --prefix \S+ etl-stream@0\.1\.0\n$/);
});

test('steps get inputs as variables, and the example uses inputs and outputs that there are', () => {
  for (const { run, shell } of action.runs.steps) assert.ok(shell === 'bash' && !run.includes('${{'), run);
  const example = readFileSync(join(checkout, '.github/workflows/example-etl.yml'), 'utf8');
  const { on, jobs } = parse(example) as { on: object; jobs: { totals: { steps: { uses?: string; run?: string; with?: object }[] } } };
  assert.deepEqual(Object.keys(on), ['workflow_dispatch']);
  const step = jobs.totals.steps.find(({ uses }) => uses === './')!;
  for (const name of Object.keys(step.with!)) assert.ok(action.inputs[name], name);
  const used = [...example.matchAll(/steps\.etl\.outputs\.([\w-]+)/g)].map((match) => match[1]!);
  assert.ok(used.length > 0);
  for (const name of used) assert.ok(action.outputs[name], name);
  for (const { run } of jobs.totals.steps) assert.ok(!run?.includes('${{'));
});
