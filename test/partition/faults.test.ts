import assert from 'node:assert/strict';
import { read } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { PartitionChunk } from '../../lib/core/stage.ts';
import { BorrowedFile } from '../../lib/spill/borrowed-file.ts';
import type { HandedSpillFile, SpillFileSystem } from '../../lib/spill/spill-space.ts';
import { random } from '../random.ts';
import { Harness, kernels, PAGE, type HarnessOptions, type Row } from './harness.ts';

function randomRows(count: number, seed: number): Row[] {
  const next = random(seed);
  const u64 = (): bigint => (BigInt(Math.floor(next() * 2 ** 32)) << 32n) | BigInt(Math.floor(next() * 2 ** 32));
  return Array.from({ length: count }, () => ({ lo: u64(), hi: u64(), user: new Uint8Array(Math.floor(next() * 30)) }));
}

async function spilled(t: TestContext, options: HarnessOptions, rows = 4000): Promise<Harness> {
  const harness = await Harness.open(t, { bits: 2, bytes: 6 * PAGE, chunkBytes: 2 * PAGE, keepBytes: 0, ...options });
  await harness.write(randomRows(rows, 1));
  await harness.store.finish();
  assert.equal(harness.counters.rowsSpilled, rows);
  return harness;
}

async function drain(harness: Harness): Promise<number> {
  let rows = 0;
  for await (const chunk of harness.partitions() as AsyncIterable<PartitionChunk>) {
    rows += harness.read(chunk).length;
    chunk.release();
  }
  return rows;
}

/** Start and length of each page in the file. */
async function pagesOf(file: FileHandle, size: number): Promise<[number, number][]> {
  const bytes = Buffer.alloc(size);
  await file.read(bytes, 0, size, 0);
  const pages: [number, number][] = [];
  for (let at = 0; at < size; at += bytes.readUInt32LE(at + 4)) pages.push([at, bytes.readUInt32LE(at + 4)]);
  return pages;
}

for (const [name, create] of kernels) {
  test(`${name}: a byte that changed in the file is noticed, wherever it is`, async (t) => {
    const { files, spill } = await spilled(t, { create });
    const pages = await pagesOf(files[0]!, spill.bytes);
    assert.ok(pages.length > 6);
    const some = name === 'WASM' ? pages.slice(-5) : [pages[0]!, pages.at(-1)!];
    for (const [start, length] of some) {
      // Checksum, used, segment header, id, head, value or user, the end.
      for (const offset of [0, 3, 4, 5, 6, 7, 8, 15, 16, 31, 35, 40, 60, length >> 1, length - 1]) {
        const harness = await spilled(t, { create });
        const file = harness.files[0]!;
        const byte = Buffer.alloc(1);
        await file.read(byte, 0, 1, start + offset);
        byte[0]! ^= offset % 2 ? 0x80 : 1;
        await file.write(byte, 0, 1, start + offset);
        await assert.rejects(drain(harness), (error: Error & { code?: string }) => {
          assert.equal(error.code, 'ETL_TEMP_DAMAGED', `offset ${offset}: ${error.message}`);
          assert.match(error.message, new RegExp(`partitions-[^ ]+\\.tmp is damaged at byte ${start}:`));
          return true;
        });
        await harness.assertNothingIsHeld(`offset ${offset}`);
      }
    }
  });
}

test('a page that stands in the place of another is noticed', async (t) => {
  // One row a page, all rows alike: only partition and generation tell the pages apart.
  const rows = [0n, 1n, 0n, 1n].map((partition): Row => ({ lo: partition << 63n, hi: 9n, user: new Uint8Array(8192) }));
  for (const [from, to] of [[0, 1], [0, 2], [3, 1], [2, 3]] as const) {
    const harness = await Harness.open(t, { bits: 1, bytes: 2 * PAGE, keepBytes: 0 });
    for (const row of rows) await harness.write([row]);
    await harness.store.finish();
    const file = harness.files[0]!;
    const pages = await pagesOf(file, harness.spill.bytes);
    assert.equal(pages.length, 4);
    const bytes = Buffer.alloc(pages[from]![1]);
    assert.equal(bytes.length, pages[to]![1]);
    await file.read(bytes, 0, bytes.length, pages[from]![0]);
    await file.write(bytes, 0, bytes.length, pages[to]![0]);
    await assert.rejects(drain(harness), { code: 'ETL_TEMP_DAMAGED' });
    await harness.assertNothingIsHeld();
  }
});

