/** The aggregate's promise about memory: within its limit, within what linear memory has, and always the same totals. */
import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { Aggregator } from '../../lib/aggregate/aggregator.ts';
import { openRun } from '../../lib/aggregate/runs.ts';
import { newCounters } from '../../lib/core/counters.ts';
import { EtlError } from '../../lib/core/errors.ts';
import type { SortedRun } from '../../lib/core/stage.ts';
import { MIN_SLOTS, SLOT_BYTES } from '../../lib/kernels/aggregate-layout.ts';
import { MAX_USER_BYTES, PAGE_BYTES } from '../../lib/kernels/layout.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createAggregateTwin, type AggregateKernel } from '../../lib/kernels/twins/aggregate.ts';
import { createSpillTwin, type SpillKernel } from '../../lib/kernels/twins/spill.ts';
import { RunFiles } from '../../lib/spill/run-files.ts';
import { RUNS_PER_FILE } from '../../lib/spill/shared-files.ts';
import { SpillSpace } from '../../lib/spill/spill-space.ts';
import { random } from '../random.ts';
import { spillSpace, systemError } from '../spill/disk.ts';
import { temporaryFolder } from '../temporary.ts';
import { addUp, assertInOrder, randomUser, randomValue, readRun, show, writeRows, type Order, type Row, type Total } from './rows.ts';

const LEAST = MIN_SLOTS * SLOT_BYTES + PAGE_BYTES;

/** Knows the most bytes that slots and pages took together, and the sizes of the slabs of slots. */
class WatchedMemory extends LinearMemory {
  most = 0;
  /** Of each slab of slots, in order. */
  readonly sizes: number[] = [];
  /** How often there were two at once. */
  moves = 0;
  #slots = new Map<number, number>();

  override trySlab(bytes: number, purpose: string): number {
    return this.#note(super.trySlab(bytes, purpose), bytes, purpose);
  }

  override trySlabOfPages(bytes: number, purpose: string): number {
    return this.#note(super.trySlabOfPages(bytes, purpose), bytes, purpose);
  }

  #note(at: number, bytes: number, purpose: string): number {
    if (at !== 0 && purpose === 'slots of totals') {
      this.#slots.set(at, bytes);
      this.sizes.push(bytes);
      if (this.#slots.size > 1) this.moves++;
    }
    this.watch();
    return at;
  }

  /** Takes `count` pages, or all. */
  takePages(count = Infinity): number[] {
    const pages: number[] = [];
    while (pages.length < count && this.refillPool()) pages.push(this.takePageIfAny());
    return pages;
  }

  override giveSlab(at: number, bytes: number): void {
    this.watch();
    this.#slots.delete(at);
    super.giveSlab(at, bytes);
  }

