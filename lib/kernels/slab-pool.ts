/**
 * A fixed number of slabs of one size that are used over and over: what a stage sends on, and gets back by `release()`.
 * Whoever finds none free waits; all of them go back to the linear memory at the end, each exactly once.
 */
import { EtlError } from '../core/errors.ts';
import type { LinearMemory } from './linear-memory.ts';

export class SlabPool {
  readonly #memory: LinearMemory;
  readonly #bytes: number;
  readonly #free: number[] = [];
  readonly #out = new Set<number>();
  readonly #waiting: { resolve(at: number): void; reject(error: Error): void }[] = [];
  #ended = false;

  /** Throws ETL_MEMORY; then none of the slabs is held. */
  constructor(memory: LinearMemory, count: number, bytes: number, purpose: string) {
    this.#memory = memory;
    this.#bytes = bytes;
    try {
      while (this.#free.length < count) this.#free.push(memory.slab(bytes, purpose));
    } catch (error) {
      this.end();
      throw error;
    }
    this.#free.reverse(); // the lowest first: it may be the only one that is ever touched
  }

  /** A free slab; a promise when there is none. Rejects with ETL_ABORTED when the pool closes before there is. */
  take(): number | Promise<number> {
    if (this.#ended) throw stopped();
    const at = this.#free.pop();
    if (at === undefined) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#out.add(at);
    return at;
  }

  /** Takes a slab back; one that `close` took is none of ours any more. */
  give(at: number): void {
    if (!this.#out.has(at)) return;
    const waiting = this.#waiting.shift();
    if (waiting) return waiting.resolve(at);
    this.#out.delete(at);
    if (this.#ended) this.#memory.giveSlab(at, this.#bytes);
    else this.#free.push(at);
  }

  /** Nothing will be taken any more: free slabs go back to the memory now, the others as they are given. Idempotent. */
  end(): void {
    this.#ended = true;
    for (const at of this.#free.splice(0)) this.#memory.giveSlab(at, this.#bytes);
    for (const { reject } of this.#waiting.splice(0)) reject(stopped());
  }

  /**
   * All slabs go back now, those that are out too: for a lane that failed, whose streams drop what they hold. Nobody
   * takes linear memory after that, so a straggler reads nothing worse than a stale batch. Idempotent.
   */
  close(): void {
    this.end();
    for (const at of this.#out) this.#memory.giveSlab(at, this.#bytes);
    this.#out.clear();
  }
}

function stopped(): EtlError {
  return new EtlError('ETL_ABORTED', 'The lane was stopped.');
}