test('a file that became shorter is an error', async (t) => {
  const harness = await spilled(t, {});
  await harness.files[0]!.truncate(harness.spill.bytes - 1);
  await assert.rejects(drain(harness), { code: 'ETL_TEMP_DAMAGED' });
  await harness.assertNothingIsHeld();
});

type Call = 'open' | 'writev' | 'read';

/** node:fs, where `before` may wait or throw before each call, counted by kind from 0. */
function watched(before: (call: Call, number: number) => void | Promise<void>): Required<Pick<HarnessOptions, 'fs' | 'borrow'>> {
  const counts = { open: 0, writev: 0, read: 0 };
  const fs: SpillFileSystem = {
    async open(path, flags, mode) {
      await before('open', counts.open++);
      const file = await open(path, flags, mode);
      return {
        writev: (async (parts: Uint8Array[], position: number) => {
          await before('writev', counts.writev++);
          return file.writev(parts, position);
        }) as FileHandle['writev'],
        read: () => assert.fail('files are read by their descriptors'),
        fd: file.fd,
        close: () => file.close(),
      };
    },
    unlink,
  };
  const borrow = (file: HandedSpillFile): BorrowedFile => new BorrowedFile(file, async (...call) => {
    await before('read', counts.read++);
    return promisify(read)(...call);
  });
  return { fs, borrow };
}

const full = (): never => {
  throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
};

test('what fails in the background fails the next call, and everything comes back', async (t) => {
  for (const [call, number] of [['open', 0], ['writev', 0], ['writev', 1], ['writev', 5]] as const) {
    const disk = watched((kind, count) => (kind === call && count === number ? full() : undefined));
    const harness = await Harness.open(t, { bits: 3, bytes: 20 * PAGE, ...disk, keepBytes: 0 });
    const feed = async (): Promise<void> => {
      for (let block = 0; block < 40; block++) await harness.write(randomRows(1000, block));
      await harness.store.finish();
    };
    await assert.rejects(feed(), { code: 'ETL_TEMP_WRITE' });
    await assert.rejects(async () => harness.store.finish());
    await harness.assertNothingIsHeld(`${call} ${number}`);
  }
});

test('a failure after the last batch is told by finish', async (t) => {
  const disk = watched((kind) => (kind === 'writev' ? full() : undefined));
  const harness = await Harness.open(t, { bits: 3, keepBytes: 0, ...disk });
  await harness.write(randomRows(100, 1));
  await assert.rejects(harness.store.finish(), { code: 'ETL_TEMP_WRITE' });
  await harness.assertNothingIsHeld();
});

test('--max-spill is kept', async (t) => {
  const harness = await Harness.open(t, { bits: 3, bytes: 20 * PAGE, maxBytes: 30 * PAGE });
  const feed = async (): Promise<void> => {
    for (let block = 0; block < 40; block++) await harness.write(randomRows(1000, block));
  };
  await assert.rejects(feed(), { code: 'ETL_MAX_SPILL' });
  await harness.assertNothingIsHeld();
});

test('reads that fail end the stream', async (t) => {
  for (let number = 0; number < 12; number++) {
    const disk = watched((kind, count) => {
      if (kind === 'read' && count === number) throw new Error('bad sector');
    });
    const harness = await spilled(t, disk);
    await assert.rejects(drain(harness), { code: 'ETL_TEMP_WRITE', message: /bad sector/ });
    await harness.assertNothingIsHeld(`read ${number}`);
  }
});

/** A point where calls of one kind wait from call `from` on, until it is opened. */
function gate(call: Call, from: number) {
  let reached = (): void => {};
  let openGate = (): void => {};
  const isReached = new Promise<void>((resolve) => { reached = resolve; });
  const isOpen = new Promise<void>((resolve) => { openGate = resolve; });
  const disk = watched(async (kind, count) => {
    if (kind !== call || count < from) return;
    reached();
    await isOpen;
  });
  return { disk, isReached, open: openGate };
}

