/**
 * Lanes on several threads. They read files in turns, make runs and encode row groups (thread.ts); the main thread merges.
 *
 *   main      opens files                          shares of all             runs of all ──► merge ──► write
 *                │ whose turn it is                     │ whoever is free                     │    ▲
 *   threads      └► read, parse, geo, scatter ─► share ─┘└► dedup, aggregate ─► runs          └► encode
 *
 * Where an input is a pipe, main reads them all, and whoever is free takes their blocks out of a ring.
 *
 * When one of them fails or ends, all that any of them waits for is stopped, so that each comes to an end; what is thrown
 * then is what went wrong first, not that others were stopped because of it.
 */
import type { Readable } from 'node:stream';
import { RangeBoard } from '../aggregate/range-board.ts';
import { rangesMadeElsewhere } from '../aggregate/range-runs.ts';
import { surveyRanges } from '../aggregate/ranges.ts';
import type { HandedRun } from '../aggregate/runs.ts';
import type { Scattered } from '../aggregate/scattered.ts';
import { addCounters, addFigures, newCounters, type Counters, type Figures } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { SharedCell } from '../core/shared-cell.ts';
import type { SortedRun } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { SPLIT_BYTES } from '../kernels/ranges-layout.ts';
import { remoteEncoder } from '../parquet/remote-encoder.ts';
import { RejectTurns } from '../parse/ordered-rejects.ts';
import { Relay } from '../parse/relay.ts';
import type { StoredShare } from '../partition/share.ts';
import { BlockRing } from '../source/block-ring.ts';
import type { InputFile } from '../source/inputs.ts';
import { OpenInput } from '../source/open-input.ts';
import { ReadTurns } from '../source/read-turns.ts';
import { Crew } from '../workers/crew.ts';
import type { Calls, Peer } from '../workers/peer.ts';
import type { NewPage } from '../dedup/page-index.ts';
import type { Encoders, Lanes, MadeRun } from './lanes.ts';
import { planSplitters } from './range-plan.ts';
import type { EncoderSetup, MainCalls, ScatterRequest, ThreadCalls, ThreadSetup } from './thread.ts';

/** Heap that a thread may have: what is big is in linear memory. */
const HEAP_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 1024 };
const CLAIMS_BYTES = 64;

/**
 * The module that a thread runs. Tests that come just after a build may have what was built: from sources, a thread takes
 * half a second of a core to begin.
 */
function threadEntry(): URL {
  const isSource = import.meta.url.endsWith('.ts');
  if (isSource && process.env.ETL_TEST_BUILT === '1') return new URL('../../dist/lib/thread.js', import.meta.url);
  return new URL(isSource ? './thread.ts' : './thread.js', import.meta.url);
}

export interface TeamOptions {
  readonly threads: number;
  /** What the threads count is added here. */
  readonly counters: Counters;
  /** Has the new ids of threads that were given a history. */
  readonly history?: { takeFrom(added: readonly NewPage[]): void } | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class Team implements Lanes {
  readonly threads: number;
  readonly encoders: Encoders;
  readonly #options: TeamOptions;
  readonly #crew: Crew<ThreadCalls>;
  /** What each thread had counted when it told last. */
  readonly #told: Counters[];
  /** Row groups that each thread has to encode. */
  readonly #encoding: number[];
  #memory: LinearMemory | undefined;
  #setup: ThreadSetup | undefined;
  #inputs: readonly InputFile[] = [];
  /** What threads read. */
  #file: OpenInput | undefined;
  #shares: StoredShare[] = [];
  #rejects: { append(lines: string): Promise<void> } | undefined;
  /** Stops whatever threads wait for in this lane. */
  #stop = (): void => {};
  #encodersReady: Promise<unknown> = Promise.resolve();
  readonly #abort = (): void => void this.close().catch(() => undefined); // told to who closes it

  /** Starts the threads, which takes them a while: `begin` as soon as possible. */
  constructor(options: TeamOptions) {
    const { threads, signal } = options;
    this.#options = options;
    this.threads = threads;
    this.#told = Array.from({ length: threads }, newCounters);
    this.#encoding = new Array<number>(threads).fill(0);
    this.#crew = new Crew<ThreadCalls>({
      entry: threadEntry(),
      threads,
      handlers: (thread) => ({
        open: (input: number) => this.#file!.open(input),
        rejects: (lines: string) => this.#rejects!.append(lines),
        figures: (now: Figures) => this.#countFigures(thread, now),
      }) satisfies MainCalls as Calls,
      failed: () => this.#stop(),
      limits: HEAP_LIMITS,
    });
    const encode = remoteEncoder(async (request) => {
      await this.#encodersReady;
      return this.#withIdlest((peer) => peer.call('encode', request));
    });
    this.encoders = { count: threads, encode };
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** Tells the threads what they are to do; they make ready while others work. */
  begin(memory: LinearMemory, inputs: readonly InputFile[], setupOf: (thread: number) => ThreadSetup): void {
    this.#memory = memory;
    this.#inputs = inputs;
    const setups = this.#crew.peers.map((_, thread) => setupOf(thread));
    this.#setup = setups[0];
    this.#crew.all('begin', (thread) => setups[thread]!).catch(() => undefined); // the first lane fails with it
  }

  /** For lane 3, while lane 1 is under way: it takes main, and each thread, some milliseconds. */
  prepareEncoders(setup: Promise<EncoderSetup>): void {
    this.#encodersReady = setup.then((encoder) => this.#crew.all('prepareEncoder', () => encoder));
    this.#encodersReady.catch(() => undefined); // told to who encodes
  }

