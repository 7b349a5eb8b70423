import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, constants, createWriteStream, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { newCounters } from '../../lib/core/counters.ts';
import type { Block } from '../../lib/core/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { BLOCK_BYTES, BlockSource } from '../../lib/source/blocks.ts';
import { listInputs } from '../../lib/source/inputs.ts';
import { InputReader } from '../../lib/source/reader.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';

function bytes(length: number, seed: number): Uint8Array {
  const next = random(seed);
  return Uint8Array.from({ length }, () => 32 + Math.floor(next() * 90));
}

/** Reads a whole source; `hold` blocks are kept unreleased as long as possible. */
async function readAll(paths: string[], hold = 0): Promise<{ contents: Map<string, Buffer>; blocks: Omit<Block, 'release'>[] }> {
  const memory = new LinearMemory();
  const source = new BlockSource({ inputs: await listInputs(paths), memory, counters: newCounters() });
  const contents = new Map<string, Buffer>();
  const blocks: Omit<Block, 'release'>[] = [];
  const held: Block[] = [];
  for await (const block of source.stream() as AsyncIterable<Block>) {
    const before = contents.get(block.input.name) ?? Buffer.alloc(0);
    assert.equal(block.offset, before.length);
    contents.set(block.input.name, Buffer.concat([before, memory.bytes(block.ptr, block.length)]));
    const { release: _, ...rest } = block;
    blocks.push(rest);
    held.push(block);
    if (held.length > hold) held.shift()!.release();
  }
  assert.equal(memory.slabsInUse, held.length, 'only blocks that are out are left');
  for (const block of held) block.release();
  assert.equal(memory.slabsInUse, 0);
  return { contents, blocks };
}

test('files come as blocks in order, the last one marked, at every size around the block size', async (t) => {
  const folder = temporaryFolder(t);
  const sizes = [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 17];
  const files = sizes.map((size, seed) => ({ path: join(folder, `${seed}.csv`), content: bytes(size, seed) }));
  for (const { path, content } of files) writeFileSync(path, content);
  for (const hold of [0, 1, 2]) {
    const { contents, blocks } = await readAll([folder], hold);
    assert.deepEqual([...contents.keys()], files.map(({ path }) => path));
    assert.deepEqual(blocks.map(({ sequence }) => sequence), blocks.map((_, sequence) => sequence));
    for (const { path, content } of files) assert.ok(contents.get(path)!.equals(content), `${path}, ${hold} held`);
    for (const { path, content } of files) {
      const own = blocks.filter(({ input }) => input.name === path);
      assert.deepEqual(own.map(({ index }) => index), own.map((_, index) => index));
      assert.deepEqual(own.map(({ last }) => last), own.map((_, index) => index === own.length - 1), `size ${content.length}`);
    }
  }
});

test('samples are the first block of each input, and sampling a pipe loses nothing', async (t) => {
  const folder = temporaryFolder(t);
  const fifo = join(folder, 'pipe.csv');
  const file = join(folder, 'z.csv');
  execFileSync('mkfifo', [fifo]);
  const content = bytes(2 * BLOCK_BYTES + 5, 1);
  writeFileSync(file, content);
  createWriteStream(fifo).end(content);
  const source = new BlockSource({ inputs: await listInputs([fifo, file]), memory: new LinearMemory(), counters: newCounters() });
  const samples: Uint8Array[] = [];
  for await (const { bytes: sample } of source.samples()) samples.push(sample);
  assert.deepEqual(samples.map((sample) => Buffer.compare(sample, content.subarray(0, BLOCK_BYTES))), [0, 0]);
  let read = 0;
  for await (const block of source.stream() as AsyncIterable<Block>) {
    read += block.length;
    block.release();
  }
  assert.equal(read, 2 * content.length);
});

