import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import xxhash from 'xxhash-wasm';
import type { Batch, InputInfo, PartitionChunk } from '../../lib/core/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import type { PartitionKernel } from '../../lib/kernels/twins/partition.ts';
import { createScatterStage } from '../../lib/partition/stage.ts';
import { MemoryPartitionStore, type PartitionStore } from '../../lib/partition/store.ts';
import { random } from '../random.ts';
import { BatchWriter } from './batches.ts';
import { readChain } from './pages.ts';

const input: InputInfo = { number: 0, name: 'a.csv' };
const oracle = await xxhash();

async function setUp() {
  const memory = new LinearMemory();
  const kernel = await loadKernel<PartitionKernel>('partition', memory);
  const store = new MemoryPartitionStore({ memory, kernel });
  return { memory, kernel, store, writer: new BatchWriter(memory, 1 << 20) };
}

/** Batches of random rows, all in one area: each is written when it is pulled and must be released before the next. */
function batches(writer: BatchWriter, count: number, rows: number, released: { count: number }) {
  const next = random(count);
  const ids: string[] = [];
  function* all(): Generator<Batch> {
    for (let block = 0; block < count; block++) {
      assert.equal(released.count, block, 'the batch before was released');
      const texts = Array.from({ length: rows }, () => `id-${Math.floor(next() * 1e9)}`);
      ids.push(...texts);
      writer.write(texts.map((id) => ({ id: Buffer.from(id), user: Buffer.from(`of ${id}`) })));
      yield { ptr: writer.ptr, rows, input, block, release: () => { released.count++; } };
    }
  }
  // Not a stream: Readable.from reads one ahead, and here the pull has to wait for the release.
  const iterator = all();
  return { ids, next: (): Batch | undefined => iterator.next().value as Batch | undefined };
}

test('batches in, every row out of its partition, ascending; all pages come back', async () => {
  const { memory, kernel, store, writer } = await setUp();
  const released = { count: 0 };
  const source = batches(writer, 10, 2048, released);
  const stage = createScatterStage({ memory, kernel, store });
  for (let batch = source.next(); batch; batch = source.next()) {
    await new Promise<void>((resolve, reject) => {
      stage.write(batch, (error) => (error ? reject(error) : resolve()));
    });
  }
  await new Promise<void>((resolve) => stage.end(resolve));
  assert.equal(released.count, 10);
  assert.equal(store.rows, 20480);

  const found: string[] = [];
  let before = -1;
  for await (const chunk of store.partitions() as AsyncIterable<PartitionChunk>) {
    assert.ok(chunk.partition > before && chunk.last && chunk.first !== 0);
    before = chunk.partition;
    for (const row of readChain(memory, chunk.first).rows) {
      const id = Buffer.from(row.user).toString().slice(3);
      found.push(id);
      assert.equal(row.lo, oracle.h64Raw(Buffer.from(id), 0n));
      assert.equal(Number(row.lo >> 54n), chunk.partition);
    }
    chunk.release();
    assert.throws(() => chunk.release(), { code: 'ETL_INTERNAL' });
  }
  assert.deepEqual(found.sort(), source.ids.sort());
  assert.equal(memory.pagesInUse, 0);
  store.close();
  store.close();
  assert.equal(memory.pagesInUse, 0);
});

test('the store of a run without rows is an empty stream', async () => {
  const { memory, kernel, store } = await setUp();
  await pipeline(Readable.from([]), createScatterStage({ memory, kernel, store }));
  assert.equal(store.rows, 0);
  assert.deepEqual(await store.partitions().toArray(), []);
});

test('close gives back what was not read, while writing and while reading', async () => {
  for (const readTo of [-1, 3]) {
    const { memory, store, writer } = await setUp();
    writer.write(Array.from({ length: 2048 }, (_, i) => ({ lo: BigInt(i) << 54n, hi: 1n })));
    store.write({ ptr: writer.ptr, rows: 1024, input, block: 0, release() {} });
    assert.equal(memory.pagesInUse, 1024);
    if (readTo > 0) {
      store.finish();
      const out: PartitionChunk[] = [];
      for await (const chunk of store.partitions()) if (out.push(chunk as PartitionChunk) === readTo) break;
      store.close();
      // The stream may have pulled a chunk that nobody saw.
      assert.ok(memory.pagesInUse >= readTo && memory.pagesInUse <= readTo + 2, `${memory.pagesInUse} pages are out`);
      for (const chunk of out) assert.equal(readChain(memory, chunk.first).rows.length, 1);
    } else {
      store.close();
      assert.equal(memory.pagesInUse, 0);
      assert.throws(() => store.write({ ptr: writer.ptr, rows: 1, input, block: 0, release() {} }), { code: 'ETL_INTERNAL' });
    }
  }
});

test('the stage waits for a store that waits, and releases the batch after that', async () => {
  const { memory, kernel, writer } = await setUp();
  const log: string[] = [];
  const slow: PartitionStore = {
    rows: 0,
    async write() {
      log.push('write');
      await new Promise((resolve) => setImmediate(resolve));
      log.push('written');
    },
    async finish() {
      await new Promise((resolve) => setImmediate(resolve));
      log.push('finish');
    },
    partitions: () => Readable.from([]),
    close() {},
  };
  const batch = (block: number): Batch => ({ ptr: writer.ptr, rows: 0, input, block, release: () => log.push('release') });
  await pipeline(Readable.from([batch(0), batch(1)]), createScatterStage({ memory, kernel, store: slow }));
  assert.deepEqual(log, ['write', 'written', 'release', 'write', 'written', 'release', 'finish']);
});

test('a batch that cannot be right fails the stage and is released', async () => {
  const cases: [Partial<Batch>, string][] = [
    [{ ptr: 0 }, 'ETL_INTERNAL'],
    [{ ptr: 2 ** 31 }, 'ETL_INTERNAL'],
    [{ rows: 2049 }, 'ETL_INTERNAL'],
    [{ block: 2 ** 24 }, 'ETL_INPUT_READ'],
    [{ input: { number: 2 ** 24, name: 'b.csv' } }, 'ETL_INPUT_READ'],
  ];
  for (const [wrong, code] of cases) {
    const { memory, kernel, store, writer } = await setUp();
    let released = 0;
    const batch: Batch = { ptr: writer.ptr, rows: 1, input, block: 0, release: () => { released++; }, ...wrong };
    await assert.rejects(pipeline(Readable.from([batch]), createScatterStage({ memory, kernel, store })), { code });
    assert.equal(released, 1);
  }
});
