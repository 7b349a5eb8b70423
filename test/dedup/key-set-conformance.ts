/**
 * What every KeySet must do (lib/dedup/key-set.ts). An implementation's test is two lines:
 *
 *   import { keySetConformance } from './key-set-conformance.ts';
 *   keySetConformance('mine', async (memory, maxBytes) => new MyKeySet({ memory, maxBytes }));
 *
 * Each case gets a new, empty set on a new memory. `maxBytes` is AMPLE, or TIGHT: then a thousand ids must be too many.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HashRange, PartitionChunk } from '../../lib/core/stage.ts';
import type { KeySet } from '../../lib/dedup/key-set.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { writeChain, type Row } from '../partition/pages.ts';
import { random } from '../random.ts';

type Id = readonly [lo: bigint, hi: bigint];

/** Where ids may lie: what a set does not need to know. */
export const ANY: HashRange = { lo: [0n, 2n ** 64n - 1n], hi: [0n, 2n ** 64n - 1n] };

const MAX = 1000;
export const AMPLE = 16 << 20;
export const TIGHT = 16 << 10;

/**
 * Writes rows as one chunk: segments and pages end at random places, rows are wide or escaped at times. `packed`: as a chunk
 * comes from a file, its pages one behind the other from an odd address on. The list of segments has a page.
 */
export function chunkOf(
  memory: LinearMemory,
  ids: readonly Id[],
  seed: number,
  { partition = 0, part = 0, last = true, packed = false }: { partition?: number; part?: number; last?: boolean; packed?: boolean } = {},
) {
  const next = random(seed);
  const rows = ids.map(([lo, hi], i): Row => ({
    lo, hi, region: i % 300, value: i % 7 === 0 ? BigInt(i) << 40n : BigInt(i), user: new Uint8Array(Math.floor(next() * 20)).fill(i),
  }));
  const { first, addresses, segments } = writeChain(memory, rows, () => next() < 0.04, () => next() < 0.002);
  if (packed) pack(memory, first, addresses, segments);
  const ptr = memory.takePage();
  assert.ok(segments.length <= 4096);
  memory.u32(ptr, segments.length).set(segments);
  const chunk: PartitionChunk = {
    partition, part, range: ANY, ptr, count: segments.length, last, defer: () => assert.fail('nothing is put off'), release() {},
  };
  return { chunk, addresses };
}

/** Moves a chain's pages to one slab, without gaps; gives their pages back, and changes addresses in the lists. */
function pack(memory: LinearMemory, first: number, ...lists: number[][]): void {
  let bytes = 1;
  for (let page = first; page !== 0; page = memory.view(page, 4).getUint32(0, true)) bytes += memory.view(page, 8).getUint32(4, true);
  let to = memory.slab(bytes, 'packed pages') + 1;
  const done = lists.map(() => 0);
  for (let page = first; page !== 0; ) {
    const used = memory.view(page, 8).getUint32(4, true);
    const next = memory.view(page, 8).getUint32(0, true);
    memory.bytes(to, used).set(memory.bytes(page, used));
    for (const [i, list] of lists.entries()) {
      for (; list[done[i]!]! > page && list[done[i]!]! < page + used; done[i]!++) list[done[i]!]! += to - page;
    }
    memory.givePage(page);
    page = next;
    to += used;
  }
}

/** The addresses of all winners and of all rows put off of a chunk, with `max` of them a call; checks each call's promises. */
export function admitAll(memory: LinearMemory, set: Pick<KeySet, 'admit'>, chunk: PartitionChunk, max = MAX) {
  const area = memory.slab(4 * max + 4, 'winners');
  const guard = memory.u32(area + 4 * max, 1);
  guard[0] = 0xabcdef01;
  const winners: number[] = [];
  const deferred: number[] = [];
  let rows = 0;
  let calls = 0;
  for (let done = false; !done; calls++) {
    const admitted = set.admit(chunk, area, max);
    const written = admitted.winners + admitted.deferred;
    assert.ok(written <= max && written <= admitted.rows);
    assert.ok(admitted.winners === 0 || admitted.deferred === 0, 'winners or rows to put off, not both');
    assert.ok(admitted.done || admitted.rows > 0, 'each call goes on');
    (admitted.winners > 0 ? winners : deferred).push(...memory.u32(area, written));
    rows += admitted.rows;
    done = admitted.done;
  }
  assert.equal(guard[0], 0xabcdef01, 'nothing is written past the area');
  memory.giveSlab(area, 4 * max + 4);
  return { winners, deferred, rows, calls };
}

