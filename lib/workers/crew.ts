/**
 * Threads that do the same kind of work beside the main one. Starts them, calls them, and notices when one ends that should
 * not: by an error nobody caught, out of heap, or however else. Then every call fails with ETL_WORKER, so that no one waits
 * for what will never come. Knows nothing of what the threads do.
 */
import type { Worker, WorkerOptions } from 'node:worker_threads';
import { EtlError, messageOf } from '../core/errors.ts';
import { Peer, type Calls } from './peer.ts';
import { startThread } from './start-thread.ts';

export interface CrewOptions {
  /** The module that each thread runs; it makes a Peer of its `parentPort`. */
  readonly entry: URL;
  readonly threads: number;
  /** What the threads may call; `thread` is the number of the caller. */
  readonly handlers: (thread: number) => Calls;
  /** Told once, when a thread has ended by itself: what waits for it by other ways than calls has to be stopped. */
  readonly failed: (error: EtlError) => void;
  readonly limits?: WorkerOptions['resourceLimits'];
}

/** `Theirs`: what the threads answer to. */
export class Crew<Theirs extends Calls> {
  /** In the order of their numbers. */
  readonly peers: readonly Peer<Theirs>[];
  readonly #workers: readonly Worker[];
  readonly #options: CrewOptions;
  #failed = false;
  #closing: Promise<void> | undefined;

  /** The threads start while others work: calls wait for them. */
  constructor(options: CrewOptions) {
    this.#options = options;
    const { entry, threads, handlers, limits } = options;
    this.#workers = Array.from({ length: threads }, (_, thread) => {
      const worker = startThread(entry, { name: `etl-stream ${thread}`, ...(limits && { resourceLimits: limits }) });
      worker.on('error', (error) => this.#fail(thread, error));
      worker.on('messageerror', (error) => this.#fail(thread, error));
      worker.on('exit', (code) => this.#fail(thread, new Error(`it ended with code ${code}`)));
      return worker;
    });
    this.peers = this.#workers.map((worker, thread) => new Peer<Theirs>(worker, handlers(thread)));
  }

  /** The same call to all threads; their results in the order of their numbers. When one fails, the others are not waited for. */
  all<Name extends keyof Theirs & string>(name: Name, argumentOf: (thread: number) => Parameters<Theirs[Name]>[0]) {
    return Promise.all(this.peers.map((peer, thread) => peer.call(name, argumentOf(thread))));
  }

  /** Ends all threads, wherever they are; idempotent. They have closed their files then, and write nothing any more. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const ended = new EtlError('ETL_ABORTED', 'The threads were ended.');
    for (const peer of this.peers) peer.fail(ended);
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #fail(thread: number, cause: unknown): void {
    if (this.#closing || this.#failed) return;
    this.#failed = true;
    const memory = (cause as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
    const error = new EtlError('ETL_WORKER', `Thread ${thread} of ${this.#workers.length} ended before its work was done: ${messageOf(cause)}.`, {
      cause,
      hint: memory ? 'Its heap was too small. Please report this; --jobs 1 may go through.' : 'Please report this, with the input if you can share it; --jobs 1 may go through.',
    });
    for (const peer of this.peers) peer.fail(error);
    this.#options.failed(error);
  }
}
