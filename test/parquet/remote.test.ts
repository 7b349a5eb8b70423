/** Row groups encoded elsewhere: the same bytes, in whatever order the answers come, and nothing left behind when none comes. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, test, type TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { createEncodeTask } from '../../lib/parquet/encode-task.ts';
import { compileWriter } from '../../lib/parquet/parquet-wasm.ts';
import { remoteEncoder, type EncodeRequest, type EncodeResponse } from '../../lib/parquet/remote-encoder.ts';
import { createParquetStage } from '../../lib/parquet/stage.ts';
import { startThread } from '../../lib/workers/start-thread.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { randomRows, resultBatch, user, type BatchOptions, type Row, type TestBatch } from './batches.ts';
import { stageOptions, type WriteOptions } from './dataset.ts';
import type { Answer, ThreadData } from './encode-thread.ts';
import { disk, openFilesUnder } from './failing-disk.ts';

type Send = (request: EncodeRequest) => Promise<EncodeResponse>;

const REGIONS = ['AT', 'DE', 'r'.repeat(300)] as const;

/** Row groups of all sizes, some regions with several. */
function groupsOf(seed: number, groupBy: 'region' | 'user' = 'region'): Row[][] {
  const next = random(seed);
  const groups = REGIONS.flatMap((region) =>
    Array.from({ length: 1 + Math.floor(next() * 5) }, () => randomRows(Math.floor(next() * 1e6), 1 + Math.floor(next() ** 3 * 600), region, 10n ** 18n - 1n)));
  if (groupBy === 'region') return groups;
  return groups.map((rows) => rows.map((row) => ({ ...row, region: REGIONS[Math.floor(next() * 3)]! })));
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Answers after some turns of the loop, so that answers overtake each other; `most` calls were under way at once. */
function slowed(send: Send, next: () => number): { send: Send; seen: { most: number; overtaken: number } } {
  const seen = { most: 0, overtaken: 0 };
  let begun = 0;
  let latest = 0;
  let underWay = 0;
  return {
    seen,
    async send(request) {
      const number = begun++;
      seen.most = Math.max(seen.most, ++underWay);
      for (let turns = Math.floor(next() * 8); turns > 0; turns--) await turn();
      const response = await send(request);
      for (let turns = Math.floor(next() * 8); turns > 0; turns--) await turn();
      if (number < latest) seen.overtaken++;
      latest = Math.max(latest, number);
      underWay--;
      return response;
    },
  };
}

/** Batches one after the other, `areas` at once, as the merge gives them. */
async function* inAreas(groups: readonly Row[][], areas: number, options: BatchOptions, made: TestBatch[]): AsyncGenerator<TestBatch> {
  for (const rows of groups) {
    while (made.filter(({ released }) => released === 0).length >= areas) await turn();
    const batch = resultBatch(rows, options);
    made.push(batch);
    yield batch;
  }
}

interface Written {
  readonly hashes: readonly string[];
}

async function write(context: TestContext, groups: readonly Row[][], options: WriteOptions, batchOptions: BatchOptions, areas = 1): Promise<Written> {
  const full = stageOptions(temporaryFolder(context), options);
  const stage = createParquetStage(full);
  const made: TestBatch[] = [];
  await pipeline(inAreas(groups, areas, batchOptions, made), stage);
  assert.ok(made.every(({ released }) => released === 1), 'every batch is released once');
  const hash = (path: string): string => createHash('sha256').update(readFileSync(join(full.folder, path))).digest('hex');
  return { hashes: stage.files.map(({ path, rows, bytes }) => `${path} ${rows} ${bytes} ${hash(path)}`) };
}

describe('encoded elsewhere', () => {
  test('the same files, whatever the order of the answers, how many there are at once, and whether they fit their areas', async (context) => {
    let overtaken = 0;
    let toldApart = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const next = random(seed);
      const groupBy = seed % 2 === 0 ? 'user' : 'region';
      const groups = groupsOf(seed, groupBy);
      const plain = next() < 0.4;
      const options: WriteOptions = {
        groupBy, compression: plain ? 'none' : 'zstd', encoding: plain ? 'plain' : 'auto', scale: Math.floor(next() * 3),
        partBytes: [1, 20_000, undefined][Math.floor(next() * 3)] ?? 1 << 20,
      };
      const local = await write(context, groups, options, { groupBy, names: REGIONS });

      const memory = new LinearMemory();
      const task = await createEncodeTask({ memory, regions: REGIONS, compression: options.compression!, encoding: options.encoding!, groupBy });
      const room = next() < 0.5 ? 5 : 20_000;
      const { send, seen } = slowed(async (request) => {
        const response = task(request);
        if (response.file) toldApart++;
        return response;
      }, next);
      const encodesAtOnce = 1 + Math.floor(next() * 4);
      const remote = await write(
        context, groups, { ...options, encode: remoteEncoder(send), encodesAtOnce }, { groupBy, names: REGIONS, memory, room }, encodesAtOnce + Math.floor(next() * 2));
      assert.deepEqual(remote.hashes, local.hashes, `seed ${seed}`);
      assert.ok(seen.most <= encodesAtOnce, `seed ${seed}: ${seen.most} at once`);
      assert.deepEqual([memory.slabsInUse, memory.pagesInUse], [0, 0]);
      overtaken += seen.overtaken;
    }
    assert.ok(overtaken > 10, `${overtaken} answers overtook another`);
    assert.ok(toldApart > 10, `${toldApart} files did not fit their areas`);
  });

  test('ids that are not UTF-8', async (context) => {
    const groups = [[0x61, 0xc3, 0xff].map((byte) => ({ region: 'AT', user: Uint8Array.of(byte), total: 1n, count: 1n })), randomRows(1, 20, 'DE')];
    const memory = new LinearMemory();
    const task = await createEncodeTask({ memory, regions: [], compression: 'zstd', encoding: 'auto', groupBy: 'region' });
    const remote = await write(context, groups, { encode: remoteEncoder(async (request) => task(request)) }, { memory, room: 9000 });
    assert.deepEqual(remote.hashes, (await write(context, groups, {}, {})).hashes);
  });

  test('threads, at most as many requests as there may be at once', async (context) => {
    const memory = new LinearMemory({ limit: 64 << 20 });
    const module = await compileWriter();
    const options = { compression: 'zstd', encoding: 'auto', groupBy: 'user' } as const;
    const threads = [1, 2].map(() => {
      const workerData: ThreadData = { arena: memory.arena(1 << 20, 0), module, regions: REGIONS, ...options };
      return startThread(new URL('./encode-thread.ts', import.meta.url), { workerData });
    });
    try {
      const sends = threads.map(sendTo);
      let calls = 0;
      const groups = Array.from({ length: 12 }, (_, i) => groupsOf(i + 50, 'user')).flat();
      const { send, seen } = slowed((request) => sends[calls++ % 2]!(request), random(7));
      const encode = remoteEncoder(send);
      const remote = await write(context, groups, { ...options, encode, encodesAtOnce: 3 }, { groupBy: 'user', names: REGIONS, memory, room: 9000 }, 4);
      assert.deepEqual(remote.hashes, (await write(context, groups, options, { groupBy: 'user', names: REGIONS })).hashes);
      assert.equal(seen.most, 3);
      assert.equal(memory.slabsInUse, 0);
      await assert.rejects(sends[0]!({ rows: 1, totals: 0, counts: 0, offsets: 0, users: 0, userBytes: 2 ** 33, tops: 0, area: 0, areaBytes: 0 }));
    } finally {
      await Promise.all(threads.map((thread) => thread.terminate()));
    }
  });
});

