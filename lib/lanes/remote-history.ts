/**
 * The ids that earlier runs counted, from a thread: main owns the state, and its pages come and go by calls. Pages come
 * several at once, of one slice or more.
 */
import type { CountedHistory, IdHistory, SlicePage } from '../dedup/history.ts';

/** Bytes of pages after which a call is answered. */
const ANSWER_BYTES = 256 << 10;
/** Pages that are on their way from a thread. */
const ADDED_AT_ONCE = 4;

/** Slices, both included, whose first pages are wanted; undefined: those that follow. */
export type IdPagesRequest = { readonly first: number; readonly last: number } | undefined;

export interface IdPages {
  readonly pages: readonly SlicePage[];
  /** No more follow. */
  readonly isEnd: boolean;
}

/** What main answers to. */
export type HistoryCalls = {
  idPages: (request: IdPagesRequest) => Promise<IdPages>;
  addIds: (added: { readonly slice: number; readonly page: Uint8Array }) => Promise<void>;
};

/** For one thread: it goes through one range of slices at a time. */
export function serveHistory(history: IdHistory): HistoryCalls {
  let rest: AsyncIterator<SlicePage> | undefined;
  return {
    async idPages(slices) {
      if (slices) {
        await rest?.return?.();
        rest = history.pages(slices.first, slices.last)[Symbol.asyncIterator]();
      }
      const pages: SlicePage[] = [];
      for (let bytes = 0; bytes < ANSWER_BYTES; ) {
        const { value, done } = await rest!.next();
        if (done) {
          rest = undefined;
          return { pages, isEnd: true };
        }
        const { slice, page } = value as SlicePage;
        pages.push({ slice, page: page.slice() }); // good until the next one is asked for
        bytes += page.length;
      }
      return { pages, isEnd: false };
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

  async *pages(first: number, last: number): AsyncGenerator<SlicePage> {
    if (this.ids === 0) return;
    let answer = await this.#calls.idPages({ first, last });
    yield* answer.pages;
    while (!answer.isEnd) {
      answer = await this.#calls.idPages(undefined);
      yield* answer.pages;
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
