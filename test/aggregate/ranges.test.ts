/** Totals by ranges equal a Map's, whatever the splitters, the threads, the memory and the keys. */
import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Aggregator } from '../../lib/aggregate/aggregator.ts';
import { RangeBoard } from '../../lib/aggregate/range-board.ts';
import type { RangeGroups } from '../../lib/aggregate/range-groups.ts';
import { RangeMaker } from '../../lib/aggregate/range-maker.ts';
import { rangesMadeElsewhere } from '../../lib/aggregate/range-runs.ts';
import { limitsOf, planRanges, Ranges, surveyRanges } from '../../lib/aggregate/ranges.ts';
import { openRun } from '../../lib/aggregate/runs.ts';
import { chooseSplitters, rangesFor, type Splitters } from '../../lib/aggregate/splitters.ts';
import { newCounters } from '../../lib/core/counters.ts';
import { EtlError } from '../../lib/core/errors.ts';
import type { SortedRun } from '../../lib/core/stage.ts';
import { MAX_REGIONS, MAX_USER_BYTES, RUN_REGION, RUN_USER, RUN_USER_LEN } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { MAX_PREFIX, SPLIT_BYTES, SPLIT_BY_USER, SPLIT_KEYS, SPLIT_RANGES, SPLIT_SKIP } from '../../lib/kernels/ranges-layout.ts';
import { createAggregateTwin, type AggregateKernel } from '../../lib/kernels/twins/aggregate.ts';
import { createRangesTwin, type RangesKernel } from '../../lib/kernels/twins/ranges.ts';
import type { SpillKernel } from '../../lib/kernels/twins/spill.ts';
import { setUserPrefix } from '../../lib/kernels/user-prefix.ts';
import { RunFiles } from '../../lib/spill/run-files.ts';
import { SpillSpace } from '../../lib/spill/spill-space.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { writeChain } from './chains.ts';
import { addUp, assertInOrder, randomUser, randomValue, readRun, show, writeRows, type Order, type Row, type Total } from './rows.ts';

type Kernel = AggregateKernel & RangesKernel;
const MiB = 1 << 20;
const ROW_LIMIT = RUN_USER + MAX_USER_BYTES;

const makers: Record<string, (memory: LinearMemory) => Promise<Kernel>> = {
  wasm: (memory) => loadKernel<Kernel>('aggregate', memory),
  twin: async (memory) => ({ ...createAggregateTwin(memory), ...createRangesTwin(memory) }),
  turns: async (memory) => {
    const kernels = [await loadKernel<Kernel>('aggregate', memory), { ...createAggregateTwin(memory), ...createRangesTwin(memory) }];
    let calls = 0;
    return new Proxy({} as Kernel, { get: (_, name: keyof Kernel) => kernels[calls++ % 2]![name] });
  },
};

interface Setting {
  readonly order: Order;
  readonly ranges: number;
  readonly threads: number;
  readonly aggregateBytes: number;
  readonly regions: number;
  /** Keys of splitters; default: by a sample. */
  readonly keys?: readonly bigint[];
  /** What users of compact rows begin with; default: nothing. */
  readonly prefix?: string;
  /** Bytes of memory of each thread. */
  readonly bytes?: number;
  readonly capacity?: number;
  /** One that reads is told what to do before each `fill`. */
  readonly reading?: (fills: number) => void;
}

