import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { newCounters } from '../../lib/core/counters.ts';
import { EtlError } from '../../lib/core/errors.ts';
import type { ResultBatch } from '../../lib/core/stage.ts';
import { RUN_USER, RUN_USER_LEN } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createMergeTwin, type MergeKernel } from '../../lib/kernels/twins/merge.ts';
import { mergeRuns, type MergeOptions } from '../../lib/merge/merge.ts';
import type { RunStore } from '../../lib/merge/passes.ts';
import { MIN_BUFFER_BYTES } from '../../lib/merge/sources.ts';
import { random } from '../random.ts';
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
function storeIn(memory: LinearMemory): RunStore & { runs: number; discarded: number } {
  return {
    runs: 0,
    discarded: 0,
    async create() {
      const store = this;
      const parts: Buffer[] = [];
      store.runs++;
      return {
        async write(rows) {
          parts.push(Buffer.from(rows));
        },
        finish(rows) {
          const bytes = Buffer.concat(parts);
          let at = 0;
          return {
            rows,
            async fill(ptr, capacity) {
              const start = at;
              const sizeAt = (row: number): number => RUN_USER + bytes.readUInt32LE(row + RUN_USER_LEN);
              while (at < bytes.length && at + sizeAt(at) - start <= capacity) at += sizeAt(at);
              memory.bytes(ptr, at - start).set(bytes.subarray(start, at));
              return at - start;
            },
            async close() {},
          };
        },
        async discard() {
          store.discarded++;
        },
      };
    },
  };
}

for (const [name, makeKernel] of Object.entries(kernels)) {
  suite(`merge, ${name}`, () => {
    async function setUp(groupBy: GroupBy, rows: readonly (readonly RunRow[])[], options: Partial<MergeOptions> = {}) {
      const memory = new LinearMemory();
      const counters = newCounters();
      const runs = rows.map((part) => runOf(memory, sortedRun(part, groupBy)));
      const all = {
        memory, counters, runs, regions, groupBy, kernel: await makeKernel(memory), maxRows: 100, maxBytes: 1000, ...options,
      };
      return { ...all, runs: all.runs as TestRun[], all };
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
          const made = await setUp(groupBy, parts, { maxRows, maxBytes, bufferBytes });
          const runs = parts.map((part) =>
            runOf(made.memory, sortedRun(part, groupBy), 1 + Math.floor(next() * 9), next() < 0.3));
          const groups = await readGroups(mergeRuns({ ...made.all, runs }));
          const expected = model(rows, groupBy, maxRows, maxBytes);
          assert.deepEqual(groups, expected, `seed ${seed}`);
          assert.equal(made.counters.groups, expected.reduce((sum, { users }) => sum + users.length, 0));
          assert.ok(runs.every(({ closed }) => closed > 0));
          if (rows.length > 500) assert.ok(runs.some(({ fills }) => fills > 2), 'buffers were refilled');
          assert.equal(made.memory.pagesInUse, 0);
        }
      });

      test(`more runs than the fan-in are merged in passes, by ${groupBy}`, async () => {
        const next = random(9);
        const parts = Array.from({ length: 23 }, () => Array.from({ length: 60 }, () => randomRow(next)));
        for (const fanIn of [2, 3, 22, 23]) {
          const made = await setUp(groupBy, parts, { fanIn, bufferBytes: MIN_BUFFER_BYTES });
          const temp = storeIn(made.memory);
          const groups = await readGroups(mergeRuns({ ...made.all, temp }));
          assert.deepEqual(groups, model(parts.flat(), groupBy, 100, 1000));
          assert.equal(temp.runs, Math.ceil((23 - fanIn) / (fanIn - 1)), 'as few passes as can be');
          assert.equal(temp.discarded, 0);
          assert.ok(made.runs.every(({ closed }) => closed > 0));
          assert.equal(made.memory.pagesInUse, 0);
        }
      });
    }

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

    test('at most two batches are out, and what they show stays until their release', async () => {
      const rows = Array.from({ length: 10 }, (_, i) => ({ region: 0, user: Buffer.from(`u${i}`), sum: BigInt(i), count: 1n }));
      const { all } = await setUp('region', [rows], { maxRows: 1 });
      const merged = mergeRuns(all);
      const held: ResultBatch[] = [];
      merged.on('data', (batch: ResultBatch) => held.push(batch));
      const ended = new Promise((resolve) => merged.on('end', resolve));
      for (let i = 0; i < 10; i++) {
        while (held.length < Math.min(i + 2, 10)) await new Promise(setImmediate);
        for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
        assert.equal(held.length, Math.min(i + 2, 10));
        assert.deepEqual(copyBatch(held[i]!).totals, [BigInt(i)]);
        held[i]!.release();
        held[i]!.release();
      }
      await ended;
    });

    test('a run that fails, and a merge that is destroyed while it reads or waits, close all runs', async () => {
      const rows = Array.from({ length: 300 }, (_, i) => ({ region: 0, user: Buffer.from(`u${i}`), sum: 1n, count: 1n }));
      const failing = await setUp('region', [rows, rows]);
      failing.runs[1]!.fill = () => Promise.reject(new EtlError('ETL_TEMP_WRITE', 'The disk is gone.'));
      await assert.rejects(readGroups(mergeRuns(failing.all)), /The disk is gone/);
      assert.deepEqual(failing.runs.map(({ closed }) => closed > 0), [true, true]);

      for (let turns = 0; turns < 12; turns++) {
        const { all, memory, runs } = await setUp('region', [], { maxRows: 50 });
        const slow = [runOf(memory, rows, 7, true), runOf(memory, rows, 9, true)];
        assert.deepEqual(runs, []);
        const merged = mergeRuns({ ...all, runs: slow });
        merged.resume().on('data', () => {}); // never released: the third batch waits
        for (let turn = 0; turn < turns * 8; turn++) await new Promise(setImmediate);
        merged.destroy();
        await new Promise((resolve) => merged.on('close', resolve));
        assert.deepEqual(slow.map(({ closed }) => closed > 0), [true, true], `after ${turns * 8} turns`);
        assert.equal(memory.pagesInUse, 0);
      }
    });
  });
}
