/** One table: each option is in help, man page, schema, environment and README by it, and where a value comes from is as promised. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configSchema } from '../../lib/cli/options/config-schema.ts';
import { readConfigFile } from '../../lib/cli/options/config-file.ts';
import { optionTables } from '../../lib/cli/options/markdown.ts';
import { flagsOf, pathOf, settle, variableOf } from '../../lib/cli/options/settings.ts';
import { allCommands, keyOf, optionsOf, type OptionSpec } from '../../lib/cli/options/spec.ts';
import { program } from '../../lib/cli/options/table.ts';
import { validateOptions } from '../../lib/core/options.ts';
import { temporaryFolder } from '../temporary.ts';
import { residentProgram } from './resident.ts';

const resident = residentProgram();

const commands = [...allCommands(program)];
const everyOption = commands.flatMap(({ path, command }) => optionsOf(command).map((option) => ({ path, command, option })));
const forms = ({ name, short, kind, negation }: OptionSpec): string[] => [
  ...(kind || negation === undefined ? [`--${name}`, ...(short ? [`-${short}, --${name}`] : [])] : []), ...(negation === undefined ? [] : [`--no-${name}`]),
];
/** A text that each kind takes, and what it comes to. */
const samples: Record<string, [text: string, value: unknown]> = {
  size: ['3MB', 3e6], count: ['3', 3], places: ['3', 3], number: ['3', 3], share: ['0.5', 0.5], time: ['2h', 7_200_000], limit: ['7%', { share: 0.07 }],
  'column:rule': ['a:required', [{ column: 'a', required: true }]], names: ['a,b', ['a', 'b']], 'key=value': ['spark.a=1', ['spark.a=1']],
};

function sampleOf({ kind }: OptionSpec): [text: string, value: unknown] {
  if (kind === undefined) return ['true', true];
  if (kind.choices) return [kind.choices.at(-1)!, kind.choices.at(-1)!];
  return samples[kind.placeholder] ?? ['x', 'x'];
}

test('names are told apart: no option twice in a command, no key and no variable for two', () => {
  for (const { path, command } of commands) {
    const names = optionsOf(command).flatMap((option) => [...forms(option).filter((form) => !form.includes(',')), ...(option.short ? [`-${option.short}`] : [])]);
    assert.equal(new Set(names).size, names.length, path);
    for (const child of command.commands ?? []) assert.ok(!optionsOf(program).some((option) => keyOf(option) === child.name && path === 'etl-stream' && child.name !== 'state' && child.name !== 'config'), child.name);
  }
  const variables = new Map<string, string>();
  for (const { command, option } of everyOption) {
    const key = pathOf(command, option);
    assert.equal(variables.get(variableOf(command, option)) ?? key, key);
    variables.set(variableOf(command, option), key);
  }
});

test('--help of each command has its options, in lines of a terminal; -h fits a screen', async (t) => {
  const folder = temporaryFolder(t);
  for (const { path, command } of commands) {
    const args = path.split(' ').slice(1);
    const { code, stdout } = await resident([...args, '--help'], folder);
    assert.equal(code, 0);
    for (const form of optionsOf(command).flatMap(forms)) assert.ok(stdout.includes(form), `${path}: ${form}`);
    for (const line of stdout.split('\n')) assert.ok(line.length <= 80, `${path}: ${line}`);
    const short = (await resident([...args, '-h'], folder)).stdout.trimEnd().split('\n');
    assert.ok(short.length <= 24 && short.every((line) => line.length <= 80), `${path} -h:\n${short.join('\n')}`);
    for (const { name } of command.commands ?? []) assert.ok(short.join(' ').includes(name) && stdout.includes(`  ${name} `), name);
  }
});

test('the man page has every command and option, and no fault that a linter sees', (t) => {
  const page = new URL('../../dist/man/etl-stream.1', import.meta.url);
  const text = readFileSync(page, 'utf8').replaceAll('\\-', '-').replaceAll(/\\f./g, '');
  for (const { path } of commands) assert.ok(path === 'etl-stream' || text.includes(`.SS ${path}\n`), path);
  for (const { path, option } of everyOption) for (const form of forms(option)) assert.ok(text.includes(form.replace(/^-., /, '')), `${path}: ${form}`);
  const lint = spawnSync('mandoc', ['-Tlint', '-W', 'warning', page.pathname], { encoding: 'utf8' });
  if (lint.error) return t.diagnostic('there is no mandoc');
  const told = lint.stdout.split('\n').filter((line) => line !== '' && !line.includes('missing date')); // it would differ with every build
  assert.deepEqual(told, []);
});

