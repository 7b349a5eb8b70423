/** How a run tells where it is: the phase it enters, and its counters a few times a second. */
import type { EventEmitter } from 'node:events';
import type { Counters } from './core/counters.ts';

/** The parts of a run, in order. */
export const phases = ['plan', 'scatter', 'reduce', 'publish'] as const;
export type Phase = (typeof phases)[number];

export interface Progress {
  readonly phase: Phase;
  /** Bytes of all inputs; undefined when one of them is a pipe. */
  readonly totalBytes: number | undefined;
  /** What was counted so far: the run's own object, not a copy. */
  readonly counters: Readonly<Counters>;
}

export interface JobEvents {
  phase: [phase: Phase];
  progress: [progress: Progress];
}

const PROGRESS_MILLISECONDS = 100;

export class ProgressTeller {
  /** Seconds that each phase took. */
  readonly seconds: Record<Phase, number> = { plan: 0, scatter: 0, reduce: 0, publish: 0 };
  totalBytes: number | undefined;
  readonly #events: EventEmitter<JobEvents> | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #phase: Phase = 'plan';

  constructor(counters: Readonly<Counters>, events: EventEmitter<JobEvents> | undefined) {
    this.#events = events;
    if (!events) return;
    this.#timer = setInterval(() => {
      events.emit('progress', { phase: this.#phase, totalBytes: this.totalBytes, counters });
    }, PROGRESS_MILLISECONDS);
    this.#timer.unref();
  }

  /** Announces a phase, does its work and notes its time. */
  async during<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    this.#phase = phase;
    this.#events?.emit('phase', phase);
    try {
      return await work();
    } finally {
      this.seconds[phase] = (performance.now() - started) / 1000;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
