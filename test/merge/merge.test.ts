import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { newCounters } from '../../lib/core/counters.ts';
import { EtlError } from '../../lib/core/errors.ts';
import type { ResultBatch } from '../../lib/core/stage.ts';
import { FIRST_FREE_AT, PAGE_BYTES, RUN_USER, RUN_USER_LEN } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createMergeTwin, type MergeKernel } from '../../lib/kernels/twins/merge.ts';
import { mergeRuns, type MergeOptions } from '../../lib/merge/merge.ts';
import { WRITE_BYTES } from '../../lib/merge/passes.ts';
import { MIN_BUFFER_BYTES } from '../../lib/merge/sources.ts';
import type { SpillKernel } from '../../lib/kernels/twins/spill.ts';
import { READ_BYTES_LEAST, RunFiles, type RunStore } from '../../lib/spill/run-files.ts';
import { random } from '../random.ts';
import { spillSpace } from '../spill/disk.ts';
import { copyBatch, readGroups, runOf, type Group, type RunRow, type TestRun } from './runs.ts';

const regions = Array.from({ length: 250 }, (_, i) => `R${String(i).padStart(3, '0')}`);
const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);

type GroupBy = 'region' | 'user';

function compare(groupBy: GroupBy): (a: RunRow, b: RunRow) => number {
  return (a, b) => {
    const users = Buffer.compare(a.user, b.user);
    return groupBy === 'region' ? a.region - b.region || users : users || a.region - b.region;
  };
}

/** Equal keys of one run added up, in order. */
function sortedRun(rows: readonly RunRow[], groupBy: GroupBy): RunRow[] {
  const byKey = new Map<string, RunRow>();
  for (const row of rows) {
    const key = `${row.region}:${row.user.toString('latin1')}`;
    const old = byKey.get(key);
    byKey.set(key, old ? { ...row, sum: old.sum + row.sum, count: old.count + row.count } : row);
  }
  return [...byKey.values()].sort(compare(groupBy));
}

/** The oracle: what the merge must give, row groups included. */
function model(rows: readonly RunRow[], groupBy: GroupBy, maxRows: number, maxBytes: number): Group[] {
  const groups: Group[] = [];
  let bytes = 0;
  const put = (user: Buffer, region: string | undefined, total: bigint, count: bigint, top: string | undefined): void => {
    let group = groups.at(-1);
    if (!group || group.region !== region || group.users.length === maxRows || bytes + user.length > maxBytes) {
      group = { region, users: [], totals: [], counts: [], tops: top === undefined ? undefined : [] };
      groups.push(group);
      bytes = 0;
    }
    bytes += user.length;
    group.users.push(user.toString('hex'));
    group.totals.push(total);
    group.counts.push(count);
    if (top !== undefined) (group.tops as string[]).push(top);
  };
  const merged = sortedRun(rows, groupBy);
  if (groupBy === 'region') {
    for (const { user, region, sum, count } of merged) put(user, regions[region], sum, count, undefined);
    return groups;
  }
  const byUser = new Map<string, RunRow[]>();
  for (const row of merged) byUser.set(row.user.toString('hex'), [...(byUser.get(row.user.toString('hex')) ?? []), row]);
  for (const parts of byUser.values()) {
    const best = parts.reduce((a, b) => (b.sum > a.sum ? b : a));
    const total = parts.reduce((sum, part) => sum + part.sum, 0n);
    put(parts[0]!.user, undefined, total, parts.reduce((sum, part) => sum + part.count, 0n), regions[best.region]);
  }
  return groups;
}

function randomRow(next: () => number): RunRow {
  const n = Math.floor(next() * 60);
  const prefixed = Buffer.concat([Buffer.alloc(50, 'p'), Buffer.from([n])]);
  const users = [Buffer.from(`user_${n}`), Buffer.alloc(n), Buffer.alloc(n % 9, 255), prefixed];
  return {
    region: Math.floor(next() * 8), user: next() < 0.005 ? Buffer.alloc(8192 - (n % 3), 'x') : users[n % 4]!,
    sum: BigInt(Math.floor(next() * 3) - 1), count: BigInt(Math.floor(next() * 5) + 1),
  };
}

