/** The table of slots doubles in place: every group can be found afterwards, whatever clusters there were, and around the end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SLOT_BYTES, TABLE_MAX_GROUPS, TABLE_SHIFT, TABLE_SLOTS } from '../../lib/kernels/aggregate-layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createAggregateTwin, type AggregateKernel } from '../../lib/kernels/twins/aggregate.ts';
import { random } from '../random.ts';

const GUARD = 0xdeadbeef;
const LARGEST = 1 << 16;

const groupsOf = (count: number): number => Math.floor((count * 2) / 3) - 1;

/** A table at the start of a slab in which it may double `times` times, and a guard behind it. */
async function newTable(memory: LinearMemory, largest: number) {
  const table = memory.takePage();
  const at = memory.slab(largest * SLOT_BYTES + 8, 'slots');
  const words = memory.u32(at, largest * 2 + 2);
  const header = memory.u32(table, 8);

  /** The table with these hashes, in this order, their addresses 1, 2, 3 ...; all behind it is garbage. */
  function fill(kernel: AggregateKernel, count: number, hashes: ArrayLike<number>): void {
    words.fill(GUARD);
    kernel.resetTable(table, at, count);
    for (let i = 0; i < hashes.length; i++) {
      let index = hashes[i]! >>> (32 - Math.log2(count));
      while (words[index * 2 + 1] !== 0) index = (index + count - 1) % count;
      words[index * 2] = hashes[i]!;
      words[index * 2 + 1] = i + 1;
    }
  }

  /** Each hash once, with its address, and no hole between its own slot and where it is. */
  function assertFound(count: number, hashes: ArrayLike<number>, what: string): void {
    assert.equal(header[TABLE_SLOTS / 4], at);
    assert.equal(header[TABLE_SHIFT / 4], 32 - Math.log2(count));
    assert.equal(header[TABLE_MAX_GROUPS / 4], groupsOf(count));
    let used = 0;
    for (let index = 0; index < count; index++) if (words[index * 2 + 1] !== 0) used++;
    assert.equal(used, hashes.length, what);
    for (let i = 0; i < hashes.length; i++) {
      let index = hashes[i]! >>> (32 - Math.log2(count));
      while (words[index * 2 + 1] !== i + 1 && words[index * 2 + 1] !== 0) index = (index + count - 1) % count;
      if (words[index * 2 + 1] !== i + 1 || words[index * 2] !== hashes[i]! >>> 0) assert.fail(`${what}: group ${i} is lost`);
    }
    for (let word = count * 2; word < words.length; word++) if (words[word] !== GUARD) assert.fail(`${what}: written behind the table`);
  }

  return { table, words, fill, assertFound };
}

test('all tables of 8 slots: every 3 groups in any order, around the end too', async () => {
  const memory = new LinearMemory();
  const { table, words, fill, assertFound } = await newTable(memory, 16);
  for (const kernel of [await loadKernel<AggregateKernel>('aggregate', memory), createAggregateTwin(memory)]) {
    let wrapped = 0;
    for (let n = 0; n < 16 ** 3; n++) {
      const hashes = [n & 15, (n >> 4) & 15, n >> 8].map((top, i) => ((top << 28) | i) >>> 0);
      fill(kernel, 8, hashes);
      if (words[15] !== 0 && words[14]! >>> 29 < 4) wrapped++;
      kernel.growTable(table);
      assertFound(16, hashes, `hashes ${hashes}`);
    }
    assert.ok(wrapped > 50, `${wrapped} tables had a group on the other side of slot 0`);
  }
});

const anywhere = (next: () => number): number => Math.floor(next() * 2 ** 32);
const shapes: Record<string, (next: () => number, count: number) => number> = {
  anywhere,
  'near the first slot': (next, count) => Math.floor(next() ** 4 * 2 ** 32 * Math.min(1, 64 / count)),
  'near the last slot': (next, count) => 2 ** 32 - 1 - Math.floor(next() ** 4 * 2 ** 32 * Math.min(1, 64 / count)),
  'at both ends': (next, count) => (anywhere(next) % (2 ** 40 / count) + (next() < 0.8 ? 0 : 2 ** 32 - 2 ** 32 / count)) % 2 ** 32,
  'in a few heaps': (next) => Math.floor(next() * 5) * 0x33333333 + Math.floor(next() * 3),
  'two hashes': (next) => (next() < 0.5 ? 0 : 0xffffffff),
};

for (const [shape, hashOf] of Object.entries(shapes)) {
  test(`random tables, hashes ${shape}: full, half full, empty; the twin gives the same bytes`, async () => {
    const memory = new LinearMemory();
    const { table, words, fill, assertFound } = await newTable(memory, LARGEST);
    const wasm = await loadKernel<AggregateKernel>('aggregate', memory);
    const twin = createAggregateTwin(memory);
    for (let seed = 1; seed <= 26; seed++) {
      const next = random(seed);
      const count = 2 ** (2 + (seed % 13));
      // A cluster takes time squared.
      const most = shape === 'anywhere' ? groupsOf(count) : Math.min(groupsOf(count), 300);
      const hashes = Uint32Array.from({ length: Math.floor(most * [1, 1, 0.5, next(), 0][seed % 5]!) }, () => hashOf(next, count));
      fill(wasm, count, hashes);
      wasm.growTable(table);
      assertFound(count * 2, hashes, `seed ${seed}`);
      const bytes = words.slice(0, count * 4);
      fill(twin, count, hashes);
      twin.growTable(table);
      assert.deepEqual(words.subarray(0, count * 4), bytes, `seed ${seed}`);
      for (let slots = count * 2; slots < Math.min(LARGEST, count * 16); slots *= 2) {
        wasm.growTable(table);
        assertFound(slots * 2, hashes, `seed ${seed}, on to ${slots * 2}`);
      }
    }
  });
}