test('rows are taken while the generation before is being written', async (t) => {
  const { disk, isReached, open: openGate } = gate('writev', 1);
  const harness = await Harness.open(t, { bits: 3, bytes: 130 * PAGE, ...disk });
  // 8 full pages a partition and a bit: one generation takes three writes.
  const written: number[] = [];
  const feed = (async () => {
    for (let block = 0; block < 60; block++) {
      await harness.write(randomRows(2000, block));
      written.push(block);
    }
  })();
  await isReached;
  const before = written.length;
  // The first piece's pages are there: the next batches find room while the second piece waits.
  while (written.length < before + 5) await new Promise((resolve) => setImmediate(resolve));
  openGate();
  await feed;
  await harness.store.finish();
  assert.equal(await drain(harness), 120_000);
  await harness.assertNothingIsHeld();
});

test('close in the middle of a write waits for it', async (t) => {
  for (const from of [0, 1]) {
    const { disk, isReached, open: openGate } = gate('writev', from);
    const harness = await Harness.open(t, { bits: 3, bytes: 130 * PAGE, ...disk });
    const feed = (async () => {
      for (let block = 0; ; block++) await harness.write(randomRows(2000, block));
    })();
    const failed = assert.rejects(feed, { code: 'ETL_INTERNAL' });
    await isReached;
    let closed = false;
    const closing = harness.close().then(() => { closed = true; });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(closed, false);
    assert.ok(harness.memory.pagesInUse > 0);
    openGate();
    await closing;
    await failed;
    await harness.assertNothingIsHeld();
  }
});

test('the next buffer is read while a chunk is out; destroying the stream then leaves nothing', async (t) => {
  const { disk, isReached, open: openGate } = gate('read', 1);
  const harness = await spilled(t, { bits: 0, bytes: 40 * PAGE, ...disk }, 30_000);
  const stream = harness.partitions();
  const chunk = await new Promise<PartitionChunk>((resolve) => stream.once('data', resolve));
  await isReached; // without a release
  stream.destroy();
  let closed = false;
  const closing = harness.close().then(() => { closed = true; });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(closed, false, 'a read is under way');
  openGate();
  await closing;
  await harness.assertNothingIsHeld();
  chunk.release();
  await harness.assertNothingIsHeld();
});

test('close while a part with rows put off is being written', async (t) => {
  const { disk, isReached, open: openGate } = gate('writev', 1);
  const harness = await Harness.open(t, { bits: 0, ...disk, keepBytes: 0 });
  await harness.write(randomRows(500, 1));
  await harness.store.finish();
  const stream = harness.partitions();
  stream.on('error', () => {});
  const chunk = await new Promise<PartitionChunk>((resolve) => stream.once('data', resolve));
  await harness.defer(chunk, harness.read(chunk).map(({ at }) => at));
  chunk.release();
  await isReached;
  const closing = harness.close();
  openGate();
  await closing;
  stream.destroy();
  await harness.assertNothingIsHeld();
});

test('files that cannot be closed keep no memory', async (t) => {
  const fs: SpillFileSystem = {
    async open(...all) {
      const file = await open(...all);
      return {
        fd: file.fd,
        writev: file.writev.bind(file),
        read: file.read.bind(file),
        close: () => file.close().then(() => Promise.reject(new Error('made by a test'))),
      };
    },
    unlink,
  };
  const harness = await spilled(t, { fs, deferredBytes: 2 * PAGE });
  const chunks = harness.partitions();
  for await (const chunk of chunks as AsyncIterable<PartitionChunk>) {
    await harness.defer(chunk, harness.read(chunk).map(({ at }) => at));
    await harness.defer(chunk, harness.read(chunk).map(({ at }) => at));
    break; // the chunk is out, and rows of it are in a file
  }
  assert.equal(harness.counters.spilledFiles, 2);
  await assert.rejects(harness.close(), { code: 'ETL_TEMP_WRITE', message: /made by a test/ });
  harness.assertMemoryIsBack();
});
