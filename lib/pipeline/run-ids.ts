/** The ids of a run with a state: those that it knows, those that it forgets, those that it adds, until its commit has them. */
import { syncFolder } from '../core/sync-folder.ts';
import { PART_BITS } from '../dedup/id-files.ts';
import { IdStore } from '../dedup/id-store.ts';
import type { PageIndex } from '../dedup/page-index.ts';
import type { PageMerger } from '../dedup/page-merger.ts';
import { pilesOf } from '../dedup/page-tiers.ts';
import type { Retention } from './retention.ts';
import { atWrite } from './state-folder.ts';

/** Of fewer bytes of inputs, ids are written to one file. */
const MANY_FILES_FROM = 8e6;

export interface RunIdsOptions {
  /** Of the state. */
  readonly folder: string;
  /** Of the last commit. */
  readonly index: PageIndex;
  /** No id of the last commit is known. */
  readonly isAfresh: boolean;
  /** Which ids are too old, if any may be: those counted so many milliseconds ago. */
  readonly window: number | undefined;
  readonly retention: Retention | undefined;
  /** Number of the commit that the run makes. */
  readonly commit: number;
  /** Of the inputs. */
  readonly bytes: number;
}

/** Of an index, the ids that a run knows, and how many are forgotten by it: none of a run that begins afresh, which had none. */
export function knownTo(
  { index, isAfresh, window, retention }: Pick<RunIdsOptions, 'index' | 'isAfresh' | 'window' | 'retention'>,
): { readonly index: PageIndex; readonly forgets: number } {
  if (isAfresh) return { index: index.with([], new Set(Array.from(index.all(), ({ entry }) => entry))), forgets: 0 };
  const old = window === undefined ? undefined : retention?.before(Date.now() - window, index);
  return old && old.entries.size > 0 ? { index: index.with([], old.entries), forgets: old.ids } : { index, forgets: 0 };
}

export class RunIds {
  readonly store: IdStore;
  /** How many ids are known no more. */
  readonly forgets: number;
  readonly #options: RunIdsOptions;
  #syncing: Promise<void> | undefined;

  constructor(options: RunIdsOptions) {
    const { folder, commit, bytes } = options;
    const { index, forgets } = knownTo(options);
    this.#options = options;
    this.forgets = forgets;
    this.store = new IdStore({
      folder, index, commit, partBits: bytes < MANY_FILES_FROM ? PART_BITS.one : PART_BITS.many,
    });
  }

  /** New ids are all there: makes them durable while others work. */
  startSync(): void {
    this.#syncing = this.store.sync();
    this.#syncing.catch(() => undefined); // told to who waits for `finish`
  }

  /** Merges pages of earlier commits. Throws ETL_STATE_DAMAGED, ETL_STATE_READ, ETL_STATE_WRITE. */
  async merge(merger: PageMerger): Promise<void> {
    const { commit, window, retention } = this.#options;
    const { store } = this;
    const eraOf = window === undefined ? undefined : retention?.eraOf(window);
    await merger.merge(store, pilesOf({ commit, addedBytes: store.addedBytes(), eraOf }, (slice) => store.committed(slice)));
  }

  /** The index for the commit, when all that it tells of is on the disk. Throws ETL_STATE_WRITE. */
  async finish(): Promise<PageIndex> {
    const { folder } = this.#options;
    await this.#syncing;
    await this.store.sync();
    await atWrite(folder, () => syncFolder(folder));
    return this.store.next();
  }
}