test('inputs are listed in byte order, each once, hidden ones left out', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'b', '.hidden'), { recursive: true });
  for (const name of ['é.csv', 'a.csv', 'B.CSV', 'b/c.csv', 'b.csv', 'notes.txt', '.x.csv', 'b/.hidden/d.csv']) writeFileSync(join(folder, name), 'x');
  symlinkSync(join(folder, 'a.csv'), join(folder, 'link.csv'));
  const inputs = await listInputs([folder, join(folder, 'a.csv'), '-', '-']);
  assert.deepEqual(inputs.map(({ name }) => name.replace(`${folder}/`, '')), ['B.CSV', 'a.csv', 'b.csv', 'b/c.csv', 'é.csv', '<stdin>']);
  assert.deepEqual(inputs.map(({ number }) => number), [0, 1, 2, 3, 4, 5]);
});

test('a missing input and an empty folder are refused with a reason', async (t) => {
  const folder = temporaryFolder(t);
  await assert.rejects(listInputs([join(folder, 'nothing.csv')]), { code: 'ETL_INPUT_NOT_FOUND', message: /nothing\.csv/ });
  await assert.rejects(listInputs([folder]), { code: 'ETL_INPUT_NOT_FOUND', message: /no \*\.csv/, hint: /--glob/ });
});

test('a source whose buffers are all held waits instead of reading on', async (t) => {
  const file = join(temporaryFolder(t), 'a.csv');
  const content = bytes(8 * BLOCK_BYTES, 3);
  writeFileSync(file, content);
  const memory = new LinearMemory();
  const source = new BlockSource({ inputs: await listInputs([file]), memory, counters: newCounters() });
  const hash = createHash('sha256');
  const held: Block[] = [];
  const iterator = (source.stream() as AsyncIterable<Block>)[Symbol.asyncIterator]();
  for (let count = 0; count < 3; count++) held.push((await iterator.next()).value as Block);
  const next = iterator.next();
  const first = await Promise.race([next.then(() => 'read'), new Promise((resolve) => setImmediate(() => setImmediate(() => resolve('waits'))))]);
  assert.equal(first, 'waits');
  for (const block of held) {
    hash.update(Buffer.from(memory.bytes(block.ptr, block.length)));
    block.release();
  }
  for (let result = await next; !result.done; result = await iterator.next()) {
    const block = result.value as Block;
    hash.update(Buffer.from(memory.bytes(block.ptr, block.length)));
    block.release();
  }
  assert.equal(hash.digest('hex'), createHash('sha256').update(content).digest('hex'));
});

for (const blocks of [2, 3]) {
  test(`${blocks} blocks of their own size, and no more`, async (t) => {
    const file = join(temporaryFolder(t), 'a.csv');
    writeFileSync(file, bytes(5000, 4));
    const memory = new LinearMemory();
    const source = new BlockSource({ inputs: await listInputs([file]), memory, counters: newCounters(), blockBytes: 1000, blocks });
    const seen = new Set<number>();
    const lengths: number[] = [];
    for await (const block of source.stream() as AsyncIterable<Block>) {
      assert.equal(memory.slabsInUse, blocks);
      seen.add(block.ptr);
      lengths.push(block.length);
      block.release();
    }
    assert.deepEqual(lengths, [1000, 1000, 1000, 1000, 1000, 0]);
    assert.ok(seen.size <= blocks);
    assert.equal(memory.slabsInUse, 0);
  });

  test(`destroyed while all ${blocks} blocks are out, it ends at once and gives everything back, once`, async (t) => {
    const file = join(temporaryFolder(t), 'a.csv');
    writeFileSync(file, bytes(8000, 4));
    const memory = new LinearMemory();
    const stream = new BlockSource({ inputs: await listInputs([file]), memory, counters: newCounters(), blockBytes: 1000, blocks }).stream();
    const iterator = (stream as AsyncIterable<Block>)[Symbol.asyncIterator]();
    const held: Block[] = [];
    while (held.length < blocks) held.push((await iterator.next()).value as Block);
    const waiting = assert.rejects(Promise.resolve(iterator.next()), /on purpose/);
    const closed = once(stream, 'close').catch(() => undefined);
    stream.destroy(new Error('on purpose'));
    await closed;
    await waiting;
    assert.equal(memory.slabsInUse, 0);
    held[0]!.release();
    assert.throws(() => held[0]!.release(), { code: 'ETL_INTERNAL' });
    assert.equal(memory.slabsInUse, 0);
  });
}

