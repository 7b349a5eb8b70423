/** Runs that workers made, tables and files, are read by this thread; everything is given back to whom it belongs. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { openRun } from '../../lib/aggregate/runs.ts';
import { newCounters } from '../../lib/core/counters.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import type { AggregateKernel } from '../../lib/kernels/twins/aggregate.ts';
import type { SpillKernel } from '../../lib/kernels/twins/spill.ts';
import { RunFiles } from '../../lib/spill/run-files.ts';
import { SpillSpace } from '../../lib/spill/spill-space.ts';
import { startThread } from '../../lib/workers/start-thread.ts';
import { temporaryFolder } from '../temporary.ts';
import { addUp, assertInOrder, readRun, rowsOfMaker, show, type Total } from './rows.ts';
import type { FromMaker, MakerData, ToMaker } from './run-maker.ts';

test('runs of two workers, in memory and in files', async (context) => {
  const folder = temporaryFolder(context);
  const memory = new LinearMemory({ limit: 64 << 20 });
  const kernel = await loadKernel<AggregateKernel>('aggregate', memory);
  const spill = new SpillSpace({ folder, counters: newCounters() });
  const files = new RunFiles({ spill, memory, kernel: await loadKernel<SpillKernel>('spill', memory) });
  const limits = [Infinity, 300_000]; // the first makes a table only, the second files too
  const makers = limits.map((bytes, seed) => {
    const workerData: MakerData = { arena: memory.arena(16 << 20, 0), seed, folder, bytes };
    return startThread(new URL('./run-maker.ts', import.meta.url), { workerData });
  });
  const told = async <K>(maker: Worker): Promise<K> => (await once(maker, 'message'))[0] as K;
  const handed = await Promise.all(makers.map((maker) => told<Extract<FromMaker, { runs: unknown }>>(maker)));
  assert.deepEqual(handed[0]!.runs.map((run) => 'table' in run), [true]);
  assert.ok(handed[1]!.runs.length > 2 && 'file' in handed[1]!.runs[0]!);

  const totals: Total[][] = [];
  for (const [i, { runs }] of handed.entries()) {
    const giveBack = (run: (typeof runs)[number]): void => makers[i]!.postMessage({ giveBack: run } satisfies ToMaker);
    for (const [k, run] of runs.entries()) {
      const opened = openRun(run, { kernel, files, giveBack });
      const part = await readRun(memory, opened, 20_000);
      assert.equal(part.length, run.rows);
      assertInOrder(part, 'region');
      totals.push(part);
      if (k === 0) await opened.close();
    }
  }
  const rows = limits.flatMap((_, seed) => rowsOfMaker(seed));
  assert.deepEqual(show(addUp(totals.flat(), 'region')), show(addUp(rows, 'region')));

  let pages = memory.pagesInUse;
  assert.ok(pages < 0, 'pages of workers are in this pool');
  for (const maker of makers) {
    const exited = once(maker, 'exit'); // it may end as soon as it has answered
    maker.postMessage('close' satisfies ToMaker);
    const left = await told<Extract<FromMaker, { slabs: unknown }>>(maker);
    assert.deepEqual([left.slabs, left.spilled], [0, 0]);
    pages += left.pages;
    await exited;
  }
  assert.equal(pages, 0, 'all pages together balance');
  assert.deepEqual([memory.slabsInUse, spill.bytes], [0, 0]);
});
