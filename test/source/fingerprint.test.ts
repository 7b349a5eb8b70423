import assert from 'node:assert/strict';
import { appendFile, open, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fingerprintOf, sameFile } from '../../lib/source/fingerprint.ts';
import { temporaryFolder } from '../temporary.ts';

test('a file is the same until something of it changes', async (context) => {
  const folder = temporaryFolder(context);
  for (const size of [0, 1, 1000, 64 << 10, (64 << 10) + 1, 128 << 10, 300_000]) {
    const path = join(folder, `${size}.csv`);
    await writeFile(path, Buffer.alloc(size, 'abc'));
    const before = await fingerprintOf(path);
    assert.equal(before.size, size);
    assert.ok(sameFile(before, await fingerprintOf(path)));
    assert.ok(sameFile(before, JSON.parse(JSON.stringify(before))));
    await symlink(path, `${path}.link`);
    assert.ok(sameFile(before, await fingerprintOf(`${path}.link`)), 'by another name');

    const { atime, mtime } = await stat(path);
    for (const at of size === 0 ? [] : new Set([0, size - 1])) {
      const file = await open(path, 'r+');
      await file.write('X', at);
      await file.close();
      await utimes(path, atime, mtime); // as if it had not been touched
      const { mtime: now, ...changed } = await fingerprintOf(path);
      assert.ok(!sameFile(before, { ...changed, mtime: before.mtime }), `byte ${at} of ${size}, ${now}`);
    }
    await utimes(path, atime, new Date(mtime.getTime() + 1000));
    assert.ok(!sameFile(before, await fingerprintOf(path)), 'touched');
    await appendFile(path, 'x');
    assert.ok(!sameFile(before, { ...await fingerprintOf(path), mtime: before.mtime }), 'grown');
  }
});

test('a file that cannot be read is an error that names it', async (context) => {
  const path = join(temporaryFolder(context), 'none.csv');
  await assert.rejects(fingerprintOf(path), { code: 'ETL_INPUT_READ', message: /none\.csv/ });
});
