/**
 * The ids that earlier runs counted, from a thread: main owns the state, and its pages come and go by calls. Pages come
 * several at once, so that a slice of usual size is one call.
 */
import type { IdHistory } from '../dedup/history.ts';

/** Bytes of pages after which a call is answered. */
const ANSWER_BYTES = 256 << 10;

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

/** The history that `call` reaches. */
export function remoteHistory(call: {
  idPages(request: IdPagesRequest): Promise<IdPages>;
  addIds(added: { readonly slice: number; readonly page: Uint8Array }): Promise<void>;
}): IdHistory {
  return {
    async *pages(slice) {
      for (let first = true, last = false; !last; first = false) {
        const answer = await call.idPages({ slice, first });
        yield* answer.pages;
        ({ last } = answer);
      }
    },
    add: (slice, page) => call.addIds({ slice, page }), // a message is a copy
  };
}
