import assert from 'node:assert/strict';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { newCounters } from '../../lib/core/counters.ts';
import type { ResultBatch } from '../../lib/core/stage.ts';
import { PAGE_BYTES } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createUsersTwin, type UsersKernel } from '../../lib/kernels/twins/users.ts';
import { BLOCK_BYTES, HASHES_PER_PAGE, PAGE_HASHES, USERS_PARTITIONS } from '../../lib/kernels/users-layout.ts';
import { DistinctUsers } from '../../lib/merge/distinct-users.ts';
import { SpillSpace, type SpillFileSystem } from '../../lib/spill/spill-space.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';

const AMPLE = 64 << 20;
const versions = ['kernel', 'twin'] as const;

interface SetUp {
  version?: (typeof versions)[number];
  seed?: number;
  pageBytes?: number;
  tableBytes?: number;
  /** Of linear memory: it holds all but the pages that are to be short. */
  limit?: number | undefined;
  maxBytes?: number | undefined;
  fs?: SpillFileSystem;
}

async function setUp(context: TestContext, { version = 'kernel', seed = 1, pageBytes = AMPLE, tableBytes = AMPLE, limit, maxBytes, fs }: SetUp) {
  const memory = new LinearMemory(limit === undefined ? {} : { limit, workspace: 1 << 20 });
  const loaded = version === 'twin' ? createUsersTwin(memory) : await loadKernel<UsersKernel>('users', memory);
  let passes = 0;
  const kernel: UsersKernel = { ...loaded, clearSlots: (table) => { passes++; loaded.clearSlots(table); } };
  const counters = newCounters();
  const spill = new SpillSpace({ folder: temporaryFolder(context), counters, maxBytes, ...(fs ? { fs } : {}) });
  const users = new DistinctUsers({ memory, kernel, seed: BigInt(seed), spill, pageBytes, tableBytes });
  /** Adds names in a batch that lives no longer than `add` says. */
  const add = async (names: readonly string[]): Promise<void> => {
    const batch = batchOf(memory, names);
    try {
      await users.add(batch);
    } finally {
      batch.release();
    }
  };
  const assertNothingLeaks = (): void => {
    assert.deepEqual([memory.pagesInUse, memory.slabsInUse, spill.bytes], [0, 0, 0], 'pages, slabs, bytes of files');
  };
  return { memory, users, add, counters, assertNothingLeaks, passes: () => passes };
}

function batchOf(memory: LinearMemory, users: readonly string[]): ResultBatch {
  const bytes = Buffer.from(users.join(''));
  const size = (users.length + 1) * 4 + bytes.length;
  const at = memory.slab(size, 'test');
  const userOffsets = new Int32Array(memory.memory.buffer, at, users.length + 1);
  userOffsets[0] = 0;
  let end = 0;
  users.forEach((user, row) => (userOffsets[row + 1] = end += user.length));
  const userBytes = memory.bytes(at + (users.length + 1) * 4, bytes.length);
  userBytes.set(bytes);
  return {
    region: 'US', rows: users.length, userOffsets, userBytes, totals: new BigInt64Array(users.length),
    counts: new BigInt64Array(users.length), topRegions: undefined, area: memory.bytes(at, size),
    release() {
      userBytes.fill(0xff);
      memory.giveSlab(at, size);
    },
  };
}

const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `user ${from + i}`);

test('a page holds as many hashes as the layout says', () => {
  assert.equal(HASHES_PER_PAGE, (PAGE_BYTES - PAGE_HASHES) / 8);
  assert.equal(BLOCK_BYTES, 8 + 8 * HASHES_PER_PAGE);
});

