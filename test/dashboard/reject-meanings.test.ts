/** What the dashboard says that reasons of rejects mean is what docs/rejects.md says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { rejectCodes } from '../../lib/core/rejects.ts';
import { meaningOf } from '../../lib/dashboard/page/reject-meanings.ts';

test('every code means what the document says', () => {
  const text = readFileSync('docs/rejects.md', 'utf8');
  for (const code of [...rejectCodes.slice(1), 'rule']) {
    const section = new RegExp(`^### ${code}\n\n(.*)`, 'm').exec(text)?.[1]?.replaceAll('`', '');
    const meaning = meaningOf(code);
    assert.ok(meaning !== undefined && section?.startsWith(meaning.slice(0, -1)), `${code}: ${meaning}`);
  }
  assert.equal(meaningOf('rule a:max=1'), meaningOf('rule'));
  assert.equal(meaningOf('constructor'), undefined);
});
