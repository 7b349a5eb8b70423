import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Readable, type Transform } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import type { Pieces } from '../../lib/core/pieces.ts';
import type { PartitionChunk, Winners } from '../../lib/core/stage.ts';
import type { KeySet } from '../../lib/dedup/key-set.ts';
import { MemoryKeySet } from '../../lib/dedup/memory-key-set.ts';
import { createDedupStage } from '../../lib/dedup/stage.ts';
import { WINNERS_MAX } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import type { DedupKernel } from '../../lib/kernels/twins/dedup.ts';
import { piecesOf } from '../pieces.ts';
import { AMPLE, chunkOf, TIGHT } from './key-set-conformance.ts';

async function setUp({ maxBytes = AMPLE } = {}) {
  const memory = new LinearMemory();
  const keySet = new MemoryKeySet({ memory, maxBytes, kernel: await loadKernel<DedupKernel>('dedup', memory) });
  const slabs = memory.slabsInUse;
  const counters = { duplicate: 0 };
  const log: string[] = [];
  const logged: KeySet = {
    begin: async (partition, part) => { log.push(`begin ${partition}${part > 0 ? `.${part}` : ''}`); await turn(); },
    admit: (...all) => keySet.admit(...all),
    end: async (partition, part) => { await turn(); log.push(`end ${partition}${part > 0 ? `.${part}` : ''}`); keySet.end(); },
    close: () => keySet.close(),
  };
  const stage = createDedupStage({ memory, keySet: logged, counters });
  /** A chunk of `distinct` ids, each twice in a row, that logs its release. */
  const chunk = (partition: number, distinct: number, last = true, part = 0) => {
    const list = Array.from({ length: 2 * distinct }, (_, i) => [(BigInt(partition) << 54n) + BigInt(i >> 1), 1n] as const);
    const made = chunkOf(memory, list, partition, { partition, part, last });
    return {
      addresses: made.addresses,
      chunk: { ...made.chunk, release: () => { log.push(`release ${partition}`); } } satisfies PartitionChunk,
      first: made.addresses.filter((_, i) => i % 2 === 0),
    };
  };
  /** All that the stage had it has given back. */
  const assertNothingLeaks = (): void => assert.equal(memory.slabsInUse, slabs);
  return { memory, keySet: logged, stage, counters, log, chunk, assertNothingLeaks };
}

async function next(stage: Transform): Promise<Pieces<Winners>> {
  for (;;) {
    const lists = stage.read() as Pieces<Winners> | null;
    if (lists) return lists;
    await turn();
  }
}

const addresses = (memory: LinearMemory, { ptr, count }: Winners): number[] => [...memory.u32(ptr, count)];

test('winners of each partition in order, each chunk released after its last winners, duplicates counted', async () => {
  const { memory, stage, counters, log, chunk, assertNothingLeaks } = await setUp();
  const chunks = [chunk(1, 10), chunk(2, WINNERS_MAX), chunk(5, 2 * WINNERS_MAX + 1, false), chunk(5, 0), chunk(900, 3)];
  Readable.from(chunks.map((it) => it.chunk)).pipe(stage);
  const found: number[] = [];
  for await (const winners of piecesOf<Winners>(stage)) {
    assert.ok(winners.count > 0 && winners.count <= WINNERS_MAX);
    found.push(...addresses(memory, winners));
  }
  assert.deepEqual(found, chunks.flatMap((it) => it.first));
  assert.equal(counters.duplicate, found.length);
  assert.deepEqual(log, [
    'begin 1', 'end 1', 'release 1', 'begin 2', 'end 2', 'release 2', 'begin 5', 'release 5', 'end 5', 'release 5', 'begin 900', 'end 900', 'release 900',
  ]);
  assertNothingLeaks();
});

