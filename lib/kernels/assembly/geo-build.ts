// The search tree of an MMDB file -> a range table (drawn in geo-lookup.ts), in two passes.
//
// 1. markRecords reads the tree front to back and marks each data record that it mentions. The host decodes every
//    marked record once and puts its region number in the mark's place.
// 2. buildTable walks the tree in order of address. Sixteen levels of it become one chunk: entries (first low 16 bits,
//    what they lead to) are collected on a stack, neighbours that lead to the same are one entry, a chunk with one entry
//    is no chunk, and a subtree deeper than sixteen levels is a chunk of its own, written before its parent.
//
//    [header][directories][chunk][chunk] OUT -->          free          <-- TOP [entries of the chunks in progress]
//
// MMDB format: https://maxmind.github.io/MaxMind-DB/. Record value < nodes: a node; = nodes: nothing; above: data.
import {
  BUILD_ALIASES, BUILD_BAD_RECORD, BUILD_BOTTOM, BUILD_CAPACITY, BUILD_DATA_BYTES, BUILD_DEPTH, BUILD_FULL,
  BUILD_IP_VERSION, BUILD_LAST, BUILD_LAST_RECORD, BUILD_MARKS, BUILD_NODES, BUILD_OK, BUILD_OUT, BUILD_RANGES, BUILD_RECORD_BITS, BUILD_REGIONS,
  BUILD_ROOT4, BUILD_STATE, BUILD_STEPS, BUILD_TABLE, BUILD_TOO_DEEP, BUILD_TOO_MANY_STEPS, BUILD_TOP, BUILD_TREE, BUILD_UNKNOWN,
  BUILD_WIDTH, DIRECTORY_ENTRIES, KIND_ALIAS, KIND_LEAF, KIND_NODE, KIND_SHIFT, TABLE_ALIASES, TABLE_BYTES, TABLE_CHUNKS,
  TABLE_DIRECTORY4, TABLE_DIRECTORY6, TABLE_PAD, TABLE_RANGES4, TABLE_RANGES6, TABLE_UNKNOWN, TABLE_WIDTH,
} from "../geo-layout";

/** Bytes between the search tree and the data section; data records are counted from the tree's end. */
const SEPARATOR = 16;
/** No entry, no record of a tree and no node is this. */
const NONE: u32 = 0xffffffff;
const ENTRY_BYTES: u32 = 8;
const CHUNK_SPAN: u32 = 65536;

// @ts-ignore: decorator
@inline
function left(tree: u32, node: u32, bits: u32): u32 {
  if (bits == 24) return bswap(load<u32>(tree + node * 6)) >> 8;
  if (bits == 28) return (bswap(load<u32>(tree + node * 7)) >> 8) | ((load<u8>(tree + node * 7, 3) & 0xf0) << 20);
  return bswap(load<u32>(tree + node * 8));
}

// @ts-ignore: decorator
@inline
function right(tree: u32, node: u32, bits: u32): u32 {
  if (bits == 24) return bswap(load<u32>(tree + node * 6, 2)) & 0xffffff;
  if (bits == 28) return bswap(load<u32>(tree + node * 7, 3)) & 0xfffffff;
  return bswap(load<u32>(tree + node * 8, 4));
}

/**
 * Marks the data records that nodes [from, to) lead to. Whatever else a record says goes to the spare mark: whether a
 * record is data is as good as random, and a wrongly guessed branch would cost more than the store.
 */
export function markRecords(build: u32, from: u32, to: u32): void {
  const tree = load<u32>(build, BUILD_TREE);
  const bits = load<u32>(build, BUILD_RECORD_BITS);
  const first = load<u32>(build, BUILD_NODES) + SEPARATOR;
  const spare = load<u32>(build, BUILD_DATA_BYTES);
  const marks = load<u32>(build, BUILD_MARKS);
  for (let node = from; node < to; node++) {
    store<u8>(marks + min<u32>(left(tree, node, bits) - first, spare), 1);
    store<u8>(marks + min<u32>(right(tree, node, bits) - first, spare), 1);
  }
}

