/** A worker that adds rows up in its own arena, hands its runs over and frees what it is told to. */
import { parentPort, workerData } from 'node:worker_threads';
import { Aggregator } from '../../lib/aggregate/aggregator.ts';
import type { HandedRun } from '../../lib/aggregate/runs.ts';
import { newCounters } from '../../lib/core/counters.ts';
import { LinearMemory, type Arena } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import type { AggregateKernel } from '../../lib/kernels/twins/aggregate.ts';
import type { SpillKernel } from '../../lib/kernels/twins/spill.ts';
import { RunFiles } from '../../lib/spill/run-files.ts';
import { SpillSpace } from '../../lib/spill/spill-space.ts';
import { rowsOfMaker, writeRows } from './rows.ts';

export interface MakerData {
  readonly arena: Arena;
  readonly seed: number;
  readonly folder: string;
  readonly bytes: number;
}
export type ToMaker = { readonly giveBack: HandedRun } | 'close';
export type FromMaker = { readonly runs: readonly HandedRun[] } | { readonly slabs: number; readonly pages: number; readonly spilled: number };

const port = parentPort!;
const { arena, seed, folder, bytes } = workerData as MakerData;
const memory = new LinearMemory(arena);
const counters = newCounters();
const spill = new SpillSpace({ folder, counters });
const aggregator = new Aggregator({
  memory, counters, groupBy: 'region', regions: 250, unknownRegion: 7, limits: { bytes },
  kernel: await loadKernel<AggregateKernel>('aggregate', memory),
  temp: new RunFiles({ spill, memory, kernel: await loadKernel<SpillKernel>('spill', memory) }),
});
const rows = rowsOfMaker(seed);
const list = writeRows(memory, rows);
for (let from = 0; from < rows.length; from += 500) {
  await aggregator.add({ ptr: list.ptr + from * 4, count: Math.min(500, rows.length - from) });
}
list.free();
port.postMessage({ runs: await aggregator.finish() } satisfies FromMaker);
port.on('message', (message: ToMaker) => {
  if (message === 'close') {
    port.postMessage({ slabs: memory.slabsInUse, pages: memory.pagesInUse, spilled: spill.bytes } satisfies FromMaker);
    port.close();
  } else {
    void aggregator.giveBack(message.giveBack);
  }
});
