/** Which pages are merged: by their sizes alone, so that few are left, each id is rarely written again, and no commit does all of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allPilesOf, FAN_IN, pilesOf, type SizedPage } from '../../lib/dedup/page-tiers.ts';
import { ID_PAGE_MOST, ID_SLICES } from '../../lib/kernels/id-page-layout.ts';
import { idPageBytes } from '../../lib/kernels/twins/id-pages.ts';
import { random } from '../random.ts';

const pageOf = (ids: number): SizedPage => ({ bytes: idPageBytes(ids), ids });
const idsOf = (pages: readonly SizedPage[]): number[] => pages.map(({ ids }) => ids);
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const EVER = { addedBytes: 1e12 };

/** Piles of slice 0, in a commit when it is its turn. */
const pilesOf0 = (...ids: number[]): number[][] =>
  pilesOf({ commit: FAN_IN, ...EVER }, (slice) => (slice === 0 ? ids.map(pageOf) : [])).map(({ pages }) => idsOf(pages));
const times = (count: number, ids: number): number[] => Array<number>(count).fill(ids);

test('eight pages of a tier are a pile, whatever lies between them; fewer are none', () => {
  for (const [from, to] of [[1, 7], [8, 63], [64, 511], [512, 4095], [4096, 8192]] as const) {
    assert.deepEqual(pilesOf0(...times(7, from)), []);
    assert.deepEqual(pilesOf0(...times(7, from), to), [[...times(7, from), to]]);
    assert.deepEqual(pilesOf0(...times(7, from), 40_000, to), [[...times(7, from), to]]);
    assert.deepEqual(pilesOf0(...times(7, from), 8 * from), []);
  }
  assert.deepEqual(pilesOf0(...times(9, 600), ...times(8, 3), 80), [times(8, 3), times(9, 600)]);
});

test('what fits in a page is merged; half a page and more is never merged again', () => {
  assert.deepEqual(pilesOf0(...times(20, 32768)), []);
  assert.deepEqual(pilesOf0(...times(20, ID_PAGE_MOST)), []);
  assert.deepEqual(pilesOf0(...times(8, 32767)), [times(2, 32767)]);
  assert.deepEqual(pilesOf0(...times(9, 8192)), [times(8, 8192)]);
  assert.deepEqual(pilesOf0(...times(9, 8193)), [times(7, 8193)]);
});

test('slices take turns; one in which pages have piled up twice as high does not wait', () => {
  const slicesIn = (commit: number, pages: number): number[] =>
    pilesOf({ commit, ...EVER }, () => times(pages, 100).map(pageOf)).map(({ slice }) => slice);
  const turns = Array.from({ length: FAN_IN }, (_, i) => slicesIn(1000 + i, FAN_IN));
  assert.deepEqual(turns.map(({ length }) => length), times(FAN_IN, ID_SLICES / FAN_IN));
  assert.deepEqual(turns.map((slices) => slices.at(-1)! - slices[0]!), times(FAN_IN, ID_SLICES / FAN_IN - 1), 'neighbours, of one part of the files');
  assert.equal(new Set(turns.flat()).size, ID_SLICES);
  assert.equal(slicesIn(5, 2 * FAN_IN - 1).length, ID_SLICES / FAN_IN);
  assert.equal(slicesIn(5, 2 * FAN_IN).length, ID_SLICES);
});

test('pages of different eras are not merged', () => {
  const pages = Array.from({ length: 20 }, (_, i) => ({ ...pageOf(100 + i), era: i % 2 }));
  const committed = (slice: number) => (slice === 0 ? pages : []);
  for (const piles of [pilesOf({ commit: FAN_IN, ...EVER, eraOf: ({ era }) => era }, committed), allPilesOf(committed, ({ era }) => era)]) {
    assert.deepEqual(piles.map((pile) => pile.pages), [pages.filter(({ era }) => era === 0), pages.filter(({ era }) => era === 1)]);
  }
  assert.deepEqual(pilesOf({ commit: FAN_IN, ...EVER }, committed).map((pile) => pile.pages), [pages]);
});

test('all piles: each page that is not large is in one, unless it is alone', () => {
  const committed = (slice: number): SizedPage[] => ({ 3: [1, 40_000, 30_000, 2, 30_000, 9000, ID_PAGE_MOST], 4: [5], 5: [40_000, 7, 8] })[slice]?.map(pageOf) ?? [];
  assert.deepEqual(allPilesOf(committed).map(({ slice, pages }) => [slice, idsOf(pages)]), [[3, [1, 2, 30_000, 30_000]], [5, [7, 8]]]);
});

test('a commit merges no more than its share, small pages first', () => {
  const committed = (slice: number): SizedPage[] => times(16, slice % 2 === 0 ? 4000 : 5).map(pageOf);
  const bytesIn = (addedBytes: number): { bytes: number; small: number } => {
    const piles = pilesOf({ commit: 1, addedBytes }, committed);
    const isSmall = piles.map(({ pages }) => idsOf(pages)[0] === 5);
    assert.deepEqual(isSmall, isSmall.toSorted((a, b) => Number(b) - Number(a)));
    return { bytes: sum(piles.flatMap(({ pages }) => pages.map(({ bytes }) => bytes))), small: isSmall.filter(Boolean).length };
  };
  for (const [added, most] of [[0, 8 << 20], [50e6, (8 << 20) + 100e6]] as const) {
    const { bytes, small } = bytesIn(added);
    assert.equal(small, ID_SLICES / 2);
    assert.ok(bytes >= most && bytes < most + 1.1e6, `${bytes} of ${most}`);
  }
});

for (const [what, size] of Object.entries<(next: () => number) => number>({
  'of 3 ids': () => 3,
  'of 100 ids': () => 100,
  'of 1000 ids': () => 1000,
  'of any size': (next) => Math.ceil(8 ** (4.5 * next())),
  'now one, now many': (next) => (next() < 0.9 ? 1 : 3000),
})) {
  test(`commit after commit with pages ${what}: a slice has few that are not large, and an id is written few times`, () => {
    const next = random(4);
    const slices = Array.from({ length: ID_SLICES }, (): number[] => []);
    let [added, written] = [0, 0];
    let most = 0;
    for (let commit = 1; commit <= 200; commit++) {
      const fresh = size(next);
      const addedBytes = ID_SLICES * idPageBytes(fresh);
      let merged = 0;
      for (const { slice, pages } of pilesOf({ commit, addedBytes }, (of) => slices[of]!.map(pageOf))) {
        const ids = idsOf(pages);
        for (const count of ids) slices[slice]!.splice(slices[slice]!.indexOf(count), 1);
        slices[slice]!.push(sum(ids));
        assert.ok(sum(ids) <= ID_PAGE_MOST);
        merged += sum(pages.map(({ bytes }) => bytes));
      }
      for (const pages of slices) pages.push(fresh);
      added += addedBytes;
      written += merged;
      assert.ok(merged <= 2 * addedBytes + (9 << 20), `commit ${commit}`);
      if (commit % 5 === 0) most = Math.max(most, ...slices.map((pages) => pages.filter((ids) => ids < ID_PAGE_MOST / 2).length));
    }
    assert.ok(most <= (what === 'of any size' ? 50 : 32), `${most} pages`);
    assert.ok(written <= 3 * added, `${written / added} times`);
    assert.ok(slices.every((pages) => sum(pages) === sum(slices[0]!)), 'nothing is lost');
  });
}
