/** Merging pages of ids never changes which ids there are: in a state, over many commits, against a Set. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { HistoryKeySet } from '../../lib/dedup/history-key-set.ts';
import { PageMerger } from '../../lib/dedup/page-merger.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createDedupTwin, type DedupKernel } from '../../lib/kernels/twins/dedup.ts';
import { createIdPageTwin, type IdPageKernel } from '../../lib/kernels/twins/id-pages.ts';
import { openLevel } from '../../lib/state/database.ts';
import { pageKey } from '../../lib/state/keys.ts';
import type { NewCommit } from '../../lib/state/records.ts';
import { State } from '../../lib/state/state.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { readIdPage, type Id } from './id-page-reader.ts';
import { admitAll, AMPLE, ANY, chunkOf } from './key-set-conformance.ts';

type Kernel = DedupKernel & IdPageKernel;
const kernels: [string, (memory: LinearMemory) => Promise<Kernel>][] = [
  ['WASM', (memory) => loadKernel<Kernel>('dedup', memory)],
  ['twin', async (memory) => ({ ...createDedupTwin(memory), ...createIdPageTwin(memory) })],
];
const CONTENT: NewCommit = {
  version: '1', when: '2026-01-01T00:00:00Z', schema: {}, ids: 0, rows: { read: 0, counted: 0, duplicates: 0, rejected: 0 }, totals: [], regions: [],
};

/** A state, and ids that are counted into it as a run does. */
class Runs {
  readonly memory: LinearMemory;
  readonly kernel: Kernel;
  readonly folder: string;
  readonly known = new Set<string>();
  state: State;

  private constructor(memory: LinearMemory, kernel: Kernel, state: State) {
    this.memory = memory;
    this.kernel = kernel;
    this.folder = state.folder;
    this.state = state;
  }

  static async open(context: TestContext, create: (memory: LinearMemory) => Promise<Kernel>): Promise<Runs> {
    const memory = new LinearMemory();
    const runs = new Runs(memory, await create(memory), await State.open(temporaryFolder(context), { create: true }));
    context.after(() => runs.state.close());
    return runs;
  }

  /** Counts the ids: those are new that no run had. */
  async count(ids: readonly Id[]): Promise<void> {
    const { memory, kernel, state, known } = this;
    const expected = ids.filter((id) => !known.has(id.join()) && known.add(id.join())).length;
    const set = new HistoryKeySet({ memory, kernel, maxBytes: AMPLE, history: state });
    await set.begin(0, 0, ANY);
    const { winners, deferred } = admitAll(memory, set, chunkOf(memory, ids, 1).chunk, 4096);
    assert.deepEqual([winners.length, deferred.length], [expected, 0]);
    await set.end();
    await set.close();
  }

  async merge(): Promise<void> {
    const { memory, kernel, state } = this;
    const slabs = memory.slabsInUse;
    try {
      await new PageMerger({ memory, kernel }).merge(state, { commit: (state.head?.commit ?? 0) + 1, addedBytes: 0 });
    } finally {
      assert.equal(memory.slabsInUse, slabs);
    }
  }

  /** Pages of each slice that has some: how many ids each has. Checks that they are the known ones, once each. */
  async pages(): Promise<number[][]> {
    const slices: number[][] = [];
    const ids: string[] = [];
    for await (const { slice, page } of this.state.pages(0, 1023)) {
      const read = readIdPage(page);
      assert.equal(read.slice, slice);
      (slices[slice] ??= []).push(read.ids.length);
      ids.push(...read.ids.map(String));
    }
    assert.equal(ids.length, this.known.size, 'each id is kept once');
    assert.deepEqual(new Set(ids), this.known);
    return slices.filter(() => true);
  }

  async reopen(): Promise<void> {
    await this.state.close();
    this.state = await State.open(this.folder);
  }
}

