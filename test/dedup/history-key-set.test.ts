import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HashRange } from '../../lib/core/stage.ts';
import { HistoryKeySet } from '../../lib/dedup/history-key-set.ts';
import type { IdHistory, StoredPage } from '../../lib/dedup/history.ts';
import { ID_PAGE_BYTES_MOST } from '../../lib/kernels/id-page-layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createDedupTwin, type DedupKernel } from '../../lib/kernels/twins/dedup.ts';
import { createIdPageTwin, type IdPageKernel } from '../../lib/kernels/twins/id-pages.ts';
import { ALL_HASHES, bitsAfter, rangeOf, topBits, type HashBits } from '../../lib/partition/hash-bits.ts';
import { random } from '../random.ts';
import { readIdPage, type Id } from './id-page-reader.ts';
import { admitAll, AMPLE, ANY, chunkOf, keySetConformance, TIGHT } from './key-set-conformance.ts';
import { MapHistory } from './map-history.ts';

type Kernel = DedupKernel & IdPageKernel;
const twin = (memory: LinearMemory): Kernel => ({ ...createDedupTwin(memory), ...createIdPageTwin(memory) });
const kernels: [string, (memory: LinearMemory) => Promise<Kernel>][] = [
  ['WASM', (memory) => loadKernel<Kernel>('dedup', memory)],
  ['twin', async (memory) => twin(memory)],
];

for (const [name, kernel] of kernels) {
  keySetConformance(`HistoryKeySet, ${name}`, async (memory, maxBytes) =>
    new HistoryKeySet({ memory, maxBytes, kernel: await kernel(memory), history: new MapHistory() }));
}

/**
 * Feeds one partition to a set, as the reader does: rows put off come again, as parts by the next bits of their hash, each with
 * its range. Gives the rows that won and the number of parts.
 */
async function admitPartition(memory: LinearMemory, set: HistoryKeySet, hash: HashBits, partition: number, ids: readonly Id[]) {
  const winners: number[] = [];
  let parts = 0;
  const give = async (rows: readonly number[], hash: HashBits, range: HashRange): Promise<void> => {
    const part = parts++;
    const late: number[] = [];
    set.begin(partition, part, range);
    for (let from = 0; from < rows.length; from += 700) {
      const its = rows.slice(from, from + 700);
      const { chunk, addresses } = chunkOf(memory, its.map((row) => ids[row]!), from, { partition, part });
      const rowAt = new Map(addresses.map((at, i) => [at, its[i]!]));
      const { winners: won, deferred } = admitAll(memory, set, chunk, 500);
      winners.push(...won.map((at) => rowAt.get(at)!));
      late.push(...deferred.map((at) => rowAt.get(at)!));
    }
    set.end();
    if (late.length === 0) return;
    const next = bitsAfter(hash);
    const childOf = (row: number): number => Number((ids[row]![next.word === 0 ? 0 : 1] >> BigInt(next.shift)) & BigInt(2 ** next.bits - 1));
    for (const child of new Set(late.map(childOf))) await give(late.filter((row) => childOf(row) === child), next, rangeOf(next, child, range));
  };
  await give(ids.map((_, row) => row), hash, rangeOf(hash, partition, ALL_HASHES));
  return { winners, parts };
}

/** One run, in 2^bits partitions: checks that exactly the first rows of ids win that are not in `known`, and adds them. */
async function countOnce(memory: LinearMemory, set: HistoryKeySet, history: MapHistory, bits: number, ids: readonly Id[], known: Set<string>) {
  const hash = topBits(bits);
  const expected = ids.flatMap((id, row) => (known.has(id.join()) ? [] : (known.add(id.join()), [row])));
  const partitions: number[][] = [];
  ids.forEach(([lo], row) => (partitions[Number(lo >> BigInt(hash.shift))] ??= []).push(row));
  const winners: number[] = [];
  let parts = 0;
  for (const [partition, rows] of partitions.entries()) {
    if (!rows) continue;
    const found = await admitPartition(memory, set, hash, partition, rows.map((row) => ids[row]!));
    winners.push(...found.winners.map((row) => rows[row]!));
    parts += found.parts;
  }
  assert.deepEqual(winners.sort((a, b) => a - b), expected);
  history.commit();
  return { winners: winners.length, parts };
}