/** Ends the walk: no step is left. The first reason counts. */
function fail(build: u32, state: u32): void {
  if (load<u32>(build, BUILD_STATE) == BUILD_OK) store<u32>(build, state, BUILD_STATE);
  store<u32>(build, 0, BUILD_STEPS);
}

/** The region number that a data record stands for, or NONE. */
// @ts-ignore: decorator
@inline
function regionOf(build: u32, record: u32): u32 {
  const at = record - load<u32>(build, BUILD_NODES) - SEPARATOR;
  if (at >= load<u32>(build, BUILD_DATA_BYTES)) return NONE;
  const regions = load<u32>(build, BUILD_REGIONS);
  const width = load<u32>(build, BUILD_WIDTH);
  return width == 1 ? <u32>load<u8>(regions + at) : width == 2 ? <u32>load<u16>(regions + at * 2) : load<u32>(regions + at * 4);
}

/** Puts an entry on the stack, unless the one before it in its chunk leads to the same. */
// @ts-ignore: decorator
@inline
function push(build: u32, low: u32, entry: u32): void {
  const top = load<u32>(build, BUILD_TOP);
  if (top != load<u32>(build, BUILD_BOTTOM) && load<u32>(top, 4) == entry) return;
  if (top < load<u32>(build, BUILD_OUT) + 2 * ENTRY_BYTES) return fail(build, BUILD_FULL);
  store<u32>(top - ENTRY_BYTES, low);
  store<u32>(top - ENTRY_BYTES, entry, 4);
  store<u32>(build, top - ENTRY_BYTES, BUILD_TOP);
}

/** The same for the answer that the leaf `record` means; counts ranges across chunks, in order of address. */
function answer(build: u32, low: u32, record: u32, entry: u32): void {
  store<u32>(build, record, BUILD_LAST_RECORD);
  if (entry != load<u32>(build, BUILD_LAST)) {
    store<u32>(build, entry, BUILD_LAST);
    store<u32>(build, load<u32>(build, BUILD_RANGES) + 1, BUILD_RANGES);
  }
  push(build, low, entry);
}

/** Levels of the tree above `span` addresses of the chunk in progress. */
// @ts-ignore: decorator
@inline
function depthOf(build: u32, span: u32): u32 {
  return load<u32>(build, BUILD_DEPTH) + 16 - <u32>ctz(span);
}

/** A record that is no node. */
function leaf(build: u32, record: u32, low: u32): void {
  const entry = record == load<u32>(build, BUILD_NODES) ? load<u32>(build, BUILD_UNKNOWN) : regionOf(build, record);
  if (entry == NONE) fail(build, BUILD_BAD_RECORD);
  else answer(build, low, record, entry);
}

/** A node that is the root of the IPv4 tree or of a chunk. Not so: the IPv4 tree below where an address of it would fit. */
function border(build: u32, node: u32, low: u32, span: u32, mapped: bool): void {
  const depth = depthOf(build, span);
  const root4 = load<u32>(build, BUILD_ROOT4);
  if (node == root4 && depth <= 96) {
    store<u32>(build, load<u32>(build, BUILD_ALIASES) + 1, BUILD_ALIASES);
    answer(build, low, NONE, (<u32>KIND_ALIAS << KIND_SHIFT) | depth);
  } else if (span != 1) {
    descend(build, node, low, span);
  } else if (depth == 128 || (depth == 32 && root4 == NONE)) {
    fail(build, BUILD_TOO_DEEP);
  } else {
    push(build, low, chunk(build, node, mapped));
  }
}

/** Collects what `record` leads to, for the next `span` values of 16 bits from `low` on. */
// @ts-ignore: decorator
@inline
function collect(build: u32, record: u32, low: u32, span: u32): void {
  if (record >= load<u32>(build, BUILD_NODES)) {
    if (record == load<u32>(build, BUILD_LAST_RECORD)) push(build, low, load<u32>(build, BUILD_LAST));
    else leaf(build, record, low);
  } else if (span == 1 || record == load<u32>(build, BUILD_ROOT4)) {
    border(build, record, low, span, false);
  } else {
    descend(build, record, low, span);
  }
}