for (const [name, makeKernel] of Object.entries(makers)) {
  /** Threads on one event loop, each with an arena, and the main one: everything that a run does. */
  async function run(context: TestContext, rows: readonly Row[], setting: Setting) {
    const { order, threads, aggregateBytes, regions, prefix = '', bytes = 16 * MiB, capacity = ROW_LIMIT } = setting;
    const memory = new LinearMemory({ limit: (threads + 1) * bytes + 32 * MiB });
    setUserPrefix(memory, Buffer.from(prefix));
    const counters = newCounters();
    const spill = new SpillSpace({ folder: temporaryFolder(context), counters });
    const list = writeRows(memory, rows);
    const splitters = await splittersOf(memory, await makeKernel(memory), rows, setting);
    const slabs = memory.slabsInUse;
    const workers = await Promise.all(Array.from({ length: threads }, async () => {
      const arena = new LinearMemory(memory.arena(bytes, 2 * MiB));
      const kernel = await makeKernel(arena);
      const temp = new RunFiles({ spill, memory: arena, kernel: await loadKernel<SpillKernel>('spill', arena) });
      const worker = { arena, kernel, table: undefined as Aggregator | undefined, ranges: undefined as Ranges | undefined };
      const openTable = (limit: number): Aggregator => worker.table = new Aggregator({
        memory: arena, kernel, counters, temp, groupBy: order, regions, unknownRegion: 7, limits: { bytes: limit },
      });
      worker.ranges = Ranges.tryOpen({
        memory: arena, kernel, counters, groupBy: order, regions, unknownRegion: 7, splitters, aggregateBytes, openTable,
      });
      return { ...worker, openTable, tables: () => worker.table };
    }));
    const files = new RunFiles({ spill, memory, kernel: await loadKernel<SpillKernel>('spill', memory) });
    const kernel = await makeKernel(memory);

    const next = random(rows.length);
    for (let from = 0; from < rows.length; ) {
      const count = Math.min(rows.length - from, 1 + Math.floor(next() * 400));
      const worker = workers[Math.floor(next() * threads)]!;
      await (worker.ranges ?? worker.tables() ?? worker.openTable(aggregateBytes)).add({ ptr: list.ptr + from * 4, count });
      from += count;
    }
    list.free();
    const scattered = (await Promise.all(workers.map(({ ranges }) => ranges?.finish()))).flatMap((at) => at ?? []);
    const survey = surveyRanges(memory, scattered, splitters.ranges, aggregateBytes);
    let claims = 0;
    const opened: SortedRun[] = [];
    for (const worker of workers) {
      const table = (): Aggregator => worker.tables() ?? worker.openTable(worker.ranges!.tableBytes);
      await worker.ranges?.addLarge(scattered, survey.large, table, () => claims++);
      const handed = await worker.tables()?.finish() ?? [];
      opened.push(...handed.map((each) => openRun(structuredClone(each), { kernel, files, giveBack: (given) => worker.tables()!.giveBack(given) })));
    }
    if (survey.rows > 0) {
      if (threads === 1) opened.push(workers[0]!.ranges!.run(scattered, survey.rows));
      else opened.push(made(memory, splitters, workers, scattered, survey.rows));
    }
    const totals: Total[][] = [];
    for (const sorted of opened) totals.push(await readRun(memory, watched(sorted, setting.reading), capacity));
    for (const { ranges, tables } of workers) {
      await tables()?.close();
      await ranges?.close();
    }
    memory.giveSlab(splitters.at, SPLIT_BYTES);
    assert.equal([memory, ...workers.map(({ arena }) => arena)].reduce((sum, { pagesInUse }) => sum + pagesInUse, 0), 0, 'all pages are given back');
    assert.deepEqual([memory.slabsInUse, ...workers.map(({ arena }) => arena.slabsInUse)].slice(1), workers.map(() => 0), 'all slabs are given back');
    assert.equal(memory.slabsInUse, slabs - 3, 'main gives all slabs back');
    for (const each of totals) assertInOrder(each, order);
    return { totals, counters, survey, scattered: scattered.length, tables: workers.filter(({ tables }) => tables()).length };
  }

  type Worker = { readonly ranges: Ranges | undefined };

  function made(memory: LinearMemory, splitters: Splitters, workers: readonly Worker[], scattered: readonly number[], rows: number): SortedRun {
    const board = RangeBoard.create(memory, splitters.ranges);
    const all = Promise.all(workers.map(({ ranges }) => ranges?.make(new RangeBoard(memory, board.at), scattered)));
    const closed = async (): Promise<void> => {
      await Promise.all(workers.map(({ ranges }) => ranges?.close()));
      board.free();
    };
    return rangesMadeElsewhere({ memory, board, made: all.then(() => undefined), rows, closed });
  }

  async function splittersOf(memory: LinearMemory, kernel: Kernel, rows: readonly Row[], setting: Setting): Promise<Splitters> {
    const { order, ranges, keys } = setting;
    if (!keys) {
      const chain = writeChain(memory, rows.filter((_, i) => i % 3 === 0));
      const splitters = chooseSplitters({ memory, kernel, groupBy: order, ranges, chains: [0, ...chain.firsts] });
      chain.free();
      assert.ok(splitters, 'the sample is good for ranges');
      return splitters;
    }
    const at = memory.slab(SPLIT_BYTES, 'test splitters');
    const fields = memory.view(at, SPLIT_BYTES);
    fields.setUint32(SPLIT_RANGES, ranges, true);
    fields.setUint32(SPLIT_BY_USER, order === 'user' ? 1 : 0, true);
    fields.setUint32(SPLIT_SKIP, 0, true);
    for (const [i, key] of keys.entries()) fields.setBigUint64(SPLIT_KEYS + 8 * i, key, true);
    return { at, ranges };
  }

  function watched(sorted: SortedRun, reading: Setting['reading']): SortedRun {
    let fills = 0;
    return {
      rows: sorted.rows,
      close: () => sorted.close(),
      fill: (ptr, capacity) => {
        reading?.(fills++);
        return sorted.fill(ptr, capacity);
      },
    };
  }

  const count = name === 'wasm' ? 20_000 : name === 'twin' ? 3000 : 2000;
  const some = { aggregateBytes: 8 * MiB, regions: 250 };

  function randomRows(seed: number, regions: number, rows = count): Row[] {
    const next = random(seed);
    return Array.from({ length: rows }, () => ({ region: Math.floor(next() ** 3 * regions), user: randomUser(next, 2000), value: randomValue(next) }));
  }

  /** Users that a sample tells apart. */
  function plainRows(seed: number, regions: number): Row[] {
    const next = random(seed);
    return Array.from({ length: count }, () => ({
      region: Math.floor(next() ** 3 * regions), user: Buffer.from(`user_${Math.floor(next() ** 2 * 3000)}`), value: randomValue(next),
    }));
  }

  function assertTotals(totals: readonly Total[][], rows: readonly Row[], order: Order, message: string): void {
    assert.deepEqual(show(addUp(totals.flat(), order)), show(addUp(rows, order)), message);
  }

  suite(`ranges, ${name}`, () => {
    for (const order of ['region', 'user'] as const) {
      for (const threads of [1, 3]) {
        test(`random rows equal the model, in one run, by ${order}, ${threads} threads`, async (context) => {
          for (const [seed, ranges] of [[1, 8], [2, 64]] as const) {
            const rows = plainRows(seed, [1, 250][seed - 1]!);
            const capacity = ROW_LIMIT + Math.floor(random(seed)() * 70_000);
            const prefix = ['', 'user_'][seed - 1]!;
            const { totals, counters, tables } = await run(context, rows, { ...some, order, threads, ranges, capacity, prefix });
            assert.deepEqual([totals.length, tables], [1, 0], `seed ${seed}`);
            assert.deepEqual(show(totals[0]!), show(addUp(rows, order)), `seed ${seed}`);
            assert.equal(counters.unknownRegion, rows.filter(({ region }) => region === 7).length);
          }
        });
      }

      test(`any splitters give the same, by ${order}`, async (context) => {
        const rows = randomRows(5, 250, Math.min(count, 4000));
        const random64 = random(6);
        const keys = {
          none: new Array<bigint>(15).fill(0n),
          last: new Array<bigint>(15).fill(2n ** 64n - 1n),
          any: Array.from({ length: 15 }, () => BigInt(Math.floor(random64() * 2 ** 52)) << 12n).sort((a, b) => (a < b ? -1 : 1)),
          twice: Array.from({ length: 15 }, (_, i) => BigInt(i >> 1) << 50n),
        };
        for (const [i, [what, each]] of Object.entries(keys).entries()) {
          for (const prefix of ['', ['user_00000000000', 'user_', 'us', 'ab'][i]!]) {
            const { totals } = await run(context, rows, { ...some, order, threads: 2, ranges: 16, keys: each, prefix });
            assertTotals(totals, rows, order, `${what}, ${prefix}`);
          }
        }
      });

      test(`keys are in the order of groups, by ${order}`, async () => {
        const memory = new LinearMemory();
        const kernel = await makeKernel(memory);
        const next = random(11);
        const begins = [Buffer.from('user_0'), Buffer.alloc(11, 'p'), Buffer.from([0]), Buffer.alloc(300, 'long'), Buffer.alloc(0)];
        for (const [begin, prefix] of begins.flatMap((begin) => [0, 1, 4, 11, 16].map((length) => [begin, begin.subarray(0, length)] as const))) {
          setUserPrefix(memory, prefix);
          const like = (): Buffer => Buffer.concat([begin, Buffer.from(Array.from({ length: 1 + Math.floor(next() * 12) }, () => Math.floor(next() * 4) * 85))]);
          const sample: Row[] = Array.from({ length: 50 }, () => ({ region: 3, user: like(), value: 1n }));
          const cut = (): Buffer => begin.subarray(0, 1 + Math.floor(next() * begin.length));
          const others = Array.from({ length: 50 }, () => (begin.length > 0 && next() < 0.5 ? cut() : randomUser(next)));
          const regions = [0, 1, MAX_REGIONS - 1];
          const rows = [...sample, ...others.map((user) => ({ region: 3, user, value: -5n })), ...sample.map((row, i) => ({ ...row, region: regions[i % 3]!, value: 2n ** 60n }))];
          const list = writeRows(memory, rows);
          const at = memory.slab(SPLIT_BYTES, 'test');
          memory.view(at, 16).setUint32(SPLIT_BY_USER, order === 'user' ? 1 : 0, true);
          // Sometimes by users of other kinds, so that the prefix of splitters is a part of the run's, or another one.
          const [from, count] = [[0, sample.length], [0, sample.length + 3], [sample.length, 4], [sample.length, 1]][prefix.length % 4]!;
          kernel.setPrefix(at, list.ptr + 4 * from!, count!);
          const keysAt = memory.slab(8 * rows.length, 'test');
          kernel.sampleKeys(at, list.ptr, rows.length, keysAt);
          const keys = Array.from(new BigUint64Array(memory.memory.buffer, keysAt, rows.length));
          const sorted = rows.map((row, i) => ({ ...row, key: keys[i]! })).sort((a, b) => (
            (order === 'region' ? a.region - b.region : 0) || Buffer.compare(a.user, b.user)
          ));
          for (let i = 1; i < sorted.length; i++) {
            assert.ok(sorted[i - 1]!.key <= sorted[i]!.key, `${sorted[i - 1]!.user.toString('hex')} ${sorted[i]!.user.toString('hex')}`);
          }
          assert.ok(count !== sample.length || begin.length > MAX_PREFIX || new Set(keys).size > 20, `${new Set(keys).size} keys behind ${begin.length} bytes`);
        }
      });
    }

    test('users that are skewed, alike, short, long, wide', async (context) => {
      const users: Record<string, (i: number) => Buffer> = {
        'one byte': (i) => Buffer.from([i % 256]),
        'a long common prefix': (i) => Buffer.from(`https://example.com/customers/of/the/north/${String(i % 700).padStart(5, '0')}`),
        'half of them one': (i) => Buffer.from(i % 2 ? 'the one' : `u${i % 900}`),
        longest: (i) => Buffer.concat([Buffer.from(String(i % 7)), Buffer.alloc(MAX_USER_BYTES - 1, 'l')]),
      };
      for (const [what, user] of Object.entries(users)) {
        const rows = Array.from({ length: what === 'longest' ? 300 : Math.min(count, 5000) }, (_, i) => ({
          region: i % 5, user: user(i), value: BigInt(i % 3 ? i : -(2 ** 40) * i),
        }));
        const { totals } = await run(context, rows, { ...some, order: 'region', threads: 2, ranges: 16 });
        assertTotals(totals, rows, 'region', what);
      }
    });

    test('regions up to the limit', async (context) => {
      if (name !== 'wasm') return;
      const rows = Array.from({ length: 3000 }, (_, i) => ({ region: (i * 7919) % MAX_REGIONS, user: Buffer.from(`u${i % 10}`), value: 1n }));
      const { totals } = await run(context, rows, { ...some, regions: MAX_REGIONS, order: 'region', threads: 2, ranges: 16, bytes: 32 * MiB });
      assert.deepEqual(show(totals[0]!), show(addUp(rows, 'region')));
      await assert.rejects(run(context, rows, { ...some, order: 'region', threads: 1, ranges: 16 }), { code: 'ETL_INTERNAL' });
    });

    test('a range with too many rows goes to a table, and the others do not', async (context) => {
      const rows = plainRows(21, 20);
      const hot = Array.from({ length: count * 2 }, (_, i) => ({ region: 5, user: Buffer.from(`hot${i % 3}`), value: 1n }));
      const all = rows.flatMap((row, i) => [row, hot[2 * i]!, hot[2 * i + 1]!]);
      for (const threads of [1, 3]) {
        const aggregateBytes = 4 * MiB;
        const keys = Array.from({ length: 31 }, (_, i) => BigInt(i) << 43n);
        const { totals, survey } = await run(context, all, { ...some, order: 'region', aggregateBytes, threads, ranges: 32, keys });
        assert.ok(survey.large.length > 0 && survey.rows > 0 && totals.length > 1, JSON.stringify(survey));
        assertTotals(totals, all, 'region', `${threads} threads`);
      }
    });

    test('all rows go to a table when pages run out while they are scattered, or when too few are left', async (context) => {
      const rows = plainRows(22, 200);
      const aggregateBytes = name === 'wasm' ? 1.25 * MiB : MiB;
      const { totals, scattered, tables } = await run(context, rows, { ...some, order: 'region', aggregateBytes, threads: 1, ranges: 64, bytes: 8 * MiB });
      assert.deepEqual([scattered, tables], [0, 1]);
      assertTotals(totals, rows, 'region', 'one thread');
      const none = await run(context, rows, { ...some, order: 'region', aggregateBytes: 64 * MiB, threads: 2, ranges: 64, bytes: 2.9 * MiB });
      assert.deepEqual([none.scattered, none.tables], [0, 2], 'no slots');
      assertTotals(none.totals, rows, 'region', 'two threads');
    });

    test('a reader that is far behind is waited for', async (context) => {
      const rows = plainRows(23, 250);
      let most = 0;
      const { totals } = await run(context, rows, {
        ...some, order: 'user', threads: 3, ranges: 128, capacity: ROW_LIMIT, reading: (fills) => { most = fills; },
      });
      assert.ok(most > 10, `${most} fills`);
      assert.deepEqual(show(totals[0]!), show(addUp(rows, 'user')));
    });
  });
}

