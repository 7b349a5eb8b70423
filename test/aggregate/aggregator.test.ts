import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { suite, test, type TestContext } from 'node:test';
import { Aggregator, type AggregatorOptions } from '../../lib/aggregate/aggregator.ts';
import { openRun } from '../../lib/aggregate/runs.ts';
import { createAggregateStage } from '../../lib/aggregate/stage.ts';
import { newCounters } from '../../lib/core/counters.ts';
import { EtlError } from '../../lib/core/errors.ts';
import {
  MIN_SLOTS, SECRET_BYTES, SECRET_WORDS, SLOT_BYTES, TABLE_BYTES, TABLE_MAX_PAGES, TABLE_SECRET,
} from '../../lib/kernels/aggregate-layout.ts';
import { MAX_REGIONS, RUN_USER, MAX_USER_BYTES } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createAggregateTwin, type AggregateKernel } from '../../lib/kernels/twins/aggregate.ts';
import { createSpillTwin, type SpillKernel } from '../../lib/kernels/twins/spill.ts';
import { setUserPrefix } from '../../lib/kernels/user-prefix.ts';
import { RunFiles } from '../../lib/spill/run-files.ts';
import { RUNS_PER_FILE } from '../../lib/spill/shared-files.ts';
import { SpillSpace } from '../../lib/spill/spill-space.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { addUp, randomUser, randomValue, readRun, show, writeRows, type Row, type Total } from './rows.ts';

const ROW_LIMIT = RUN_USER + MAX_USER_BYTES;
const MIN_GROWN = Math.floor((MIN_SLOTS * 2) / 3);

/** A kernel whose calls alternate between the other two: both must leave the table as the other expects it. */
function takeTurns(a: AggregateKernel, b: AggregateKernel): AggregateKernel {
  let calls = 0;
  return new Proxy({} as AggregateKernel, { get: (_, name: keyof AggregateKernel) => (calls++ % 2 ? a : b)[name] });
}

const makers: Record<string, (memory: LinearMemory) => Promise<AggregateKernel>> = {
  wasm: (memory) => loadKernel<AggregateKernel>('aggregate', memory),
  twin: async (memory) => createAggregateTwin(memory),
  turns: async (memory) => takeTurns(await loadKernel('aggregate', memory), createAggregateTwin(memory)),
};