const kernels: Record<string, (memory: LinearMemory) => Promise<MergeKernel>> = {
  wasm: (memory) => loadKernel<MergeKernel>('merge', memory),
  twin: async (memory) => createMergeTwin(memory),
};

/** A store of merged runs in memory. */
interface TestStore extends RunStore {
  /** Rows of each run that was made. */
  readonly rows: number[];
  discarded: number;
  /** Runs that are neither closed nor discarded. */
  open: number;
}

function storeIn(memory: LinearMemory): TestStore {
  const store: TestStore = {
    rows: [],
    discarded: 0,
    open: 0,
    async create() {
      const parts: Buffer[] = [];
      store.open++;
      return {
        async write(ptr, bytes) {
          parts.push(Buffer.from(memory.bytes(ptr, bytes)));
        },
        async finish(rows) {
          const bytes = Buffer.concat(parts);
          let at = 0;
          let closed = false;
          store.rows.push(rows);
          return {
            rows,
            async fill(ptr, capacity) {
              const start = at;
              const sizeAt = (row: number): number => RUN_USER + bytes.readUInt32LE(row + RUN_USER_LEN);
              while (at < bytes.length && at + sizeAt(at) - start <= capacity) at += sizeAt(at);
              memory.bytes(ptr, at - start).set(bytes.subarray(start, at));
              return at - start;
            },
            async close() {
              if (!closed) store.open--;
              closed = true;
            },
          };
        },
        async discard() {
          store.open--;
          store.discarded++;
        },
      };
    },
  };
  return store;
}

/** Nothing of linear memory is held any more. */
function assertReturned(memory: LinearMemory, message?: string): void {
  assert.deepEqual([memory.slabsInUse, memory.pagesInUse], [0, 0], message);
}

