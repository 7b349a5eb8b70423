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
  const all = names(createProgram({ words: [], called: async () => undefined }));
  assert.ok(all.includes('etl-stream state check'));
  for (const name of all) assert.ok(new RegExp(`\`${name}[ \`]`).test(readme) || name === 'etl-stream', name);
});

test('README says of every dependency why', () => {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Record<string, Record<string, string>>;
  const rows = [...readme.matchAll(/^\| (`[^|]*) \| /gm)].map((match) => match[1]!);
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) assert.ok(rows.some((row) => row.includes(`\`${name}\``)), name);
});

test('README attributes the IP data as its licence wants it', () => {
  assert.ok(readme.includes('[IP Geolocation by DB-IP](https://db-ip.com)') && readme.includes('(https://creativecommons.org/licenses/by/4.0/)'));
});

test('README has the figures of the last benchmark', () => {
  const cells = (line: string): string[] => line.split('|').slice(1, -1).map((cell) => cell.trim());
  const measured = new Map(textOf('bench/results/full.md').split('\n').map(cells).filter((row) => row.length > 6).map((row) => [row[0]!, row]));
  const names: Readonly<Record<string, string>> = {
    'etl-stream': 'etl-stream', 'etl-stream, `-j 1`': 'etl-stream -j 1', 'etl-stream, one file': 'etl-stream, one file', 'etl-stream, by a pipe from `cat`': 'etl-stream, stdin',
    'DuckDB 1.5.5': 'DuckDB', 'Polars 2.1.0, streaming': 'Polars', 'PySpark 4.3.0, `local[*]`': 'PySpark', 'Polars per file, then PySpark': 'Polars + PySpark',
  };
  for (const [name, contender] of Object.entries(names)) {
    const told = readme.split('\n').map(cells).find((row) => row[0] === name && row.length === 4);
    assert.ok(told, name);
    const [, , , wall, , cpu, rss] = measured.get(contender)!;
    for (const [at, figure] of [wall, cpu, rss].entries()) {
      const written: string = told[at + 1]!.replace(',', '');
      // Three digits are enough of what took longer.
      assert.equal(parseFloat(written), Number(parseFloat(figure!).toPrecision(at === 2 ? 4 : 3)), `${name}: ${written}, ${figure} measured`);
    }
  }
});
