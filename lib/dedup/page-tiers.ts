/**
 * Which pages of ids are merged when a commit is made. Every run adds a page to each slice; small ones cost a read each and
 * more bytes for each id. So pages are in tiers, as in an LSM tree:
 *
 *   tier t: 8^t up to 8^(t+1) - 1 ids      8 pages of a tier, or more, are a pile: merged into one, which is of a higher tier
 *   from 8^5 ids on                        never merged again: half of ID_PAGE_MOST or more
 *
 * So an id is written again five times at most, and of each tier a slice has about 8 pages, twice as many for a while. A commit
 * merges piles of an eighth of the slices, another eighth than the commit before, since runs of equal size make piles in all slices at
 * once; and of those as many as its share of bytes allows, small ones first. The rest waits for the next turn. The eighths are
 * those of id-files.ts: what a turn merges leaves whole files without a page.
 *
 * Where ids are to be forgotten some day, pages of different eras are not merged: a page is forgotten as a whole.
 */
import { ID_PAGE_MOST, ID_SLICES } from '../kernels/id-page-layout.ts';

/** Pages that are a pile; and how many commits all slices take for their turn. */
export const FAN_IN = 8;
/** Below 8^5 ids. */
const TIERS = 5;
/** What a commit may merge: so many bytes, and as many times those that it adds. */
const FREE_BYTES = 8 << 20;
const BYTES_FOR_ADDED = 2;

/** A page, as far as it matters here. */
export interface SizedPage {
  readonly bytes: number;
  readonly ids: number;
}

/** Pages to be merged: at least two, of ID_PAGE_MOST ids together at most. */
export interface Pile<Page extends SizedPage> {
  readonly slice: number;
  readonly pages: readonly Page[];
}

export interface Turn<Page extends SizedPage> {
  /** Number of the commit that is made. */
  readonly commit: number;
  /** Of the pages that it adds. */
  readonly addedBytes: number;
  /** Pages of one are merged. Default: all are of one. */
  readonly eraOf?: ((page: Page) => number) | undefined;
}

/** What a commit merges; `committed` gives a slice's pages. */
export function pilesOf<Page extends SizedPage>({ commit, addedBytes, eraOf = () => 0 }: Turn<Page>, committed: (slice: number) => readonly Page[]): Pile<Page>[] {
  const due: Pile<Page>[][] = Array.from({ length: TIERS }, () => []);
  const eighth = ID_SLICES / FAN_IN;
  for (let i = 0; i < ID_SLICES; i++) {
    const slice = ((commit % FAN_IN) * eighth + i) % ID_SLICES;
    const height = i < eighth ? FAN_IN : 2 * FAN_IN;
    for (const [tier, pages] of byTier(committed(slice)).entries()) {
      for (const its of byEra(pages, eraOf)) {
        if (its.length >= height) due[tier]!.push({ slice, pages: whatFits(its) });
      }
    }
  }
  const piles: Pile<Page>[] = [];
  let left = FREE_BYTES + BYTES_FOR_ADDED * addedBytes;
  for (const pile of due.flat()) {
    if (left <= 0) break;
    left -= pile.pages.reduce((sum, { bytes }) => sum + bytes, 0);
    piles.push(pile);
  }
  return piles;
}

/** What a slice's pages come to when all that may be merged is: piles of at least two. */
export function allPilesOf<Page extends SizedPage>(committed: (slice: number) => readonly Page[], eraOf: Turn<Page>['eraOf'] = () => 0): Pile<Page>[] {
  const piles: Pile<Page>[] = [];
  for (let slice = 0; slice < ID_SLICES; slice++) {
    for (let rest of byEra(byTier(committed(slice)).flat(), eraOf)) {
      while (rest.length > 1) {
        const pages = whatFits(rest);
        if (pages.length > 1) piles.push({ slice, pages });
        rest = rest.filter((page) => !pages.includes(page));
      }
    }
  }
  return piles;
}

function byEra<Page extends SizedPage>(pages: readonly Page[], eraOf: (page: Page) => number): Page[][] {
  const eras = new Map<number, Page[]>();
  for (const page of pages) {
    const era = eraOf(page);
    const its = eras.get(era);
    if (its) its.push(page);
    else eras.set(era, [page]);
  }
  return [...eras.values()];
}

/** Tier of a page of so many ids; TIERS for those that are never merged again. */
export function tierOf(ids: number): number {
  return Math.min(Math.floor((31 - Math.clz32(ids)) / 3), TIERS);
}

/** Without those that are large. */
function byTier<Page extends SizedPage>(pages: readonly Page[]): Page[][] {
  const tiers: Page[][] = Array.from({ length: TIERS }, () => []);
  for (const page of pages) tiers[tierOf(page.ids)]?.push(page);
  return tiers;
}

/** The first ones, as many as one page holds: of those in a tier at least two, and more than 8^5 ids where not all fit. */
function whatFits<Page extends SizedPage>(pages: readonly Page[]): Page[] {
  let sum = 0;
  return pages.filter(({ ids }) => {
    if (sum > ID_PAGE_MOST) return false;
    sum += ids;
    return sum <= ID_PAGE_MOST;
  });
}