/** 54 bits of an id, all of them needed for it: what a model store splits rows put off by. */
function subHash([lo, hi]: Id): bigint {
  const h = BigInt.asUintN(64, (lo ^ (hi * 0xd6e8feb86659fd93n)) * 0x9e3779b97f4a7c15n + hi);
  return (h ^ (h >> 29n)) & (2n ** 54n - 1n);
}

/**
 * Feeds a partition to a set, as a store does: in chunks of random length, and rows put off again as later parts, by the
 * next bit of their hash. Gives the rows that won, in the order in which they were found, and how many parts it took.
 */
async function admitPartition(memory: LinearMemory, set: KeySet, partition: number, ids: readonly Id[], seed: number, max: number) {
  const next = random(seed);
  const winners: number[] = [];
  let duplicates = 0;
  let deferred = 0;
  const parts: { rows: readonly number[]; depth: number }[] = [{ rows: ids.map((_, row) => row), depth: 0 }];
  for (let part = 0; part < parts.length; part++) {
    const { rows, depth } = parts[part]!;
    const late: number[] = [];
    await set.begin(partition, part, ANY);
    for (let from = 0, to = 0; from < rows.length; from = to) {
      to = Math.min(rows.length, from + Math.ceil(next() * rows.length));
      const slice = rows.slice(from, to);
      const { chunk, addresses } = chunkOf(memory, slice.map((row) => ids[row]!), seed + from, {
        partition, part, last: to === rows.length, packed: part > 0 || seed % 2 === 1,
      });
      const rowAt = new Map(addresses.map((at, i) => [at, slice[i]!]));
      const admitted = admitAll(memory, set, chunk, max);
      assert.equal(admitted.rows, slice.length, 'every row is gone over once');
      winners.push(...admitted.winners.map((at) => rowAt.get(at)!));
      late.push(...admitted.deferred.map((at) => rowAt.get(at)!));
      duplicates += admitted.rows - admitted.winners.length - admitted.deferred.length;
    }
    await set.end(partition, part);
    assert.deepEqual(late, [...late].sort((a, b) => a - b), 'rows are put off in order');
    deferred += late.length;
    for (const bit of [0n, 1n]) {
      const child = late.filter((row) => ((subHash(ids[row]!) >> BigInt(53 - depth)) & 1n) === bit);
      if (child.length > 0) parts.push({ rows: child, depth: depth + 1 });
    }
  }
  return { winners, duplicates, deferred, parts: parts.length };
}

/** First address of each id, in order. */
function model(ids: readonly Id[], addresses: readonly number[], seen = new Set<string>()): number[] {
  return addresses.filter((_, i) => {
    const key = ids[i]!.join();
    return seen.has(key) ? false : seen.add(key);
  });
}

