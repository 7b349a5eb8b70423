/** What is done to a state between runs: it changes which pages of ids there are, and no total. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EtlError } from '../core/errors.ts';
import { syncFolder } from '../core/sync-folder.ts';
import { idFileName, PART_BITS } from '../dedup/id-files.ts';
import { IdStore } from '../dedup/id-store.ts';
import type { PageIndex, PageRef } from '../dedup/page-index.ts';
import { PageMerger } from '../dedup/page-merger.ts';
import { allPilesOf, type Pile } from '../dedup/page-tiers.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { IdPageKernel } from '../kernels/twins/id-pages.ts';
import type { State } from '../state/state.ts';
import { stateBytes, withState, type StateOf } from './inspect.ts';
import { Retention } from './retention.ts';
import { committed, indexOf } from './state-content.ts';
import { atWrite, removeLeftovers } from './state-folder.ts';

/** With more ids, files are written in parts. */
const MANY_FILES_FROM = 1e6;
/** A file is written anew when so much of it is no page of the index. */
const DEAD_SHARE = 0.1;

/**
 * Merges pages of ids, and gives back the disk space of what is there no more; it takes as much more meanwhile. Gives the bytes
 * of ids and database before and after. Throws as describeState does.
 */
export async function compactState(of: StateOf): Promise<{ readonly folder: string; readonly before: number; readonly after: number }> {
  return withState(of, async (state) => {
    const { folder } = state;
    const before = await stateBytes(state);
    if (state.head) {
      const index = indexOf(state);
      const { window } = committed(state.head);
      const eraOf = window === undefined ? undefined : (await Retention.of(state)).eraOf(window);
      const merged = allPilesOf((slice) => index.of(slice), eraOf);
      const piles = [...merged, ...await singles(folder, index, merged)];
      if (piles.length > 0) await rewrite(state, index, piles);
    }
    await state.compact();
    return { folder, before, after: await stateBytes(state) };
  });
}

/** What `forgetState` did. */
export interface Forgot {
  readonly folder: string;
  /** Ids that are not known any more. */
  readonly ids: number;
  /** Ids that are still known, in pages with some that were counted before: they go with the newest of their page. */
  readonly mixed: number;
}

/**
 * Forgets ids that were counted before a moment: logs that come with them again count again. Totals stay, and so does the ledger:
 * inputs that have not changed are not read again. Throws ETL_USAGE, and as describeState does.
 */
export async function forgetState({ before, ...of }: StateOf & { readonly before: Date }): Promise<Forgot> {
  const moment = before.getTime();
  if (Number.isNaN(moment)) throw new EtlError('ETL_USAGE', 'before must be a date.');
  return withState(of, async (state) => {
    const { folder, head } = state;
    if (!head) return { folder, ids: 0, mixed: 0 };
    const index = indexOf(state);
    const { entries, ids, mixed } = (await Retention.of(state)).before(moment, index);
    if (ids > 0) await amend(state, index.with([], entries), ids);
    return { folder, ids, mixed };
  });
}

/** Pages that are in no pile, of files that have too much else. */
async function singles(folder: string, index: PageIndex, piles: readonly Pile<PageRef>[]): Promise<Pile<PageRef>[]> {
  const piled = new Set(piles.flatMap(({ pages }) => pages.map(({ entry }) => entry)));
  const left = Array.from(index.all()).filter(({ entry }) => !piled.has(entry));
  const files = new Map<string, number>();
  for (const page of left) files.set(idFileName(page), (files.get(idFileName(page)) ?? 0) + page.bytes);
  const sparse = new Set<string>();
  for (const [name, live] of files) {
    const { size } = await stat(join(folder, name)).catch(() => ({ size: 0 })); // reading it tells
    if (live < size * (1 - DEAD_SHARE)) sparse.add(name);
  }
  return left.filter((page) => sparse.has(idFileName(page))).map((page) => ({ slice: page.slice, pages: [page] }));
}

async function rewrite(state: State, index: PageIndex, piles: readonly Pile<PageRef>[]): Promise<void> {
  const { folder, head } = state;
  const memory = new LinearMemory();
  const kernel = await loadKernel<IdPageKernel>('dedup', memory);
  const partBits = head!.ids < MANY_FILES_FROM ? PART_BITS.one : PART_BITS.many;
  const ids = new IdStore({ folder, index, commit: head!.commit, partBits });
  let isCommitted = false;
  try {
    await new PageMerger({ memory, kernel }).merge(ids, piles);
    await ids.sync();
    await atWrite(folder, () => syncFolder(folder));
    isCommitted = true; // or nobody knows
    await amend(state, ids.next(), 0);
  } finally {
    ids.close({ committed: isCommitted });
  }
}

async function amend(state: State, index: PageIndex, forgotten: number): Promise<void> {
  const { format: _, commit: __, ...content } = state.head!;
  const published = { ...content.published, forgotten: committed(state.head!).forgotten + forgotten };
  const head = await state.amend({ ...content, ids: index.ids, published }, index.encoded);
  await removeLeftovers(state.folder, committed(head), index);
}
