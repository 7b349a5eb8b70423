/** How a run tells where it is: the phase it enters, and its counters a few times a second. */
import type { Counters } from './core/counters.ts';

/** The parts of a run, in order. */
export const phases = ['plan', 'scatter', 'reduce', 'publish'] as const;
export type Phase = (typeof phases)[number];

export interface Progress {
  readonly phase: Phase;
  /** Bytes of text that all inputs have; undefined when one of them is a pipe, or has to be decoded: nobody knows before. */
  readonly totalBytes: number | undefined;
  /** What was counted so far: the run's own object, not a copy. */
  readonly counters: Readonly<Counters>;
}

export interface JobEvents {
  phase: [phase: Phase];
  progress: [progress: Progress];
}

/** Who is told: an EventEmitter, typed or not, is one. */
export interface JobListener {
  emit(event: 'phase', phase: Phase): unknown;
  emit(event: 'progress', progress: Progress): unknown;
}

const PROGRESS_MILLISECONDS = 100;

export class ProgressTeller {
  /** Seconds that each phase took. */
  readonly seconds: Record<Phase, number> = { plan: 0, scatter: 0, reduce: 0, publish: 0 };
  totalBytes: number | undefined;
  readonly #events: JobListener | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #phase: Phase = 'plan';
  /** What a listener threw. */
  #failure: unknown;

  constructor(counters: Readonly<Counters>, events: JobListener | undefined) {
    this.#events = events;
    if (!events) return;
    this.#timer = setInterval(() => {
      try {
        events.emit('progress', { phase: this.#phase, totalBytes: this.totalBytes, counters });
      } catch (error) {
        this.#failure ??= error; // thrown where the run can fail of it
        this.close();
      }
    }, PROGRESS_MILLISECONDS);
    this.#timer.unref();
  }

  /** Announces a phase, does its work and notes its time. */
  async during<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    this.#phase = phase;
    this.#events?.emit('phase', phase);
    try {
      const result = await work();
      if (this.#failure !== undefined) throw this.#failure;
      return result;
    } finally {
      this.seconds[phase] = (performance.now() - started) / 1000;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
