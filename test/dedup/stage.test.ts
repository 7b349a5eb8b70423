import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Readable, type Transform } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { PartitionChunk, Winners } from '../../lib/core/stage.ts';
import type { KeySet } from '../../lib/dedup/key-set.ts';
import { MemoryKeySet } from '../../lib/dedup/memory-key-set.ts';
import { createDedupStage } from '../../lib/dedup/stage.ts';
import { WINNERS_MAX } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import type { DedupKernel } from '../../lib/kernels/twins/dedup.ts';
import { chunkOf } from './key-set-conformance.ts';

async function setUp() {
  const memory = new LinearMemory();
  const keySet = new MemoryKeySet({ memory, kernel: await loadKernel<DedupKernel>('dedup', memory) });
  const counters = { duplicate: 0 };
  const log: string[] = [];
  const logged: KeySet = {
    begin: async (partition) => { log.push(`begin ${partition}`); await turn(); },
    admit: (...all) => keySet.admit(...all),
    end: async (partition) => { await turn(); log.push(`end ${partition}`); keySet.end(); },
    close: () => keySet.close(),
  };
  const stage = createDedupStage({ memory, keySet: logged, counters });
  /** A chunk of `distinct` ids, each twice in a row, that logs its release. */
  const chunk = (partition: number, distinct: number, last = true) => {
    const list = Array.from({ length: 2 * distinct }, (_, i) => [(BigInt(partition) << 54n) + BigInt(i >> 1), 1n] as const);
    const made = chunkOf(memory, list, partition, partition, last);
    return {
      chunk: { ...made.chunk, release: () => { log.push(`release ${partition}`); } } satisfies PartitionChunk,
      first: made.addresses.filter((_, i) => i % 2 === 0),
    };
  };
  return { memory, stage, counters, log, chunk };
}

async function next(stage: Transform): Promise<Winners> {
  for (;;) {
    const winners = stage.read() as Winners | null;
    if (winners) return winners;
    await turn();
  }
}

const addresses = (memory: LinearMemory, { ptr, count }: Winners): number[] => [...memory.u32(ptr, count)];

test('winners of each partition in order, each chunk released once with its last winners, duplicates counted', async () => {
  const { memory, stage, counters, log, chunk } = await setUp();
  const chunks = [chunk(1, 10), chunk(2, WINNERS_MAX), chunk(5, 2 * WINNERS_MAX + 1, false), chunk(5, 0), chunk(900, 3)];
  Readable.from(chunks.map((it) => it.chunk)).pipe(stage);
  const found: number[] = [];
  for await (const winners of stage as AsyncIterable<Winners>) {
    assert.ok(winners.count > 0 && winners.count <= WINNERS_MAX);
    found.push(...addresses(memory, winners));
    winners.release();
    assert.throws(() => winners.release(), { code: 'ETL_INTERNAL' });
  }
  assert.deepEqual(found, chunks.flatMap((it) => it.first));
  assert.equal(counters.duplicate, found.length);
  for (const partition of [1, 2, 5, 900]) {
    assert.deepEqual(log.filter((line) => line.endsWith(` ${partition}`) && !line.startsWith('release')), [`begin ${partition}`, `end ${partition}`]);
  }
  assert.deepEqual(log.filter((line) => line.startsWith('release')), ['release 1', 'release 2', 'release 5', 'release 5', 'release 900']);
});

test('at most three winners are out at once; a released one lets the next come; the chunk waits for all', async () => {
  const { memory, stage, log, chunk } = await setUp();
  const { chunk: large, first } = chunk(7, 5 * WINNERS_MAX);
  stage.write(large);
  stage.end();
  const out = [await next(stage), await next(stage), await next(stage)];
  for (let i = 0; i < 50; i++) {
    await turn();
    assert.equal(stage.read(), null);
  }
  const found = out.map((winners) => addresses(memory, winners));
  // Released in another order than they came.
  out[1]!.release();
  const fourth = await next(stage);
  out[2]!.release();
  const fifth = await next(stage);
  found.push(addresses(memory, fourth), addresses(memory, fifth));
  assert.deepEqual(found.flat(), first);
  fifth.release();
  fourth.release();
  while (!log.includes('end 7')) await turn();
  assert.ok(!log.includes('release 7'), 'winners of the chunk are still out');
  out[0]!.release();
  assert.ok(log.includes('release 7'));
});

test('a chunk of nothing but duplicates, and an empty one, are released at once', async () => {
  const { memory, stage, counters, log, chunk } = await setUp();
  const one = chunk(3, 4, false);
  const same = chunk(3, 4, false);
  const empty: PartitionChunk = { partition: 3, first: 0, last: true, release: () => { log.push('release empty'); } };
  Readable.from([one.chunk, same.chunk, empty]).pipe(stage);
  const winners = await next(stage);
  while (!log.includes('end 3')) await turn();
  assert.deepEqual(log, ['begin 3', 'release 3', 'release empty', 'end 3']);
  assert.deepEqual(addresses(memory, winners), one.first);
  assert.equal(counters.duplicate, 4 + 8);
  winners.release();
  assert.deepEqual(log.at(-1), 'release 3');
});

test('a partition that begins before the last chunk of another is an error', async () => {
  const { stage, chunk } = await setUp();
  Readable.from([chunk(1, 1, false).chunk, chunk(2, 1).chunk]).pipe(stage);
  await assert.rejects(stage.toArray(), { code: 'ETL_INTERNAL' });
});

test('an error of the key set fails the stage, and the chunk is released', async () => {
  const memory = new LinearMemory();
  const failure = new Error('disk full');
  for (const where of ['begin', 'admit', 'end'] as const) {
    const keySet: KeySet = {
      begin() {},
      admit: () => ({ rows: 1, winners: 0, done: true }),
      end() {},
      close() {},
      [where]: () => { throw failure; },
    };
    let released = 0;
    const chunk: PartitionChunk = { partition: 0, first: 0, last: true, release: () => { released++; } };
    const stage = createDedupStage({ memory, keySet, counters: { duplicate: 0 } });
    await assert.rejects(Readable.from([chunk]).pipe(stage).toArray(), failure);
    assert.equal(released, 1, where);
  }
});