  async scatter(source: () => Readable, rejects: { append(lines: string): Promise<void> }): Promise<void> {
    const memory = this.#memory!;
    const inputs = this.#inputs;
    this.#file = new OpenInput(inputs);
    this.#rejects = rejects;
    const { blocks, blockBytes } = this.#setup!.budget;
    const ring = blocks > 0 ? BlockRing.create(memory) : undefined;
    const reading = ring ? undefined : ReadTurns.create(memory);
    const [relay, turns] = [Relay.create(memory, this.#setup!.budget.relayBytes), RejectTurns.create(memory)];
    const shared = [ring, reading, relay, turns];
    this.#stop = () => shared.forEach((part) => part?.stop());
    const request: ScatterRequest = { inputs, ring: ring?.at, reading: reading?.at, blockBytes, relay: relay.at, turns: turns.at };
    const [, ...results] = await this.#together([
      Promise.resolve(ring?.publish(source())),
      ...this.#crew.peers.map((peer) => peer.call('scatter', request)),
    ]);
    await this.#file.close();
    reading?.assertEnded(inputs.length);
    relay.assertEnded();
    results.forEach(({ counters }, thread) => this.#count(thread, counters));
    this.#shares = results.map(({ share }) => share);
    for (const part of shared) part?.free();
  }

  async reduce(): Promise<MadeRun[]> {
    const memory = this.#memory!;
    const { budget: { aggregateBytes }, groupBy } = this.#setup!;
    const shares = this.#shares;
    const splitters = await planSplitters({ memory, shares, groupBy, aggregateBytes });
    const results = await this.#claiming((claims) => this.#crew.peers.map((peer) => peer.call('reduce', { shares, claims, splitters })));
    for (const { newPages } of results) this.#options.history?.takeFrom(newPages);
    await this.#crew.all('closeStore', () => undefined);
    if (!splitters) return this.#handed(results);
    memory.giveSlab(splitters.at, SPLIT_BYTES);

    const scattered = results.flatMap((result) => result.scattered ?? []);
    const { large, rows } = surveyRanges(memory, scattered, splitters.ranges, aggregateBytes);
    const made: MadeRun[] = [];
    if (large.length > 0 || scattered.length < results.length) {
      made.push(...this.#handed(await this.#claiming((claims) => (
        this.#crew.peers.map((peer) => peer.call('reduceLarge', { scattered, large, claims }))
      ))));
    }
    if (rows > 0) made.push({ run: this.#rangeRun(scattered, splitters.ranges, rows), giveBack: () => undefined });
    return made;
  }

  async close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#stop();
    await this.#crew.close();
    await this.#file?.close();
  }

  /** All results of calls that share claims, by the address of a cell. */
  async #claiming<T extends { counters: Counters }>(calls: (claims: number) => Promise<T>[]): Promise<T[]> {
    const memory = this.#memory!;
    const claims = memory.slab(CLAIMS_BYTES, 'claims');
    memory.bytes(claims, CLAIMS_BYTES).fill(0);
    const next = new SharedCell(memory.memory.buffer, claims);
    this.#stop = () => next.stop();
    const results = await this.#together(calls(claims));
    results.forEach(({ counters }, thread) => this.#count(thread, counters));
    memory.giveSlab(claims, CLAIMS_BYTES);
    return results;
  }

  #handed(results: readonly { readonly runs: HandedRun[] }[]): MadeRun[] {
    return results.flatMap(({ runs }, thread) => runs.map((run) => ({ run, giveBack: () => this.#crew.peers[thread]!.call('giveBack', run) })));
  }

  /** Threads make ranges from now on, while this one reads them. */
  #rangeRun(scattered: readonly Scattered[], ranges: number, rows: number): SortedRun {
    const memory = this.#memory!;
    const board = RangeBoard.create(memory, ranges);
    this.#stop = () => board.stop();
    const made = this.#together(this.#crew.peers.map((peer) => peer.call('makeRanges', { scattered, board: board.at })))
      .then((results) => results.forEach(({ counters }, thread) => this.#count(thread, counters)));
    made.catch(() => undefined); // told to who reads
    this.#options.counters.runs++;
    const closed = async (): Promise<void> => {
      await this.#crew.all('closeRanges', () => undefined);
      board.free();
    };
    return rangesMadeElsewhere({ memory, board, made, rows, closed });
  }

  /** All results; when one fails, the others are stopped and waited for, and the failure that the others followed from is thrown. */
  async #together<T extends readonly Promise<unknown>[]>(parts: T): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
    for (const part of parts) part.catch(() => this.#stop());
    const ends = await Promise.allSettled(parts);
    const failures = ends.flatMap((end): unknown[] => (end.status === 'rejected' ? [end.reason] : []));
    if (failures.length > 0) throw failures.find((error) => !(error instanceof EtlError && error.code === 'ETL_ABORTED')) ?? failures[0];
    return ends.map((end) => (end as PromiseFulfilledResult<unknown>).value) as { -readonly [Index in keyof T]: Awaited<T[Index]> };
  }

  /** Calls the thread that has the fewest row groups to encode. */
  async #withIdlest<T>(call: (peer: Peer<ThreadCalls>) => Promise<T>): Promise<T> {
    const thread = this.#encoding.indexOf(Math.min(...this.#encoding));
    this.#encoding[thread]!++;
    try {
      return await call(this.#crew.peers[thread]!);
    } finally {
      this.#encoding[thread]!--;
    }
  }

  #count(thread: number, now: Counters): void {
    addCounters(this.#options.counters, now, this.#told[thread]!);
    this.#told[thread] = now;
  }

  #countFigures(thread: number, now: Figures): void {
    const told = this.#told[thread]!;
    addFigures(this.#options.counters, now, told);
    this.#told[thread] = { ...told, ...now };
  }
}
