// The loser tree over the sources of a merge: which one has the first row. Layout: ../merge-layout.ts.
//
// A node holds its loser's run and what its row is compared by: the region + 1 (1 by user), and 8 bytes of the user, a number.
// These stand behind the prefix, which the users of all first rows have in common (its 8 bytes at most; it gets shorter when
// a user comes that does not have it). Only rows that are equal in both are looked at themselves.
import {
  MERGE_BY_USER, MERGE_MASK, MERGE_PREFIX, MERGE_REPLAY, MERGE_RUN, MERGE_RUNS, MERGE_SKIP, MERGE_SOURCES, MERGE_TREE,
  MERGE_WINNER, NODE_BYTES, NODE_KEY, NODE_REGION, NODE_RUN, SOURCE_END, SOURCE_NEXT,
} from "../merge-layout";
import { RUN_REGION, RUN_USER, RUN_USER_LEN } from "../layout";
import { bigEndian, compareUsers } from "./sort-bytes";

/** A place that no source has reached yet; wins against all, being of region 0. */
const NONE: u32 = u32.MAX_VALUE;
/** Region of a source that has ended: behind all. */
const ENDED: u32 = u32.MAX_VALUE;

/** Builds the tree: all sources have their first row, or have ended. */
export function startMerge(state: u32): void {
  const runs = load<u32>(state, MERGE_RUNS);
  for (let place: u32 = 1; place < runs; place++) {
    const node = nodeOf(state, place);
    store<u32>(node, NONE, NODE_RUN);
    store<u32>(node, 0, NODE_REGION);
    store<u64>(node, 0, NODE_KEY);
  }
  for (let run: u32 = 0; run < runs; run++) {
    const row = load<u32>(sourceOf(state, run), SOURCE_NEXT);
    if (!row) continue;
    setPrefix(state, firstBytes(row), 8);
    break;
  }
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
  return load<u32>(sourceOf(state, load<u32>(state, MERGE_WINNER)), SOURCE_NEXT);
}

/** Steps over the first row. False when its source needs a refill. */
// @ts-ignore: decorator
@inline
export function nextRow(state: u32, row: u32): bool {
  const run = load<u32>(state, MERGE_WINNER);
  const source = sourceOf(state, run);
  const next: u32 = row + RUN_USER + load<u32>(row, RUN_USER_LEN);
  store<u32>(source, next, SOURCE_NEXT);
  if (next == load<u32>(source, SOURCE_END)) {
    store<u32>(state, run, MERGE_RUN);
    store<u32>(state, 1, MERGE_REPLAY);
    return false;
  }
  if (load<u32>(state, MERGE_RUNS) > 1) replay(state, run);
  return true;
}

/** Plays the matches of a source that has a new first row, or has ended. */
function replay(state: u32, run: u32): void {
  const runs = load<u32>(state, MERGE_RUNS);
  const row = load<u32>(sourceOf(state, run), SOURCE_NEXT);
  let region: u32 = row ? regionOf(state, row) : ENDED;
  let key = row ? keyOf(state, row) : u64.MAX_VALUE;
  for (let place = (run + runs) >> 1; place; place >>= 1) {
    const node = nodeOf(state, place);
    const other = load<u32>(node, NODE_RUN);
    const otherRegion = load<u32>(node, NODE_REGION);
    const otherKey = load<u64>(node, NODE_KEY);
    const loses: bool = otherRegion == region && otherKey == key
      ? comesBefore(state, other, run)
      : bool(u32(otherRegion < region) | (u32(otherRegion == region) & u32(otherKey < key)));
    store<u32>(node, select(run, other, loses), NODE_RUN);
    store<u32>(node, select(region, otherRegion, loses), NODE_REGION);
    store<u64>(node, select(key, otherKey, loses), NODE_KEY);
    run = select(other, run, loses);
    region = select(otherRegion, region, loses);
    key = select(otherKey, key, loses);
  }
  store<u32>(state, run, MERGE_WINNER);
}

/** True when source `a`'s row comes before source `b`'s, both of one region unless by user. Ended sources come last. */
function comesBefore(state: u32, a: u32, b: u32): bool {
  if (a == NONE) return true;
  const x = load<u32>(sourceOf(state, a), SOURCE_NEXT);
  const y = load<u32>(sourceOf(state, b), SOURCE_NEXT);
  if (!x || !y) return x != 0;
  const order = compareUsers(x + RUN_USER, load<u32>(x, RUN_USER_LEN), y + RUN_USER, load<u32>(y, RUN_USER_LEN));
  return order ? order < 0 : load<u32>(x, RUN_REGION) < load<u32>(y, RUN_REGION);
}

// @ts-ignore: decorator
@inline
function regionOf(state: u32, row: u32): u32 {
  return load<u32>(state, MERGE_BY_USER) ? 1 : load<u32>(row, RUN_REGION) + 1;
}

/** The 8 bytes of the row's user behind the prefix, those behind its end being 0. Shortens the prefix if it must. */
// @ts-ignore: decorator
@inline
function keyOf(state: u32, row: u32): u64 {
  const differ = (firstBytes(row) ^ load<u64>(state, MERGE_PREFIX)) & load<u64>(state, MERGE_MASK);
  if (differ) shortenPrefix(state, <u32>ctz(differ) >> 3);
  return bytesBehind(row, load<u32>(state, MERGE_SKIP));
}

// @ts-ignore: decorator
@inline
function firstBytes(row: u32): u64 {
  const len = load<u32>(row, RUN_USER_LEN);
  if (len >= 8) return load<u64>(row, RUN_USER);
  return len ? load<u64>(row + len, RUN_USER - 8) >> (64 - (len << 3)) : 0;
}

// @ts-ignore: decorator
@inline
function bytesBehind(row: u32, skip: u32): u64 {
  const len = load<u32>(row, RUN_USER_LEN);
  if (len >= skip + 8) return bigEndian(load<u64>(row + skip, RUN_USER));
  return len > skip ? bigEndian(load<u64>(row + len, RUN_USER - 8) >> (64 - (len - skip << 3))) : 0;
}

/** Rare: the keys of all sources that are in the tree change, their order does not. */
function shortenPrefix(state: u32, skip: u32): void {
  setPrefix(state, load<u64>(state, MERGE_PREFIX), skip);
  const runs = load<u32>(state, MERGE_RUNS);
  for (let place: u32 = 1; place < runs; place++) {
    const node = nodeOf(state, place);
    const run = load<u32>(node, NODE_RUN);
    const row = run == NONE ? 0 : load<u32>(sourceOf(state, run), SOURCE_NEXT);
    if (row) store<u64>(node, bytesBehind(row, skip), NODE_KEY);
  }
}

function setPrefix(state: u32, bytes: u64, skip: u32): void {
  const mask: u64 = skip == 8 ? u64.MAX_VALUE : ((1 as u64) << (skip << 3)) - 1;
  store<u64>(state, bytes & mask, MERGE_PREFIX);
  store<u64>(state, mask, MERGE_MASK);
  store<u32>(state, skip, MERGE_SKIP);
}

// @ts-ignore: decorator
@inline
function nodeOf(state: u32, place: u32): u32 {
  return state + MERGE_TREE + place * NODE_BYTES;
}

// @ts-ignore: decorator
@inline
function sourceOf(state: u32, run: u32): u32 {
  return state + MERGE_SOURCES + (run << 3);
}
