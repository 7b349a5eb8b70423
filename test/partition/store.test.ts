import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import xxhash from 'xxhash-wasm';
import type { Pieces } from '../../lib/core/pieces.ts';
import type { Batch, InputInfo, PartitionChunk } from '../../lib/core/stage.ts';
import { BATCH_ROWS } from '../../lib/kernels/layout.ts';
import { createScatterStage } from '../../lib/partition/stage.ts';
import type { PartitionStore } from '../../lib/partition/store.ts';
import { random } from '../random.ts';
import { BatchWriter } from './batches.ts';
import { Harness, kernels, PAGE, plain, type Row } from './harness.ts';

const input: InputInfo = { number: 0, name: 'a.csv' };
const oracle = await xxhash();

/** Blocks of random rows, all batches in one area: each is written when it is asked for. */
function blocksOf(writer: BatchWriter, blocks: number, rows: number): { ids: string[]; blocks: Pieces<Batch>[] } {
  const next = random(blocks);
  const ids: string[] = [];
  const batch = (block: number): Batch => {
    const texts = Array.from({ length: rows }, () => `id-${Math.floor(next() * 1e9)}`);
    ids.push(...texts);
    writer.write(texts.map((id) => ({ id: Buffer.from(id), user: Buffer.from(`of ${id}`) })));
    return { ptr: writer.ptr, rows, input, block };
  };
  return { ids, blocks: Array.from({ length: blocks }, (_, block) => givenOnce([() => batch(block), async () => batch(block)])) };
}

function givenOnce(batches: (() => Batch | Promise<Batch>)[]): Pieces<Batch> {
  return { next: () => batches.shift()?.() };
}

for (const bytes of [2000 * PAGE, 40 * PAGE]) {
  test(`batches in, every row out of its partition, ascending; ${bytes / PAGE} pages`, async (t) => {
    const harness = await Harness.open(t, { bits: 10, bytes });
    const { memory, kernel, store, counters } = harness;
    const writer = new BatchWriter(memory, 1 << 20);
    const source = blocksOf(writer, 5, BATCH_ROWS);
    await pipeline(Readable.from(source.blocks), createScatterStage({ memory, kernel, store }));
    assert.equal(store.share().rows, 10 * BATCH_ROWS);
    assert.equal(counters.rowsSpilled > 0, bytes < 100 * PAGE);

    const found: string[] = [];
    let before = -1;
    for await (const chunk of harness.partitions() as AsyncIterable<PartitionChunk>) {
      assert.ok(chunk.partition > before || (chunk.partition === before && bytes < 100 * PAGE));
      assert.ok(chunk.count > 0 && chunk.part === 0);
      before = chunk.partition;
      for (const row of harness.read(chunk)) {
        const id = Buffer.from(row.user).toString().slice(3);
        found.push(id);
        assert.equal(row.lo, oracle.h64Raw(Buffer.from(id), 0n));
        assert.equal(Number(row.lo >> 54n), chunk.partition);
      }
      chunk.release();
      assert.throws(() => chunk.release(), { code: 'ETL_INTERNAL' });
      assert.throws(() => chunk.defer(writer.ptr, 1), { code: 'ETL_INTERNAL' });
    }
    assert.deepEqual(found.sort(), source.ids.sort());
    assert.equal(memory.pagesInUse, 0, 'without a close of the store');
  });
}

test('the store of a run without rows is an empty stream', async (t) => {
  const harness = await Harness.open(t);
  const { memory, kernel, store } = harness;
  await pipeline(Readable.from([]), createScatterStage({ memory, kernel, store }));
  assert.equal(store.share().rows, 0);
  assert.deepEqual(await harness.partitions().toArray(), []);
  await harness.assertNothingIsHeld();
});

