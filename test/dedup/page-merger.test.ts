/** Merging pages of ids never changes which ids there are: over many commits, against a Set. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { HistoryKeySet } from '../../lib/dedup/history-key-set.ts';
import { idFileName } from '../../lib/dedup/id-files.ts';
import { IdStore } from '../../lib/dedup/id-store.ts';
import { PageIndex, type PageRef } from '../../lib/dedup/page-index.ts';
import { PageMerger } from '../../lib/dedup/page-merger.ts';
import { pilesOf } from '../../lib/dedup/page-tiers.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { createDedupTwin, type DedupKernel } from '../../lib/kernels/twins/dedup.ts';
import { createIdPageTwin, type IdPageKernel } from '../../lib/kernels/twins/id-pages.ts';
import { random } from '../random.ts';
import { temporaryFolder } from '../temporary.ts';
import { readIdPage, type Id } from './id-page-reader.ts';
import { admitAll, AMPLE, ANY, chunkOf } from './key-set-conformance.ts';

type Kernel = DedupKernel & IdPageKernel;
const kernels: [string, (memory: LinearMemory) => Promise<Kernel>][] = [
  ['WASM', (memory) => loadKernel<Kernel>('dedup', memory)],
  ['twin', async (memory) => ({ ...createDedupTwin(memory), ...createIdPageTwin(memory) })],
];

/** Ids that are counted as runs do, and the index of the last commit. */
class Runs {
  readonly memory: LinearMemory;
  readonly kernel: Kernel;
  readonly folder: string;
  readonly known = new Set<string>();
  commits = 0;
  index = PageIndex.empty;
  /** Of the run under way. */
  store: IdStore;

  private constructor(memory: LinearMemory, kernel: Kernel, folder: string) {
    this.memory = memory;
    this.kernel = kernel;
    this.folder = folder;
    this.store = this.#open();
  }

  static async open(context: TestContext, create: (memory: LinearMemory) => Promise<Kernel>): Promise<Runs> {
    const memory = new LinearMemory();
    const runs = new Runs(memory, await create(memory), temporaryFolder(context));
    context.after(() => runs.store.close({ committed: true }));
    return runs;
  }

  /** Counts the ids: those are new that no run had. */
  count(ids: readonly Id[]): void {
    const { memory, kernel, store, known } = this;
    const expected = ids.filter((id) => !known.has(id.join()) && known.add(id.join())).length;
    const set = new HistoryKeySet({ memory, kernel, maxBytes: AMPLE, history: store });
    set.begin(0, 0, ANY);
    const { winners, deferred } = admitAll(memory, set, chunkOf(memory, ids, 1).chunk, 4096);
    assert.deepEqual([winners.length, deferred.length], [expected, 0]);
    set.end();
    set.close();
  }

  async merge(): Promise<void> {
    const { memory, kernel, store } = this;
    const slabs = memory.slabsInUse;
    try {
      await new PageMerger({ memory, kernel }).merge(store, pilesOf({ commit: this.commits + 1, addedBytes: 0 }, (slice) => store.committed(slice)));
    } finally {
      assert.equal(memory.slabsInUse, slabs);
    }
  }

  async commit(): Promise<void> {
    await this.store.sync();
    this.index = this.store.next();
    this.commits++;
    this.store.close({ committed: true });
    this.store = this.#open();
  }

  /** As if the run had failed. */
  abandon(): void {
    this.store.close({ committed: false });
    this.store = this.#open();
  }

  /** Pages of each slice that has some: how many ids each has. Checks that they are the known ones, once each, and that files have pages. */
  pages(): number[][] {
    const slices: number[][] = [];
    const ids: string[] = [];
    for (const { slice, bytes, read } of this.store.pages(0, 1023)) {
      const page = new Uint8Array(bytes);
      read(page);
      const found = readIdPage(page);
      assert.equal(found.slice, slice);
      (slices[slice] ??= []).push(found.ids.length);
      ids.push(...found.ids.map(String));
    }
    assert.equal(ids.length, this.known.size, 'each id is kept once');
    assert.deepEqual(new Set(ids), this.known);
    return slices.filter(() => true);
  }

  #open(): IdStore {
    return new IdStore({ folder: this.folder, index: this.index, commit: this.commits + 1, partBits: 3 });
  }
}

for (const [name, create] of kernels) {
  test(`${name}: over 40 commits the ids stay the same, and their pages few`, async (context) => {
    const runs = await Runs.open(context, create);
    const next = random(11);
    const below = (limit: number): number => Math.floor(next() * limit);
    const top = name === 'WASM' ? 1000 : 120;
    let most = 0;
    let before = new Set<string>();
    for (let commit = 1; commit <= 40; commit++) {
      const ids = [0, 1, 2, 511, 1023].flatMap((slice) => Array.from({ length: below(3) === 0 ? below(top) : below(30) }, (): Id =>
        [(BigInt(slice) << 54n) | (BigInt(below(2 ** 12)) << 42n) | BigInt(below(4)), BigInt(below(3))]));
      runs.count(ids);
      await runs.merge();
      if (commit % 7 === 0) { // a run that fails, and one that counts the same
        for (const id of ids) if (!before.has(id.join())) runs.known.delete(id.join());
        runs.abandon();
        runs.count(ids);
        await runs.merge();
      }
      await runs.commit();
      before = new Set(runs.known);
      most = Math.max(most, ...runs.pages().map(({ length }) => length));
    }
    assert.ok(most >= 8 && most <= 32, `${most} pages`);
    assert.ok([...runs.index.all()].every(({ oldest, newest }) => oldest >= 1 && newest <= 40 && oldest <= newest));
  });
}

