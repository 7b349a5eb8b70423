/** What a run has open. Closed in reverse order, each exactly once, whatever happens. */
import { withCleanupError } from './errors.ts';

export class Resources {
  readonly #closers: (() => void | Promise<void>)[] = [];

  /** Registers how to end something; `close` must be idempotent if its owner may also end it early. */
  add(close: () => void | Promise<void>): void {
    this.#closers.push(close);
  }

  /**
   * Closes everything. Gives the first error: `error` if there is one, to which errors of closing are added, else the
   * first error of closing; undefined when all went well.
   */
  async close(error?: unknown): Promise<unknown> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      try {
        await close();
      } catch (extra) {
        error = error === undefined ? extra : withCleanupError(error, extra);
      }
    }
    return error;
  }
}
