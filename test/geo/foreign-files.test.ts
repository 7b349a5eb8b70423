/** What is given as a database and is none: said at once, whatever it is. In a process of its own: a pipe might keep it waiting. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { temporaryFolder } from '../temporary.ts';
import { writeMmdb } from './mmdb-writer.ts';
import { openApart } from './opener.ts';

const database = writeMmdb({ recordSize: 28, ipVersion: 6, networks: [['1.0.0.0/8', { country_code: 'AU' }]] });

/** As `tar` writes it, as far as anybody looks here. */
function tar(bytes: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write('country.mmdb');
  header.write(bytes.length.toString(8).padStart(11, '0'), 124);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  return Buffer.concat([header, bytes, Buffer.alloc(1536 - (bytes.length % 512))]);
}

test('packed databases, texts, folders, pipes and devices: each is refused, and says what it is', { skip: process.platform === 'win32' }, (t) => {
  const folder = temporaryFolder(t);
  const path = (name: string): string => join(folder, name);
  const files: readonly (readonly [string, Buffer, RegExp])[] = [
    ['empty', Buffer.alloc(0), /is empty\./], ['country.mmdb.gz', gzipSync(database), /is gzip data: decompress it\./],
    ['two.gz', Buffer.concat([gzipSync(database), gzipSync(database)]), /is gzip data/], ['country.tar.gz', gzipSync(tar(database)), /is gzip data/],
    ['country.tar', tar(database), /is a tar archive: take the \.mmdb file out of it\./], ['short', Buffer.from([0x1f]), /is no MMDB file/],
    ['zip', Buffer.concat([Buffer.from('PK\x03\x04'), deflateRawSync(database)]), /is a zip archive/],
    ['zstd', Buffer.from('28b52ffd0458', 'hex'), /is zstd data/], ['xz', Buffer.from('fd377a585a000004', 'hex'), /is xz data/], ['bz2', Buffer.from('BZh91AY&SY'), /is bzip2 data/],
    ['logs.csv', Buffer.from('log_id,user_id\n1,ann\n'), /is no MMDB file: it has no metadata/],
    ['other', Buffer.alloc(300_000, 0xab), /is no MMDB file/], ['mark', Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), /is no MMDB file|is damaged/],
    ['far', Buffer.concat([database, Buffer.alloc(129 * 1024)]), /is no MMDB file/],
  ];
  for (const [name, bytes] of files) writeFileSync(path(name), bytes);
  mkdirSync(path('folder'));
  execFileSync('mkfifo', [path('pipe')]);
  symlinkSync('pipe', path('link'));
  symlinkSync('nowhere', path('broken'));
  const others: readonly (readonly [string, RegExp])[] = [
    ['folder', /is a folder, not a file\./], ['pipe', /is a pipe or a device, not a file\./], ['link', /is a pipe or a device/], ['broken', /cannot be opened/],
    ['missing', /cannot be opened .*ENOENT/], ['country.tar/x', /cannot be opened/],
  ];
  const all = [...files.map(([name, , message]) => [path(name), message] as const), ...others.map(([name, message]) => [path(name), message] as const),
    ['/dev/null', /is a pipe or a device/] as const, ['/dev/zero', /is a pipe or a device/] as const];
  openApart(all.map(([file]) => ({ file }))).forEach(({ code, message }, i) => {
    assert.equal(code, 'ETL_GEO_DATABASE', all[i]![0]);
    assert.match(message ?? '', all[i]![1]);
  });
});

test('an error names no field that is too long to print, and no more than a few', (t) => {
  const folder = temporaryFolder(t);
  const records = [{ ['k'.repeat(100_000)]: 'x', short: 'y' }, Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`field ${i}`, i]))];
  writeFileSync(join(folder, 'wide.mmdb'), writeMmdb({ recordSize: 24, ipVersion: 4, networks: records.map((record, i) => [`${i}.0.0.0/8`, record]) }));
  const hint = openApart([{ file: join(folder, 'wide.mmdb') }])[0]?.hint ?? '';
  assert.match(hint, /^Name one by --geo-field: short, 'field 0', 'field 1'/);
  assert.ok(hint.length < 1000, `${hint.length} characters`);
});
