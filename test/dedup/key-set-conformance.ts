/**
 * What every KeySet must do (lib/dedup/key-set.ts). An implementation's test is two lines:
 *
 *   import { keySetConformance } from './key-set-conformance.ts';
 *   keySetConformance('mine', async (memory) => new MyKeySet({ memory }));
 *
 * Each case gets a new, empty set on a new memory.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PartitionChunk } from '../../lib/core/stage.ts';
import type { KeySet } from '../../lib/dedup/key-set.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { writeChain, type Row } from '../partition/pages.ts';
import { random } from '../random.ts';

type Id = readonly [lo: bigint, hi: bigint];

const MAX = 1000;

/** Writes rows as one chunk: segments and pages end at random places, values are escaped at times. */
export function chunkOf(memory: LinearMemory, ids: readonly Id[], seed: number, partition = 0, last = true) {
  const next = random(seed);
  const rows = ids.map(([lo, hi], i): Row => ({
    lo, hi, region: i % 300, value: i % 7 === 0 ? BigInt(i) << 40n : BigInt(i), user: new Uint8Array(Math.floor(next() * 20)).fill(i),
  }));
  const { first, addresses } = writeChain(memory, rows, () => next() < 0.1, () => next() < 0.002);
  const chunk: PartitionChunk = { partition, first, last, release() {} };
  return { chunk, addresses };
}

/** The addresses of all winners of a chunk, with `max` of them a call; checks each call's promises. */
export function admitAll(memory: LinearMemory, set: Pick<KeySet, 'admit'>, chunk: PartitionChunk, max = MAX) {
  const area = memory.slab(4 * max + 4, 'winners');
  const guard = memory.u32(area + 4 * max, 1);
  guard[0] = 0xabcdef01;
  const winners: number[] = [];
  let rows = 0;
  let calls = 0;
  for (let done = false; !done; calls++) {
    const admitted = set.admit(chunk, area, max);
    assert.ok(admitted.winners <= max && admitted.winners <= admitted.rows);
    assert.ok(admitted.done || admitted.winners === max, 'a call ends early only when the area is full');
    winners.push(...memory.u32(area, admitted.winners));
    rows += admitted.rows;
    done = admitted.done;
  }
  assert.equal(guard[0], 0xabcdef01, 'nothing is written past the area');
  return { winners, rows, calls };
}

/** First address of each id, in order. */
function model(ids: readonly Id[], addresses: readonly number[], seen = new Set<string>()): number[] {
  return addresses.filter((_, i) => {
    const key = ids[i]!.join();
    return seen.has(key) ? false : seen.add(key);
  });
}