for (const [name, makeKernel] of Object.entries(makers)) {
  suite(`aggregate, ${name}`, () => {
    async function setUp(context: TestContext, options: Partial<AggregatorOptions> = {}, prefix: Uint8Array = new Uint8Array(0)) {
      const memory = options.memory ?? new LinearMemory();
      setUserPrefix(memory, prefix);
      const kernel = await makeKernel(memory);
      const counters = newCounters();
      const folder = temporaryFolder(context);
      const spill = new SpillSpace({ folder, counters });
      const runKernel = name === 'twin' ? createSpillTwin(memory) : await loadKernel<SpillKernel>('spill', memory);
      const temp = new RunFiles({ spill, memory, kernel: runKernel });
      const slabs = memory.slabsInUse;
      const aggregator = new Aggregator({
        memory, kernel, counters, temp, groupBy: 'region', regions: 250, unknownRegion: 7, limits: { bytes: Infinity }, ...options,
      });
      const assertNothingHeld = (more = 0): void => {
        assert.equal(memory.pagesInUse, 0, 'all pages are given back');
        assert.equal(memory.slabsInUse - slabs, more, 'all slabs are given back');
        assert.equal(spill.bytes, 0, 'all files are closed');
      };
      return { memory, kernel, counters, folder, spill, temp, aggregator, assertNothingHeld };
    }

    /** Adds rows in lists of random sizes; gives the totals of each run. */
    async function run(
      context: TestContext, rows: readonly Row[], options: Partial<AggregatorOptions> = {}, capacity = ROW_LIMIT, prefix?: Uint8Array,
    ) {
      const made = await setUp(context, options, prefix);
      const list = writeRows(made.memory, rows);
      const { ptr } = list;
      const next = random(rows.length);
      for (let from = 0; from < rows.length; ) {
        const count = Math.min(rows.length - from, 1 + Math.floor(next() * 4096));
        await made.aggregator.add({ ptr: ptr + from * 4, count });
        from += count;
      }
      const totals: Total[][] = [];
      for (const handed of await made.aggregator.finish()) {
        const sorted = openRun(structuredClone(handed), { kernel: made.kernel, files: made.temp, giveBack: (run) => made.aggregator.giveBack(run) });
        totals.push(await readRun(made.memory, sorted, capacity));
        assert.equal(totals.at(-1)!.length, sorted.rows);
      }
      list.free();
      made.assertNothingHeld();
      return { ...made, totals };
    }

    for (const order of ['region', 'user'] as const) {
      for (const seed of name === 'turns' ? [2] : [1, 2, 3]) {
        test(`random rows equal the model, by ${order}, seed ${seed}`, async (context) => {
          const next = random(seed);
          const regions = [1, 20, 250][seed % 3]!;
          const rows = Array.from({ length: name === 'wasm' ? 15000 : 4000 }, () => ({
            region: Math.floor(next() * regions), user: randomUser(next), value: randomValue(next),
          }));
          const { totals, counters } = await run(context, rows, { groupBy: order }, ROW_LIMIT + Math.floor(next() * 50000));
          const expected = addUp(rows, order);
          if (regions > 1) assert.ok(expected.length > MIN_GROWN, 'the table has grown');
          assert.equal(totals.length, 1);
          assert.deepEqual(show(totals[0]!), show(expected), `seed ${seed}`);
          assert.equal(counters.unknownRegion, rows.filter(({ region }) => region === 7).length);
          assert.equal(counters.runs, 1);
        });

        test(`spilled runs add up to the same, by ${order}, seed ${seed}`, async (context) => {
          const next = random(seed);
          const rows = Array.from({ length: 4000 }, () => ({
            region: Math.floor(next() * 50), user: randomUser(next), value: randomValue(next),
          }));
          const limits = { bytes: seed * 50000 - 49999 };
          const prefix = Buffer.from(['', 'user_', 'a'][seed % 3]!);
          const { totals, counters, folder } = await run(context, rows, { groupBy: order, limits }, ROW_LIMIT, prefix);
          assert.ok(counters.runsSpilled > 1 && counters.spilledFiles === Math.ceil(counters.runsSpilled / RUNS_PER_FILE) && counters.spilledBytes > 0);
          assert.equal(counters.runs, totals.length);
          for (const part of totals) assert.deepEqual(show(part), show(addUp(part, order)), `seed ${seed}: keys once, in order`);
          assert.deepEqual(show(addUp(totals.flat(), order)), show(addUp(rows, order)), `seed ${seed}`);
          assert.equal(counters.unknownRegion, rows.filter(({ region }) => region === 7).length);
          assert.deepEqual(readdirSync(folder), []);
        });
      }
    }

    test('every length from 0 to 40, and the longest', async (context) => {
      const users = [...Array.from({ length: 41 }, (_, length) => length), 4095, 4096, MAX_USER_BYTES - 1, MAX_USER_BYTES]
        .flatMap((length) => [0, 1, 0x7f, 0x80, 0xff].map((byte) => Buffer.alloc(length, byte)));
      const rows = [...users, ...users, ...users].map((user, i) => ({ region: i % 2, user, value: BigInt(i) }));
      for (const order of ['region', 'user'] as const) {
        const { totals } = await run(context, rows, { groupBy: order });
        assert.deepEqual(show(totals[0]!), show(addUp(rows, order)));
      }
    });

    test('any prefix gives the same, and rows of both forms meet in one group', async (context) => {
      const users = ['', 'u', 'us', 'user_', 'user_0', 'user_1', 'uses_1', 'User_1', 'user_ü', 'user_123456789', 'xser_123456789', 'ab'.repeat(8), `${'ab'.repeat(8)}c`, '日本', '日木']
        .map((user) => Buffer.from(user));
      const values = [1n, 2n ** 18n, -5n, 2n ** 40n, 7n];
      const border = users.flatMap((user) => values.flatMap((value) => [3, 3, 240].map((region) => ({ region, user, value }))));
      const next = random(9);
      const rows = [...border, ...Array.from({ length: 3000 }, () => ({ region: Math.floor(next() * 9), user: randomUser(next), value: randomValue(next) })), ...border];
      const expected = show(addUp(rows, 'region'));
      for (const prefix of ['', 'u', 'user_', 'user_0', 'ab'.repeat(8), '日']) {
        // With nothing but zeros for a secret all short users have one hash: only comparing tells them apart.
        for (const secret of [Buffer.alloc(SECRET_BYTES), undefined]) {
          const { totals } = await run(context, secret ? border : rows, { ...(secret && { secret }) }, ROW_LIMIT, Buffer.from(prefix));
          assert.deepEqual(show(totals[0]!), secret ? show(addUp(border, 'region')) : expected, `prefix ${prefix}`);
        }
      }
      const cut = Buffer.from('日本').subarray(0, 4);
      assert.deepEqual(show((await run(context, rows, {}, ROW_LIMIT, cut)).totals[0]!), expected, 'a prefix that ends within a character');
    });

    test('users that differ in one byte at any place of a long shared prefix', async (context) => {
      const length = 4000;
      const users = Array.from({ length: name === 'wasm' ? 2000 : 400 }, (_, i) => {
        const user = Buffer.alloc(length + (i % 3), 'a');
        user[length - 1 - ((i * 37) % length)] = i % 256;
        return user;
      });
      for (const order of ['region', 'user'] as const) {
        const rows = users.map((user, i) => ({ region: i % 2, user, value: 1n }));
        const { totals } = await run(context, rows, { groupBy: order });
        assert.deepEqual(show(totals[0]!), show(addUp(rows, order)));
      }
    });

    test('users that are each a prefix of the next', async (context) => {
      const length = name === 'wasm' ? 3000 : 500;
      const rows = Array.from({ length }, (_, i) => ({ region: 0, user: Buffer.alloc(i + 1), value: 1n }));
      const { totals } = await run(context, rows);
      assert.deepEqual(totals[0]!.map(({ user }) => user.length), rows.map(({ user }) => user.length));
    });

    test('orders that quicksort is slow on', async (context) => {
      const count = name === 'wasm' ? 8000 : 1200;
      const patterns: Record<string, (i: number) => number> = {
        ascending: (i) => i, descending: (i) => count - i, organ: (i) => Math.min(i, count - i), equal: () => 1,
        saw: (i) => i % 1000, halves: (i) => (i % 2 ? i : count - i),
      };
      for (const [pattern, place] of Object.entries(patterns)) {
        const rows = Array.from({ length: count }, (_, i) => ({
          region: i % 3, user: Buffer.from(String(place(i)).padStart(9, '0')), value: 1n,
        }));
        for (const order of ['region', 'user'] as const) {
          const { totals } = await run(context, rows, { groupBy: order });
          assert.deepEqual(show(totals[0]!), show(addUp(rows, order)), pattern);
        }
      }
    });

    test('one user in many regions, the largest region number included', async (context) => {
      for (const order of ['region', 'user'] as const) {
        const regions = name !== 'wasm' && order === 'region' ? 20 : 1500; // a bucket a region number is slow in the twin
        const rows = Array.from({ length: regions }, (_, i) => ({
          region: MAX_REGIONS - 1 - ((i * 1234567) % MAX_REGIONS), user: Buffer.from('u'), value: 1n,
        }));
        const { totals } = await run(context, rows, { groupBy: order, regions: MAX_REGIONS });
        assert.deepEqual(show(totals[0]!), show(addUp(rows, order)));
      }
    });

    test('users chosen to share one hash under a known secret', async (context) => {
      const secret = Buffer.alloc(SECRET_BYTES, 0x5a);
      const rows = Array.from({ length: name === 'wasm' ? 2000 : 300 }, (_, i) => {
        const user = Buffer.alloc(8);
        // The first factor of the only word becomes 0, so that the second one does not matter.
        user.writeInt32LE(-secret.readInt32LE(SECRET_WORDS), 0);
        user.writeUInt32LE(i * 7919, 4);
        return { region: 1, user, value: BigInt(i) };
      });
      const { memory, kernel } = await setUp(context);
      const table = memory.takePage();
      const slots = memory.slab(4096 * SLOT_BYTES, 'test slots');
      memory.bytes(table + TABLE_SECRET, SECRET_BYTES).set(secret);
      memory.view(table, TABLE_BYTES).setUint32(TABLE_MAX_PAGES, 1000, true);
      kernel.resetTable(table, slots, 4096);
      assert.equal(kernel.aggregateBatch(table, writeRows(memory, rows).ptr, rows.length, 0), rows.length);
      const hashes = Array.from(memory.u32(slots, 8192)).filter((_, i, all) => i % 2 === 0 && all[i + 1] !== 0);
      assert.equal(hashes.length, rows.length);
      assert.equal(new Set(hashes).size, 1, 'all hashes are equal');

      const { totals } = await run(context, [...rows, ...rows], { secret });
      assert.deepEqual(show(totals[0]!), show(addUp([...rows, ...rows], 'region')));
    });

    test('nothing added: no runs', async (context) => {
      const { totals } = await run(context, []);
      assert.deepEqual(totals, []);
    });

    test('close gives memory and files back, twice', async (context) => {
      const { aggregator, memory, counters, assertNothingHeld } = await setUp(context, { limits: { bytes: 1 } });
      const rows = Array.from({ length: 3000 }, (_, i) => ({ region: 0, user: Buffer.from(String(i)), value: 1n }));
      const list = writeRows(memory, rows);
      await aggregator.add(list);
      assert.ok(counters.runsSpilled > 1);
      await aggregator.close();
      await aggregator.close();
      list.free();
      assertNothingHeld();
      assert.throws(() => aggregator.add(list), { code: 'ETL_INTERNAL' });
    });

    test('the stage counts rows that were added, also when writing a run fails', async (context) => {
      const rows = Array.from({ length: 3000 }, (_, i) => ({ region: 0, user: Buffer.from(String(i)), value: 1n }));
      for (const fails of [false, true]) {
        const made = await setUp(context);
        const { memory, kernel, counters } = made;
        const spill = new SpillSpace({ folder: made.folder, maxBytes: 1000, counters });
        const temp = fails ? new RunFiles({ spill, memory, kernel: createSpillTwin(memory) }) : made.temp;
        const aggregator = new Aggregator({
          memory, kernel, counters, temp, groupBy: 'region', regions: 1, unknownRegion: 0, limits: { bytes: fails ? 1 : Infinity },
        });
        const stage = createAggregateStage({ aggregator, counters });
        const ended = new Promise<unknown>((resolve) => stage.on('finish', resolve).on('error', resolve));
        const list = writeRows(memory, rows);
        const lists = [list];
        stage.end({ next: () => lists.pop() });
        const error = await ended;
        assert.equal(counters.counted, fails ? 0 : 3000);
        if (fails) assert.ok(error instanceof EtlError && error.code === 'ETL_MAX_SPILL');
        await aggregator.close();
        await made.aggregator.close();
        list.free();
        made.assertNothingHeld();
        assert.equal(spill.bytes, 0);
      }
    });
  });
}
