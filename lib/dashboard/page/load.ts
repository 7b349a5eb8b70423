/**
 * Asks the server. An answer is of the snapshot that the page shows: where the server has that no more (410), the page loads anew, and
 * who asked is told that nothing comes of it. A newer question of the same asker cancels the one before.
 */
import type { Problem } from '../api.ts';
import type { Store } from './store.ts';

/** Left out where null. */
export type Parameters = Readonly<Record<string, string | number | null>>;

/** What the server says is wrong, or that it cannot be reached. */
export class Failure extends Error {
  readonly problem: Problem;
  /** Of HTTP; 0: the server cannot be reached. */
  readonly status: number;

  constructor(problem: Problem, status: number) {
    super(problem.message);
    this.problem = problem;
    this.status = status;
  }
}

/** Of an answer that nobody waits for any more. */
export class Overtaken extends Error {}

/** Told when the page is behind: set by main.ts. */
const outdated: (() => void)[] = [];
export function onOutdated(listener: () => void): void {
  outdated.push(listener);
}

/** By name, relative to the page: `api/runs`. */
export function addressFor(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== null) query.set(name, String(value));
  return query.size === 0 ? path : `${path}?${query}`;
}

/** An answer; throws Failure, or Overtaken when it was cancelled or the page is behind. With a body it is a POST. */
export async function ask<T>(address: string, { signal, body }: { readonly signal?: AbortSignal; readonly body?: unknown } = {}): Promise<T> {
  try {
    const response = await fetch(address, {
      ...(signal && { signal }),
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    if (response.ok) return (await response.json()) as T;
    if (response.status === 410) {
      for (const listener of outdated) listener();
      throw new Overtaken('another snapshot is there');
    }
    throw new Failure(await problemIn(response), response.status);
  } catch (error) {
    if (error instanceof Failure || error instanceof Overtaken) throw error;
    if (signal?.aborted) throw new Overtaken('cancelled', { cause: error });
    throw new Failure({ code: '', message: 'The server cannot be reached.', hint: 'Is etl-stream dashboard still running?' }, 0);
  }
}

async function problemIn(response: Response): Promise<Problem> {
  const answer = (await response.json().catch(() => null)) as { error?: Partial<Problem> } | null;
  const { code = '', message = `The server answered ${response.status}.`, hint } = answer?.error ?? {};
  return { code, message, hint };
}

/** Asks one thing at a time: whoever asks the next cancels the one before, which then throws Overtaken. */
export class Asker {
  readonly store: Store;
  #controller: AbortController | undefined;

  constructor(store: Store) {
    this.store = store;
  }

  /** Of the snapshot that the page shows. */
  ask<T>(path: string, parameters: Parameters = {}, body?: Readonly<Record<string, unknown>>): Promise<T> {
    this.cancel();
    this.#controller = new AbortController();
    const snapshot = this.store.state?.overview.snapshot ?? null;
    const { signal } = this.#controller;
    return body === undefined ? ask<T>(addressFor(path, { ...parameters, snapshot }), { signal }) : ask<T>(addressFor(path, parameters), { signal, body: { ...body, snapshot } });
  }

  cancel(): void {
    this.#controller?.abort();
    this.#controller = undefined;
  }
}
