/** What README says about codes, commands and dependencies is what there is. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../lib/cli/program.ts';
import { errorCodes } from '../lib/core/errors.ts';
import { rejectCodes } from '../lib/core/rejects.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('README has a line for each error code, with its meaning', () => {
  for (const [code, meaning] of Object.entries(errorCodes)) assert.ok(readme.includes(`| \`${code}\` | ${meaning} |`), code);
  const told = [...readme.matchAll(/^\| `(ETL_\w+)`/gm)].map((match) => match[1]);
  assert.deepEqual(told.sort(), Object.keys(errorCodes).sort());
});

test('README has every reject code', () => {
  for (const code of rejectCodes.slice(1)) assert.ok(readme.includes(`\`${code}\``), code);
});

test('README has every command', () => {
  const names = (command: Command, before = ''): string[] =>
    [`${before}${command.name()}`, ...command.commands.flatMap((child) => names(child, `${before}${command.name()} `))];
  const all = names(createProgram(async () => undefined));
  assert.ok(all.includes('etl-stream state check'));
  for (const name of all) assert.ok(readme.includes(`\`${name} `) || name === 'etl-stream', name);
});

test('README says of every dependency why', () => {
  const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { dependencies: Record<string, string> };
  const rows = [...readme.matchAll(/^\| (`[^|]*`) \| /gm)].map((match) => match[1]!);
  for (const name of Object.keys(dependencies)) assert.ok(rows.some((row) => row.includes(`\`${name}\``)), name);
});