export function keySetConformance(name: string, create: (memory: LinearMemory) => Promise<KeySet>): void {
  const check = async (ids: readonly Id[], what: string, max = MAX): Promise<void> => {
    const memory = new LinearMemory();
    const set = await create(memory);
    await set.begin(0);
    const { chunk, addresses } = chunkOf(memory, ids, 1);
    const { winners, rows, calls } = admitAll(memory, set, chunk, max);
    assert.deepEqual(winners, model(ids, addresses), what);
    assert.equal(rows, ids.length, `${what}: every row is gone over once`);
    assert.ok(calls >= winners.length / max, what);
    await set.end(0);
    await set.close();
  };
  const sequence = (length: number, id: (i: number) => Id): Id[] => Array.from({ length }, (_, i) => id(i));

  test(`${name}: the first row of each id wins, whatever is random`, async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const next = random(seed);
      const distinct = Math.ceil(next() * 3000);
      const ids = sequence(Math.floor(next() * 6000), () => {
        const n = BigInt(Math.floor(next() * distinct));
        return [n * 0x9e3779b97f4a7c15n & (2n ** 54n - 1n), n ^ 0x5555n];
      });
      await check(ids, `seed ${seed}`);
    }
  });

  test(`${name}: all ids equal, all unique, ids that share a half`, async () => {
    await check(sequence(5000, () => [3n, 4n]), 'all equal');
    await check(sequence(5000, (i) => [BigInt(i), BigInt(i)]), 'all unique');
    await check(sequence(5000, (i) => [7n, BigInt(i >> 1)]), 'same lo');
    await check(sequence(5000, (i) => [BigInt(i >> 1), 7n]), 'same hi');
    await check(sequence(256, (i) => [i & 1 ? 2n ** 63n : 0n, 1n << BigInt(i % 64)]), 'single bits');
  });

  test(`${name}: the id of zeros is an id, and so are its neighbours`, async () => {
    const few: Id[] = [[0n, 0n], [0n, 1n], [1n, 0n], [0n, 0n], [1n, 1n], [0n, 1n], [1n, 0n], [0n, 0n]];
    await check(few, 'zeros first');
    await check(few.slice(1), 'zeros later');
    await check(sequence(4000, (i) => [BigInt(i % 2000), 0n]), 'lo 0 to 1999, hi 0');
    await check(sequence(4000, () => [0n, 0n]), 'nothing but zeros', 1);
  });

  test(`${name}: goes on where it stopped, for every size of the winners' area`, async () => {
    const ids = sequence(700, (i) => [BigInt(i % 2 ? i : i >> 2), 1n]);
    for (const max of [1, 2, 3, 31, 32, 33, 63, 64, 65, 524, 525, 526, 4096]) await check(ids, `${max} a call`, max);
  });

  test(`${name}: the chunks of a partition are one sequence; empty chunks and partitions are fine`, async () => {
    const memory = new LinearMemory();
    const set = await create(memory);
    const empty: PartitionChunk = { partition: 1, first: 0, last: false, release() {} };
    await set.begin(0);
    await set.end(0);
    await set.begin(1);
    const seen = new Set<string>();
    for (let part = 0; part < 5; part++) {
      const ids = sequence(800, (i) => [BigInt((i * 7 + part * 311) % 1500), 9n]);
      const { chunk, addresses } = chunkOf(memory, ids, part, 1, part === 4);
      const { winners, rows } = admitAll(memory, set, chunk);
      assert.deepEqual(winners, model(ids, addresses, seen), `chunk ${part}`);
      assert.equal(rows, 800);
      assert.deepEqual(admitAll(memory, set, empty), { winners: [], rows: 0, calls: 1 });
    }
    await set.end(1);
    await set.close();
  });

  test(`${name}: partitions follow each other, large and small, each with its own ids`, async () => {
    const memory = new LinearMemory();
    const set = await create(memory);
    const next = random(77);
    for (let partition = 3; partition < 1024; partition += 97) {
      const distinct = Math.ceil(next() ** 3 * 5000);
      const ids = sequence(Math.floor(next() * 5000), (i) => [(BigInt(partition) << 54n) + BigInt((i * 31) % distinct), 5n]);
      await set.begin(partition);
      const { chunk, addresses } = chunkOf(memory, ids, partition, partition);
      assert.deepEqual(admitAll(memory, set, chunk).winners, model(ids, addresses), `partition ${partition}`);
      await set.end(partition);
    }
    await set.close();
  });

  test(`${name}: rows of ids that are known take no memory`, async () => {
    const memory = new LinearMemory();
    const set = await create(memory);
    await set.begin(0);
    const { chunk } = chunkOf(memory, sequence(500, (i) => [BigInt(i), 1n]), 1);
    const { chunk: again } = chunkOf(memory, sequence(20000, (i) => [BigInt(i % 500), 1n]), 2);
    const area = memory.slab(4 * MAX, 'winners');
    assert.equal(set.admit(chunk, area, MAX).winners, 500);
    const before = memory.size;
    for (let round = 0; round < 5; round++) assert.equal(set.admit({ ...again }, area, MAX).winners, 0);
    assert.equal(memory.size, before);
    await set.end(0);
    await set.close();
  });

  test(`${name}: close gives its memory back, with a partition open too, and may be repeated`, async () => {
    const memory = new LinearMemory();
    const set = await create(memory);
    await set.begin(0);
    const { chunk } = chunkOf(memory, sequence(3000, (i) => [BigInt(i), 1n]), 1);
    set.admit(chunk, memory.slab(4 * MAX, 'winners'), MAX);
    await set.close();
    await set.close();
  });
}
