import assert from 'node:assert/strict';
import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder } from '../../lib/core/make-folder.ts';
import { temporaryFolder } from '../temporary.ts';

test('a folder and those above it are made, once or again; through a link; not over a file', (t) => {
  const folder = temporaryFolder(t);
  makeFolder(join(folder, 'a/b/c'));
  makeFolder(join(folder, 'a/b/c'));
  assert.ok(statSync(join(folder, 'a/b/c')).isDirectory());
  symlinkSync('a', join(folder, 'link'));
  makeFolder(join(folder, 'link/d'));
  makeFolder(join(folder, 'link'));
  assert.ok(statSync(join(folder, 'a/d')).isDirectory());
  writeFileSync(join(folder, 'file'), '');
  assert.throws(() => makeFolder(join(folder, 'file')), { code: 'EEXIST' });
  assert.throws(() => makeFolder(join(folder, 'file/x')), { code: 'ENOTDIR' });
});

test('where a folder is there and takes none, that is an error, and not asked for ever', { skip: !existsSync('/proc') && 'there is no /proc' }, () => {
  assert.throws(() => makeFolder('/proc/etl-stream/x'), { code: /ENOENT|EACCES|EPERM/ });
});
