/**
 * How a run tells where it is: the phase it enters, its counters ten times a second, and what it remembers of them. There is one for
 * all parts of a run (pipeline/checkpoints.ts): seconds, counters and samples go on from one part to the next.
 *
 * The timer is one of the main thread, so what it tells comes late while a stage holds that thread up, and threads beside it tell
 * their counters as often: figures may be 0.2 s old. A sample says when it was taken.
 */
import { addFigures, figuresOf, newCounters, type Counters, type Figures } from './core/counters.ts';
import { residentBytes } from './core/resident.ts';

/** The parts of a run, in order; with checkpoints, again and again. */
export const phases = ['plan', 'scatter', 'reduce', 'publish'] as const;
export type Phase = (typeof phases)[number];

export interface Progress {
  readonly phase: Phase;
  /** Since the run began. */
  readonly seconds: number;
  /** Bytes on the disk of all inputs that the run reads, against `counters.inputBytes`; undefined before they are listed, and while a pipe is to be read. */
  readonly totalBytes: number | undefined;
  /** What was counted so far, by all parts of the run. */
  readonly counters: Figures;
  /** Bytes that the process may have resident, and has. */
  readonly memory: { readonly limit: number; readonly resident: number };
}

/** Where a run was at some time. */
export interface Sample extends Pick<Figures, 'inputBytes' | 'bytes' | 'read' | 'spilledBytes'> {
  /** Since the run began. */
  readonly seconds: number;
  readonly phase: Phase;
  readonly resident: number;
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

const TELL_MILLISECONDS = 100;
/** A run of an hour has one every 6.4 seconds then: enough for a chart. */
const MOST_SAMPLES = 600;

export class ProgressTeller {
  /** Seconds that each phase took, in all parts. */
  readonly seconds: Record<Phase, number> = { plan: 0, scatter: 0, reduce: 0, publish: 0 };
  /** As `Progress` has it, as far as it is known. */
  totalBytes: number | undefined;
  memoryLimit: number;
  readonly #events: JobListener | undefined;
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #before = figuresOf(newCounters());
  #counters: Readonly<Counters> = newCounters();
  #phase: Phase = 'plan';
  #samples: Sample[] = [];
  #interval = TELL_MILLISECONDS / 1000;
  /** What a listener threw. */
  #failure: unknown;

  constructor(memoryLimit: number, events: JobListener | undefined) {
    this.memoryLimit = memoryLimit;
    this.#events = events;
    this.#timer = setInterval(() => this.#tick(), TELL_MILLISECONDS).unref(); // a run that is stuck ends with its process
    this.sample();
  }

  /** `counters` are those of the next part; they are added to those before them. */
  begin(counters: Readonly<Counters>): void {
    addFigures(this.#before, this.#counters);
    this.#counters = counters;
  }

  /** What was counted by all parts so far. */
  get counters(): Figures {
    const all = { ...this.#before };
    addFigures(all, this.#counters);
    return all;
  }

  /** From the beginning to the last one, at most MOST_SAMPLES, in order of time: of a long run, evenly fewer. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** Takes one now, whenever the last one was. */
  sample(): void {
    const { inputBytes, bytes, read, spilledBytes } = this.counters;
    this.#samples.push({ seconds: this.elapsed, phase: this.#phase, inputBytes, bytes, read, spilledBytes, resident: resident() });
    if (this.#samples.length < MOST_SAMPLES) return;
    this.#samples = this.#samples.filter((_, index) => index % 2 === 0 || index === MOST_SAMPLES - 1);
    this.#interval *= 2;
  }

  /** Announces a phase, does its work and notes its time. */
  async during<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    this.#phase = phase;
    this.#events?.emit('phase', phase);
    this.#tell();
    try {
      const result = await work();
      if (this.#failure !== undefined) throw this.#failure;
      return result;
    } finally {
      this.seconds[phase] += (performance.now() - started) / 1000;
      this.sample();
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Seconds since the run began. */
  get elapsed(): number {
    return (performance.now() - this.#began) / 1000;
  }

  #tick(): void {
    // Half a period early is on time: what is late once would be so ever after.
    if (this.elapsed - this.#samples.at(-1)!.seconds >= this.#interval - TELL_MILLISECONDS / 2000) this.sample();
    this.#tell();
  }

  #tell(): void {
    if (!this.#events || this.#failure !== undefined) return;
    try {
      const { totalBytes, counters, memoryLimit: limit } = this;
      this.#events.emit('progress', { phase: this.#phase, seconds: this.elapsed, totalBytes, counters, memory: { limit, resident: resident() } });
    } catch (error) {
      this.#failure = error; // thrown where the run can fail of it
    }
  }
}

/** Costs some microseconds; 0 where the system does not say, which is no reason to fail. */
function resident(): number {
  try {
    return residentBytes();
  } catch {
    return 0;
  }
}