function descend(build: u32, node: u32, low: u32, span: u32): void {
  if (!step(build)) return;
  const tree = load<u32>(build, BUILD_TREE);
  const bits = load<u32>(build, BUILD_RECORD_BITS);
  const half = span >> 1;
  collect(build, left(tree, node, bits), low, half);
  collect(build, right(tree, node, bits), low + half, half);
}

// @ts-ignore: decorator
@inline
function step(build: u32): bool {
  const steps = load<u32>(build, BUILD_STEPS);
  if (steps == 0) fail(build, BUILD_TOO_MANY_STEPS);
  else store<u32>(build, steps - 1, BUILD_STEPS);
  return steps != 0;
}

/** `collect` on the way to ::ffff:0:0/96 and inside it: what the database leaves empty there goes to the IPv4 tree. */
function collectMapped(build: u32, record: u32, low: u32, span: u32): void {
  const nodes = load<u32>(build, BUILD_NODES);
  const depth = depthOf(build, span);
  if (record > nodes) return leaf(build, record, low);
  if (record == nodes && depth >= 96) return answer(build, low, NONE, (<u32>KIND_ALIAS << KIND_SHIFT) | 96);
  if (record == nodes && span == 1) return push(build, low, chunk(build, record, true));
  if (record < nodes && (span == 1 || (depth <= 96 && record == load<u32>(build, BUILD_ROOT4)))) return border(build, record, low, span, true);

  let zero = record;
  let one = record;
  if (record < nodes) {
    if (!step(build)) return;
    zero = left(load<u32>(build, BUILD_TREE), record, load<u32>(build, BUILD_RECORD_BITS));
    one = right(load<u32>(build, BUILD_TREE), record, load<u32>(build, BUILD_RECORD_BITS));
  }
  const half = span >> 1;
  if (depth < 80 || depth >= 96) collectMapped(build, zero, low, half);
  else collect(build, zero, low, half);
  if (depth >= 80) collectMapped(build, one, low + half, half);
  else collect(build, one, low + half, half);
}

/** Collects what the 16 bits below `record` lead to, as entries from `top` on, which it gives; takes them off the stack. */
// @ts-ignore: decorator
@inline
function collectAll(build: u32, record: u32, mapped: bool): u32 {
  const outer = load<u32>(build, BUILD_BOTTOM);
  const bottom = load<u32>(build, BUILD_TOP);
  store<u32>(build, bottom, BUILD_BOTTOM);
  if (mapped) collectMapped(build, record, 0, CHUNK_SPAN);
  else collect(build, record, 0, CHUNK_SPAN);
  const top = load<u32>(build, BUILD_TOP);
  store<u32>(build, bottom, BUILD_TOP);
  store<u32>(build, outer, BUILD_BOTTOM);
  return top;
}

/** Writes the chunk of the subtree at `record`; gives the entry that leads to it, or its only entry. */
function chunk(build: u32, record: u32, mapped: bool): u32 {
  const bottom = load<u32>(build, BUILD_TOP);
  store<u32>(build, load<u32>(build, BUILD_DEPTH) + 16, BUILD_DEPTH);
  const top = collectAll(build, record, mapped);
  store<u32>(build, load<u32>(build, BUILD_DEPTH) - 16, BUILD_DEPTH);
  if (load<u32>(build, BUILD_STATE) != BUILD_OK) return NONE;
  const count = (bottom - top) / ENTRY_BYTES;
  if (count == 1) return load<u32>(top, 4);

  let kind: u32 = KIND_LEAF;
  for (let at = top; at < bottom; at += ENTRY_BYTES) if (load<u32>(at, 4) >> KIND_SHIFT) kind = KIND_NODE;
  const width: u32 = kind == KIND_LEAF ? load<u32>(build, BUILD_WIDTH) : 4;
  const start = load<u32>(build, BUILD_OUT);
  const end = (start + count * 2 + count * width + 1) & ~1;
  if (end + TABLE_PAD > top) {
    fail(build, BUILD_FULL);
    return NONE;
  }
  store<u16>(start, count - 1);
  let low = start + 2;
  let value = start + count * 2;
  for (let at = bottom - ENTRY_BYTES; ; at -= ENTRY_BYTES) {
    const entry = load<u32>(at, 4);
    if (width == 1) store<u8>(value, entry);
    else if (width == 2) store<u16>(value, entry);
    else store<u32>(value, entry);
    value += width;
    if (at == top) break;
    store<u16>(low, load<u32>(at - ENTRY_BYTES));
    low += 2;
  }
  store<u32>(build, end, BUILD_OUT);
  return (kind << KIND_SHIFT) | ((start - load<u32>(build, BUILD_TABLE)) >> 1);
}