test('a list is made when it is asked for, the chunk kept until then, and the next chunk not begun', async () => {
  const { memory, stage, log, chunk, assertNothingLeaks } = await setUp();
  const { chunk: large, first } = chunk(7, Math.floor(2.6 * WINNERS_MAX));
  stage.write(large);
  stage.end(chunk(8, 1).chunk);
  const lists = await next(stage);
  const found: number[] = [];
  for (let i = 0; i < 3; i++) {
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(stage.read(), null);
    assert.deepEqual(log, ['begin 7']);
    found.push(...addresses(memory, lists.next() as Winners));
  }
  assert.deepEqual(found, first);
  assert.equal(await lists.next(), undefined);
  assert.deepEqual(log.slice(0, 3), ['begin 7', 'end 7', 'release 7']);
  for await (const winners of piecesOf<Winners>(stage)) assert.equal(winners.count, 1);
  assertNothingLeaks();
});

test('a chunk of nothing but duplicates, and an empty one, go by', async () => {
  const { memory, stage, counters, log, chunk } = await setUp();
  const one = chunk(3, 4, false);
  const same = chunk(3, 4, false);
  const empty: PartitionChunk = { ...chunkOf(memory, [], 1, { partition: 3 }).chunk, release: () => { log.push('release empty'); } };
  Readable.from([one.chunk, same.chunk, empty]).pipe(stage);
  const found: number[] = [];
  for await (const winners of piecesOf<Winners>(stage)) found.push(...addresses(memory, winners));
  assert.deepEqual(log, ['begin 3', 'release 3', 'release 3', 'end 3', 'release empty']);
  assert.deepEqual(found, one.first);
  assert.equal(counters.duplicate, 4 + 8);
});

test('a partition or a part that begins before the last chunk of another is an error', async () => {
  for (const [partition, part] of [[2, 0], [1, 1]] as const) {
    const { stage, chunk, assertNothingLeaks } = await setUp();
    Readable.from([chunk(1, 1, false).chunk, chunk(partition, 1, true, part).chunk]).pipe(stage);
    await assert.rejects(async () => {
      for await (const winners of piecesOf<Winners>(stage)) assert.equal(winners.count, 1);
    }, { code: 'ETL_INTERNAL' });
    assertNothingLeaks();
  }
});

test('rows that the set has no room for are put off by their chunk, one list at a time, and come again', async () => {
  const { memory, stage, counters, log, chunk, assertNothingLeaks } = await setUp({ maxBytes: TIGHT });
  const rows = new Set<number>();
  let waiting = 0;
  const deferring = (made: ReturnType<typeof chunk>, late: number[]): PartitionChunk => ({
    ...made.chunk,
    async defer(ptr, count) {
      assert.equal(waiting++, 0, 'one at a time');
      const list = [...memory.u32(ptr, count)];
      await turn();
      assert.deepEqual([...memory.u32(ptr, count)], list, 'the area stays as it is');
      assert.ok(!log.includes(`release ${made.chunk.partition}`), 'the chunk is still there');
      late.push(...list);
      waiting--;
    },
  });
  const [large, small] = [chunk(8, 9000, false), chunk(8, 10)];
  const late: number[] = [];
  async function* parts(): AsyncGenerator<PartitionChunk> {
    yield deferring(large, late);
    yield deferring(small, late);
    while (!log.includes('end 8')) await turn();
    assert.deepEqual(late, large.addresses.slice(-late.length), 'both rows of each id, in order');
    yield chunk(9, 5).chunk;
    yield chunk(9, 5, true, 1).chunk;
  }
  Readable.from(parts()).pipe(stage);
  let winners = 0;
  for await (const list of piecesOf<Winners>(stage)) {
    for (const row of addresses(memory, list)) rows.add(row);
    winners += list.count;
  }
  const decided = winners - 10;
  assert.ok(decided >= 640 && decided < 700, `${decided} ids in the first part`);
  assert.equal(late.length, 18000 - 2 * decided);
  assert.equal(rows.size, winners);
  assert.equal(counters.duplicate, decided + 20 + 10);
  assert.deepEqual(log.filter((line) => !line.startsWith('release')), ['begin 8', 'end 8', 'begin 9', 'end 9', 'begin 9.1', 'end 9.1']);
  assertNothingLeaks();
});