for (const version of versions) {
  // Names repeat within and across batches; the larger pools fill several pages of every partition.
  for (const [seed, pool, batches, rows] of [[1, 1, 3, 1], [2, 50, 10, 40], [3, 5000, 20, 400], [4, 300_000, 40, 5000]] as const) {
    test(`distinct users equal a Set's size: ${batches} x ${rows} of ${pool} names (${version})`, async (context) => {
      const { memory, users, add, counters, assertNothingLeaks, passes } = await setUp(context, { version, seed });
      const next = random(seed);
      const model = new Set<string>();
      let most = 0;
      for (let batch = 0; batch < batches; batch++) {
        const names = Array.from({ length: rows }, () => `u${Math.floor(next() * pool)}`);
        await add(names);
        for (const name of names) model.add(name);
        most = Math.max(most, memory.pagesInUse);
      }
      assert.ok(seed !== 4 || most >= USERS_PARTITIONS * 2, `${most} pages of ${PAGE_BYTES} bytes at most`);
      assert.equal(await users.count(), model.size);
      assert.deepEqual([counters.spilledFiles, passes()], [0, USERS_PARTITIONS]);
      await users.close();
      assertNothingLeaks();
    });
  }

  test(`the same within any bound: few pages, small tables, a short pool (${version})`, async (context) => {
    const seen = { spilled: 0, manyPasses: 0, onePass: 0, inMemory: 0 };
    for (let seed = 1; seed <= (version === 'twin' ? 8 : 12); seed++) {
      const next = random(seed);
      const pick = <T>(...all: T[]): T => all[Math.floor(next() * all.length)]!;
      const bounds = {
        pageBytes: PAGE_BYTES * pick(0, 1, 3, 63, 64, 65, 80, 200), tableBytes: pick(0, 512, 1000, 4096, 65536, AMPLE),
        limit: pick(undefined, (2 << 20) + 5 * PAGE_BYTES),
      };
      const what = `seed ${seed}: ${JSON.stringify(bounds)}`;
      const { memory, users, add, counters, assertNothingLeaks, passes } = await setUp(context, { version, seed, ...bounds });
      const few = bounds.pageBytes < 60 * PAGE_BYTES || version === 'twin';
      const pool = pick(30, 3000, few ? 20_000 : 200_000);
      const model = new Set<string>();
      for (let batch = pick(1, 5, 12); batch >= 0; batch--) {
        const names = Array.from({ length: Math.floor(next() * (few ? 1500 : 20_000)) }, () => `u${Math.floor(next() * pool)}`);
        await add(names);
        for (const name of names) model.add(name);
        assert.ok(memory.pagesInUse <= Math.max(1, bounds.pageBytes / PAGE_BYTES), what);
      }
      assert.equal(await users.count(), model.size, what);
      if (counters.spilledFiles > 0) seen.spilled++;
      else seen.inMemory++;
      if (passes() > USERS_PARTITIONS) seen.manyPasses++;
      else seen.onePass++;
      await users.close();
      assertNothingLeaks();
    }
    for (const [path, times] of Object.entries(seen)) assert.ok(times >= 2, `${path} ${times} times`);
  });
}

test('what others hold of the pool does not count: it spills by its own pages, or when there is none to be had', async (context) => {
  const { memory, users, add, counters, assertNothingLeaks } = await setUp(context, { pageBytes: 70 * PAGE_BYTES });
  const others = Array.from({ length: 500 }, () => memory.takePage());
  await add(numbered(20_000));
  assert.equal(counters.spilledFiles, 0);
  await add(numbered(200_000, 20_000));
  assert.equal(counters.spilledFiles, 1);
  assert.ok(memory.pagesInUse <= 570);
  for (const page of others) memory.givePage(page);
  assert.equal(await users.count(), 220_000);
  await users.close();
  assertNothingLeaks();
});

test('when there is not one page left for it, that is an error', async (context) => {
  const { memory, users, add, assertNothingLeaks } = await setUp(context, { limit: 3 << 20 });
  const others: number[] = [];
  while (memory.refillPool()) others.push(memory.takePageIfAny());
  await assert.rejects(add(['ada']), { code: 'ETL_MEMORY' });
  for (const page of others) memory.givePage(page);
  await users.close();
  assertNothingLeaks();
});

test('users that come in every region are counted in one pass, as far as those that differ fit', async (context) => {
  const { users, add, counters, assertNothingLeaks, passes } = await setUp(context, { pageBytes: 80 * PAGE_BYTES, tableBytes: 32768 });
  for (let region = 0; region < 20; region++) await add(numbered(100_000));
  assert.ok(counters.spilledBytes > 8 * 1_800_000 && counters.spilledBytes < 9 * 2_000_000, `${counters.spilledBytes} bytes`);
  assert.equal(await users.count(), 100_000);
  assert.equal(passes(), USERS_PARTITIONS);
  await users.close();
  assertNothingLeaks();
});

