/**
 * Lanes on several threads. The main thread reads blocks and merges runs; the threads do what is between (thread.ts), and
 * encode row groups.
 *
 *   main      read ──► ring of blocks                    shares of all             runs of all ──► merge ──► write
 *                         │ whoever is free                   │ whoever is free                     │    ▲
 *   threads               └► parse, geo, scatter ─► share ────┘└► dedup, aggregate ─► runs          └► encode
 *
 * When one of them fails or ends, all that any of them waits for is stopped, so that each comes to an end; what is thrown
 * then is what went wrong first, not that others were stopped because of it.
 */
import type { Readable } from 'node:stream';
import { addCounters, type Counters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import { SharedCell } from '../core/shared-cell.ts';
import type { InputInfo } from '../core/stage.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { remoteEncoder } from '../parquet/remote-encoder.ts';
import { RejectTurns } from '../parse/ordered-rejects.ts';
import { Relay } from '../parse/relay.ts';
import type { StoredShare } from '../partition/share.ts';
import { BlockRing } from '../source/block-ring.ts';
import { Crew } from '../workers/crew.ts';
import type { Calls, Peer } from '../workers/peer.ts';
import type { Encoders, Lanes, MadeRun } from './lanes.ts';
import type { EncoderSetup, MainCalls, ThreadCalls, ThreadSetup } from './thread.ts';

/** Heap that a thread may have: what is big is in linear memory. */
const HEAP_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 1024 };
const CLAIMS_BYTES = 64;

export interface TeamOptions {
  readonly threads: number;
  /** What the threads count is added here. */
  readonly counters: Counters;
  readonly signal?: AbortSignal | undefined;
}

export class Team implements Lanes {
  readonly threads: number;
  readonly encoders: Encoders;
  readonly #options: TeamOptions;
  readonly #crew: Crew<ThreadCalls>;
  /** What each thread had counted when it told last. */
  readonly #told: (Counters | undefined)[] = [];
  /** Row groups that each thread has to encode. */
  readonly #encoding: number[];
  #memory: LinearMemory | undefined;
  #inputs: readonly InputInfo[] = [];
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
    this.#encoding = new Array<number>(threads).fill(0);
    this.#crew = new Crew<ThreadCalls>({
      entry: new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url),
      threads,
      handlers: (thread) => ({
        rejects: (lines: string) => this.#rejects!.append(lines),
        counters: (now: Counters) => this.#count(thread, now),
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
  begin(memory: LinearMemory, inputs: readonly InputInfo[], setupOf: (thread: number) => ThreadSetup): void {
    this.#memory = memory;
    this.#inputs = inputs.map(({ number, name }) => ({ number, name }));
    this.#crew.all('begin', setupOf).catch(() => undefined); // the first lane fails with it
  }

  /** For lane 3, while lane 1 is under way: it takes main, and each thread, some milliseconds. */
  prepareEncoders(setup: Promise<EncoderSetup>): void {
    this.#encodersReady = setup.then((encoder) => this.#crew.all('prepareEncoder', () => encoder));
    this.#encodersReady.catch(() => undefined); // told to who encodes
  }

  async scatter(source: Readable, rejects: { append(lines: string): Promise<void> }): Promise<void> {
    const memory = this.#memory!;
    this.#rejects = rejects;
    const shared = { ring: BlockRing.create(memory), relay: Relay.create(memory), turns: RejectTurns.create(memory) };
    this.#stop = () => Object.values(shared).forEach((part) => part.stop());
    const request = { inputs: this.#inputs, ring: shared.ring.at, relay: shared.relay.at, turns: shared.turns.at };
    const [, ...results] = await this.#together([
      shared.ring.publish(source),
      ...this.#crew.peers.map((peer) => peer.call('scatter', request)),
    ]);
    shared.relay.assertEnded();
    results.forEach(({ counters }, thread) => this.#count(thread, counters));
    this.#shares = results.map(({ share }) => share);
    for (const part of Object.values(shared)) part.free();
  }

  async reduce(): Promise<MadeRun[]> {
    const memory = this.#memory!;
    const claims = memory.slab(CLAIMS_BYTES, 'claims of partitions');
    memory.bytes(claims, CLAIMS_BYTES).fill(0);
    const next = new SharedCell(memory.memory.buffer, claims);
    this.#stop = () => next.stop();
    const results = await this.#together(this.#crew.peers.map((peer) => peer.call('reduce', { shares: this.#shares, claims })));
    results.forEach(({ counters }, thread) => this.#count(thread, counters));
    await this.#crew.all('closeStore', () => undefined);
    memory.giveSlab(claims, CLAIMS_BYTES);
    return results.flatMap(({ runs }, thread) => runs.map((run) => ({ run, giveBack: () => this.#crew.peers[thread]!.call('giveBack', run) })));
  }

  close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#stop();
    return this.#crew.close();
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
    addCounters(this.#options.counters, now, this.#told[thread]);
    this.#told[thread] = now;
  }
}
