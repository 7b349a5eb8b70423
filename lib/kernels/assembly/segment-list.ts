// What several threads stored of a partition, in input order: a merge of chains of pages by segment.
//
//   chain 0  [page: segment 0, segment 3] -> [page: segment 4]       list  address of segment 0
//   chain 1  [page: segment 1, segment 2, segment 7]                       address of segment 1 ...
//
// The sources are a heap of records by key, which are moved whole. The first goes on as long as it stays first, so that one
// chain is a plain walk and two are one comparison a segment. Layouts: ../layout.ts "Partitions", ../partition-layout.ts.
import { PAGE_HEADER, PAGE_NEXT, PAGE_USED, SEGMENT_HEADER } from "../layout";
import {
  MERGE_HEAP, MERGE_SOURCES, SOURCE_AT, SOURCE_BYTES, SOURCE_END, SOURCE_KEY, SOURCE_MORE, SOURCE_NUMBER, SOURCE_PAGE,
} from "../partition-layout";

const CACHE_LINE: u32 = 64;
const LAST_KEY: u64 = u64.MAX_VALUE;

// @ts-ignore: decorator
@inline
function keyOf(segment: u32, number: u32): u64 {
  return ((load<u64>(segment) >> 16) << 8) | <u64>number;
}

/**
 * Loads every cache line of a page at once. Going from segment to segment, each load would wait for the one before, and
 * memory for each: 18 ns a row. Gives something that depends on what was loaded, so that no compiler drops the loads.
 */
// @ts-ignore: decorator
@inline
function touchPage(page: u32, end: u32): u32 {
  let touched: u32 = 0;
  for (let at = page; at < end; at += CACHE_LINE) touched |= load<u8>(at);
  return touched;
}

/** Starts with the first segment of the source's page. */
function openPage(source: u32): void {
  const page = load<u32>(source, SOURCE_PAGE);
  const end = page + load<u32>(page, PAGE_USED);
  store<u32>(source, page + PAGE_HEADER, SOURCE_AT);
  store<u32>(source, touchPage(page, end), SOURCE_END); // overwritten
  store<u32>(source, end, SOURCE_END);
  store<u64>(source, keyOf(page + PAGE_HEADER, load<u16>(source, SOURCE_NUMBER)), SOURCE_KEY);
}

/** Puts the record at `i` where it belongs in the heap below it. */
function siftDown(heap: u32, i: u32, sources: u32): void {
  const moved = heap + i * SOURCE_BYTES;
  const key = load<u64>(moved, SOURCE_KEY), second = load<u64>(moved, 8), third = load<u64>(moved, 16);
  while (true) {
    let child: u32 = 2 * i + 1;
    if (child >= sources) break;
    let from = heap + child * SOURCE_BYTES;
    if (child + 1 < sources && load<u64>(from + SOURCE_BYTES, SOURCE_KEY) < load<u64>(from, SOURCE_KEY)) {
      child++;
      from += SOURCE_BYTES;
    }
    if (key <= load<u64>(from, SOURCE_KEY)) break;
    memory.copy(heap + i * SOURCE_BYTES, from, SOURCE_BYTES);
    i = child;
  }
  const to = heap + i * SOURCE_BYTES;
  store<u64>(to, key);
  store<u64>(to, second, 8);
  store<u64>(to, third, 16);
}

/** The least key of all but the first: whose turn it is then. */
function nextKey(heap: u32, sources: u32): u64 {
  let key = sources > 1 ? load<u64>(heap + SOURCE_BYTES, SOURCE_KEY) : LAST_KEY;
  if (sources > 2) key = min(key, load<u64>(heap + 2 * SOURCE_BYTES, SOURCE_KEY));
  return key;
}

/** See PartitionKernel in ../twins/partition.ts. */
export function listSegments(merge: u32, list: u32, max: u32): u32 {
  const heap = merge + MERGE_HEAP;
  let sources = load<u32>(merge, MERGE_SOURCES);
  for (let i = sources; i-- > 0; ) {
    const source = heap + i * SOURCE_BYTES;
    if (!load<u32>(source, SOURCE_AT)) openPage(source);
    siftDown(heap, i, sources);
  }
  let count: u32 = 0;
  while (sources && count < max) {
    const limit = nextKey(heap, sources);
    const number = load<u16>(heap, SOURCE_NUMBER);
    let at = load<u32>(heap, SOURCE_AT), end = load<u32>(heap, SOURCE_END), page = load<u32>(heap, SOURCE_PAGE);
    let key = load<u64>(heap, SOURCE_KEY);
    do {
      store<u32>(list + (count++ << 2), at);
      at += SEGMENT_HEADER + load<u16>(at);
      if (at == end) {
        page = load<u32>(page, PAGE_NEXT);
        if (!page) break;
        at = page + PAGE_HEADER;
        end = page + load<u32>(page, PAGE_USED);
        store<u32>(heap, touchPage(page, end), SOURCE_END); // overwritten below
      }
      key = keyOf(at, number);
    } while (key < limit && count < max);
    store<u64>(heap, key, SOURCE_KEY);
    store<u32>(heap, at, SOURCE_AT);
    store<u32>(heap, end, SOURCE_END);
    store<u32>(heap, page, SOURCE_PAGE);
    if (!page) {
      if (load<u16>(heap, SOURCE_MORE)) break;
      memory.copy(heap, heap + --sources * SOURCE_BYTES, SOURCE_BYTES);
    }
    if (sources) siftDown(heap, 0, sources);
  }
  store<u32>(merge, sources, MERGE_SOURCES);
  return count;
}
