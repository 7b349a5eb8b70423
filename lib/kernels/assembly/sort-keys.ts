// Sorts addresses of groups by user bytes, then region: multikey quicksort with cached keys (Bentley and Sedgewick, 1997),
// in place, on two arrays that move together: addresses, and the key of each.
//
// A key is a stretch of 7 user bytes from `depth` on, padded with zeros, and in the lowest byte how many of them there are,
// 8 meaning that the user goes on: so a NUL is not an end, and a shorter user comes first. Equal keys below 8 are equal
// users, which are in order of region; equal keys of 8 go on 7 bytes further, or past all that they have in common.
// There is no recursion: ranges to do are on a stack, the largest of a split below the others, so that it holds two for
// each halving. Pivots are medians of secretly random places: no input can prepare for them.
import { RUN_REGION, RUN_USER, RUN_USER_LEN } from "../layout";
import { bigEndian, commonBytes } from "./sort-bytes";

const STRETCH: u32 = 7;
const GOES_ON: u64 = 8;
/** The stretch after the last: the key is the region. */
const BY_REGION: u32 = u32.MAX_VALUE;
/** Ranges up to this are sorted by insertion. */
const SMALL: u32 = 20;

// A frame: first u32, count u32, depth u32, fresh u32 (keys are to be loaded).
const FRAME: u32 = 16;

/**
 * Sorts `count` addresses; `keys` are their keys at `depth`, up to which all users agree; `stack` is room for STACK_FRAMES;
 * `random` is a secret.
 */
export function sortGroups(addresses: u32, keys: u32, count: u32, depth: u32, stack: u32, random: u64): void {
  let top = push(stack, 0, count, depth, 0);
  while (top > stack) {
    top -= FRAME;
    const count = load<u32>(top, 4);
    const first = load<u32>(top);
    const a = addresses + (first << 2);
    const k = keys + (first << 3);
    let depth = load<u32>(top, 8);
    if (load<u32>(top, 12)) depth = loadKeys(a, k, count, depth);
    if (count <= SMALL) {
      insertionSort(a, k, count);
      top = pushTies(top, first, k, count, depth);
      continue;
    }
    random = random * 6364136223846793005 + 1442695040888963407;
    const pivot = choosePivot(k, count, random);
    const below = partition(a, k, count, pivot, false);
    let ties: u32 = 0;
    // Few below the pivot: it may be the key of many.
    if (below < count >> 3) ties = partition(a + (below << 2), k + (below << 3), count - below, pivot, true);
    const above = count - below - ties;
    const next = nextDepth(pivot, depth);
    if (ties >= below && ties >= above) {
      if (next) top = push(top, first + below, ties, next, 1);
      top = push(top, first, below, depth, 0);
      top = push(top, first + below + ties, above, depth, 0);
    } else if (below >= above) {
      top = push(top, first, below, depth, 0);
      top = push(top, first + below + ties, above, depth, 0);
      if (next) top = push(top, first + below, ties, next, 1);
    } else {
      top = push(top, first + below + ties, above, depth, 0);
      top = push(top, first, below, depth, 0);
      if (next) top = push(top, first + below, ties, next, 1);
    }
  }
}

// @ts-ignore: decorator
@inline
function push(top: u32, first: u32, count: u32, depth: u32, fresh: u32): u32 {
  if (count < 2) return top;
  store<u32>(top, first);
  store<u32>(top, count, 4);
  store<u32>(top, depth, 8);
  store<u32>(top, fresh, 12);
  return top + FRAME;
}

/** Where groups with equal keys go on: 0 = nowhere, they are in order. */
// @ts-ignore: decorator
@inline
function nextDepth(key: u64, depth: u32): u32 {
  if (depth == BY_REGION) return 0;
  return (key & 0xff) == GOES_ON ? depth + STRETCH : BY_REGION;
}

