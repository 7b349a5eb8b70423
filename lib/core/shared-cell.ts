/**
 * A 32-bit number in shared memory that several threads read, change and wait for: the one way in which threads of a
 * lane wait for each other. Waiting holds no thread up: it is a promise (Atomics.waitAsync), settled some 25 us after the
 * change. It does not keep a thread's event loop alive; a thread that waits must have something else that does.
 */
import { EtlError } from './errors.ts';

/** What a stopped cell holds: no other value may reach it. */
const STOPPED = 0xffffffff;

/** Atomics.waitAsync, which Node has had since version 16; the library types of our target lack it. */
const { waitAsync } = Atomics as unknown as {
  waitAsync(cells: Int32Array, index: number, value: number): { async: false } | { async: true; value: Promise<unknown> };
};

export class SharedCell {
  readonly #cells: Int32Array;

  /** The cell at byte `at` of `buffer`, a multiple of 4. Its first value is what stands there. */
  constructor(buffer: SharedArrayBuffer, at: number) {
    this.#cells = new Int32Array(buffer, at, 1);
  }

  get value(): number {
    return Atomics.load(this.#cells, 0) >>> 0;
  }

  /** Wakes whoever waits. What was written to shared memory before is seen by those who see the value. Nothing once stopped. */
  set(value: number): void {
    for (let old = this.value; old !== STOPPED; old = this.value) {
      if (Atomics.compareExchange(this.#cells, 0, old | 0, value | 0) === (old | 0)) break;
    }
    Atomics.notify(this.#cells, 0);
  }

  /** Sets the value if it is `from`: whether it was. Wakes nobody. */
  swap(from: number, to: number): boolean {
    return Atomics.compareExchange(this.#cells, 0, from | 0, to | 0) === (from | 0);
  }

  /** Adds to the value, wakes whoever waits, gives what it was before. Throws ETL_ABORTED when stopped. */
  add(count: number): number {
    for (;;) {
      const old = this.#running();
      if (Atomics.compareExchange(this.#cells, 0, old | 0, (old + count) | 0) !== (old | 0)) continue;
      Atomics.notify(this.#cells, 0);
      return old;
    }
  }

  /** Ends all waiting, now and later, with ETL_ABORTED; for good. */
  stop(): void {
    Atomics.store(this.#cells, 0, STOPPED | 0);
    Atomics.notify(this.#cells, 0);
  }

  /** Waits until the condition holds for the value; undefined when it holds already. Throws, or rejects with, ETL_ABORTED when stopped. */
  until(condition: (value: number) => boolean): Promise<void> | undefined {
    return condition(this.#running()) ? undefined : this.#wait(condition);
  }

  async #wait(condition: (value: number) => boolean): Promise<void> {
    for (let value = this.#running(); !condition(value); value = this.#running()) {
      const waiting = waitAsync(this.#cells, 0, value | 0);
      if (waiting.async) await waiting.value;
    }
  }

  #running(): number {
    const { value } = this;
    if (value === STOPPED) throw new EtlError('ETL_ABORTED', 'The lane was stopped.');
    return value;
  }
}
