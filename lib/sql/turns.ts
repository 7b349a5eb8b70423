/** Lets so many in at a time; the others wait in the order in which they came. */
import { EtlError } from '../core/errors.ts';

export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Gives what is to be called, once, by who has had his turn. Throws ETL_ABORTED when `signal` comes first. */
  async enter(signal: AbortSignal | undefined): Promise<() => void> {
    if (signal?.aborted) throw stoppedBy(signal);
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    return () => {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    };
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(stoppedBy(signal!));
      };
      const enter = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      this.#waiting.push(enter);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}

export function stoppedBy(signal: AbortSignal): EtlError {
  return new EtlError('ETL_ABORTED', 'The query was stopped.', { cause: signal.reason, hint: 'Nothing was changed: ask again.' });
}