test('destroyed before it began, and while it waits for an idle pipe', async (t) => {
  const folder = temporaryFolder(t);
  const fifo = join(folder, 'pipe.csv');
  execFileSync('mkfifo', [fifo]);
  const memory = new LinearMemory();
  const begin = async (): Promise<Readable> => new BlockSource({ inputs: await listInputs([fifo]), memory, counters: newCounters() }).stream();
  const unused = await begin();
  unused.destroy();
  await once(unused, 'close');
  assert.equal(memory.slabsInUse, 0);
  const idle = await begin();
  const writer = createWriteStream(fifo);
  idle.resume();
  await once(writer, 'open');
  idle.destroy();
  await once(idle, 'close');
  assert.equal(memory.slabsInUse, 0);
  writer.end();
});

test('a reader that is closed while it opens or reads has stopped when close is over', async (t) => {
  const path = join(temporaryFolder(t), 'a.csv');
  writeFileSync(path, bytes(100, 1));
  for (let turns = 0; turns < 20; turns++) {
    const reader = new InputReader({ number: 0, name: path, path, size: 100 });
    let stopped = false;
    // Longer than the file, so that it reads again: with no file any more, that would be from standard input.
    const filling = reader.fill(new Uint8Array(200)).finally(() => { stopped = true; });
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    await reader.close();
    assert.ok(stopped, `after ${turns} turns`);
    assert.ok([0, 100].includes(await filling));
  }
});

test('what a pipe gives is the same for targets of every size, and no byte is read ahead into memory of the caller', async (t) => {
  const path = join(temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const content = bytes(700_000, 5);
  const next = random(6);
  createWriteStream(path).end(content);
  const reader = new InputReader({ number: 0, name: path, path, size: undefined });
  let at = 0;
  for (let ended = false; !ended;) {
    const room = Math.floor(2 ** (next() * 18));
    const target = new Uint8Array(new SharedArrayBuffer(room + 10)).fill(1);
    const count = await reader.fill(target.subarray(0, room));
    assert.equal(Buffer.compare(target.subarray(0, count), content.subarray(at, at + count)), 0, `at ${at}`);
    assert.ok(target.subarray(count).every((byte) => byte === 1), `behind ${at}`);
    at += count;
    ended = count < room;
  }
  assert.equal(at, content.length);
  assert.equal(await reader.fill(new Uint8Array(10)), 0);
  await reader.close();
});

test('a reader of an idle pipe is closed at once, and nothing touches its target from then on', async (t) => {
  const path = join(temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const writer = openSync(path, constants.O_RDWR);
  t.after(() => closeSync(writer));
  for (const given of [0, 100]) {
    const reader = new InputReader({ number: 0, name: path, path, size: undefined });
    const target = new Uint8Array(new SharedArrayBuffer(1000));
    const filling = assert.rejects(reader.fill(target), { code: 'ETL_ABORTED' });
    writeSync(writer, Buffer.alloc(given, 'x'));
    // The bytes are in their place: the next read waits for more.
    while (given > 0 && target[given - 1] === 0) await new Promise(setImmediate);
    for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
    await reader.close();
    await filling;
    writeSync(writer, 'late');
    const drained = new InputReader({ number: 0, name: path, path, size: undefined });
    assert.equal(await drained.fill(new Uint8Array(4)), 4, 'the next reader gets them');
    await drained.close();
    assert.equal(target[given], 0);
    await reader.close();
  }
});

test('memory that does not hold all blocks is an error, and none is left taken', async (t) => {
  const file = join(temporaryFolder(t), 'a.csv');
  writeFileSync(file, 'x');
  const memory = new LinearMemory({ limit: 3 << 20 });
  const source = new BlockSource({ inputs: await listInputs([file]), memory, counters: newCounters() });
  assert.throws(() => source.stream(), { code: 'ETL_MEMORY' });
  assert.equal(memory.slabsInUse, 0);
});