export function keySetConformance(name: string, create: (memory: LinearMemory, maxBytes: number) => Promise<KeySet>): void {
  const check = async (ids: readonly Id[], what: string, max = MAX): Promise<void> => {
    for (const packed of [false, true]) {
      const memory = new LinearMemory();
      const set = await create(memory, AMPLE);
      await set.begin(0, 0, ANY);
      const { chunk, addresses } = chunkOf(memory, ids, 1, { packed });
      const { winners, deferred, rows, calls } = admitAll(memory, set, chunk, max);
      assert.deepEqual(winners, model(ids, addresses), what);
      assert.deepEqual(deferred, [], what);
      assert.equal(rows, ids.length, `${what}: every row is gone over once`);
      assert.ok(calls >= winners.length / max, what);
      await set.end(0, 0);
      await set.close();
    }
  };
  /** Admits one partition to a set with little room: each id has one winner, its first row, and all else are duplicates. */
  const checkTight = async (ids: readonly Id[], what: string, seed: number, max = MAX) => {
    const memory = new LinearMemory();
    const before = memory.slabsInUse;
    const set = await create(memory, TIGHT);
    const held = memory.slabsInUse - before;
    const found = await admitPartition(memory, set, 7, ids, seed, max);
    const expected = model(ids, ids.map((_, row) => row));
    assert.deepEqual(found.winners.sort((a, b) => a - b), expected, what);
    assert.equal(found.duplicates, ids.length - expected.length, what);
    const slabs = memory.slabsInUse;
    await set.close();
    assert.equal(memory.slabsInUse, slabs - held, `${what}: nothing leaks`);
    return found;
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
    const set = await create(memory, AMPLE);
    const { chunk: empty } = chunkOf(memory, [], 1, { partition: 1, last: false });
    await set.begin(0, 0, ANY);
    await set.end(0, 0);
    await set.begin(1, 0, ANY);
    const seen = new Set<string>();
    for (let n = 0; n < 5; n++) {
      const ids = sequence(800, (i) => [BigInt((i * 7 + n * 311) % 1500), 9n]);
      const { chunk, addresses } = chunkOf(memory, ids, n, { partition: 1, last: n === 4, packed: n % 2 === 1 });
      const { winners, rows } = admitAll(memory, set, chunk);
      assert.deepEqual(winners, model(ids, addresses, seen), `chunk ${n}`);
      assert.equal(rows, 800);
      assert.deepEqual(admitAll(memory, set, empty), { winners: [], deferred: [], rows: 0, calls: 1 });
    }
    await set.end(1, 0);
    await set.close();
  });

  test(`${name}: partitions follow each other, large and small, each with its own ids`, async () => {
    const memory = new LinearMemory();
    const set = await create(memory, AMPLE);
    const next = random(77);
    for (let partition = 3; partition < 1024; partition += 97) {
      const distinct = Math.ceil(next() ** 3 * 5000);
      const ids = sequence(Math.floor(next() * 5000), (i) => [(BigInt(partition) << 54n) + BigInt((i * 31) % distinct), 5n]);
      await set.begin(partition, 0, ANY);
      const { chunk, addresses } = chunkOf(memory, ids, partition, { partition });
      assert.deepEqual(admitAll(memory, set, chunk).winners, model(ids, addresses), `partition ${partition}`);
      await set.end(partition, 0);
    }
    await set.close();
  });

  test(`${name}: rows of ids that are known take no memory`, async () => {
    const memory = new LinearMemory();
    const set = await create(memory, AMPLE);
    await set.begin(0, 0, ANY);
    const { chunk } = chunkOf(memory, sequence(500, (i) => [BigInt(i), 1n]), 1);
    const { chunk: again } = chunkOf(memory, sequence(20000, (i) => [BigInt(i % 500), 1n]), 2);
    assert.equal(admitAll(memory, set, chunk).winners.length, 500);
    const before = memory.size;
    for (let round = 0; round < 5; round++) assert.deepEqual(admitAll(memory, set, { ...again }).winners, []);
    assert.equal(memory.size, before);
    await set.end(0, 0);
    await set.close();
  });

  test(`${name}: with little room, each id is decided once, in some part, and its first row wins`, async () => {
    let most = 0;
    for (let seed = 1; seed <= 14; seed++) {
      const next = random(seed);
      const distinct = Math.ceil(next() * 5000) + (seed % 2) * 1000;
      const ids = sequence(Math.floor(next() * 9000) + distinct, () => {
        const n = BigInt(Math.floor(next() * distinct));
        return [n * 0x9e3779b97f4a7c15n & (2n ** 54n - 1n), n];
      });
      const { parts, deferred } = await checkTight(ids, `seed ${seed}`, seed, [1, 2, 33, 100, MAX, 4096][seed % 6]!);
      most = Math.max(most, parts);
      assert.equal(parts > 1, deferred > 0, `seed ${seed}`);
      assert.ok(distinct < 1000 || deferred > 0, `seed ${seed}: rows were put off`);
    }
    assert.ok(most > 5, `at most ${most} parts`);
  });

  test(`${name}: any number of rows of few ids has room`, async () => {
    for (const [what, ids] of Object.entries({
      'all equal': sequence(30000, () => [3n, 4n]),
      'all zeros': sequence(30000, () => [0n, 0n]),
      'a hundred': sequence(30000, (i) => [BigInt(i % 100), 1n]),
    } satisfies Record<string, Id[]>)) {
      assert.deepEqual([await checkTight(ids, what, 3)].map(({ parts, deferred }) => [parts, deferred]), [[1, 0]], what);
    }
  });

  test(`${name}: a large set of equal ids among too many others is duplicates, wherever it begins`, async () => {
    for (const from of [0, 500, 5000]) {
      const ids = sequence(12000, (i) => (i >= from && i % 2 === 0 ? [1n, 1n] : [BigInt(i), 2n]));
      const { deferred } = await checkTight(ids, `from row ${from}`, from + 1);
      assert.ok(deferred > 0, `from row ${from}`);
    }
  });

  test(`${name}: becomes full at any row, before or after the id of zeros, and goes on`, async () => {
    const zero: Id = [0n, 0n];
    for (const distinct of [576, 607, 608, 639, 640, 641, 642, 671, 672, 673, 704, 1000]) {
      const others = sequence(distinct, (i) => [BigInt(i + 1) << 20n, 5n]);
      for (const [where, ids] of Object.entries({
        first: [zero, ...others, zero, ...others],
        'as the last new one': [...others, zero, zero, ...others],
        'between rows that are known': [...others, others[0]!, zero, others[1]!, zero, ...others, zero],
        never: [...others, ...others],
      })) {
        for (const max of [1, 33, MAX]) await checkTight(ids, `${distinct} ids, zeros ${where}, ${max} a call`, distinct, max);
      }
    }
  });

  test(`${name}: a set that was full has room again in the next part and the next partition`, async () => {
    const memory = new LinearMemory();
    const set = await create(memory, TIGHT);
    const many = sequence(3000, (i) => [BigInt(i), 1n]);
    const few = sequence(400, (i) => [BigInt(i), 2n]);
    for (const [partition, part] of [[0, 0], [0, 1], [4, 0]] as const) {
      await set.begin(partition, part, ANY);
      const { winners, deferred } = admitAll(memory, set, chunkOf(memory, many, 1, { partition, part }).chunk);
      assert.ok(winners.length > 0 && winners.length < 1000 && winners.length + deferred.length === 3000);
      await set.end(partition, part);
      await set.begin(partition, part + 1, ANY);
      assert.equal(admitAll(memory, set, chunkOf(memory, few, 1, { partition, part: part + 1 }).chunk).winners.length, 400);
      await set.end(partition, part + 1);
    }
    await set.close();
  });

  test(`${name}: close gives its memory back, with a part open too, and may be repeated`, async () => {
    for (const maxBytes of [TIGHT, AMPLE]) {
      const memory = new LinearMemory();
      const { chunk } = chunkOf(memory, sequence(3000, (i) => [BigInt(i), 1n]), 1);
      const pages = memory.pagesInUse;
      const set = await create(memory, maxBytes);
      await set.begin(0, 0, ANY);
      admitAll(memory, set, chunk);
      await set.close();
      await set.close();
      assert.equal(memory.slabsInUse, 0);
      assert.equal(memory.pagesInUse, pages);
    }
  });
}
