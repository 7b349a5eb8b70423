/** A thread beside the main one (team.ts): runs lanes over its own arena, and encodes row groups, when it is called. */
import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { figuresOf, newCounters, type Counters, type Figures } from '../core/counters.ts';
import { SharedCell } from '../core/shared-cell.ts';
import type { HandedRun } from '../aggregate/runs.ts';
import type { Scattered } from '../aggregate/scattered.ts';
import type { Splitters } from '../aggregate/splitters.ts';
import { FiledHistory, type HandedHistory } from '../dedup/filed-history.ts';
import type { NewPage } from '../dedup/page-index.ts';
import { LinearMemory, type Arena } from '../kernels/linear-memory.ts';
import { adoptModules } from '../kernels/loader.ts';
import type { WasmModule } from '../kernels/webassembly.ts';
import { createEncodeTask } from '../parquet/encode-task.ts';
import type { EncoderOptions } from '../parquet/encoder.ts';
import type { EncodeRequest, EncodeResponse } from '../parquet/remote-encoder.ts';
import { OrderedRejects, RejectTurns } from '../parse/ordered-rejects.ts';
import { Relay } from '../parse/relay.ts';
import type { StoredShare } from '../partition/share.ts';
import { BlockRing } from '../source/block-ring.ts';
import type { InputFile } from '../source/inputs.ts';
import { ReadTurns } from '../source/read-turns.ts';
import { readInTurns } from '../source/turn-source.ts';
import { SpillSpace } from '../spill/spill-space.ts';
import { Moved, Peer, type Port } from '../workers/peer.ts';
import { LaneWorker, type LaneSetup, type Reduced } from './lane-worker.ts';

export interface ThreadSetup extends LaneSetup {
  readonly arena: Arena;
  readonly kernels: Readonly<Record<string, WasmModule>>;
  readonly spill: { readonly folder: string; readonly maxBytes: number | undefined; readonly used: BigInt64Array };
  /** An input is a pipe: whoever fills it, and the main thread that empties it, go first, or else all wait for them. */
  readonly yields: boolean;
  /** Ids that were counted before the run; undefined: they are no matter. */
  readonly history: HandedHistory | undefined;
}

/** What encoding takes. */
export interface EncoderSetup extends EncoderOptions {
  /** What `compileWriter` gave. */
  readonly module: WasmModule;
  /** Name of each region number, when grouping by user. */
  readonly regions: readonly string[];
}

export interface ScatterRequest {
  readonly inputs: readonly InputFile[];
  /** Of what threads read themselves. */
  readonly blockBytes: number;
  /** Addresses of what all threads share: where blocks are, or how they are read. */
  readonly ring: number | undefined;
  readonly reading: number | undefined;
  readonly relay: number;
  readonly turns: number;
}

export interface ReduceRequest {
  readonly shares: readonly StoredShare[];
  /** Address of the cell with the next partition that nobody has. */
  readonly claims: number;
  readonly splitters: Splitters | undefined;
}

export interface ReduceLargeRequest {
  readonly scattered: readonly Scattered[];
  readonly large: readonly number[];
  /** Address of the cell with the next of them that nobody has. */
  readonly claims: number;
}

export interface MakeRangesRequest {
  readonly scattered: readonly Scattered[];
  readonly board: number;
}

/** What a thread answers to, in this order; `prepareEncoder` at any time after `begin`, and `encode` after that. */
export type ThreadCalls = {
  begin: (setup: ThreadSetup) => void;
  scatter: (request: ScatterRequest) => Promise<{ share: StoredShare; counters: Counters }>;
  reduce: (request: ReduceRequest) => Promise<Reduced & { counters: Counters; newPages: readonly NewPage[] }>;
  closeStore: (nothing: undefined) => Promise<void>;
  reduceLarge: (request: ReduceLargeRequest) => Promise<{ runs: HandedRun[]; counters: Counters }>;
  makeRanges: (request: MakeRangesRequest) => Promise<{ counters: Counters }>;
  closeRanges: (nothing: undefined) => Promise<void>;
  giveBack: (run: HandedRun) => Promise<void>;
  prepareEncoder: (setup: EncoderSetup) => Promise<void>;
  encode: (request: EncodeRequest) => EncodeResponse | Moved<EncodeResponse>;
};

/** What a thread asks of the main one. */
export type MainCalls = {
  /** An input's descriptor; nobody reads the input before any more. */
  open: (input: number) => Promise<number>;
  /** Lines of the rejects file, in order. */
  rejects: (lines: string) => Promise<void>;
  /** Where its counters are, those that are few; all of them come with the end of a lane. */
  figures: (figures: Figures) => void;
};

const TELL_MILLISECONDS = 100;
const counters = newCounters();
let toldAt = 0;
let memory: LinearMemory;
let worker: LaneWorker;
let history: FiledHistory | undefined;
let encodeTask: ((request: EncodeRequest) => EncodeResponse) | undefined;

const main: Peer<MainCalls> = new Peer(parentPort as Port, {
  begin({ arena, kernels, spill, yields, history: handed, ...setup }: ThreadSetup): void {
    // Linux has priorities of threads; others would take it for the process's.
    if (yields && process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
    adoptModules(kernels);
    memory = new LinearMemory(arena);
    history = handed && FiledHistory.of(handed);
    worker = new LaneWorker({ setup, memory, counters, history, spill: new SpillSpace({ ...spill, counters }) });
    setInterval(tellFigures, TELL_MILLISECONDS).unref();
  },
  async scatter({ inputs, blockBytes, ring, reading, relay, turns }: ScatterRequest) {
    const open = (input: number): Promise<number> => main.call('open', input);
    const share = await worker.scatter({
      blocks: ring !== undefined ? new BlockRing(memory, ring).blocks(inputs)
        : readInTurns({ inputs, turns: new ReadTurns(memory, reading!), memory, counters, blockBytes, open }),
      relay: new Relay(memory, relay),
      rejects: new OrderedRejects(new RejectTurns(memory, turns), (lines) => main.call('rejects', lines)),
    });
    return { share, counters };
  },
  async reduce({ claims, ...request }: ReduceRequest) {
    const reduced = await worker.reduce({ ...request, claim: claimsAt(claims) });
    history?.close();
    return { ...reduced, counters, newPages: history?.takeAdded() ?? [] };
  },
  closeStore: () => worker.closeStore(),
  async reduceLarge({ claims, ...request }: ReduceLargeRequest) {
    return { runs: await worker.reduceLarge({ ...request, claim: claimsAt(claims) }), counters };
  },
  async makeRanges({ board, scattered }: MakeRangesRequest) {
    await worker.makeRanges(board, scattered);
    return { counters };
  },
  closeRanges: () => worker.closeRanges(),
  giveBack: (run: HandedRun) => worker.giveBack(run),
  async prepareEncoder(setup: EncoderSetup) {
    encodeTask = await createEncodeTask({ ...setup, memory });
  },
  encode(request: EncodeRequest) {
    const response = encodeTask!(request);
    return response.file ? new Moved(response, [response.file.buffer]) : response;
  },
});

function tellFigures(): void {
  toldAt = performance.now();
  main.call('figures', figuresOf(counters)).catch(() => undefined);
}

/** A thread whose rows are in memory goes from partition to partition and never turns to its timer: it tells its figures on the way. */
function claimsAt(address: number): () => number {
  const next = new SharedCell(memory.memory.buffer, address);
  return () => {
    if (performance.now() - toldAt >= TELL_MILLISECONDS) tellFigures();
    return next.add(1);
  };
}