/** Random rows, written in random batches, are compared with a list for each partition. */
async function property(
  harness: Harness,
  seed: number,
  { bits, blocks, flood, huge }: { bits: number; blocks: number; flood: boolean; huge: boolean },
) {
  const next = random(seed);
  const below = (n: number): number => Math.floor(next() * n);
  const u64 = (): bigint => (BigInt(below(2 ** 32)) << 32n) | BigInt(below(2 ** 32));
  const crowd = u64();
  const expected = new Map<number, string[]>();
  let rows = 0;
  for (let block = 0; block < blocks; block++) {
    const batch = Array.from({ length: below(huge ? 60 : 2500) }, (): Row => ({
      lo: flood && next() < 0.9 ? crowd : u64(),
      hi: u64(),
      value: next() < 0.1 ? u64() >> 1n : BigInt(below(1000)),
      region: below(250),
      user: new Uint8Array(huge && next() < 0.5 ? 8192 - below(3) : below(40)).fill(below(256)),
    }));
    rows += batch.length;
    for (const row of batch) {
      const partition = Number(row.lo >> BigInt(64 - bits));
      if (!expected.has(partition)) expected.set(partition, []);
      expected.get(partition)!.push(plain(row));
    }
    await harness.write(batch);
  }
  await harness.store.finish();
  assert.equal(harness.store.share().rows, rows);
  const inMemory = harness.memory.pagesInUse;

  const found = new Map<number, string[]>();
  let multi = 0;
  let complete = true;
  let held: PartitionChunk | undefined;
  for await (const chunk of harness.partitions() as AsyncIterable<PartitionChunk>) {
    assert.equal(chunk.part, 0);
    assert.equal(!found.has(chunk.partition), complete, 'a partition is complete before the next begins');
    if (!complete) multi++;
    else found.set(chunk.partition, []);
    complete = chunk.last;
    for (const row of harness.read(chunk)) found.get(chunk.partition)!.push(plain(row));
    held?.release();
    held = undefined;
    if (chunk.last || next() < 0.5) chunk.release();
    else held = chunk; // until after the next one came
  }
  assert.ok(complete);
  assert.deepEqual([...found.keys()], [...expected.keys()].sort((a, b) => a - b));
  for (const [partition, list] of expected) assert.deepEqual(found.get(partition), list, `partition ${partition}, seed ${seed}`);
  await harness.assertNothingIsHeld(`seed ${seed}`);
  return { rows, multi, inMemory };
}

for (const [name, create] of kernels) {
  test(`${name}: whatever was written comes back, by partition and in order, from memory and tens of generations`, async (t) => {
    const most = { spilledBytes: 0, generations: 0, multi: 0, untouched: 0 };
    for (let seed = 1; seed <= (name === 'WASM' ? 22 : 11); seed++) {
      const bits = seed % 11;
      const next = random(seed * 7919);
      const bytes = next() < 0.2 ? 3000 * PAGE : PAGE * (1 + Math.floor(next() ** 2 * 60));
      const harness = await Harness.open(t, {
        create, bits, bytes, chunkBytes: Math.floor(next() * 12 * PAGE), keepBytes: next() < 0.3 ? 2 * PAGE : undefined,
      });
      const shape = { bits, blocks: name === 'WASM' ? 6 : 2, flood: next() < 0.3, huge: next() < 0.2 };
      const { multi, rows, inMemory } = await property(harness, seed, shape);
      assert.ok(inMemory * PAGE <= bytes);
      const { spilledBytes, spilledFiles, rowsSpilled } = harness.counters;
      assert.equal(spilledBytes > 0, rowsSpilled > 0);
      assert.ok(spilledFiles <= 1 && rowsSpilled <= rows);
      most.spilledBytes = Math.max(most.spilledBytes, spilledBytes);
      most.generations = Math.max(most.generations, spilledBytes / bytes);
      most.multi = Math.max(most.multi, multi);
      if (rowsSpilled === 0) most.untouched++;
    }
    assert.ok(most.generations > (name === 'WASM' ? 20 : 2), `${most.generations} generations`);
    assert.ok(most.multi > (name === 'WASM' ? 5 : 0), `${most.multi} further chunks`);
    assert.ok(most.untouched > 0, 'some stores kept everything in memory');
  });
}

test('when linear memory is at its limit the store spills, and needs no more than one page', async (t) => {
  for (const pages of [1, 2, 7, 64]) {
    const memory = { limit: 64 * 1024 + 22 * 2 ** 20 };
    const harness = await Harness.open(t, { bits: 3, bytes: Infinity, memory, deferredBytes: PAGE });
    const others: number[] = [];
    while (harness.memory.refillPool()) others.push(harness.memory.takePage());
    for (const page of others.splice(0, pages)) harness.memory.givePage(page);
    const rows = Array.from({ length: 3000 }, (_, i) => ({ lo: BigInt(i % 8) << 61n, hi: BigInt(i) }));
    await harness.write(rows);
    await harness.store.finish();
    assert.equal(harness.counters.rowsSpilled > 0, pages < 8, `with ${pages} pages`);
    for (const page of others) harness.memory.givePage(page);
    let count = 0;
    for await (const chunk of harness.partitions() as AsyncIterable<PartitionChunk>) {
      count += harness.read(chunk).length;
      chunk.release();
    }
    assert.equal(count, 3000);
    await harness.assertNothingIsHeld(`${pages} pages`);
  }
});

test('no page at all is an error that says so', async (t) => {
  const harness = await Harness.open(t, { bits: 3, memory: { limit: 64 * 1024 + 22 * 2 ** 20 } });
  const others: number[] = [];
  while (harness.memory.refillPool()) others.push(harness.memory.takePage());
  await assert.rejects(harness.write([{ lo: 1n, hi: 1n }]), { code: 'ETL_MEMORY' });
  for (const page of others) harness.memory.givePage(page);
  await harness.assertNothingIsHeld();
});