  watch(): void {
    const slots = [...this.#slots.values()].reduce((sum, bytes) => sum + bytes, 0);
    this.most = Math.max(this.most, slots + this.pagesInUse * PAGE_BYTES);
  }
}

interface Kernels {
  aggregate(memory: LinearMemory): Promise<AggregateKernel>;
  spill(memory: LinearMemory): Promise<SpillKernel>;
}
const wasm: Kernels = { aggregate: (memory) => loadKernel('aggregate', memory), spill: (memory) => loadKernel('spill', memory) };
const twin: Kernels = { aggregate: async (memory) => createAggregateTwin(memory), spill: async (memory) => createSpillTwin(memory) };

const numbered = (count: number, users: number, regions: number): Row[] =>
  Array.from({ length: count }, (_, i) => ({ region: (i * 7) % regions, user: Buffer.from(`user_${(i * 7919) % users}`), value: BigInt(i) - 50n }));

const models = new WeakMap<readonly Row[], Map<Order, string[]>>();

/** What the rows add up to; told once for each array. */
function expected(rows: readonly Row[], order: Order): string[] {
  const known = models.get(rows) ?? new Map<Order, string[]>();
  models.set(rows, known);
  const model = known.get(order) ?? show(addUp(rows, order));
  known.set(order, model);
  return model;
}

interface Case {
  readonly kernels?: Kernels;
  readonly bytes?: number;
  readonly order?: Order;
  readonly memory?: WatchedMemory;
  /** Rows of one call of `add`. */
  readonly list?: number;
  /** Called before the aggregator is made. */
  readonly first?: (memory: WatchedMemory) => void;
  /** Called before each call of `add`. */
  readonly before?: (memory: WatchedMemory, call: number) => void;
  readonly spill?: SpillSpace;
}

suite('the aggregate within its limits', () => {
  async function run(context: TestContext, rows: readonly Row[], options: Case = {}) {
    const { kernels = wasm, bytes = Infinity, order = 'region', memory = new WatchedMemory(), list = 1000, first, before } = options;
    const counters = newCounters();
    const spill = options.spill ?? new SpillSpace({ folder: temporaryFolder(context), counters });
    const kernel = await kernels.aggregate(memory);
    const written = writeRows(memory, rows);
    const slabs = memory.slabsInUse;
    let aggregator: Aggregator | undefined;
    let runs: SortedRun[] = [];
    const totals: Total[][] = [];
    try {
      first?.(memory);
      const files = new RunFiles({ spill, memory, kernel: await kernels.spill(memory) });
      const owner = aggregator = new Aggregator({
        memory, kernel, counters, groupBy: order, regions: 250, unknownRegion: 7, limits: { bytes }, temp: files,
      });
      for (let from = 0, call = 0; from < rows.length; from += list, call++) {
        before?.(memory, call);
        await aggregator.add({ ptr: written.ptr + from * 4, count: Math.min(list, rows.length - from) });
        memory.watch();
      }
      runs = (await aggregator.finish()).map((run) => openRun(run, { kernel, files, giveBack: () => owner.giveBack(run) }));
      for (const sorted of runs) totals.push(await readRun(memory, sorted, 1 << 14));
    } finally {
      await Promise.all(runs.map((sorted) => sorted.close()));
      await aggregator?.close();
      assert.equal(memory.slabsInUse, slabs, 'all slabs are given back');
      assert.equal(spill.bytes, 0, 'all files are closed');
      written.free();
    }
    for (const part of totals) assertInOrder(part, order);
    assert.deepEqual(show(addUp(totals.flat(), order)), expected(rows, order));
    assert.equal(counters.unknownRegion, rows.filter(({ region }) => region === 7).length);
    assert.equal(counters.runs, totals.length);
    assert.equal(counters.spilledFiles, Math.ceil(counters.runsSpilled / RUNS_PER_FILE));
    return { counters, memory, groups: totals.map((part) => part.length) };
  }

  const shapes: Record<string, Row[]> = {
    'all users unique': numbered(5500, 5500, 3),
    'one user': numbered(5000, 1, 1),
    'one user in 250 regions': numbered(5000, 1, 250),
    '250 regions': numbered(6000, 900, 250),
    'users of 8 KB': Array.from({ length: 50 }, (_, i) => ({ region: i % 3, user: Buffer.alloc(MAX_USER_BYTES - (i % 5), 1 + (i % 120)), value: 1n })),
    'short users, then long ones': [...numbered(2000, 2000, 2), ...numbered(60, 60, 2).map((row) => ({ ...row, user: Buffer.concat([row.user, Buffer.alloc(8000)]) }))],
  };
  for (const [shape, rows] of Object.entries(shapes)) {
    test(`${shape}: the limit holds at every border`, async (context) => {
      const spills = new Set<number>();
      for (const border of [0, LEAST, 3 * PAGE_BYTES, 4 * PAGE_BYTES, 7 * PAGE_BYTES, 20 * PAGE_BYTES, 200 * PAGE_BYTES]) {
        for (const bytes of [border - 1, border, border + 1].filter((limit) => limit >= 0)) {
          const { memory, counters } = await run(context, rows, { bytes, order: border % 3 ? 'user' : 'region' });
          assert.ok(memory.most <= Math.max(bytes, LEAST), `${memory.most} bytes of ${bytes}`);
          spills.add(counters.runsSpilled);
        }
      }
      assert.ok(spills.has(0), 'the largest limit is enough');
      if (!shape.startsWith('one user')) assert.ok(spills.size > 3, 'the smaller ones are not');
    });
  }

  for (const [name, kernels] of Object.entries({ wasm, twin })) {
    test(`linear memory that ends anywhere, ${name}`, async (context) => {
      const next = random(7);
      const rows = Array.from({ length: name === 'wasm' ? 5000 : 3000 }, () => ({ region: Math.floor(next() * 50), user: randomUser(next, 2000), value: randomValue(next) }));
      const outcomes = { refused: 0, spilled: 0, free: 0 };
      const probe = new WatchedMemory();
      writeRows(probe, rows);
      const step = PAGE_BYTES * (name === 'wasm' ? 1 : 5);
      for (let limit = probe.size; outcomes.free < 2; limit += outcomes.spilled > 20 ? 9 * step : step) {
        const memory = new WatchedMemory({ limit });
        try {
          const { counters } = await run(context, rows, { kernels, memory, list: 500 });
          outcomes[counters.runsSpilled > 0 ? 'spilled' : 'free']++;
        } catch (error) {
          assert.ok(error instanceof EtlError && error.code === 'ETL_MEMORY', String(error));
          assert.equal(outcomes.spilled, 0, `${limit} bytes are too few, but less was enough`);
          outcomes.refused++;
        }
        assert.equal(memory.pagesInUse, 0);
        assert.equal(memory.slabsInUse, 0);
      }
      assert.ok(outcomes.refused > 1 && outcomes.spilled > 5, JSON.stringify(outcomes));
    });
  }

  test('slots and groups run out together, at any limit', async (context) => {
    const rows = numbered(26_000, 26_000, 5);
    for (let bytes = 300_000; bytes < 1_250_000; bytes *= 1.21) {
      const { groups, memory } = await run(context, rows, { bytes });
      assert.ok(memory.most <= bytes, `${memory.most} bytes of ${bytes}`);
      // 12 bytes of slots and 42 of pages, were the slab no power of two.
      for (const rows of groups.slice(0, -1)) assert.ok(rows > (bytes / 54) * 0.7, `${rows} groups in ${bytes} bytes`);
    }
  });

  test('the slab is taken at its full size, and no more is touched than groups need', async (context) => {
    const memory = new WatchedMemory({ limit: 32 << 20 });
    const at = memory.slab(16 << 20, 'garbage');
    memory.bytes(at, 16 << 20).fill(0xaa);
    memory.giveSlab(at, 16 << 20);
    const spill = spillSpace(context).spill;
    const aggregator = new Aggregator({
      memory, kernel: await wasm.aggregate(memory), counters: newCounters(), groupBy: 'region', regions: 250, unknownRegion: 7,
      limits: { bytes: 25 << 20 }, temp: new RunFiles({ spill, memory, kernel: await wasm.spill(memory) }),
    });
    const buffers = 512 << 10;
    const list = writeRows(memory, numbered(1000, 1000, 3));
    await aggregator.add(list);
    assert.deepEqual(memory.sizes, [8 << 20]);
    const touched = memory.bytes(at, 16 << 20).filter((byte) => byte !== 0xaa).length;
    assert.ok(touched < buffers + (256 << 10), `${touched} bytes are touched`);
    await aggregator.close();
    list.free();
  });

  test('pages of others lie scattered: runs are small, and as large as ever when these are given back', async (context) => {
    const rows = numbered(70_000, 70_000, 5);
    const bytes = 1 << 20;
    const newMemory = (): WatchedMemory => new WatchedMemory({ limit: 9 << 20, workspace: 8 << 20 });
    const roomy = await run(context, rows, { bytes, list: 4000, memory: newMemory() });
    const others: number[] = [];
    const { groups, memory } = await run(context, rows, {
      bytes,
      list: 4000,
      memory: newMemory(),
      first: (memory) => {
        // Of every 8 pages they keep one.
        for (const [i, page] of memory.takePages().entries()) {
          if (i % 8 === 0) others.push(page);
          else memory.givePage(page);
        }
      },
      before: (memory, call) => {
        if (call === 7) for (const page of others.splice(0)) memory.givePage(page);
      },
    });
    assert.ok(memory.sizes[0]! < roomy.memory.sizes[0]!, 'no slab of the useful size was to be had');
    assert.equal(memory.sizes.at(-1), roomy.memory.sizes[0], 'later it was');
    assert.ok(groups[0]! < roomy.groups[0]! / 2 && groups.at(-2)! > roomy.groups[0]! * 0.99, `${groups} groups, and with room ${roomy.groups}`);
    assert.ok(memory.most <= bytes);
    assert.equal(memory.pagesInUse, 0);
  });

  test('others give memory back before the table is full: its slots move to a larger slab, and no run is written', async (context) => {
    const rows = numbered(20_000, 20_000, 5);
    for (const kernels of [wasm, twin]) {
      const part = kernels === wasm ? rows : rows.slice(0, 5000);
      const memory = new WatchedMemory({ limit: 24 << 20, workspace: 8 << 20 });
      let others: number[] = [];
      const { counters } = await run(context, part, {
        memory,
        kernels,
        first: () => {
          others = memory.takePages();
          for (const page of others.splice(-10)) memory.givePage(page);
        },
        before: (_, call) => {
          if (call === 1) for (const page of others.splice(0)) memory.givePage(page);
        },
      });
      assert.ok(memory.moves > 0, `moved ${memory.moves} times`);
      assert.equal(counters.runsSpilled, 0);
      assert.equal(memory.pagesInUse, 0);
    }
  });

  test('others take all that is left: the slab gets smaller, down to the last page', async (context) => {
    const memory = new WatchedMemory({ limit: 8 << 20 });
    let others: number[] = [];
    const { counters } = await run(context, numbered(20_000, 20_000, 5), {
      memory,
      before: () => {
        others.push(...memory.takePages());
      },
    });
    assert.ok(memory.sizes[0]! > 1 << 20 && memory.sizes.at(-1)! <= 2 * MIN_SLOTS * SLOT_BYTES, `${memory.sizes}`);
    assert.ok(counters.runsSpilled > 10);
    assert.equal(memory.pagesInUse, others.length);
  });

  test('others take every page: one half of the slab becomes pages, unless it is the smallest: ETL_MEMORY', async (context) => {
    const rows = numbered(2500, 2500, 1);
    const smallest = new Set<number>();
    for (let pages = 1; pages < 40; pages += pages < 12 ? 1 : 6) {
      const memory = new WatchedMemory({ limit: (1 << 20) + pages * PAGE_BYTES, workspace: 1 << 20 });
      let held = 0;
      const before = (): void => {
        held ||= memory.takePages().length;
      };
      const running = run(context, rows, { memory, before });
      const first = (): number => memory.sizes[0]!;
      if (pages < 6) {
        await assert.rejects(running, (error) => error instanceof EtlError && error.code === 'ETL_MEMORY', `${pages} pages`);
        assert.equal(first(), MIN_SLOTS * SLOT_BYTES);
      } else {
        await running;
        assert.equal(memory.sizes[1], first() / 2);
        smallest.add(first());
      }
      assert.equal(memory.pagesInUse, held);
    }
    assert.deepEqual([...smallest], [2, 4, 8].map((pages) => pages * PAGE_BYTES));
  });

  test('memory that ends while the table is made is given back', async () => {
    for (let limit = 65536; ; limit += PAGE_BYTES) {
      const memory = new WatchedMemory({ limit });
      const kernel = await wasm.aggregate(memory);
      const make = (): Aggregator => new Aggregator({
        memory, kernel, counters: newCounters(), groupBy: 'user', regions: 9000, unknownRegion: 0, limits: { bytes: 0 }, temp: undefined as unknown as RunFiles,
      });
      try {
        const aggregator = make();
        assert.equal(memory.slabsInUse, 3);
        await aggregator.close();
        break;
      } catch (error) {
        assert.ok(error instanceof EtlError && error.code === 'ETL_MEMORY');
      } finally {
        assert.equal(memory.slabsInUse, 0);
        assert.equal(memory.pagesInUse, 0);
      }
    }
  });

  test('a disk that fills up while a run is written: the error comes out, nothing is held', async (context) => {
    for (const writes of [0, 1, 3]) {
      let done = 0;
      const { spill } = spillSpace(context, { write: (bytes) => { if (done++ === writes) throw systemError('ENOSPC'); return bytes; } });
      const memory = new WatchedMemory();
      const failing = run(context, numbered(20_000, 20_000, 3), { memory, spill, bytes: 20 * PAGE_BYTES });
      await assert.rejects(failing, (error) => error instanceof EtlError && error.code === 'ETL_TEMP_WRITE' && /full/.test(error.hint ?? ''));
      assert.equal(memory.pagesInUse, 0);
    }
  });

  test('closing while a run is written stops it', async (context) => {
    const memory = new WatchedMemory();
    const { spill } = spillSpace(context);
    const rows = writeRows(memory, numbered(5000, 5000, 3));
    const slabs = memory.slabsInUse;
    const aggregator = new Aggregator({
      memory, kernel: await wasm.aggregate(memory), counters: newCounters(), groupBy: 'region', regions: 3, unknownRegion: 0,
      limits: { bytes: 0 }, temp: new RunFiles({ spill, memory, kernel: await wasm.spill(memory) }),
    });
    const adding = aggregator.add(rows);
    assert.throws(() => aggregator.add(rows), { code: 'ETL_INTERNAL' }, 'one list at a time');
    await Promise.all([assert.rejects(adding!, { code: 'ETL_ABORTED' }), aggregator.close()]);
    assert.deepEqual([memory.pagesInUse, memory.slabsInUse, spill.bytes], [0, slabs, 0]);
  });

  test('a region number that cannot be is a bug', async (context) => {
    await assert.rejects(run(context, numbered(10, 10, 1).map((row) => ({ ...row, region: 250 }))), { code: 'ETL_INTERNAL' });
  });

  test('sums of runs are exact past 64 bits', async (context) => {
    const value = (user: number): bigint => (user % 2 ? 2n ** 63n - 1n : -(2n ** 63n));
    const rows = Array.from({ length: 8000 }, (_, i) => ({ region: 0, user: Buffer.from(String(i >> 3)), value: value(i >> 3) }));
    const { counters } = await run(context, [...rows, ...rows], { bytes: LEAST });
    assert.ok(counters.runsSpilled > 1);
  });
});
