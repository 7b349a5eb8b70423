import assert from 'node:assert/strict';
import { test } from 'node:test';
import xxhash from 'xxhash-wasm';
import { BATCH_BYTES, BATCH_ID_HI, BATCH_ID_LO, BATCH_ROWS, FIRST_FREE_AT } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createPartitionTwin, type PartitionKernel } from '../../lib/kernels/twins/partition.ts';
import { random } from '../random.ts';
import { BatchWriter } from './batches.ts';

const GOLDEN = 0x9e3779b97f4a7c15n;
const oracle = await xxhash();

const kernels: [string, (memory: LinearMemory) => Promise<PartitionKernel>][] = [
  ['WASM', (memory) => loadKernel<PartitionKernel>('partition', memory)],
  ['twin', async (memory) => createPartitionTwin(memory)],
];

function randomBytes(next: () => number, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => next() * 256);
}

for (const [name, create] of kernels) {
  test(`${name}: ids of every length hash like xxhash-wasm, good rows only`, async () => {
    const memory = new LinearMemory();
    const kernel = await create(memory);
    const next = random(1);
    const writer = new BatchWriter(memory, 2 << 20);
    const lengths = Array.from({ length: BATCH_ROWS }, (_, i) => (i <= 1000 ? i : Math.floor(next() * (i % 100 === 0 ? 9000 : 80))));
    const ids = lengths.map((length) => randomBytes(next, length));
    writer.write(ids.map((id, i) => ({ id, status: i % 50 === 49 ? 1 : 0, lo: 7n, hi: 8n })));
    kernel.hashBatch(writer.ptr, BATCH_ROWS - 1);

    const batch = memory.view(writer.ptr, BATCH_BYTES);
    ids.forEach((id, i) => {
      const hashed = i % 50 !== 49 && i < BATCH_ROWS - 1;
      const lo = batch.getBigUint64(BATCH_ID_LO + 8 * i, true);
      const hi = batch.getBigUint64(BATCH_ID_HI + 8 * i, true);
      assert.equal(lo, hashed ? oracle.h64Raw(id, 0n) : 7n, `lo of ${id.length} bytes`);
      assert.equal(hi, hashed ? oracle.h64Raw(id, GOLDEN) : 8n, `hi of ${id.length} bytes`);
    });
  });

  test(`${name}: a span hashes like xxhash-wasm for any seed, length and alignment`, async () => {
    const memory = new LinearMemory();
    const kernel = await create(memory);
    const next = random(2);
    const area = memory.slab(1 << 16, 'test');
    const out = memory.view(area, 8);
    const text = memory.bytes(area + 8, (1 << 16) - 8);
    text.set(randomBytes(next, text.length));
    for (let i = 0; i < 1500; i++) {
      const length = i <= 1000 ? i : Math.floor(next() * (i % 50 === 0 ? 40000 : 4000));
      const start = Math.floor(next() * 64);
      const seed = i % 3 === 0 ? 0n : i % 3 === 1 ? GOLDEN : BigInt(Math.floor(next() * 2 ** 32)) << 31n;
      kernel.hashSpan(area + 8 + start, length, Number(seed & 0xffffffffn), Number(seed >> 32n), area);
      assert.equal(out.getBigUint64(0, true), oracle.h64Raw(text.slice(start, start + length), seed), `${length} bytes, seed ${seed}`);
    }
  });

  test(`${name}: hashing reads no byte past the end of linear memory`, async () => {
    const memory = new LinearMemory();
    const kernel = await create(memory);
    memory.slab(1 << 16, 'test');
    const end = memory.memory.buffer.byteLength;
    for (let length = 0; length <= 100; length++) {
      kernel.hashSpan(end - length, length, 0, 0, FIRST_FREE_AT);
      assert.equal(memory.view(FIRST_FREE_AT, 8).getBigUint64(0, true), oracle.h64Raw(new Uint8Array(length), 0n));
    }
  });
}
