/** What README says about codes is what the code has. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
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