test('README has the tables of options, as the table has them', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  assert.equal(/<!-- options -->\n([^]*)\n<!-- \/options -->/.exec(readme)?.[1], optionTables(program), 'npm run docs writes them');
  for (const { path, option } of everyOption) for (const form of forms(option)) assert.ok(optionTables(program).includes(form), `${path}: ${form}`);
});

test('the schema has every option that may stand in a file, and takes what its kind takes', () => {
  const schema = configSchema();
  for (const { path, command, option } of everyOption) {
    const [section, own] = pathOf(command, option).split('.') as [string, string?];
    const takes = (value: unknown): boolean => schema.safeParse(own === undefined ? { [section]: value } : { [section]: { [own]: value } }).success;
    const [, value] = sampleOf(option);
    assert.equal(takes(option.kind ? sampleOf(option)[0] : value), !option.isCommandLineOnly, `${path} ${option.name}`);
    assert.equal(takes({}), false);
    if (option.negation !== undefined && !option.isCommandLineOnly) assert.ok(takes(false), option.name);
    if (option.kind?.json === 'text or number') assert.ok(takes(3));
    if (option.kind?.json === 'list') assert.ok(takes(['a']));
  }
});

test('flag, environment, file, default: in this order, for every option of every command', async (t) => {
  const folder = temporaryFolder(t);
  for (const { path, command, option } of everyOption) {
    if (option.isCommandLineOnly) continue;
    const [text, value] = sampleOf(option);
    const [section, own] = pathOf(command, option).split('.') as [string, string?];
    const content = option.kind ? text : true;
    writeFileSync(join(folder, 'c.json'), JSON.stringify(own === undefined ? { [section]: content } : { [section]: { [own]: content } }));
    const file = await readConfigFile('c.json', folder);
    const variable = variableOf(command, option);
    const of = (said: Parameters<typeof settle>[1]) => settle(command, said).find((setting) => setting.option === option)!;
    const environment = { [variable]: text };
    assert.deepEqual(of({ flags: { [keyOf(option)]: 'flag' }, environment, file }).value, 'flag', path);
    const byVariable = of({ flags: {}, environment, file });
    assert.deepEqual([byVariable.value, byVariable.origin], [value, { from: 'environment', variable }], `${path} ${option.name}`);
    const byFile = of({ flags: {}, environment: {}, file });
    assert.deepEqual([byFile.value, byFile.origin.from], [value, 'file'], `${path} ${option.name}`);
    const unsaid = of({ flags: {}, environment: {}, file: undefined });
    assert.deepEqual([unsaid.value, unsaid.origin], [option.value, { from: 'default' }]);
  }
});

test('what the table calls a default is one', () => {
  const of = (name: string): string => optionsOf(program).find((option) => option.name === name)!.fallback!;
  const options = validateOptions({ inputs: ['x'] });
  assert.deepEqual(
    ['output', 'id-column', 'user-column', 'ip-column', 'value-column', 'on-error', 'encoding', 'group-by', 'compression', 'parquet-encoding', 'rejects-format'].map(of),
    [options.output, ...Object.values(options.columns), options.onError, options.encoding, options.groupBy, options.compression, options.parquetEncoding, options.rejectsFormat],
  );
  assert.deepEqual([of('max-rejects'), of('max-record'), of('checkpoint')], [`${100 * (options.maxRejects as { share: number }).share}%`, `${options.maxRecord / 1e6}MB`, `${options.checkpoint / 1e9}GB`]);
});

test('an option that a command needs', () => {
  const parse = commands.find(({ path }) => path === 'etl-stream parse')!.command;
  assert.throws(() => flagsOf(settle(parse, { flags: {}, environment: {}, file: undefined })), { code: 'ETL_USAGE', message: /--json is needed/ });
});
