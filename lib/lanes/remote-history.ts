/**
 * The ids that earlier runs counted, from a thread: main owns the state, and its pages come and go by calls. Pages come
 * several at once, so that a slice of usual size is one call.
 */
import type { CountedHistory, IdHistory } from '../dedup/history.ts';

/** Bytes of pages after which a call is answered. */
const ANSWER_BYTES = 256 << 10;
/** Pages that are on their way from a thread. */
const ADDED_AT_ONCE = 4;

export interface IdPagesRequest {
  readonly slice: number;
  /** The slice's first pages are wanted; else those that follow. */
  readonly first: boolean;
}

export interface IdPages {
  readonly pages: readonly Uint8Array[];
  /** No more follow. */
  readonly last: boolean;
}

/** What main answers to. */
export type HistoryCalls = {
  idPages: (request: IdPagesRequest) => Promise<IdPages>;
  addIds: (added: { readonly slice: number; readonly page: Uint8Array }) => Promise<void>;
};

/** For one thread: it goes through one slice at a time. */
export function serveHistory(history: IdHistory): HistoryCalls {
  let rest: AsyncIterator<Uint8Array> | undefined;
  return {
    async idPages({ slice, first }) {
      if (first) {
        await rest?.return?.();
        rest = history.pages(slice)[Symbol.asyncIterator]();
      }
      const pages: Uint8Array[] = [];
      for (let bytes = 0; bytes < ANSWER_BYTES; ) {
        const { value, done } = await rest!.next();
        if (done) {
          rest = undefined;
          return { pages, last: true };
        }
        pages.push(value.slice()); // good until the next one is asked for
        bytes += value.length;
      }
      return { pages, last: false };
    },
    addIds: ({ slice, page }) => history.add(slice, page),
  };
}

export interface RemoteCalls {
  idPages(request: IdPagesRequest): Promise<IdPages>;
  /** Moves the page. */
  addIds(added: { readonly slice: number; readonly page: Uint8Array<ArrayBuffer> }): Promise<void>;
}

/** The history that calls reach: a page that is added is on its way while the next is made. */
export class RemoteHistory implements CountedHistory {
  readonly #calls: RemoteCalls;
  readonly ids: number;
  readonly #adding = new Set<Promise<void>>();
  #failure: unknown;

  constructor(calls: RemoteCalls, ids: number) {
    this.#calls = calls;
    this.ids = ids;
  }

  async *pages(slice: number): AsyncGenerator<Uint8Array> {
    for (let first = true, last = this.ids === 0; !last; first = false) {
      const answer = await this.#calls.idPages({ slice, first });
      yield* answer.pages;
      ({ last } = answer);
    }
  }

  /** Throws what an earlier call failed with, too. */
  async add(slice: number, page: Uint8Array): Promise<void> {
    const adding = this.#calls.addIds({ slice, page: new Uint8Array(page) }).catch((error: unknown) => { // a copy: the view is of shared memory
      this.#failure ??= error;
    });
    this.#adding.add(adding);
    void adding.then(() => this.#adding.delete(adding));
    while (this.#adding.size >= ADDED_AT_ONCE) await Promise.race(this.#adding);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits for all that was added. Throws what any call failed with. */
  async settled(): Promise<void> {
    await Promise.all(this.#adding);
    if (this.#failure !== undefined) throw this.#failure;
  }
}
