/**
 * Which ids are forgotten: those that were counted before a moment, a page at a time (dedup/page-index.ts). A page has ids of
 * several commits when it was merged; it is forgotten with the last of them. So that this does not take long, runs that have a
 * window merge only pages of one era, an eighth of the window.
 */
import type { PageIndex, PageRef } from '../dedup/page-index.ts';
import type { State } from '../state/state.ts';

const ERAS = 8;

/** What is forgotten of an index. */
export interface Forgotten {
  /** Entries of the index. */
  readonly entries: ReadonlySet<number>;
  readonly ids: number;
  /** Ids in pages that are kept, of which some were counted before the moment. */
  readonly mixed: number;
}

export class Retention {
  /** When each commit was made, in milliseconds since 1970; of 0, that there is none. */
  readonly #when: readonly number[];

  private constructor(when: readonly number[]) {
    this.#when = when;
  }

  /** Throws ETL_STATE_READ, ETL_STATE_DAMAGED. */
  static async of(state: State): Promise<Retention> {
    const when = [0];
    for await (const commit of state.commits()) when.push(Date.parse(commit.when));
    return new Retention(when);
  }

  /** What was counted before `moment`, in milliseconds since 1970. */
  before(moment: number, index: PageIndex): Forgotten {
    const entries = new Set<number>();
    let [ids, mixed] = [0, 0];
    for (const page of index.all()) {
      if (this.#when[page.newest]! < moment) {
        entries.add(page.entry);
        ids += page.ids;
      } else if (this.#when[page.oldest]! < moment) {
        mixed += page.ids;
      }
    }
    return { entries, ids, mixed };
  }

  /** Pages of which era may be merged, with a window of so many milliseconds. */
  eraOf(window: number): (page: PageRef) => number {
    return ({ newest }) => Math.floor(this.#when[newest]! / (window / ERAS));
  }
}
