/** A thread that parses what it gets of a ring, and tells what it saw. */
import { pipeline } from 'node:stream/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { newCounters } from '../../lib/core/counters.ts';
import type { Pieces } from '../../lib/core/pieces.ts';
import type { Batch, InputInfo } from '../../lib/core/stage.ts';
import { LinearMemory, type Arena } from '../../lib/kernels/linear-memory.ts';
import { adoptModules, loadKernel } from '../../lib/kernels/loader.ts';
import type { ParseKernel } from '../../lib/kernels/twins/parse.ts';
import type { WasmModule } from '../../lib/kernels/webassembly.ts';
import { OrderedRejects, RejectTurns } from '../../lib/parse/ordered-rejects.ts';
import { Relay } from '../../lib/parse/relay.ts';
import { createParseStage } from '../../lib/parse/stage.ts';
import { BlockRing } from '../../lib/source/block-ring.ts';
import { piecesOf } from '../pieces.ts';
import { columns } from './blocks.ts';

export interface ThreadData {
  readonly arena: Arena;
  readonly modules: Readonly<Record<string, WasmModule>>;
  readonly inputs: readonly InputInfo[];
  readonly ring: number;
  readonly relay: number;
  readonly turns: number;
}

export type FromThread = { readonly lines: string } | { readonly tags: string[]; readonly read: number; readonly rejected: number };

const { arena, modules, inputs, ring, relay, turns } = workerData as ThreadData;
const port = parentPort!;
const tell = (message: FromThread): void => port.postMessage(message);
adoptModules(modules);
const memory = new LinearMemory(arena);
const counters = newCounters();
const tags = new Set<string>();
let appended: (() => void) | undefined;
port.on('message', () => appended!()); // also keeps the thread alive while it waits for a cell
const rejects = new OrderedRejects(new RejectTurns(memory, turns), (lines) => new Promise((resolve) => {
  appended = resolve;
  tell({ lines });
}));
await pipeline(
  new BlockRing(memory, ring).blocks(inputs),
  createParseStage({
    memory, kernel: await loadKernel<ParseKernel>('parse', memory), counters, rejects, columns, scale: 2, relay: new Relay(memory, relay),
  }),
  async (taken: AsyncIterable<Pieces<Batch>>) => {
    for await (const batch of piecesOf(taken)) tags.add(`${batch.input.number} ${batch.block}`);
  },
);
if (memory.slabsInUse > 0) throw new Error(`${memory.slabsInUse} slabs are left`);
tell({ tags: [...tags], read: counters.read, rejected: counters.rejected });
port.close();
