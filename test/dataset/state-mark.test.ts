import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readStateMark, STATE_MARK, writeStateMark } from '../../lib/dataset/state-mark.ts';
import { temporaryFolder } from '../temporary.ts';

test('a mark comes back; without a dataset there is none', async (context) => {
  const folder = temporaryFolder(context);
  assert.equal(await readStateMark(folder), undefined);
  assert.equal(await readStateMark(join(folder, 'not', 'there')), undefined);
  await writeStateMark(folder, { format: 1, state: 'a', commit: 7 });
  assert.deepEqual(await readStateMark(folder), { format: 1, state: 'a', commit: 7 });
  await assert.rejects(writeStateMark(folder, { format: 1, state: 'b', commit: 8 }), { code: 'ETL_OUTPUT_WRITE' });
  writeFileSync(join(folder, 'file'), '');
  assert.equal(await readStateMark(join(folder, 'file')), undefined);
});

test('a mark that was cut or changed is no mark of another state', async (context) => {
  const folder = temporaryFolder(context);
  await writeStateMark(folder, { format: 1, state: 'a', commit: 7 });
  const text = readFileSync(join(folder, STATE_MARK), 'utf8');
  for (let cut = 0; cut < text.length - 2; cut++) {
    writeFileSync(join(folder, STATE_MARK), text.slice(0, cut));
    await assert.rejects(readStateMark(folder), { code: 'ETL_OUTPUT_EXISTS', hint: /--overwrite/ }, `cut at ${cut}`);
  }
  for (const other of ['null', '[]', '{}', '{"format":2,"state":"a","commit":7}', '{"format":1,"state":"a","commit":"7"}']) {
    writeFileSync(join(folder, STATE_MARK), other);
    await assert.rejects(readStateMark(folder), { code: 'ETL_OUTPUT_EXISTS' }, other);
  }
  mkdirSync(join(folder, 'other', STATE_MARK), { recursive: true });
  await assert.rejects(readStateMark(join(folder, 'other')), { code: 'ETL_OUTPUT_EXISTS' });
});
