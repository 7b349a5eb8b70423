import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { rejectLine, type Reject } from '../../lib/core/rejects.ts';
import { RejectsFile, REJECTS_FILE } from '../../lib/dataset/rejects-file.ts';
import { temporaryFolder } from '../temporary.ts';

const reject = (line: number, raw: string): Reject => ({
  file: 'a "b".csv', line, byte: line * 10, fieldByte: line % 2 ? line * 10 + 3 : undefined, column: line % 2 ? 'user_id' : undefined,
  code: 'missing_user', rule: undefined, message: 'No user.', raw, rawBase64: line % 7 ? undefined : Buffer.from(raw).toString('base64'),
  truncated: line % 5 === 0, row: line % 3 ? { log_id: raw, user_id: '' } : undefined,
});

/** As the file has it. */
const record = ({ fieldByte, rawBase64, truncated, ...rest }: Reject): unknown => ({
  ...rest, field_byte: fieldByte ?? null, column: rest.column ?? null, rule: rest.rule ?? null, row: rest.row ?? null,
  ...(rawBase64 !== undefined && { raw_base64: rawBase64 }), ...(truncated && { truncated }),
});

test('every reject is one JSON line, in order, across many pieces', async (t) => {
  const folder = temporaryFolder(t);
  const file = new RejectsFile(join(folder, REJECTS_FILE));
  const rejects = Array.from({ length: 5000 }, (_, line) => reject(line, `${'x'.repeat(line % 300)}\n"\u0000é`));
  let waits = 0;
  for (const each of rejects) {
    if (!file.write(each)) continue;
    waits++;
    await file.drained();
  }
  await file.close();
  assert.ok(waits > 0, 'the sink never asked to wait');
  const lines = readFileSync(join(folder, REJECTS_FILE), 'utf8').trimEnd().split('\n');
  assert.deepEqual(lines.map((line) => JSON.parse(line) as unknown), rejects.map(record));
});

test('lines that others made are appended, between whole lines, and waited for', async (t) => {
  const folder = temporaryFolder(t);
  const file = new RejectsFile(join(folder, REJECTS_FILE));
  file.begin();
  file.write(reject(1, 'a'));
  file.end();
  const lines = rejectLine(reject(2, 'x'.repeat(1 << 18)));
  await file.append(lines);
  await file.append('');
  await file.append(rejectLine(reject(3, '')));
  await file.close();
  assert.equal(readFileSync(join(folder, REJECTS_FILE), 'utf8'), rejectLine(reject(1, 'a')) + lines + rejectLine(reject(3, '')));
});

test('without rejects the file is there and empty', async (t) => {
  const folder = temporaryFolder(t);
  await new RejectsFile(join(folder, REJECTS_FILE)).close();
  assert.equal(readFileSync(join(folder, REJECTS_FILE), 'utf8'), '');
});

test('a file that cannot be written is a typed error', async (t) => {
  const folder = temporaryFolder(t);
  rmSync(folder, { recursive: true });
  const file = new RejectsFile(join(folder, REJECTS_FILE));
  file.write(reject(1, ''));
  await assert.rejects(file.close(), { code: 'ETL_OUTPUT_WRITE' });
  await file.abandon();
});
