/** Progress where no terminal is: a message every ten seconds. As JSON for programs, it has the figures, and the beginning of each phase is told as well. */
import { isJsonLog, tell } from '../messages.ts';
import type { FactsTeller, Moment } from './facts.ts';

const PERIOD_SECONDS = 10;

export class PlainLines<M extends Moment> {
  readonly #teller: FactsTeller<M>;
  #next = PERIOD_SECONDS;
  #phase: string | undefined;

  constructor(teller: FactsTeller<M>) {
    this.#teller = teller;
  }

  update(moment: M): void {
    const { facts: { facts }, data } = this.#teller.tell(moment);
    const { phase, seconds } = moment;
    if (isJsonLog() && phase !== this.#phase) tell(`phase ${phase}`, { phase, seconds });
    this.#phase = phase;
    if (seconds < this.#next) return;
    this.#next = (Math.floor(seconds / PERIOD_SECONDS) + 1) * PERIOD_SECONDS;
    tell(facts.map(({ long }) => long).join(', '), { progress: data });
  }

  clear(): void {
    // A line that is written stays.
  }

  end(): void {
    this.#next = Infinity;
  }
}
