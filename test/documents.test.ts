/** What documents say about codes, commands and dependencies is what there is. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../lib/cli/program.ts';
import { errorCodes } from '../lib/core/errors.ts';
import { rejectCodes } from '../lib/core/rejects.ts';
import * as library from '../lib/index.ts';
import { textOf } from './documents/documents.ts';

const readme = textOf('README.md');

/** Headings of a level, in order, and what stands below each. */
function sectionsOf(markdown: string, level: string): Map<string, string> {
  const parts = markdown.split(new RegExp(`^${level} (.+)$`, 'm'));
  return new Map(Array.from({ length: parts.length >> 1 }, (_, at) => [parts[2 * at + 1]!, parts[2 * at + 2]!]));
}

test('each error code has its section: what it means, and what to do; nothing else has one', () => {
  const sections = sectionsOf(textOf('docs/errors.md'), '##');
  for (const [code, meaning] of Object.entries(errorCodes)) {
    const section = sections.get(code);
    assert.ok(section?.startsWith(`\n\n${meaning}\n`), `${code}: its section in docs/errors.md begins with: ${meaning}`);
    assert.match(section!, /^\*\*Causes\.\*\* \S/m, code);
    assert.match(section!, /^\*\*What to do\.\*\* \S/m, code);
  }
  assert.deepEqual([...sections.keys()].sort(), Object.keys(errorCodes).sort());
});

test('each reject code has its section, with what to do; nothing else has one', () => {
  const sections = sectionsOf(textOf('docs/rejects.md'), '###');
  for (const [code, section] of sections) assert.match(section, /^\*\*What to do\.\*\* \S/m, code);
  assert.deepEqual([...sections.keys()].sort(), [...rejectCodes.slice(1), 'rule'].sort());
});

test('the document of the library tells of every function', () => {
  const told = textOf('docs/library.md');
  const functions = Object.entries(library).filter(([, value]) => typeof value === 'function').map(([name]) => name);
  assert.ok(functions.includes('run'));
  for (const name of functions) assert.ok(new RegExp(`\\b${name}\\b`).test(told), name);
});

test('README has every command', () => {
  const names = (command: Command, before = ''): string[] =>
    [`${before}${command.name()}`, ...command.commands.flatMap((child) => names(child, `${before}${command.name()} `))];
  const all = names(createProgram(async () => undefined));
  assert.ok(all.includes('etl-stream state check'));
  for (const name of all) assert.ok(new RegExp(`\`${name}[ \`]`).test(readme) || name === 'etl-stream', name);
});

test('README says of every dependency why', () => {
  const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { dependencies: Record<string, string> };
  const rows = [...readme.matchAll(/^\| (`[^|]*`) \| /gm)].map((match) => match[1]!);
  for (const name of Object.keys(dependencies)) assert.ok(rows.some((row) => row.includes(`\`${name}\``)), name);
});

test('README attributes the IP data as its licence wants it', () => {
  assert.ok(readme.includes('[IP Geolocation by DB-IP](https://db-ip.com)') && readme.includes('(https://creativecommons.org/licenses/by/4.0/)'));
});