test('how many ranges', () => {
  assert.deepEqual([0, 199_999, 200_000, 11e6, 1e9].map(rangesFor), [0, 0, 16, 128, 512]);
  assert.equal(planRanges(11e6, 512 * MiB), 128);
  assert.equal(planRanges(11e6, 12 * MiB), 0, 'no room for open pages');
  assert.deepEqual(limitsOf(1024 * MiB), { slotBytes: 4 * MiB, pageBytes: 128 * MiB });
});

test('a sample of one key, or of none, gives no splitters', async () => {
  const memory = new LinearMemory();
  const kernel = await makers['wasm']!(memory);
  const rows = Array.from({ length: 3000 }, (_, i) => ({ region: 1, user: Buffer.from(i % 3 ? 'same' : `u${i}`), value: 1n }));
  const chain = writeChain(memory, rows);
  for (const chains of [[], [0, 0], chain.firsts]) {
    assert.equal(chooseSplitters({ memory, kernel, groupBy: 'region', ranges: 64, chains }), undefined);
  }
  chain.free();
  assert.deepEqual([memory.slabsInUse, memory.pagesInUse], [0, 0]);
});

suite('makers of ranges', () => {
  /** Ranges of one row each, and the most pages that were out at once. */
  function setUp(ranges: number, load: (range: number) => void = () => undefined) {
    const memory = new LinearMemory();
    const board = RangeBoard.create(memory, ranges);
    const rows = [0, 1].map(() => ({ range: -1, left: 0 }));
    const groups = rows.map((row) => ({
      load(_: unknown, range: number) {
        load(range);
        Object.assign(row, { range, left: range % 5 === 4 ? 0 : 1 });
      },
      fill(ptr: number) {
        if (row.left-- < 1) return 0;
        memory.bytes(ptr, RUN_USER + 1).fill(0);
        memory.view(ptr, RUN_USER).setUint32(RUN_REGION, row.range, true);
        memory.view(ptr, RUN_USER).setUint32(RUN_USER_LEN, 1, true);
        return RUN_USER + 1;
      },
      clear: () => undefined,
    }) as unknown as RangeGroups);
    return { memory, board, groups };
  }

  function read(memory: LinearMemory, board: RangeBoard, makers: readonly RangeMaker[]): SortedRun {
    const made = Promise.all(makers.map((maker) => maker.make())).then(() => undefined, (error: unknown) => {
      board.stop();
      throw error;
    });
    made.catch(() => undefined);
    const closed = (): void => {
      makers.forEach((maker) => maker.close());
      board.free();
    };
    return rangesMadeElsewhere({ memory, board, made, rows: 1, closed });
  }

  test('without room, each has one range out at most; with it, no more than the reader is nearly at', async () => {
    for (const room of [false, true]) {
      const { memory, board, groups } = setUp(200);
      const kernel = createRangesTwin(memory);
      const makers = groups.map((each) => new RangeMaker({ memory, kernel, groups: each, board, scattered: [], hasRoom: () => room }));
      const run = read(memory, board, makers);
      let most = 0;
      const slowly: SortedRun = {
        ...run,
        close: () => run.close(),
        async fill(ptr, capacity) {
          for (let turns = 0; turns < 60; turns++) await turn();
          most = Math.max(most, memory.pagesInUse);
          return run.fill(ptr, capacity);
        },
      };
      const totals = await readRun(memory, slowly, ROW_LIMIT);
      assert.deepEqual(totals.map(({ region }) => region), Array.from({ length: 200 }, (_, i) => i).filter((i) => i % 5 !== 4));
      assert.ok(room ? most > 10 && most < 40 : most <= 2, `${most} pages`);
      assert.deepEqual([memory.pagesInUse, memory.slabsInUse], [0, 0]);
    }
  });

  test('a failure of one ends the others and the reader, which is told of it; all pages are given back', async () => {
    const { memory, board, groups } = setUp(50, (range) => {
      if (range === 20) throw new EtlError('ETL_MEMORY', 'No page is left.');
    });
    const kernel = createRangesTwin(memory);
    const makers = groups.map((each) => new RangeMaker({ memory, kernel, groups: each, board, scattered: [], hasRoom: () => true }));
    const run = read(memory, board, makers);
    await assert.rejects(readRun(memory, run, ROW_LIMIT), { code: 'ETL_MEMORY' });
    await run.close();
    assert.deepEqual([memory.pagesInUse, memory.slabsInUse], [0, 1], 'all but the buffer of the test');
  });

  test('a reader that closes early ends them', async () => {
    const { memory, board, groups } = setUp(500);
    const kernel = createRangesTwin(memory);
    const makers = groups.map((each) => new RangeMaker({ memory, kernel, groups: each, board, scattered: [], hasRoom: () => true }));
    const run = read(memory, board, makers);
    const buffer = memory.slab(ROW_LIMIT, 'test');
    assert.ok(await run.fill(buffer, ROW_LIMIT) > 0, 'rows');
    await run.close();
    memory.giveSlab(buffer, ROW_LIMIT);
    assert.deepEqual([memory.pagesInUse, memory.slabsInUse], [0, 0]);
  });
});