/** Requests to a thread, told apart by number; all of them fail when it ends. */
function sendTo(thread: Worker): Send {
  const waiting = new Map<number, (answer: Answer) => void>();
  let next = 0;
  thread.on('message', (answer: Answer) => waiting.get(answer.id)!(answer));
  thread.on('error', (error) => waiting.forEach((answer, id) => answer({ id, error: String(error) })));
  return (request) => new Promise((resolve, reject) => {
    const id = next++;
    waiting.set(id, (answer) => ('error' in answer ? reject(new Error(answer.error)) : resolve(answer.response)));
    thread.postMessage({ id, request });
  });
}

describe('failures elsewhere', () => {
  const groups = Array.from({ length: 9 }, (_, i) => randomRows(i, 30, 'AT').map((row) => ({ ...row, user: user(`${i}${row.total}`) })));

  test('each request that fails is the error of the stage: nothing stays open, and every batch is given back once', async (context) => {
    for (let failing = 0; failing < groups.length; failing++) {
      const memory = new LinearMemory();
      const task = await createEncodeTask({ memory, regions: [], compression: 'zstd', encoding: 'auto', groupBy: 'region' });
      let calls = 0;
      let underWay = 0;
      const { send } = slowed(async (request) => {
        if (calls++ === failing) throw new Error(`request ${failing}`);
        return task(request);
      }, random(failing));
      const counted: Send = async (request) => {
        underWay++;
        return send(request).finally(() => underWay--);
      };
      const files = disk();
      const folder = temporaryFolder(context);
      const stage = createParquetStage(stageOptions(folder, { fs: files, partBytes: 1, encode: remoteEncoder(counted), encodesAtOnce: 3 }));
      const made: TestBatch[] = [];
      const source = Readable.from(inAreas(groups, 3, { memory, room: 9000 }, made), { highWaterMark: 1 });
      await assert.rejects(pipeline(source, stage), { message: `request ${failing}` });
      if (!stage.closed) await new Promise((resolve) => stage.once('close', resolve));
      assert.deepEqual([files.open_, underWay], [0, 0]);
      if (process.platform === 'linux') assert.deepEqual(openFilesUnder(folder), []);
      assert.ok(made.every(({ released }) => released <= 1));
      const taken = made.filter(({ released }) => released === 1).length;
      assert.ok(made.length - taken <= 2, 'all but what the stage never got is released');
      assert.equal(memory.slabsInUse, made.length - taken);
    }
  });

  test('destroyed while requests are under way: waits for them, since they write to their areas', async (context) => {
    const memory = new LinearMemory();
    const requests: (() => void)[] = [];
    const send: Send = () => new Promise((_, reject) => requests.push(() => reject(new Error('too late'))));
    const stage = createParquetStage(stageOptions(temporaryFolder(context), { encode: remoteEncoder(send), encodesAtOnce: 2 }));
    const made: TestBatch[] = [];
    const stop = new AbortController();
    const done = pipeline(inAreas(groups, 9, { memory }, made), stage, { signal: stop.signal });
    while (requests.length < 2) await turn();
    for (let turns = 0; turns < 20; turns++) await turn();
    assert.equal(requests.length, 2, 'no more than may be at once');
    stop.abort();
    await turn();
    assert.ok(stage.destroyed && !stage.closed, 'it waits');
    assert.deepEqual(made.slice(0, 2).map(({ released }) => released), [0, 0]);
    for (const fail of requests) fail();
    await assert.rejects(done, { name: 'AbortError' });
    if (!stage.closed) await new Promise((resolve) => stage.once('close', resolve));
    assert.deepEqual(made.slice(0, 2).map(({ released }) => released), [1, 1]);
  });
});