for (const [name, create] of kernels) {
  test(`${name}: over 40 commits the ids stay the same, and their pages few`, async (context) => {
    const runs = await Runs.open(context, create);
    const next = random(11);
    const below = (limit: number): number => Math.floor(next() * limit);
    const top = name === 'WASM' ? 1000 : 120;
    let most = 0;
    for (let commit = 1; commit <= 40; commit++) {
      const ids = [0, 1, 2, 511, 1023].flatMap((slice) => Array.from({ length: below(3) === 0 ? below(top) : below(30) }, (): Id =>
        [(BigInt(slice) << 54n) | (BigInt(below(2 ** 12)) << 42n) | BigInt(below(4)), BigInt(below(3))]));
      await runs.count(ids);
      await runs.merge();
      await runs.state.commit(CONTENT, []);
      if (commit % 10 === 0) await runs.reopen();
      most = Math.max(most, ...(await runs.pages()).map(({ length }) => length));
    }
    assert.ok(most >= 8 && most <= 32, `${most} pages`);
    assert.deepEqual(await runs.state.check(), []);
  });
}

const [, wasm] = kernels[0]!;
const idsOf = (slice: number, run: number, length: number): Id[] => Array.from({ length }, (_, i): Id => [(BigInt(slice) << 54n) | BigInt(run * 2 ** 20 + i), 1n]);

test('pages of the largest size are made, and left alone then', async (context) => {
  const runs = await Runs.open(context, wasm);
  for (let run = 1; run <= 26; run++) {
    await runs.count(idsOf(0, run, 8192));
    await runs.merge();
    await runs.state.commit(CONTENT, []);
  }
  assert.deepEqual((await runs.pages()).map((pages) => pages.sort((a, b) => b - a)), [[65536, 65536, ...Array<number>(10).fill(8192)]]);
});

/** A state whose slice 3 has eight pages, that are due in the next commit. */
async function setUp(context: TestContext): Promise<Runs> {
  const runs = await Runs.open(context, wasm);
  for (let run = 1; run <= 12; run++) {
    if (run > 4) await runs.count(idsOf(3, run, 50));
    await runs.state.commit(CONTENT, []);
  }
  assert.equal(runs.state.committed(3).length, 8);
  return runs;
}

test('what is merged counts with the commit, and not before', async (context) => {
  const runs = await setUp(context);
  await runs.merge();
  assert.equal((await runs.pages())[0]!.length, 8);
  await runs.reopen();
  assert.deepEqual(await runs.pages(), [Array<number>(8).fill(50)]);
  await runs.merge();
  await runs.state.commit(CONTENT, []);
  assert.deepEqual(await runs.pages(), [[400]]);
});

test('a page that is damaged in the database, or was no page of ids from the start, is told; nothing is committed', async (context) => {
  const runs = await setUp(context);
  const damaged = runs.state.committed(3)[5]!;
  await runs.state.close();
  const level = await openLevel(join(runs.folder, 'level'));
  const key = pageKey(damaged);
  const page = (await level.get(key))!;
  await level.batch([{ type: 'put', key, value: page.map((byte, i) => (i === 40 ? byte ^ 1 : byte)) }], { sync: true });
  await level.close();
  runs.state = await State.open(runs.folder);
  await assert.rejects(runs.merge(), { code: 'ETL_STATE_DAMAGED', message: /a page of slice 3 by commit 10 is not what was written/ });
  await runs.reopen();
  assert.equal(runs.state.head!.commit, 12);
  assert.equal(runs.state.committed(3).length, 8);

  for (const bytes of [new Uint8Array(page.length).fill(7), page.with(20, page[20]! ^ 1), page.subarray(0, -1)]) {
    const others = await Runs.open(context, wasm);
    for (let n = 0; n < 20; n++) await others.state.add(3, n === 9 ? bytes : page);
    await others.state.commit(CONTENT, []);
    await assert.rejects(others.merge(), { code: 'ETL_STATE_DAMAGED', message: /a page of the ids of slice 3 does not hold/ });
    await others.reopen();
    assert.equal(others.state.committed(3).length, 20);
  }
});

test('without room nothing is merged, and nothing is wrong; a signal stops it', async (context) => {
  const runs = await setUp(context);
  const { state } = runs;
  const memory = new LinearMemory({ limit: 1 << 20 });
  await new PageMerger({ memory, kernel: await wasm(memory) }).merge(state, { commit: 13, addedBytes: 0 });
  await state.commit(CONTENT, []);
  assert.equal(state.committed(3).length, 8);
  const reason = new Error('enough');
  const merger = new PageMerger({ memory: runs.memory, kernel: runs.kernel, signal: AbortSignal.abort(reason) });
  await assert.rejects(merger.merge(state, { commit: 21, addedBytes: 0 }), reason);
  assert.equal(runs.memory.slabsInUse, 0);
});