/** Loads the keys at `depth`, or further on where the users still have all in common; gives the depth. */
function loadKeys(a: u32, k: u32, count: u32, depth: u32): u32 {
  while (true) {
    const first = keyOf(load<u32>(a), depth);
    let differ: u64 = 0;
    for (let i: u32 = 0; i < count; i++) {
      const key = keyOf(load<u32>(a + (i << 2)), depth);
      differ |= key ^ first;
      store<u64>(k + (i << 3), key);
    }
    if (differ || depth == BY_REGION) return depth;
    if ((first & 0xff) != GOES_ON) {
      depth = BY_REGION;
      continue;
    }
    const sample = load<u32>(a);
    depth += STRETCH;
    let common = load<u32>(sample, RUN_USER_LEN) - depth;
    for (let i: u32 = 1; i < count; i++) {
      const group = load<u32>(a + (i << 2));
      const len = min(common, load<u32>(group, RUN_USER_LEN) - depth);
      common = commonBytes(sample + RUN_USER + depth, group + RUN_USER + depth, len);
    }
    depth += common;
  }
}

/** The key of a group's user from `depth` on. */
// @ts-ignore: decorator
@inline
export function keyOf(group: u32, depth: u32): u64 {
  if (depth == BY_REGION) return load<u32>(group, RUN_REGION);
  const rest = load<u32>(group, RUN_USER_LEN) - depth;
  const user: u32 = group + RUN_USER + depth;
  // A group has GROUP_PAGE_SLACK readable bytes behind it.
  const bytes = bigEndian(load<u64>(user));
  if (rest >= 8) return bytes & 0xffffffffffffff00 | GOES_ON;
  return rest ? bytes >> (64 - (rest << 3)) << (64 - (rest << 3)) | rest : 0;
}

function insertionSort(a: u32, k: u32, count: u32): void {
  for (let i: u32 = 1; i < count; i++) {
    const key = load<u64>(k + (i << 3));
    const address = load<u32>(a + (i << 2));
    let at = i;
    while (at > 0 && load<u64>(k + (at - 1 << 3)) > key) {
      store<u64>(k + (at << 3), load<u64>(k + (at - 1 << 3)));
      store<u32>(a + (at << 2), load<u32>(a + (at - 1 << 2)));
      at--;
    }
    store<u64>(k + (at << 3), key);
    store<u32>(a + (at << 2), address);
  }
}

/** Pushes the ranges of equal keys of a sorted range. */
function pushTies(top: u32, first: u32, k: u32, count: u32, depth: u32): u32 {
  let start: u32 = 0;
  for (let i: u32 = 1; i <= count; i++) {
    const key = load<u64>(k + (start << 3));
    if (i < count && load<u64>(k + (i << 3)) == key) continue;
    const next = nextDepth(key, depth);
    if (next) top = push(top, first + start, i - start, next, 1);
    start = i;
  }
  return top;
}

/** Moves the keys below `pivot`, or not above it, to the front, without a branch on a key; gives their number. */
// @ts-ignore: decorator
@inline
function partition(a: u32, k: u32, count: u32, pivot: u64, orEqual: bool): u32 {
  let front: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const key = load<u64>(k + (i << 3));
    const address = load<u32>(a + (i << 2));
    store<u64>(k + (i << 3), load<u64>(k + (front << 3)));
    store<u32>(a + (i << 2), load<u32>(a + (front << 2)));
    store<u64>(k + (front << 3), key);
    store<u32>(a + (front << 2), address);
    front += u32(orEqual ? key <= pivot : key < pivot);
  }
  return front;
}

/** Median of three random keys, or of three such medians. */
function choosePivot(k: u32, count: u32, random: u64): u64 {
  const step = count / 9;
  const offset = <u32>(random >> 33) % step;
  const at = k + (offset << 3);
  const third = step << 3;
  if (count < 128) return median(load<u64>(at), load<u64>(at + 4 * third), load<u64>(at + 8 * third));
  return median(
    median(load<u64>(at), load<u64>(at + third), load<u64>(at + 2 * third)),
    median(load<u64>(at + 3 * third), load<u64>(at + 4 * third), load<u64>(at + 5 * third)),
    median(load<u64>(at + 6 * third), load<u64>(at + 7 * third), load<u64>(at + 8 * third)),
  );
}

// @ts-ignore: decorator
@inline
function median(x: u64, y: u64, z: u64): u64 {
  return max(min(x, y), min(max(x, y), z));
}
