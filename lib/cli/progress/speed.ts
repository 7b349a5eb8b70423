/** How fast a run reads, from what it tells: of late, and all in all. */
import type { Progress } from '../../index.ts';

/** Long enough that blocks and pauses even out, short enough to see a change. */
const LATELY_SECONDS = 4;

export interface Speeds {
  /** Bytes of inputs as they stand, and rows, of the last few seconds; undefined before there are any. */
  readonly bytesPerSecond: number | undefined;
  readonly rowsPerSecond: number | undefined;
  /** Until all inputs are read, at the speed since reading began, commits between parts included; undefined while nobody can know. */
  readonly secondsLeft: number | undefined;
}

type Point = Readonly<{ seconds: number; bytes: number; rows: number }>;

export class Speed {
  #began: Point | undefined;
  #lately: Point[] = [];

  /** Takes what is told, in order of time. */
  add({ phase, seconds, totalBytes, counters: { inputBytes: bytes, read: rows } }: Progress): Speeds {
    if (phase === 'plan' && !this.#began) return { bytesPerSecond: undefined, rowsPerSecond: undefined, secondsLeft: undefined };
    const now: Point = { seconds, bytes, rows };
    this.#began ??= now;
    this.#lately.push(now);
    // The last one before the window stays: it says where the window began.
    const past = this.#lately.findLastIndex((point) => point.seconds <= seconds - LATELY_SECONDS);
    if (past > 0) this.#lately.splice(0, past);
    const from = this.#lately[0]!;
    const average = perSecond(this.#began, now, 'bytes');
    return {
      bytesPerSecond: perSecond(from, now, 'bytes'),
      rowsPerSecond: perSecond(from, now, 'rows'),
      secondsLeft: totalBytes !== undefined && average ? Math.max(0, totalBytes - bytes) / average : undefined,
    };
  }
}

function perSecond(from: Point, to: Point, what: 'bytes' | 'rows'): number | undefined {
  const seconds = to.seconds - from.seconds;
  return seconds > 0 ? (to[what] - from[what]) / seconds : undefined;
}
