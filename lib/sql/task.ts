/** One query of a process, from its turn to its end: its time, which runs while it is asked for something, and who may stop it. */
import { EtlError } from '../core/errors.ts';
import { count } from '../core/figures.ts';
import type { Answer, Asked } from './messages.ts';
import type { QueryProcess } from './query-process.ts';
import { stoppedBy } from './turns.ts';

/** A timer takes no more. */
const MOST_MILLISECONDS = 2 ** 31 - 1;

export interface TaskOptions {
  readonly process: QueryProcess;
  readonly query: number;
  readonly seconds: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Lets the next one in. */
  readonly leave: () => void;
}

export class Task {
  readonly query: number;
  readonly #options: TaskOptions;
  #millisecondsLeft: number;
  #stopped: EtlError | undefined;
  #ended: Promise<void> | undefined;
  readonly #onAbort = (): void => this.#stop(stoppedBy(this.#options.signal!));

  constructor(options: TaskOptions) {
    this.query = options.query;
    this.#options = options;
    options.process.begin();
    this.#millisecondsLeft = (options.seconds ?? Infinity) * 1000;
    options.signal?.addEventListener('abort', this.#onAbort);
    if (options.signal?.aborted) this.#onAbort();
  }

  /** While the answer is awaited the query's time runs. */
  async ask(request: Asked): Promise<Answer> {
    const { process, seconds } = this.#options;
    if (this.#stopped) throw this.#stopped;
    const from = performance.now();
    const late = new EtlError('ETL_SQL_LIMIT', `The query took longer than the ${count(seconds ?? 0, 'second')} that it may.`, { hint: 'Ask for less at a time, or allow it more.' });
    const timer = Number.isFinite(this.#millisecondsLeft) ? setTimeout(() => this.#stop(late), Math.min(Math.max(0, this.#millisecondsLeft), MOST_MILLISECONDS)) : undefined;
    try {
      const answer = await process.ask(request);
      if (this.#stopped) throw this.#stopped;
      return answer;
    } catch (error) {
      throw this.#stopped ?? error;
    } finally {
      clearTimeout(timer);
      this.#millisecondsLeft -= performance.now() - from;
    }
  }

  /** Idempotent; when it is done, the process works on it no longer. */
  end(): Promise<void> {
    this.#ended ??= (async () => {
      const { process, signal, leave } = this.#options;
      signal?.removeEventListener('abort', this.#onAbort);
      await process.end(this.query, this.#stopped);
      leave();
    })();
    return this.#ended;
  }

  #stop(error: EtlError): void {
    if (this.#ended) return;
    this.#stopped ??= error;
    void this.end();
  }
}
