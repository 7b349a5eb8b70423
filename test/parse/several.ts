/** Several parse stages over one ring, on one event loop and one linear memory, as threads would be. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { newCounters, type Counters } from '../../lib/core/counters.ts';
import { EtlError } from '../../lib/core/errors.ts';
import { rejectLine, type Reject } from '../../lib/core/rejects.ts';
import type { Pieces } from '../../lib/core/pieces.ts';
import { CARRIED_BYTES, type Batch, type InputInfo } from '../../lib/core/stage.ts';
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import type { ParseKernel } from '../../lib/kernels/twins/parse.ts';
import { OrderedRejects, RejectTurns } from '../../lib/parse/ordered-rejects.ts';
import { Relay } from '../../lib/parse/relay.ts';
import { createParseStage } from '../../lib/parse/stage.ts';
import { BlockRing } from '../../lib/source/block-ring.ts';
import { piecesOf } from '../pieces.ts';
import { columns, rejectsInto, rowsOf, TestBlocks, type Row, type TestInput } from './blocks.ts';

export interface Together {
  /** Rows in the order in which they came, by the `input block` they are tagged with. */
  readonly rows: Map<string, Row[]>;
  readonly rejects: string;
  readonly counters: unknown;
  readonly error: string | undefined;
  /** Blocks that each stage had. */
  readonly shares: number[];
}

interface Options {
  readonly size: number;
  readonly maxRecordBytes?: number;
  /** Random numbers, for delays and who is asked first. */
  readonly next: () => number;
}

/** What one stage makes of the inputs, without ring and shared relay. */
export async function alone(kernelOf: (memory: LinearMemory) => Promise<ParseKernel>, inputs: readonly TestInput[], options: Options): Promise<Together> {
  const memory = new LinearMemory();
  const { size, maxRecordBytes = CARRIED_BYTES } = options;
  const blocks = new TestBlocks(memory, size, maxRecordBytes);
  const rejects: Reject[] = [];
  const counters = newCounters();
  const stage = createParseStage({
    memory, kernel: await kernelOf(memory), counters, rejects: rejectsInto(rejects), columns, scale: 2, maxRecordBytes,
  });
  const rows = new Map<string, Row[]>();
  let error: string | undefined;
  try {
    await pipeline(Readable.from(blocks.of(inputs)), stage, (taken: AsyncIterable<Pieces<Batch>>) => take(memory, taken, rows, async () => undefined));
  } catch (cause) {
    error = told(cause);
  }
  return { rows, rejects: rejects.map(rejectLine).join(''), counters: sum([counters]), error, shares: [blocks.made] };
}

/** The same by `count` stages, with delays everywhere. Throws when anything is left, or when someone else's error is told. */
export async function together(
  kernelOf: (memory: LinearMemory) => Promise<ParseKernel>, inputs: readonly TestInput[], count: number, options: Options,
): Promise<Together> {
  const { size, maxRecordBytes = CARRIED_BYTES, next } = options;
  const memory = new LinearMemory();
  const kernel = await kernelOf(memory);
  const blocks = new TestBlocks(memory, size, maxRecordBytes, 2 * count + 2);
  const before = memory.slabsInUse;
  const ring = BlockRing.create(memory);
  const relay = Relay.create(memory, maxRecordBytes + 4096);
  const turns = RejectTurns.create(memory);
  const names: InputInfo[] = inputs.map(({ name }, number) => ({ number, name }));
  const rows = new Map<string, Row[]>();
  const counters: Counters[] = [];
  const shares: number[] = [];
  const errors: unknown[] = [];
  let rejects = '';
  const idle = async (): Promise<void> => {
    for (let turns = Math.floor(next() ** 3 * 6); turns > 0; turns--) await turn();
  };
  const send = async (lines: string): Promise<void> => {
    await idle();
    rejects += lines;
  };
  const failed = (error: unknown): void => {
    errors.push(error);
    for (const each of [ring, relay, turns]) each.stop();
  };
  const work = async (worker: number): Promise<void> => {
    const own = new Relay(memory, relay.at);
    const source = new BlockRing(memory, ring.at).blocks(names);
    const sink = new OrderedRejects(new RejectTurns(memory, turns.at), send);
    counters[worker] = newCounters();
    shares[worker] = 0;
    source.on('data', () => shares[worker]!++);
    source.pause();
    const stage = createParseStage({ memory, kernel, counters: counters[worker], rejects: sink, columns, scale: 2, maxRecordBytes, relay: own });
    await pipeline(source, stage, (taken: AsyncIterable<Pieces<Batch>>) => take(memory, taken, rows, idle));
  };
  await Promise.all([
    ring.publish(Readable.from(blocks.of(inputs), { highWaterMark: 1 })).catch(failed),
    ...Array.from({ length: count }, (_, worker) => work(worker).catch(failed)),
  ]);
  if (errors.length === 0) relay.assertEnded();
  for (const each of [ring, relay, turns]) each.free();
  if (memory.slabsInUse !== before) throw new Error(`${memory.slabsInUse - before} slabs are left`);
  if (errors.length === 0 && blocks.released !== blocks.made) throw new Error(`${blocks.made} blocks were made, ${blocks.released} released`);
  const first = errors.filter((error) => !(error instanceof EtlError && error.code === 'ETL_ABORTED'));
  if (errors.length > 0 && first.length !== 1) throw new AggregateError(errors, `${first.length} errors of their own`);
  return { rows, rejects, counters: sum(counters), error: first.length > 0 ? told(first[0]) : undefined, shares };
}

async function take(memory: LinearMemory, taken: AsyncIterable<Pieces<Batch>>, rows: Map<string, Row[]>, idle: () => Promise<void>): Promise<void> {
  for await (const batch of piecesOf(taken)) {
    await idle();
    const tag = `${batch.input.number} ${batch.block}`;
    rows.set(tag, [...(rows.get(tag) ?? []), ...rowsOf(memory, batch)]);
  }
}

function told(error: unknown): string {
  return `${error instanceof EtlError ? error.code : ''} ${String(error)}`;
}

function sum(all: readonly Counters[]): unknown {
  const codes = new Map<number, number>();
  const total = (name: 'read' | 'rejected' | 'emptyLines'): number => all.reduce((so, each) => so + each[name], 0);
  for (const { rejectedBy } of all) for (const [code, count] of rejectedBy) codes.set(code, (codes.get(code) ?? 0) + count);
  return { read: total('read'), rejected: total('rejected'), emptyLines: total('emptyLines'), codes: [...codes].sort() };
}