/** Ids that crowd: in one slice, in one value of lo; and others all over. */
function pool(next: () => number): Id[] {
  const word = (): bigint => (BigInt(Math.floor(next() * 2 ** 32)) << 32n) | BigInt(Math.floor(next() * 2 ** 32));
  const many = (length: number, id: (i: bigint) => Id): Id[] => Array.from({ length }, (_, i) => id(BigInt(i)));
  return [
    ...many(1500, () => [(77n << 54n) | (word() >> 10n), word()]),
    ...many(900, (i) => [0x1234_5678_9abc_def0n, i]),
    ...many(600, () => [word(), word()]),
    ...many(64, (i) => [1n << i, 0n]),
    ...many(64, (i) => [0n, 1n << i]),
    [0n, 0n],
  ];
}

for (const [name, kernel] of kernels) {
  test(`${name}: over many runs, in any number of partitions, each id is counted once`, async () => {
    for (const [maxBytes, seed] of [[AMPLE, 1], [TIGHT, 2], [TIGHT, 3], [4 * TIGHT, 4]] as const) {
      const memory = new LinearMemory();
      const history = new MapHistory();
      const known = new Set<string>();
      const next = random(seed);
      const all = pool(next);
      let overfull = 0;
      for (const bits of [0, 3, 10, 6, 1, 10]) {
        const set = new HistoryKeySet({ memory, maxBytes, kernel: await kernel(memory), history });
        const from = Math.floor(next() * all.length * 0.4);
        const ids = Array.from({ length: 2500 }, () => all[from + Math.floor(next() * (all.length - from))]!);
        const { parts } = await countOnce(memory, set, history, bits, ids, known);
        assert.ok(parts >= set.overfull);
        overfull += set.overfull;
        // Nothing is new the second time.
        const stored = [...history.slices.values()].flat().length;
        assert.deepEqual((await countOnce(memory, set, history, bits, ids, known)).winners, 0, `seed ${seed}, ${bits} bits`);
        assert.equal([...history.slices.values()].flat().length, stored, 'and no page');
        set.close();
        assert.equal(memory.slabsInUse, 0);
      }
      assert.equal(overfull > 10, maxBytes === TIGHT, `seed ${seed}: earlier runs left no room ${overfull} times`);
      const kept = [...history.slices].flatMap(([slice, pages]) => pages.flatMap((page) => {
        const read = readIdPage(page);
        assert.equal(read.slice, slice);
        return read.ids.map(String);
      }));
      assert.equal(kept.length, known.size, 'each id is kept once');
      assert.deepEqual(new Set(kept), known);
    }
  });

  test(`${name}: known ids that fill the table to any degree leave others to further parts`, async () => {
    for (const count of [638, 639, 640, 641, 671, 672, 673, 700]) {
      const memory = new LinearMemory();
      const history = new MapHistory();
      const known = new Set<string>();
      const set = new HistoryKeySet({ memory, maxBytes: TIGHT, kernel: await kernel(memory), history });
      const ids = Array.from({ length: 800 }, (_, i): Id => [(5n << 54n) | (BigInt(i) << 40n), BigInt(i % 3)]);
      await countOnce(memory, set, history, 10, [...ids.slice(0, count - 1), [5n << 54n, 9n]], known);
      assert.equal(set.overfull, 0);
      const again = await countOnce(memory, set, history, 10, [...ids, [0n, 0n]], known);
      assert.equal(again.winners, 800 - count + 2, `${count}`);
      assert.ok(set.overfull === Number(count > 672) || (count > 640 && count <= 672), `${count}`);
      assert.ok(again.parts > 2, `${count}: one for the id of zeros, more for the others`);
      set.close();
    }
  });

  test(`${name}: a slice's new ids take as many pages as they need`, async () => {
    const memory = new LinearMemory();
    const history = new MapHistory();
    const set = new HistoryKeySet({ memory, maxBytes: AMPLE, kernel: await kernel(memory), history });
    const ids = Array.from({ length: 70_000 }, (_, i): Id => [(5n << 54n) | BigInt(i), BigInt(i) << 30n]);
    for (const winners of [70_000, 0]) {
      set.begin(5, 0, rangeOf(topBits(10), 5, ALL_HASHES));
      const found = admitAll(memory, set, chunkOf(memory, ids, 1).chunk, 4096);
      assert.deepEqual([found.winners.length, found.deferred.length], [winners, 0]);
      set.end();
      history.commit();
    }
    assert.deepEqual(history.slices.get(5)!.map((page) => readIdPage(page).ids.length), [65536, 4464]);
    set.close();
  });
}

const [, wasm] = kernels[0]!;
const SLICES: HashRange = { lo: [3n << 54n, (9n << 54n) - 1n], hi: ANY.hi };