suite('a board', () => {
  test('is read in order, whoever makes what; waiting ends when it is stopped', async () => {
    const memory = new LinearMemory();
    const board = RangeBoard.create(memory, 3);
    const other = new RangeBoard(memory, board.at);
    assert.deepEqual([board.claim(), other.claim(), board.claim(), other.claim()], [0, 1, 2, undefined]);
    other.setMade(1, 16384);
    assert.deepEqual([board.isMade(0), board.isMade(1), board.chainOf(1)], [false, true, 16384]);
    const waiting = board.untilMade(0)!;
    other.setMade(0, 0);
    await waiting;
    assert.equal(board.chainOf(0), 0);
    const last = board.untilMade(2)!;
    other.stop();
    await assert.rejects(last, { code: 'ETL_ABORTED' });
    assert.throws(() => board.claim(), { code: 'ETL_ABORTED' });
    board.free();
    assert.equal(memory.slabsInUse, 0);
  });

  test('what made it fail is what its reader is told', async () => {
    const memory = new LinearMemory();
    const board = RangeBoard.create(memory, 3);
    const made = Promise.reject(new EtlError('ETL_WORKER', 'A thread has ended.'));
    made.catch(() => undefined);
    let closed = 0;
    const sorted = rangesMadeElsewhere({ memory, board, made, rows: 1, closed: () => void closed++ });
    const filling = sorted.fill(65536, ROW_LIMIT);
    board.stop();
    await assert.rejects(async () => filling, { code: 'ETL_WORKER' });
    await assert.rejects(async () => sorted.fill(65536, ROW_LIMIT), { code: 'ETL_WORKER' });
    await sorted.close();
    await sorted.close();
    assert.equal(closed, 1);
    assert.throws(() => sorted.fill(65536, ROW_LIMIT), { code: 'ETL_INTERNAL' });
  });
});