test('a batch is added without a promise as long as there are pages', async (context) => {
  const { memory, users, assertNothingLeaks } = await setUp(context, { pageBytes: 64 * PAGE_BYTES });
  const small = batchOf(memory, numbered(1000));
  const large = batchOf(memory, numbered(200_000));
  assert.equal(users.add(small), undefined);
  const pending = users.add(large);
  assert.ok(pending instanceof Promise);
  await pending;
  small.release();
  large.release();
  assert.equal(await users.count(), 200_000);
  await users.close();
  assertNothingLeaks();
});

test('nobody is nobody', async (context) => {
  const { users, assertNothingLeaks } = await setUp(context, {});
  assert.equal(await users.count(), 0);
  await users.close();
  await users.close();
  assertNothingLeaks();
});

/** node:fs, but `write` and `read` are told of each call, and may change or fail it. */
function faultyFs(faults: { write?(parts: readonly Uint8Array[]): void; read?(target: Uint8Array): void }): SpillFileSystem {
  return {
    unlink,
    async open(path, flags, mode) {
      const file = await open(path, flags, mode);
      return {
        fd: file.fd,
        close: () => file.close(),
        writev: (async (parts: Uint8Array[], position: number) => {
          faults.write?.(parts);
          return file.writev(parts, position);
        }) as FileHandle['writev'],
        read: (async (target: Uint8Array, offset: number, length: number, position: number) => {
          const result = await file.read(target, offset, length, position);
          faults.read?.(target.subarray(offset, offset + result.bytesRead));
          return result;
        }) as FileHandle['read'],
      };
    },
  };
}

test('a flipped bit anywhere, or blocks in each other\'s place, are damage; nothing leaks', async (context) => {
  for (const version of versions) {
    for (let seed = 1; seed <= (version === 'twin' ? 3 : 18); seed++) {
      const next = random(seed);
      let reads = 0;
      const fs = faultyFs({
        read(target) {
          if (++reads !== 1 + (seed % 5)) return;
          if (seed % 6 === 0 && target.length >= 2 * BLOCK_BYTES) target.copyWithin(0, BLOCK_BYTES, 2 * BLOCK_BYTES);
          else target[Math.floor(next() * target.length)]! ^= 1 << Math.floor(next() * 8);
        },
      });
      const { users, add, assertNothingLeaks } = await setUp(context, { version, fs, seed, pageBytes: 64 * PAGE_BYTES });
      await add(numbered(version === 'twin' ? 140_000 : 300_000));
      await assert.rejects(users.count(), { code: 'ETL_TEMP_DAMAGED' }, `${version}, seed ${seed}`);
      await users.close();
      assertNothingLeaks();
    }
  }
});

test('a disk that is full, one that cannot be read and a quota are errors of their own; nothing leaks', async (context) => {
  const failure = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  const refuse = (): never => { throw failure; };
  const refuseToOpen = (): Promise<never> => Promise.reject(failure);
  for (const [bounds, code] of [
    [{ fs: faultyFs({ write: refuse }) }, 'ETL_TEMP_WRITE'], [{ fs: { unlink, open: refuseToOpen } }, 'ETL_TEMP_WRITE'], [{ maxBytes: 2e6 }, 'ETL_MAX_SPILL'],
  ] as const) {
    const { users, add, assertNothingLeaks } = await setUp(context, { ...bounds, pageBytes: 64 * PAGE_BYTES });
    await assert.rejects(add(numbered(400_000)), { code });
    await users.close();
    assertNothingLeaks();
  }
  const { users, add, assertNothingLeaks } = await setUp(context, { fs: faultyFs({ read: refuse }), pageBytes: 64 * PAGE_BYTES });
  await add(numbered(400_000));
  await assert.rejects(users.count(), { code: 'ETL_TEMP_WRITE' });
  await users.close();
  assertNothingLeaks();
});

test('closed while it writes or counts, it stops and gives everything back', async (context) => {
  for (const during of ['add', 'count'] as const) {
    const { memory, users, add, assertNothingLeaks } = await setUp(context, { pageBytes: 64 * PAGE_BYTES });
    let work: Promise<unknown>;
    const batch = batchOf(memory, numbered(400_000));
    if (during === 'add') {
      work = users.add(batch)!;
    } else {
      await add(numbered(400_000));
      work = users.count();
    }
    const stopped = assert.rejects(work, { code: 'ETL_ABORTED' });
    await users.close();
    await stopped;
    assert.throws(() => users.add(batch), { code: 'ETL_ABORTED' });
    batch.release();
    assertNothingLeaks();
  }
});
