import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PartitionChunk } from '../../lib/core/stage.ts';
import { random } from '../random.ts';
import { Harness, kernels, PAGE, plain, type Row } from './harness.ts';

/**
 * Reads the store as dedup does, with room for `room` ids a part: what does not fit is put off, some rows at a time.
 * Gives the rows of each id in the order in which they were decided, and checks that a part has all rows of an id.
 */
async function decide(harness: Harness, room: number | ((part: number) => number), atOnce = 1000) {
  const rowsOf = new Map<string, string[]>();
  const parts: [number, number][] = [];
  let known = new Set<string>();
  let deepest = 0;
  let most = 0;
  for await (const chunk of harness.partitions() as AsyncIterable<PartitionChunk>) {
    const { partition, part } = chunk;
    if (parts.at(-1)?.[0] !== partition || parts.at(-1)?.[1] !== part) {
      parts.push([partition, part]);
      known = new Set();
    }
    deepest = Math.max(deepest, part);
    const later: number[] = [];
    for (const row of harness.read(chunk)) {
      const id = `${row.lo} ${row.hi}`;
      if (!known.has(id) && known.size >= (typeof room === 'number' ? room : room(part))) {
        later.push(row.at);
        continue;
      }
      if (!known.has(id)) {
        assert.ok(!rowsOf.has(id), 'an id is decided in one part');
        rowsOf.set(id, []);
        known.add(id);
      }
      rowsOf.get(id)!.push(plain(row));
    }
    for (let at = 0; at < later.length; at += atOnce) {
      await harness.defer(chunk, later.slice(at, at + atOnce));
      most = Math.max(most, harness.memory.pagesInUse);
    }
    chunk.release();
  }
  return { rowsOf, parts, deepest, most };
}

function expectedOf(rows: readonly Row[]): Map<string, string[]> {
  const expected = new Map<string, string[]>();
  for (const row of rows) {
    const id = `${row.lo} ${row.hi}`;
    if (!expected.has(id)) expected.set(id, []);
    expected.get(id)!.push(plain(row));
  }
  return expected;
}

function assertSame(found: Map<string, string[]>, rows: readonly Row[], what: string): void {
  const expected = expectedOf(rows);
  assert.equal(found.size, expected.size, what);
  for (const [id, list] of expected) assert.deepEqual(found.get(id), list, `id ${id}, ${what}`);
}

for (const [name, create] of kernels) {
  test(`${name}: rows that are put off come again, each id in one part, three levels deep and deeper`, async (t) => {
    let files = 0;
    for (let seed = 1; seed <= (name === 'WASM' ? 10 : 4); seed++) {
      const next = random(seed);
      const below = (n: number): number => Math.floor(next() * n);
      const bits = [0, 1, 4, 7, 10][seed % 5]!;
      // Ids that agree in all bits but a window of 12 behind those of the store and two levels; and a few of all kinds.
      const window = BigInt(64 - bits - 12 - 12);
      const base = 0xa5a5a5a5a5a5a5a5n & ~(0xfffn << window);
      const u32 = (): bigint => BigInt(below(2 ** 32));
      const crowd = Array.from({ length: 300 }, (): Row => ({
        lo: base | (BigInt(below(4096)) << window), hi: BigInt(below(2)),
      }));
      const others = Array.from({ length: 200 }, (): Row => ({ lo: u32() << 32n, hi: u32() }));
      const rows = Array.from({ length: name === 'WASM' ? 4500 : 1500 }, (_, i): Row => ({
        ...(next() < 0.7 ? crowd[below(300)]! : others[below(200)]!), value: BigInt(i), user: new Uint8Array(below(60)).fill(i),
      }));
      const harness = await Harness.open(t, {
        create, bits, bytes: PAGE * [5, 30, 500][seed % 3]!, chunkBytes: 3 * PAGE, deferredBytes: PAGE * [1, 3, 100][below(3)]!,
      });
      for (let at = 0; at < rows.length; at += 1500) await harness.write(rows.slice(at, at + 1500));
      await harness.store.finish();
      const rowsSpilled = harness.counters.rowsSpilled;
      const { rowsOf, parts, deepest } = await decide(harness, 5 + below(20), 1 + below(900));
      assertSame(rowsOf, rows, `seed ${seed}`);
      const sorted = [...parts].sort(([a, b], [c, d]) => a - c || b - d);
      assert.deepEqual(parts, sorted, 'partitions ascend, and parts in them');
      for (const [i, [partition, part]] of parts.entries()) {
        assert.equal(part, parts[i - 1]?.[0] === partition ? parts[i - 1]![1] + 1 : 0, 'parts are numbered one by one');
      }
      assert.ok(deepest > 10 && harness.counters.splits >= 3, `${deepest} parts, ${harness.counters.splits} splits, seed ${seed}`);
      assert.equal(harness.counters.rowsSpilled, rowsSpilled, 'what is put off does not count again');
      files = Math.max(files, harness.counters.spilledFiles);
      await harness.assertNothingIsHeld(`seed ${seed}`);
    }
    assert.ok(files > 3);
  });
}

