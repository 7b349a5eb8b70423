import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readlinkSync, truncateSync } from 'node:fs';
import { suite, test } from 'node:test';
import { newCounters } from '../../lib/core/counters.ts';
import { EtlError } from '../../lib/core/errors.ts';
import { SpillSpace, type SpillFile } from '../../lib/spill/spill-space.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { spillSpace, systemError, type Faults } from './disk.ts';

const fails = (code: string, message: RegExp, hint = /./) => (error: unknown) =>
  error instanceof EtlError && error.code === code && message.test(error.message) && hint.test(error.hint ?? '');

async function readAll(file: SpillFile): Promise<Buffer> {
  const bytes = Buffer.alloc(file.size);
  await file.read(bytes, 0);
  return bytes;
}

/** Path of the one open file that was in `folder`. */
function openFileIn(folder: string): string {
  const target = (path: string): string => (lstatSync(path, { throwIfNoEntry: false }) ? readlinkSync(path) : '');
  return readdirSync('/proc/self/fd').map((fd) => `/proc/self/fd/${fd}`).find((path) => target(path).startsWith(folder))!;
}

suite('spill space', () => {
  for (const seed of [1, 2, 3]) {
    test(`what is appended comes back, however short the writes and reads, seed ${seed}`, async (context) => {
      const next = random(seed);
      let short = 0;
      const some = (bytes: number): number => {
        const part = 1 + Math.floor(next() * bytes);
        short += part < bytes ? 1 : 0;
        return part;
      };
      const { spill, counters, folder } = spillSpace(context, { write: some, read: some });
      const file = await spill.create('test');
      const written: Buffer[] = [];
      for (let i = 0; i < 20; i++) {
        const parts = Array.from({ length: Math.floor(next() * 5) }, () => Buffer.alloc(Math.floor(next() * 300), Math.floor(next() * 256)));
        written.push(...parts);
        await file.append(parts);
      }
      const all = Buffer.concat(written);
      assert.ok(short > 20, 'calls were short');
      assert.deepEqual(await readAll(file), all, `seed ${seed}`);
      const places = Array.from({ length: 50 }, () => Math.floor(next() * all.length));
      await Promise.all(places.map(async (place) => {
        const part = Buffer.alloc(Math.floor(next() * (all.length - place)));
        await file.read(part, place);
        assert.deepEqual(part, all.subarray(place, place + part.length), `overlapping reads, seed ${seed}`);
      }));
      assert.equal(spill.bytes, all.length);
      assert.deepEqual(readdirSync(folder), [], 'the file has no name while it is open');
      await file.close();
      assert.deepEqual([spill.bytes, counters.spilledBytes, counters.spilledFiles], [0, all.length, 1]);
    });
  }

  test('overlapping appends stand in the order of the calls', async (context) => {
    const { spill } = spillSpace(context, { write: (bytes) => Math.ceil(bytes / 3) });
    const file = await spill.create('test');
    const parts = Array.from({ length: 30 }, (_, i) => Buffer.alloc(1 + (i % 7) * 50, i));
    await Promise.all(parts.map((part) => file.append([part])));
    assert.deepEqual(await readAll(file), Buffer.concat(parts));
    await spill.close();
  });

  test('the quota counts all files, to the byte, and what is closed is free again', async (context) => {
    const { spill, counters } = spillSpace(context, {}, 1_500_000);
    const a = await spill.create('a');
    const b = await spill.create('b');
    await a.append([Buffer.alloc(1_000_000)]);
    await b.append([Buffer.alloc(400_000), Buffer.alloc(100_000)]);
    const over = fails('ETL_MAX_SPILL', /more than --max-spill 1\.5 MB: 1\.5 MB are in use, 1 B more are needed/, /--max-spill/);
    await assert.rejects(b.append([Buffer.alloc(1)]), over);
    assert.equal(b.size, 500_000, 'what was refused takes no place');
    await a.close();
    await b.append([Buffer.alloc(1_000_000)]);
    assert.deepEqual([spill.bytes, counters.spilledBytes], [1_500_000, 2_500_000]);
    await spill.close();
    assert.equal(spill.bytes, 0);
  });

  test('spaces of several threads share one quota, to the byte, however their writes interleave', async (context) => {
    const folder = temporaryFolder(context);
    const used = new BigInt64Array(new SharedArrayBuffer(8));
    const spaces = [0, 1, 2].map(() => new SpillSpace({ folder, counters: newCounters(), maxBytes: 1_000_000, used }));
    const files = await Promise.all(spaces.map((space) => space.create('test')));
    const appends = await Promise.allSettled(Array.from({ length: 60 }, (_, i) => files[i % 3]!.append([Buffer.alloc(30_000)])));
    assert.equal(appends.filter(({ status }) => status === 'fulfilled').length, 33);
    const over = fails('ETL_MAX_SPILL', /more than --max-spill 1 MB: 990 KB are in use, 30 KB more are needed/, /--max-spill/);
    assert.ok(appends.every((append) => append.status === 'fulfilled' || over(append.reason)));
    assert.deepEqual(spaces.map(({ bytes }) => bytes), [990_000, 990_000, 990_000]);
    await files[0]!.append([Buffer.alloc(10_000)]);
    await spaces[1]!.close();
    assert.equal(spaces[0]!.bytes, 1_000_000 - 11 * 30_000);
    await files[0]!.append([Buffer.alloc(11 * 30_000)]);
    for (const space of spaces) await space.close();
    assert.equal(used[0], 0n);
  });

  const faults: [string, Faults, string, RegExp, RegExp][] = [
    ['a full disk', { write: () => { throw systemError('ENOSPC'); } }, 'ETL_TEMP_WRITE', /Writing .*ENOSPC/, /disk .* is full\. Free space/],
    ['a used-up disk quota', { write: () => { throw systemError('EDQUOT'); } }, 'ETL_TEMP_WRITE', /Writing .*EDQUOT/, /quota/],
    ['a file that is too large', { write: () => { throw systemError('EFBIG'); } }, 'ETL_TEMP_WRITE', /Writing .*EFBIG/, /no larger file/],
    ['a disk that takes nothing', { write: () => 0 }, 'ETL_TEMP_WRITE', /takes no more bytes/, /Check permissions/],
    ['a disk that cannot read', { read: () => { throw systemError('EIO'); } }, 'ETL_TEMP_WRITE', /Reading .*EIO/, /disk/],
    ['a disk that ends', { read: () => 0 }, 'ETL_TEMP_DAMAGED', /damaged at byte 0/, /run again/],
  ];
  for (const [name, fault, code, message, hint] of faults) {
    test(`${name} is an error, and nothing stays behind`, async (context) => {
      const { spill, counters, folder } = spillSpace(context, fault);
      const file = await spill.create('test');
      const write = file.append([Buffer.alloc(5000)]);
      await assert.rejects(write.then(() => readAll(file)), fails(code, message, hint));
      assert.equal(spill.bytes, 5000, 'what may be on the disk counts until it is closed');
      assert.equal(counters.spilledBytes, fault.write ? 0 : 5000);
      await file.close();
      assert.equal(spill.bytes, 0);
      assert.deepEqual(readdirSync(folder), []);
    });
  }

  test('a file that cannot be opened is an error and counts nowhere', async (context) => {
    const { spill, counters } = spillSpace(context, { open: () => { throw systemError('EMFILE'); } });
    await assert.rejects(spill.create('test'), fails('ETL_TEMP_WRITE', /Opening .*EMFILE/, /ulimit -n/));
    const missing = new SpillSpace({ folder: `${temporaryFolder(context)}/missing`, counters });
    await assert.rejects(missing.create('test'), fails('ETL_TEMP_WRITE', /Opening .*ENOENT/));
    assert.equal(counters.spilledFiles, 0);
  });

  test('a file that cannot be removed while it is open is removed on close, or left to the folder', async (context) => {
    for (const refused of [1, 2]) {
      let calls = 0;
      const { spill, folder } = spillSpace(context, { unlink: () => { if (++calls <= refused) throw systemError('EBUSY'); } });
      const file = await spill.create('kept');
      await file.append([Buffer.alloc(10)]);
      assert.match(readdirSync(folder).join(), /^kept-.*\.tmp$/);
      await file.close();
      assert.equal(readdirSync(folder).length, refused - 1);
      assert.equal(spill.bytes, 0);
    }
  });

  test('closing is idempotent, also when it fails, and ends what is under way', async (context) => {
    const { spill } = spillSpace(context, { close: () => { throw systemError('EIO'); } });
    const file = await spill.create('test');
    const append = file.append([Buffer.alloc(100_000)]);
    const closes = [file.close(), file.close(), spill.close()];
    for (const close of closes) await assert.rejects(close, fails('ETL_TEMP_WRITE', /Closing .*EIO/));
    await append.catch((error: unknown) => assert.ok(fails('ETL_TEMP_WRITE', /closed|EBADF/)(error)));
    assert.equal(spill.bytes, 0);
    await spill.close();
    await assert.rejects(file.read(Buffer.alloc(1), 0), fails('ETL_TEMP_WRITE', /closed/));
    await assert.rejects(file.append([Buffer.alloc(1)]), fails('ETL_TEMP_WRITE', /closed/));
    assert.equal(spill.bytes, 0, 'what is refused by a closed file takes no space');
  });

  test('reading what was never written is a bug', async (context) => {
    const { spill } = spillSpace(context);
    const file = await spill.create('test');
    await file.append([Buffer.alloc(10)]);
    for (const position of [-1, 6, 100]) await assert.rejects(file.read(Buffer.alloc(5), position), fails('ETL_INTERNAL', /5 bytes at/, /^$/));
    await file.close();
  });

  test('a file that someone cut is damaged where it ends', { skip: process.platform !== 'linux' }, async (context) => {
    const { spill, folder } = spillSpace(context);
    const file = await spill.create('test');
    await file.append([Buffer.alloc(132)]);
    truncateSync(openFileIn(folder), 60);
    await assert.rejects(readAll(file), fails('ETL_TEMP_DAMAGED', /damaged at byte 60/));
    await file.close();
  });

  test('a disk that is really full', async (context) => {
    const folder = temporaryFolder(context);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'ignore' });
    } catch {
      context.skip('mounting a small disk takes root on Linux');
      return;
    }
    const counters = newCounters();
    try {
      const spill = new SpillSpace({ folder, counters });
      const file = await spill.create('test');
      const full = fails('ETL_TEMP_WRITE', /ENOSPC/, /disk .* is full/);
      await assert.rejects(async () => {
        for (let i = 0; i < 10; i++) await file.append([Buffer.alloc(50_000, i)]);
      }, full);
      assert.equal(counters.spilledBytes, 250_000);
      await file.close();
      const again = await spill.create('test');
      await again.append([Buffer.alloc(200_000)]);
      await again.close();
      assert.deepEqual([spill.bytes, readdirSync(folder)], [0, []]);
    } finally {
      execFileSync('umount', [folder]);
    }
    assert.ok(existsSync(folder));
  });
});