const [, wasm] = kernels[0]!;
const idsOf = (slice: number, run: number, length: number): Id[] => Array.from({ length }, (_, i): Id => [(BigInt(slice) << 54n) | BigInt(run * 2 ** 20 + i), 1n]);

test('pages of the largest size are made, and left alone then', async (context) => {
  const runs = await Runs.open(context, wasm);
  for (let run = 1; run <= 26; run++) {
    runs.count(idsOf(0, run, 8192));
    await runs.merge();
    await runs.commit();
  }
  assert.deepEqual(runs.pages().map((pages) => pages.sort((a, b) => b - a)), [[65536, 65536, ...Array<number>(10).fill(8192)]]);
});

test('what is merged leaves whole files behind: of those that are left hardly anything is dead', async (context) => {
  const runs = await Runs.open(context, wasm);
  let most = 0;
  for (let run = 1; run <= 150; run++) {
    runs.count(Array.from({ length: 128 }, (_, i) => idsOf(i * 8, run, 10)).flat());
    await runs.merge();
    await runs.commit();
    const files = runs.index.files().map(idFileName);
    for (const name of readdirSync(runs.folder)) if (!files.includes(name)) rmSync(join(runs.folder, name));
    const bytes = files.reduce((sum, name) => sum + statSync(join(runs.folder, name)).size, 0);
    const live = Array.from(runs.index.all()).reduce((sum, page) => sum + page.bytes, 0);
    most = Math.max(most, bytes / live);
    assert.ok(files.length <= 8 * 8 * 5 + 100, `${files.length} files`);
  }
  assert.ok(most < 1.05, `${most}`);
});

/** Twelve commits, by which slice 3 has eight pages, that are due in one of the next eight. */
async function setUp(context: TestContext): Promise<Runs> {
  const runs = await Runs.open(context, wasm);
  for (let run = 1; run <= 15; run++) {
    if (run > 7) runs.count(idsOf(3, run, 50));
    await runs.commit();
  }
  assert.equal(runs.store.committed(3).length, 8);
  return runs;
}

test('what is merged counts with the commit, and not before', async (context) => {
  const runs = await setUp(context);
  await runs.merge();
  assert.equal(runs.pages()[0]!.length, 8);
  runs.abandon();
  assert.deepEqual(runs.pages(), [Array<number>(8).fill(50)]);
  await runs.merge();
  await runs.commit();
  assert.deepEqual(runs.pages(), [[400]]);
  const [{ oldest, newest, ids }] = [...runs.index.all()] as [PageRef];
  assert.deepEqual([oldest, newest, ids], [8, 15, 400]);
});

test('a page that is damaged, or was no page of ids from the start, is told; nothing is committed', async (context) => {
  const runs = await setUp(context);
  const page = runs.store.committed(3)[5]!;
  const path = join(runs.folder, idFileName(page));
  const whole = readFileSync(path);
  const damages: [RegExp, Buffer][] = [
    [/the page at byte 0 is not the one that was written there/, Buffer.from(whole.map((byte, i) => (i === page.at + 3 ? byte ^ 1 : byte)))],
    [/a page of the ids of slice 3 does not hold/, Buffer.from(whole.map((byte, i) => (i === page.at + 40 ? byte ^ 1 : byte)))],
    [/it ends at byte \d+/, whole.subarray(0, -1)],
  ];
  for (const [message, bytes] of damages) {
    writeFileSync(path, bytes);
    runs.abandon(); // its descriptors
    await assert.rejects(runs.merge(), { code: 'ETL_STATE_DAMAGED', message });
  }
  rmSync(path);
  runs.abandon();
  await assert.rejects(runs.merge(), { code: 'ETL_STATE_DAMAGED', message: /it is missing/ });
  writeFileSync(path, whole);
  await runs.merge();
  await runs.commit();
  assert.deepEqual(runs.pages(), [[400]]);
});

test('without room nothing is merged, and nothing is wrong; a signal stops it', async (context) => {
  const { memory: ample, kernel, store } = await setUp(context);
  const piles = pilesOf({ commit: 16, addedBytes: 0 }, (slice) => store.committed(slice));
  assert.equal(piles.length, 1);
  const memory = new LinearMemory({ limit: 1 << 20 });
  await new PageMerger({ memory, kernel: await wasm(memory) }).merge(store, piles);
  assert.equal(store.next().of(3).length, 8);
  const reason = new Error('enough');
  await assert.rejects(new PageMerger({ memory: ample, kernel, signal: AbortSignal.abort(reason) }).merge(store, piles), reason);
  assert.equal(ample.slabsInUse, 0);
});