test('two ids that agree in all bits but the last are told apart at the last level', async (t) => {
  for (const bits of [0, 4, 10]) {
    const harness = await Harness.open(t, { bits, bytes: 10 * PAGE });
    const ones = 2n ** 64n - 1n;
    const rows = Array.from({ length: 40 }, (_, i): Row => ({ lo: ones, hi: ones - BigInt(i % 2), value: BigInt(i) }));
    await harness.write(rows);
    await harness.store.finish();
    const levels = Math.ceil((64 - bits) / 6) + 11;
    const { rowsOf, deepest } = await decide(harness, (part) => (part < levels ? 0 : 1));
    assertSame(rowsOf, rows, `${bits} bits`);
    assert.equal(harness.counters.splits, levels, 'a level for every six bits of each word');
    assert.equal(deepest, levels + 1);
    await harness.assertNothingIsHeld();
  }
});

test('a consumer that puts off one id for ever is stopped', async (t) => {
  const harness = await Harness.open(t, { bits: 10 });
  await harness.write([{ lo: 5n, hi: 6n }]);
  await harness.store.finish();
  await assert.rejects(decide(harness, 0), { code: 'ETL_INTERNAL' });
  assert.equal(harness.counters.splits, 9 + 11);
  await harness.assertNothingIsHeld();
});

test('a flood of one id needs no split, however large', async (t) => {
  const harness = await Harness.open(t, { bits: 6, bytes: 20 * PAGE, chunkBytes: 2 * PAGE });
  const rows = Array.from({ length: 100_000 }, (_, i): Row => ({ lo: 77n, hi: 78n, value: BigInt(i), user: new Uint8Array(10) }));
  for (let at = 0; at < rows.length; at += 10_000) await harness.write(rows.slice(at, at + 10_000));
  await harness.store.finish();
  assert.ok(harness.counters.rowsSpilled > 90_000);
  const { rowsOf, parts } = await decide(harness, 1);
  assertSame(rowsOf, rows, 'flood');
  assert.deepEqual(parts, [[0, 0]]);
  assert.equal(harness.counters.splits, 0);
  await harness.assertNothingIsHeld();
});

test('putting rows off needs no page of the pool, and no more than deferredBytes when there are some', async (t) => {
  const rows = Array.from({ length: 40_000 }, (_, i): Row => ({
    lo: BigInt(i) * 0x9e3779b97f4a7c15n & (2n ** 58n - 1n), hi: 1n, value: BigInt(i), user: new Uint8Array(30),
  }));
  for (const starved of [true, false]) {
    const memory = { limit: 64 * 1024 + 30 * 2 ** 20 };
    const harness = await Harness.open(t, { bits: 6, bytes: 100 * PAGE, keepBytes: 0, memory, deferredBytes: 120 * PAGE });
    for (let at = 0; at < rows.length; at += 10_000) await harness.write(rows.slice(at, at + 10_000));
    await harness.store.finish();
    assert.equal(harness.memory.pagesInUse, 0);
    const stream = harness.partitions();
    const reserved = harness.memory.pagesInUse;
    assert.equal(reserved, 80);
    const others: number[] = [];
    while (starved && harness.memory.refillPool()) others.push(harness.memory.takePage());
    harness.partitions = () => stream;
    const { rowsOf, most } = await decide(harness, 100);
    assertSame(rowsOf, rows, 'all unique');
    assert.ok(starved ? most === others.length + reserved : most > reserved && most <= 120, `${most} pages`);
    for (const page of others) harness.memory.givePage(page);
    await harness.assertNothingIsHeld();
  }
});
