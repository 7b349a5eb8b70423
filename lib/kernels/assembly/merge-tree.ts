// The loser tree over the sources of a merge: which one has the first row. Layout: ../merge-layout.ts.
import {
  MERGE_BY_USER, MERGE_REPLAY, MERGE_RUN, MERGE_RUNS, MERGE_SOURCES, MERGE_TREE, SOURCE_END, SOURCE_NEXT,
} from "../merge-layout";
import { RUN_REGION, RUN_USER, RUN_USER_LEN } from "../layout";
import { compareUsers } from "./sort-bytes";

/** A place that no source has reached yet; wins against all. */
const NONE: u32 = u32.MAX_VALUE;

/** Builds the tree: all sources have their first row, or have ended. */
export function startMerge(state: u32): void {
  const runs = load<u32>(state, MERGE_RUNS);
  for (let run: u32 = 0; run < runs; run++) store<u32>(state + (run << 2), NONE, MERGE_TREE);
  for (let run: u32 = 0; run < runs; run++) replay(state, run);
  store<u32>(state, 0, MERGE_REPLAY);
}

/** Address of the first row of all; 0 when all sources have ended. */
// @ts-ignore: decorator
@inline
export function firstRow(state: u32): u32 {
  if (load<u32>(state, MERGE_REPLAY)) {
    replay(state, load<u32>(state, MERGE_RUN));
    store<u32>(state, 0, MERGE_REPLAY);
  }
  return load<u32>(sourceOf(state, load<u32>(state, MERGE_TREE)), SOURCE_NEXT);
}

/** Steps over the first row. False when its source needs a refill. */
// @ts-ignore: decorator
@inline
export function nextRow(state: u32, row: u32): bool {
  const run = load<u32>(state, MERGE_TREE);
  const source = sourceOf(state, run);
  const next: u32 = row + RUN_USER + load<u32>(row, RUN_USER_LEN);
  store<u32>(source, next, SOURCE_NEXT);
  if (next == load<u32>(source, SOURCE_END)) {
    store<u32>(state, run, MERGE_RUN);
    store<u32>(state, 1, MERGE_REPLAY);
    return false;
  }
  replay(state, run);
  return true;
}

// @ts-ignore: decorator
@inline
function replay(state: u32, run: u32): void {
  for (let node = (run + load<u32>(state, MERGE_RUNS)) >> 1; node; node >>= 1) {
    const at = state + (node << 2);
    const other = load<u32>(at, MERGE_TREE);
    if (before(state, other, run)) {
      store<u32>(at, run, MERGE_TREE);
      run = other;
    }
  }
  store<u32>(state, run, MERGE_TREE);
}

/** True when source `a`'s row comes before source `b`'s. Ended sources come last. */
function before(state: u32, a: u32, b: u32): bool {
  if (a == NONE) return true;
  if (b == NONE) return false;
  const x = load<u32>(sourceOf(state, a), SOURCE_NEXT);
  const y = load<u32>(sourceOf(state, b), SOURCE_NEXT);
  if (!x || !y) return x != 0;
  const regionX = load<u32>(x, RUN_REGION);
  const regionY = load<u32>(y, RUN_REGION);
  const byUser = load<u32>(state, MERGE_BY_USER);
  if (!byUser && regionX != regionY) return regionX < regionY;
  const order = compareUsers(x + RUN_USER, load<u32>(x, RUN_USER_LEN), y + RUN_USER, load<u32>(y, RUN_USER_LEN));
  return order ? order < 0 : regionX < regionY;
}

// @ts-ignore: decorator
@inline
function sourceOf(state: u32, run: u32): u32 {
  return state + MERGE_SOURCES + (run << 3);
}
