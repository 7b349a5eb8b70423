/** Progress where no terminal is: a message every ten seconds. As JSON for programs, it has the figures, and the beginning of each phase is told as well. */
import type { Phase, Progress } from '../../index.ts';
import { isJsonLog, tell } from '../messages.ts';
import { factsOf } from './facts.ts';
import { Speed } from './speed.ts';

const PERIOD_SECONDS = 10;

export class PlainLines {
  readonly #speed = new Speed();
  #next = PERIOD_SECONDS;
  #phase: Phase | undefined;

  update(progress: Progress): void {
    const speeds = this.#speed.add(progress);
    const { phase, seconds } = progress;
    if (isJsonLog() && phase !== this.#phase) tell(`phase ${phase}`, { phase, seconds });
    this.#phase = phase;
    if (seconds < this.#next) return;
    this.#next = (Math.floor(seconds / PERIOD_SECONDS) + 1) * PERIOD_SECONDS;
    tell(factsOf(progress, speeds).facts.map(({ long }) => long).join(', '), { progress: { ...progress, ...speeds } });
  }

  clear(): void {
    // A line that is written stays.
  }

  end(): void {
    this.#next = Infinity;
  }
}