for (const [name, makeKernel] of Object.entries(kernels)) {
  suite(`merge, ${name}`, () => {
    async function setUp(
      groupBy: GroupBy, rows: readonly (readonly RunRow[])[], options: Partial<MergeOptions> = {}, memory = new LinearMemory(),
    ) {
      const counters = newCounters();
      const runs = rows.map((part) => runOf(memory, sortedRun(part, groupBy)));
      const temp = storeIn(memory);
      const all: MergeOptions = {
        memory, counters, runs, regions, groupBy, kernel: await makeKernel(memory), maxRows: 100, maxBytes: 1000, temp, ...options,
      };
      return { memory, counters, runs, temp, all };
    }

    for (const groupBy of ['region', 'user'] as const) {
      test(`any runs and buffers give the row groups of the model, by ${groupBy}`, async () => {
        for (let seed = 1; seed <= 40; seed++) {
          const next = random(seed);
          const rows = Array.from({ length: Math.floor(next() * 1500) }, () => randomRow(next));
          const parts: RunRow[][] = Array.from({ length: 1 + Math.floor(next() ** 2 * 20) }, () => []);
          for (const row of rows) parts[Math.floor(next() * parts.length)]!.push(row);
          const maxRows = 1 + Math.floor(next() ** 3 * 200);
          const maxBytes = 1 + Math.floor(next() ** 3 * 20000);
          const bufferBytes = MIN_BUFFER_BYTES + Math.floor(next() * 20000);
          const made = await setUp(groupBy, parts, { maxRows, maxBytes, bufferBytes, columnAreas: 1 + (seed % 2) });
          const runs = parts.map((part) =>
            runOf(made.memory, sortedRun(part, groupBy), 1 + Math.floor(next() * 9), next() < 0.3));
          const groups = await readGroups(mergeRuns({ ...made.all, runs }));
          const expected = model(rows, groupBy, maxRows, maxBytes);
          assert.deepEqual(groups, expected, `seed ${seed}`);
          assert.equal(made.counters.groups, expected.reduce((sum, { users }) => sum + users.length, 0));
          assert.ok(runs.every(({ closed }) => closed > 0));
          if (rows.length > 500) assert.ok(runs.some(({ fills }) => fills > 2), 'buffers were refilled');
          assertReturned(made.memory, `seed ${seed}`);
        }
      });

      test(`users that have less and less in common, byte by byte, by ${groupBy}`, async () => {
        for (let seed = 1; seed <= 12; seed++) {
          const next = random(seed);
          const rows = Array.from({ length: 800 }, (_, i): RunRow => {
            const common = Buffer.alloc(Math.max(0, 11 - Math.floor(i / 60)), 'a');
            const tail = Array.from({ length: Math.floor(next() * 12) }, () => [0, 1, 97, 255][Math.floor(next() * 4)]!);
            return { region: Math.floor(i / 100), user: Buffer.concat([common, Buffer.from(tail)]), sum: 1n, count: 1n };
          });
          const parts: RunRow[][] = Array.from({ length: 2 + (seed % 7) }, () => []);
          for (const row of rows) for (const part of parts) if (next() < 0.6) part.push(row);
          const made = await setUp(groupBy, parts);
          assert.deepEqual(await readGroups(mergeRuns(made.all)), model(parts.flat(), groupBy, 100, 1000), `seed ${seed}`);
        }
      });

      test(`more runs than the fan-in are merged in passes, by ${groupBy}`, async () => {
        const next = random(9);
        const parts = Array.from({ length: 23 }, (_, i) => Array.from({ length: 20 + 4 * i }, () => randomRow(next)));
        for (const fanIn of [2, 3, 4, 7, 22, 23, 24]) {
          const made = await setUp(groupBy, parts, { fanIn, bufferBytes: MIN_BUFFER_BYTES, columnAreas: 1 });
          const groups = await readGroups(mergeRuns(made.all));
          assert.deepEqual(groups, model(parts.flat(), groupBy, 100, 1000));
          const merges = Math.max(1, Math.ceil((23 - 1) / (fanIn - 1)));
          assert.equal(made.temp.rows.length, merges - 1, 'as few as can be');
          assert.equal(made.counters.mergePasses, merges);
          assert.ok(fanIn > 4 || merges > 7, 'runs of merged runs are merged too');
          const rewritten = made.temp.rows.reduce((sum, rows) => sum + rows, 0);
          const bound = huffmanCost(made.runs.map(({ rows }) => rows), fanIn);
          assert.ok(rewritten <= bound, `fan-in ${fanIn}: ${rewritten} rows rewritten, ${bound} if none were equal`);
          assert.deepEqual([made.temp.open, made.temp.discarded], [0, 0]);
          assert.ok(made.runs.every(({ closed }) => closed > 0));
          assertReturned(made.memory);
        }
      });
    }

    test('by way of real files: 60 runs, fan-in 2, the smallest buffers, one area', async (context) => {
      const next = random(77);
      const parts = Array.from({ length: 60 }, () => Array.from({ length: 40 }, () => randomRow(next)));
      const { spill, counters: spilled } = spillSpace(context);
      const made = await setUp('user', parts, { fanIn: 2, bufferBytes: MIN_BUFFER_BYTES, columnAreas: 1 });
      const { memory } = made;
      const kernel = await loadKernel<SpillKernel>('spill', memory);
      const temp = new RunFiles({ spill, memory, kernel, readBytes: READ_BYTES_LEAST });
      const groups = await readGroups(mergeRuns({ ...made.all, temp }));
      assert.deepEqual(groups, model(parts.flat(), 'user', 100, 1000));
      assert.equal(made.counters.mergePasses, 59);
      assert.ok(spilled.spilledFiles >= 1 && spilled.spilledFiles < 10, `${spilled.spilledFiles} files`);
      assert.equal(spill.bytes, 0);
      assertReturned(memory);
    });

    test('of runs with as many rows, the last one, which is still in memory, is not rewritten', async () => {
      const parts = Array.from({ length: 5 }, (_, i) => [{ region: 0, user: Buffer.from(`u${i}`), sum: 1n, count: 1n }]);
      for (const fanIn of [3, 4]) {
        const { all, runs, temp } = await setUp('region', parts, { fanIn });
        const closedAt: number[] = [];
        runs.forEach((run, i) => {
          const close = run.close;
          run.close = () => (closedAt.push(i), close.call(run));
        });
        await readGroups(mergeRuns(all));
        assert.deepEqual(temp.rows, [fanIn === 3 ? 3 : 2]);
        assert.deepEqual(closedAt.slice(0, temp.rows[0]), fanIn === 3 ? [0, 1, 2] : [0, 1]);
      }
    });

    test('memory: what was announced is enough, less is ETL_MEMORY, and all goes back either way', async () => {
      const rows = Array.from({ length: 4000 }, (_, i) => ({ region: 0, user: Buffer.from(`user ${i}`), sum: 1n, count: 1n }));
      const parts = Array.from({ length: 9 }, (_, part) => rows.filter((_, i) => i % 9 === part));
      const pages = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
      const area = pages(100 * 24 + 4 + 8192 + 8);
      const sources = PAGE_BYTES + pages(3 * MIN_BUFFER_BYTES);
      for (const columnAreas of [1, 2]) {
        const needed = FIRST_FREE_AT + columnAreas * area + sources + WRITE_BYTES;
        for (const limit of [needed, needed - PAGE_BYTES, needed - WRITE_BYTES, needed - WRITE_BYTES - sources]) {
          const memory = new LinearMemory({ limit });
          const dirty = memory.slab(limit - FIRST_FREE_AT, 'all of it');
          memory.bytes(dirty, limit - FIRST_FREE_AT).fill(0xdb);
          memory.giveSlab(dirty, limit - FIRST_FREE_AT);
          const options = { fanIn: 3, bufferBytes: MIN_BUFFER_BYTES, columnAreas };
          const made = await setUp('region', parts, options, memory);
          const groups = readGroups(mergeRuns(made.all));
          if (limit === needed) assert.deepEqual(await groups, model(rows, 'region', 100, 1000));
          else await assert.rejects(groups, { code: 'ETL_MEMORY' });
          assert.ok(made.runs.every(({ closed }) => closed > 0));
          assert.equal(made.temp.open, 0);
          assertReturned(memory, `limit ${limit}`);
        }
      }
    });

    test('sums pass 64 bits and return', async () => {
      const user = Buffer.from('u');
      const sums = [MAX, MAX, MAX, MIN, MIN, 3n, MAX * 5n, MIN * 5n, -10n];
      const parts = sums.map((sum) => [{ region: 0, user, sum, count: 1n }]);
      const total = sums.reduce((a, b) => a + b);
      assert.ok(total <= MAX && total >= MIN);
      for (const groupBy of ['region', 'user'] as const) {
        const { all } = await setUp(groupBy, parts);
        const [group] = await readGroups(mergeRuns(all));
        assert.deepEqual(group!.totals, [total]);
        assert.deepEqual(group!.counts, [9n]);
      }
    });

    test('the borders of 64 bits and of maxTotal', async () => {
      const row = (user: string, sum: bigint): RunRow => ({ region: 3, user: Buffer.from(user), sum, count: 1n });
      const cases: [bigint, bigint | undefined, boolean][] = [
        [MAX, undefined, true], [MAX + 1n, undefined, false], [MIN, undefined, true], [MIN - 1n, undefined, false],
        [2n ** 64n, undefined, false], [-(2n ** 64n), undefined, false], [2n ** 126n, undefined, false],
        [99n, 100n, true], [100n, 100n, false], [-99n, 100n, true], [-100n, 100n, false], [MAX, 2n ** 63n, true],
      ];
      for (const groupBy of ['region', 'user'] as const) {
        for (const [sum, maxTotal, fits] of cases) {
          const made = await setUp(groupBy, [[row('a', 1n), row('bad"\n', sum), row('c', 1n)]], { maxTotal });
          const groups = readGroups(mergeRuns(made.all));
          if (fits) assert.equal((await groups)[0]!.totals[1], sum);
          else {
            await assert.rejects(groups, (error: unknown) => {
              assert.ok(error instanceof EtlError && error.code === 'ETL_VALUE_OVERFLOW');
              assert.match(error.message, /"bad\\"\\n"/);
              assert.ok(error.message.includes(String(sum)));
              if (groupBy === 'region') assert.match(error.message, /region R003/);
              return true;
            });
            assert.equal(made.runs[0]!.closed > 0, true);
          }
        }
      }
    });

    test('by user: the region with the largest total, the first of equals, over refills', async () => {
      const row = (user: string, region: number, sum: bigint): RunRow => ({ region, user: Buffer.from(user), sum, count: 1n });
      const parts = [
        [row('a', 5, 2n), row('a', 1, 2n), row('b', 0, -5n), row('c', 2, 10n), row('c', 3, 9n)],
        [row('a', 9, 1n), row('b', 4, -4n), row('c', 3, 1n), row('d', 7, -(2n ** 70n)), row('d', 8, 2n ** 70n)],
        [row('a', 9, 1n), row('c', 3, 1n), row('d', 6, 1n)],
      ];
      for (const rowsAtOnce of [1, 2, 3, 10]) {
        const { all, memory } = await setUp('user', parts);
        const runs = parts.map((part) => runOf(memory, sortedRun(part, 'user'), rowsAtOnce, rowsAtOnce === 2));
        const [group] = await readGroups(mergeRuns({ ...all, runs }));
        assert.deepEqual(group!.tops, ['R001', 'R004', 'R003', 'R008']);
        assert.deepEqual(group!.totals, [6n, -9n, 21n, 1n]);
      }
    });

    test('a region without a name is a bug, and says so', async () => {
      for (const groupBy of ['region', 'user'] as const) {
        const { all } = await setUp(groupBy, [[{ region: 250, user: Buffer.from('u'), sum: 1n, count: 1n }]]);
        await assert.rejects(readGroups(mergeRuns(all)), { name: 'EtlError', code: 'ETL_INTERNAL' });
      }
    });

    test('no runs and empty runs give nothing', async () => {
      assert.deepEqual(await readGroups(mergeRuns((await setUp('region', [])).all)), []);
      assert.deepEqual(await readGroups(mergeRuns((await setUp('user', [[], []])).all)), []);
    });

    for (const areas of [1, 2]) test(`at most ${areas} batches are out, and what they show stays until their release`, async () => {
      const rows = Array.from({ length: 10 }, (_, i) => ({ region: 0, user: Buffer.from(`u${i}`), sum: BigInt(i), count: 1n }));
      const { all, memory } = await setUp('region', [rows], { maxRows: 1, columnAreas: areas });
      const merged = mergeRuns(all);
      const held: ResultBatch[] = [];
      merged.on('data', (batch: ResultBatch) => held.push(batch));
      const ended = new Promise((resolve) => merged.on('end', resolve));
      for (let i = 0; i < 10; i++) {
        while (held.length < Math.min(i + areas, 10)) await new Promise(setImmediate);
        for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
        assert.equal(held.length, Math.min(i + areas, 10));
        assert.deepEqual(copyBatch(held[i]!).totals, [BigInt(i)]);
        held[i]!.release();
        assert.throws(() => held[i]!.release(), { code: 'ETL_INTERNAL' });
      }
      await ended;
      while (memory.slabsInUse > 0) await new Promise(setImmediate);
    });

    test('a run, a store or a close that fails: the error comes out, and everything is closed', async () => {
      const rows = Array.from({ length: 300 }, (_, i) => ({ region: 0, user: Buffer.from(`u${i}`), sum: 1n, count: 1n }));
      const gone = new EtlError('ETL_TEMP_WRITE', 'The disk is gone.');
      const fails = (): Promise<never> => Promise.reject(gone);
      const faults: Record<string, (made: { runs: TestRun[]; temp: TestStore }) => void> = {
        'first read': ({ runs }) => (runs[4]!.fill = fails),
        'later read': ({ runs }) => {
          const fill = runs[0]!.fill;
          runs[0]!.fill = function (ptr, capacity) {
            return this.fills > 1 ? fails() : fill.call(this, ptr, capacity);
          };
        },
        close: ({ runs }) => (runs[2]!.close = async function () {
          if (this.closed++ === 0) throw gone;
        }),
        create: ({ temp }) => (temp.create = fails),
        write: ({ temp }) => breakWriter(temp, 'write', fails),
        finish: ({ temp }) => breakWriter(temp, 'finish', fails),
      };
      for (const fanIn of [2, 3, 64]) {
        for (const [what, breakIt] of Object.entries(faults)) {
          if (fanIn === 64 && ['create', 'write', 'finish'].includes(what)) continue; // nothing is written then
          const memory = new LinearMemory();
          const made = await setUp('region', [], { fanIn }, memory);
          const runs = Array.from({ length: 5 }, () => runOf(memory, rows, 100, what === 'later read'));
          breakIt({ ...made, runs });
          await assert.rejects(readGroups(mergeRuns({ ...made.all, runs })), /The disk is gone/, `${what}, fan-in ${fanIn}`);
          assert.ok(runs.every(({ closed }) => closed > 0), `${what}, fan-in ${fanIn}`);
          assert.equal(made.temp.open, 0, `${what}, fan-in ${fanIn}`);
          assertReturned(memory, `${what}, fan-in ${fanIn}`);
        }
      }
    });

    test('destroyed while it reads, writes or waits: closes all runs and gives back all memory', async () => {
      const rows = Array.from({ length: 300 }, (_, i) => ({ region: 0, user: Buffer.from(`u${i}`), sum: 1n, count: 1n }));
      for (const fanIn of [2, 64]) {
        for (let turns = 0; turns < 16; turns++) {
          const { all, memory, temp } = await setUp('region', [], { maxRows: 50, fanIn });
          const slow = [runOf(memory, rows, 7, true), runOf(memory, rows, 9, true), runOf(memory, rows, 90, true)];
          const merged = mergeRuns({ ...all, runs: slow });
          merged.resume().on('data', () => {}); // never released: the third batch waits
          for (let turn = 0; turn < turns * 8; turn++) await new Promise(setImmediate);
          merged.destroy();
          await new Promise((resolve) => merged.on('close', resolve));
          assert.deepEqual(slow.map(({ closed }) => closed > 0), [true, true, true], `after ${turns * 8} turns`);
          assert.equal(temp.open, 0);
          assertReturned(memory, `after ${turns * 8} turns`);
        }
      }
    });
  });
}

function breakWriter(temp: TestStore, what: 'write' | 'finish', fails: () => Promise<never>): void {
  const { create } = temp;
  temp.create = async () => ({ ...(await create()), [what]: fails });
}

/** Rows that are written when runs of so many rows, none of them equal, are merged `fanIn` at a time in the best order. */
function huffmanCost(rows: readonly number[], fanIn: number): number {
  const left = [...rows];
  while (left.length > fanIn && (left.length - 1) % (fanIn - 1) !== 0) left.push(0);
  let cost = 0;
  while (left.length > fanIn) {
    left.sort((a, b) => a - b);
    const merged = left.splice(0, fanIn).reduce((sum, rows) => sum + rows);
    cost += merged;
    left.push(merged);
  }
  return cost;
}