test('a chunk that cannot put rows off fails the stage', async () => {
  const failure = new Error('disk full');
  for (const defer of [() => Promise.reject(failure), () => { throw failure; }]) {
    const { stage, chunk, log, assertNothingLeaks } = await setUp({ maxBytes: TIGHT });
    const source = Readable.from([{ ...chunk(8, 9000).chunk, defer }]);
    await assert.rejects(pipeline(source, stage, async (chunks: AsyncIterable<Pieces<Winners>>) => {
      for await (const list of piecesOf(chunks)) assert.ok(list.count > 0);
    }), failure);
    assert.deepEqual(log, ['begin 8', 'release 8']);
    assertNothingLeaks();
  }
});

test('closed early, with winners taken, unread or under way, it gives all back and no more winners', async () => {
  for (const error of [undefined, new Error('stop')]) {
    for (const taken of [0, 1, 2]) {
      const { stage, chunk, log, assertNothingLeaks } = await setUp();
      stage.on('error', () => {});
      stage.write(chunk(7, 9 * WINNERS_MAX).chunk);
      const lists = taken > 0 ? await next(stage) : undefined;
      for (let i = 0; i < taken; i++) lists?.next();
      for (let i = 0; i < 20; i++) await turn();
      stage.destroy(error);
      await new Promise((resolve) => stage.once('close', resolve));
      if (lists) assert.throws(() => lists.next(), { code: 'ETL_ABORTED' });
      assert.deepEqual(log, ['begin 7', 'release 7']);
      assertNothingLeaks();
    }
  }
});

test('closed while rows are being put off, it closes after that', async () => {
  const { stage, chunk, log, assertNothingLeaks } = await setUp({ maxBytes: TIGHT });
  let go = (): void => {};
  const defer = (): Promise<void> => new Promise((resolve) => { go = resolve; });
  stage.write({ ...chunk(8, 9000).chunk, defer });
  const lists = await next(stage);
  let given = lists.next();
  while (!(given instanceof Promise)) given = lists.next();
  stage.destroy();
  for (let i = 0; i < 20; i++) await turn();
  assert.equal(stage.closed, false);
  assert.deepEqual(log, ['begin 8']);
  go();
  assert.equal(await given, undefined);
  await finished(stage, { error: false }).catch(() => {});
  assert.deepEqual(log, ['begin 8', 'release 8']);
  assertNothingLeaks();
});

test('closed while the key set begins, it closes after it', async () => {
  const { stage, chunk, log, keySet, assertNothingLeaks } = await setUp();
  let go = (): void => {};
  const begin = keySet.begin.bind(keySet);
  keySet.begin = async (...all) => {
    await new Promise<void>((resolve) => { go = resolve; });
    await begin(...all);
  };
  stage.write(chunk(7, 3).chunk);
  stage.destroy();
  for (let i = 0; i < 20; i++) await turn();
  assert.equal(stage.closed, false);
  go();
  await finished(stage, { error: false }).catch(() => {});
  assert.deepEqual(log, ['begin 7', 'release 7']);
  assertNothingLeaks();
});

test('an error of the key set fails the stage, and the chunk is released', async () => {
  const memory = new LinearMemory();
  const failure = new Error('disk full');
  for (const where of ['begin', 'admit', 'end'] as const) {
    const keySet: KeySet = {
      begin() {},
      admit: () => ({ rows: 1, winners: 0, deferred: 0, done: true }),
      end() {},
      close() {},
      [where]: () => { throw failure; },
    };
    let released = 0;
    const chunk: PartitionChunk = { ...chunkOf(memory, [], 1).chunk, release: () => { released++; } };
    const stage = createDedupStage({ memory, keySet, counters: { duplicate: 0 } });
    await assert.rejects(Readable.from([chunk]).pipe(stage).toArray(), failure);
    assert.equal(released, 1, where);
    assert.equal(memory.slabsInUse, 0, where);
  }
});