/** Fills the directory at `at` with what the first 16 bits lead to from `record`; gives the number of ranges. */
function writeDirectory(build: u32, at: u32, record: u32, mapped: bool): u32 {
  store<u32>(build, NONE, BUILD_LAST_RECORD);
  store<u32>(build, NONE, BUILD_LAST);
  store<u32>(build, 0, BUILD_RANGES);
  const bottom = load<u32>(build, BUILD_TOP);
  const top = collectAll(build, record, mapped);
  if (load<u32>(build, BUILD_STATE) != BUILD_OK) return 0;
  let next: u32 = DIRECTORY_ENTRIES;
  for (let stretch = top; stretch < bottom; stretch += ENTRY_BYTES) {
    const low = load<u32>(stretch);
    const entry = load<u32>(stretch, 4);
    for (let i = low; i < next; i++) store<u32>(at + (i << 2), entry);
    next = low;
  }
  return load<u32>(build, BUILD_RANGES);
}

/** Builds the table; gives BUILD_OK or what went wrong. May be called again, with more room. */
export function buildTable(build: u32): u32 {
  const table = load<u32>(build, BUILD_TABLE);
  const nodes = load<u32>(build, BUILD_NODES);
  const isIpv6 = load<u32>(build, BUILD_IP_VERSION) == 6;
  store<u32>(build, BUILD_OK, BUILD_STATE);
  store<u32>(build, 0, BUILD_ALIASES);
  store<u32>(build, 0, BUILD_DEPTH);
  store<u32>(build, 0, BUILD_BOTTOM);
  store<u32>(build, table + TABLE_CHUNKS, BUILD_OUT);
  store<u32>(build, table + (load<u32>(build, BUILD_CAPACITY) & ~7), BUILD_TOP);

  let root4: u32 = 0;
  if (isIpv6) {
    for (let i = 0; i < 96 && root4 < nodes; i++) {
      root4 = left(load<u32>(build, BUILD_TREE), root4, load<u32>(build, BUILD_RECORD_BITS));
    }
  }
  store<u32>(build, NONE, BUILD_ROOT4);
  const ranges4 = writeDirectory(build, table + TABLE_DIRECTORY4, root4, false);
  store<u32>(build, isIpv6 ? root4 : nodes, BUILD_ROOT4);
  const ranges6 = writeDirectory(build, table + TABLE_DIRECTORY6, isIpv6 ? 0 : nodes, true);
  if (load<u32>(build, BUILD_STATE) != BUILD_OK) return load<u32>(build, BUILD_STATE);

  const aliases = load<u32>(build, BUILD_ALIASES);
  store<u32>(table, load<u32>(build, BUILD_OUT) + TABLE_PAD - table, TABLE_BYTES);
  store<u32>(table, load<u32>(build, BUILD_WIDTH), TABLE_WIDTH);
  store<u32>(table, load<u32>(build, BUILD_UNKNOWN), TABLE_UNKNOWN);
  store<u32>(table, ranges4, TABLE_RANGES4);
  store<u32>(table, ranges6, TABLE_RANGES6);
  store<u32>(table, aliases ? aliases - 1 : 0, TABLE_ALIASES);
  return BUILD_OK;
}