/** A set on a memory of its own, with `ids` of slice 4 known. */
async function setUp(known: readonly Id[], { maxBytes = TIGHT, ...override }: { maxBytes?: number } & Partial<IdHistory> = {}) {
  const memory = new LinearMemory();
  const history = new MapHistory();
  const kernel = await wasm(memory);
  const earlier = new HistoryKeySet({ memory, maxBytes: AMPLE, kernel, history });
  await countOnce(memory, earlier, history, 10, known, new Set());
  earlier.close();
  const merged: IdHistory = { pages: (first, last) => history.pages(first, last), add: (slice, page) => history.add(slice, page), ...override };
  return { memory, history, set: new HistoryKeySet({ memory, maxBytes, kernel, history: merged }) };
}

const idsOf4 = (length: number): Id[] => Array.from({ length }, (_, i): Id => [(4n << 54n) | BigInt(i), 7n]);

test('only pages of the range are read, each once; none when all of them are too many, and no more once the table is full', async () => {
  const many = [2, 3, 4, 4, 8, 9].map((slice, i): Id => [(BigInt(slice) << 54n) | BigInt(i), 7n]);
  const { history, set } = await setUp(many);
  set.begin(0, 0, SLICES);
  assert.deepEqual(history.read, [3, 4, 8]);
  assert.equal(set.table.size, 4);
  set.close();

  const all = await setUp(idsOf4(3000));
  all.set.begin(0, 0, SLICES);
  assert.deepEqual([all.history.read, all.set.overfull], [[], 1]);
  all.set.close();

  const part = await setUp([...idsOf4(3000), [(5n << 54n) - 1n, 1n], [5n << 54n, 1n]]);
  part.set.begin(0, 0, { ...SLICES, lo: [4n << 54n, (5n << 54n) + 9n] });
  assert.deepEqual([part.history.read, part.set.overfull], [[4], 1]);
  part.set.close();
});

test('a page that is not what was written is told by its slice, and nothing of it counts', async () => {
  const damages: Record<string, (page: Uint8Array) => Uint8Array> = {
    'a bit': (page) => { page[100]! ^= 4; return page; },
    'cut off': (page) => page.subarray(0, -1),
    'empty': () => new Uint8Array(0),
    'too long': () => new Uint8Array(ID_PAGE_BYTES_MOST + 1),
  };
  for (const [what, damage] of Object.entries(damages)) {
    const { memory, history, set } = await setUp(idsOf4(50));
    history.slices.set(4, [damage(history.slices.get(4)![0]!)]);
    assert.throws(() => set.begin(0, 0, SLICES), (error: Error & { code?: string; hint?: string }) => {
      assert.equal(error.code, 'ETL_STATE_DAMAGED', what);
      assert.match(error.message, /slice 4 /);
      assert.match(error.hint!, /etl-stream state check.*--overwrite/);
      return true;
    });
    assert.equal(set.table.size, 0);
    set.close();
    assert.equal(memory.slabsInUse, 0);
  }
  const { history, set } = await setUp(idsOf4(50));
  history.slices.set(6, history.slices.get(4)!);
  assert.throws(() => set.begin(0, 0, SLICES), /slice 6 /, 'a page of another slice');
  set.close();
});

test('a history that cannot be read or written fails begin or end, and all memory is given back', async () => {
  const failure = new Error('disk full');
  const page: StoredPage = { slice: 4, bytes: 20, ids: 1, read: () => { throw failure; } };
  for (const override of [
    { pages: () => { throw failure; } },
    { pages: () => [page] },
    { add: () => { throw failure; } },
  ] satisfies Partial<IdHistory>[]) {
    const { memory, set } = await setUp([], override);
    assert.throws(() => {
      set.begin(0, 0, SLICES);
      admitAll(memory, set, chunkOf(memory, idsOf4(10), 1).chunk);
      set.end();
    }, failure);
    set.close();
    assert.equal(memory.slabsInUse, 0);
  }
});

test('where there is less room than the table may take, it takes a half, a quarter and so on, and leaves room for new ids', async () => {
  const memory = new LinearMemory({ limit: 3 << 20 });
  const set = new HistoryKeySet({ memory, maxBytes: AMPLE, kernel: await wasm(memory), history: new MapHistory() });
  assert.ok(set.table.most > 40_000 && set.table.most < 50_000, `${set.table.most} ids`);
  set.close();
  assert.equal(memory.slabsInUse, 0);
  const none = new LinearMemory({ limit: 900_000 });
  assert.throws(() => new HistoryKeySet({ memory: none, maxBytes: AMPLE, kernel: twin(none), history: new MapHistory() }), { code: 'ETL_MEMORY' });
  assert.equal(none.slabsInUse, 0);
});