test('many small slices come as few chunks', async (t) => {
  const harness = await Harness.open(t, { bits: 6, bytes: 64 * PAGE, keepBytes: 0, chunkBytes: 2 * 128 * 1024 });
  const next = random(5);
  for (let block = 0; block < 40; block++) {
    await harness.write(Array.from({ length: 4096 }, (_, i) => ({
      lo: (BigInt(Math.floor(next() * 2 ** 32)) << 32n) | BigInt(i), hi: 0n, user: new Uint8Array(12),
    })));
  }
  await harness.store.finish();
  assert.equal(harness.memory.pagesInUse, 0);
  const { spilledBytes, rowsSpilled } = harness.counters;
  assert.equal(rowsSpilled, 40 * 4096);
  let chunks = 0;
  for await (const chunk of harness.partitions() as AsyncIterable<PartitionChunk>) {
    chunks++;
    chunk.release();
  }
  assert.ok(spilledBytes > 5 * 64 * PAGE, `${spilledBytes} bytes are several generations`);
  assert.ok(chunks <= 64 + spilledBytes / (128 * 1024 - 2 * PAGE), `${chunks} chunks for ${spilledBytes} bytes`);
  await harness.assertNothingIsHeld();
});

test('close gives everything back, while writing and while reading, with chunks out', async (t) => {
  for (const bytes of [2000 * PAGE, 300 * PAGE]) {
    for (const readTo of [-1, 0, 1, 3]) {
      const harness = await Harness.open(t, { bits: 10, bytes });
      const rows = Array.from({ length: 4096 }, (_, i) => ({ lo: BigInt(i % 1024) << 54n, hi: 1n }));
      await harness.write(rows);
      const out: PartitionChunk[] = [];
      if (readTo >= 0) await harness.store.finish();
      if (readTo > 0) {
        for await (const chunk of harness.partitions() as AsyncIterable<PartitionChunk>) {
          if (out.push(chunk) === readTo) break;
          chunk.release();
        }
      }
      await harness.assertNothingIsHeld(`read ${readTo} of ${bytes} bytes`);
      out.at(-1)?.release();
      await harness.assertNothingIsHeld(`released late, read ${readTo} of ${bytes} bytes`);
      await assert.rejects(harness.write(rows), { code: 'ETL_INTERNAL' });
    }
  }
});

test('the stage waits for a store that waits, and asks for the next batch after that', async (t) => {
  const { memory, kernel } = await Harness.open(t);
  const writer = new BatchWriter(memory, 1 << 16);
  const log: string[] = [];
  const slow: Pick<PartitionStore, 'write' | 'finish'> = {
    async write() {
      log.push('write');
      await new Promise((resolve) => setImmediate(resolve));
      log.push('written');
    },
    async finish() {
      await new Promise((resolve) => setImmediate(resolve));
      log.push('finish');
    },
  };
  const batch = (): Batch => {
    log.push('batch');
    return { ptr: writer.ptr, rows: 0, input, block: 0 };
  };
  await pipeline(Readable.from([givenOnce([batch, batch]), givenOnce([batch])]), createScatterStage({ memory, kernel, store: slow }));
  assert.deepEqual(log, ['batch', 'write', 'written', 'batch', 'write', 'written', 'batch', 'write', 'written', 'finish']);
});

test('a batch that cannot be right, or cannot be had, fails the stage', async (t) => {
  const cases: [Partial<Batch>, string][] = [
    [{ ptr: 0 }, 'ETL_INTERNAL'],
    [{ ptr: 2 ** 31 }, 'ETL_INTERNAL'],
    [{ rows: BATCH_ROWS + 1 }, 'ETL_INTERNAL'],
    [{ block: 2 ** 24 }, 'ETL_INPUT_READ'],
    [{ input: { number: 2 ** 24, name: 'b.csv' } }, 'ETL_INPUT_READ'],
  ];
  for (const [wrong, code] of cases) {
    const harness = await Harness.open(t);
    const { memory, kernel, store } = harness;
    const batch: Batch = { ptr: new BatchWriter(memory, 1).ptr, rows: 1, input, block: 0, ...wrong };
    await assert.rejects(pipeline(Readable.from([givenOnce([() => batch])]), createScatterStage({ memory, kernel, store })), { code });
    await store.close();
  }
  for (const fails of [() => assert.fail('at once'), async () => assert.fail('later')]) {
    const { memory, kernel, store } = await Harness.open(t);
    await assert.rejects(pipeline(Readable.from([givenOnce([fails])]), createScatterStage({ memory, kernel, store })), /at once|later/);
    await store.close();
  }
});
