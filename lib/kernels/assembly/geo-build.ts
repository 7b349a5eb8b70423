// The search tree of an MMDB file -> a range table (drawn in geo-lookup.ts), in two passes.
//
// 1. markRecords reads the tree front to back and marks each data record that it mentions. The host decodes every
//    marked record once and puts its region number in the mark's place.
// 2. buildTable walks the tree in order of address. Eight levels of it become one chunk, the first sixteen of IPv4 the
//    directory: entries (first low bits, what they lead to) are collected on a stack, neighbours that lead to the same are
//    one entry, a chunk with one entry is no chunk, and a subtree that is deeper is a chunk of its own, written before its
//    parent.
//
//    [header][chunk][chunk] OUT -->          free          <-- TOP [entries of the chunks in progress]
//
// MMDB format: https://maxmind.github.io/MaxMind-DB/. Record value < nodes: a node; = nodes: nothing; above: data.
import {
  BITS_BEFORE, BITS_BYTES, BLOCK_VALUES, BUILD_ALIASES, BUILD_BAD_RECORD, BUILD_BOTTOM, BUILD_CAPACITY, BUILD_DATA_BYTES, BUILD_DEPTH,
  BUILD_FULL, BUILD_IP_VERSION, BUILD_LAST, BUILD_LAST_RECORD, BUILD_MARKS, BUILD_NODES, BUILD_OK, BUILD_OUT, BUILD_RANGES,
  BUILD_RECORD_BITS, BUILD_REGIONS, BUILD_ROOT4, BUILD_STATE, BUILD_STEPS, BUILD_TABLE, BUILD_TOO_DEEP, BUILD_TOO_MANY_STEPS,
  BUILD_TOP, BUILD_TREE, BUILD_UNKNOWN, BUILD_WIDTH, DIRECTORY_ENTRIES, ENTRY_MASK, KIND_ALIAS, KIND_BLOCK, KIND_LIST, KIND_SHIFT,
  LINE_SHIFT, LIST_ENTRIES, LIST_MAX, NARROW_LIMIT, TABLE_ALIASES, TABLE_BYTES, TABLE_CHUNKS, TABLE_DIRECTORY,
  TABLE_DIRECTORY_SHIFT, TABLE_PAD, TABLE_RANGES4, TABLE_RANGES6, TABLE_ROOT6, TABLE_UNKNOWN, TABLE_WIDTH,
} from "../geo-layout";

/** Bytes between the search tree and the data section; data records are counted from the tree's end. */
const SEPARATOR = 16;
/** No entry, no record of a tree and no node is this. */
const NONE: u32 = 0xffffffff;
const ENTRY_BYTES: u32 = 8;
/** Levels of the tree in a chunk. */
const CHUNK_LEVELS: u32 = 8;
const DIRECTORY_LEVELS: u32 = 16;

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
  return load<u32>(build, BUILD_DEPTH) - <u32>ctz(span);
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

/** Collects what `record` leads to, for the next `span` values of the chunk's bits from `low` on. */
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

/** Collects what the `levels` bits below `record` lead to, as entries from `top` on, which it gives; takes them off the stack. */
function collectAll(build: u32, record: u32, levels: u32, mapped: bool): u32 {
  const outer = load<u32>(build, BUILD_BOTTOM);
  const bottom = load<u32>(build, BUILD_TOP);
  store<u32>(build, bottom, BUILD_BOTTOM);
  store<u32>(build, load<u32>(build, BUILD_DEPTH) + levels, BUILD_DEPTH);
  if (mapped) collectMapped(build, record, 0, 1 << levels);
  else collect(build, record, 0, 1 << levels);
  store<u32>(build, load<u32>(build, BUILD_DEPTH) - levels, BUILD_DEPTH);
  const top = load<u32>(build, BUILD_TOP);
  store<u32>(build, bottom, BUILD_TOP);
  store<u32>(build, outer, BUILD_BOTTOM);
  return top;
}

/** The next `bytes` of the table, zeroed; NONE, and the build failed, when they are not to be had below `top`. */
function take(build: u32, bytes: u32, top: u32): u32 {
  const start = load<u32>(build, BUILD_OUT);
  const end = (start + bytes + 1) & ~1;
  if (end + TABLE_PAD > top) {
    fail(build, BUILD_FULL);
    return NONE;
  }
  memory.fill(start, 0, end + TABLE_PAD - start);
  store<u32>(build, end, BUILD_OUT);
  return start;
}

// @ts-ignore: decorator
@inline
function storeValue(at: u32, width: u32, value: u32): void {
  if (width == 1) store<u8>(at, value);
  else if (width == 2) store<u16>(at, value);
  else store<u32>(at, value);
}

/** Writes the chunk of the subtree at `record`; gives the entry that leads to it, or its only entry. */
function chunk(build: u32, record: u32, mapped: bool): u32 {
  const bottom = load<u32>(build, BUILD_TOP);
  const top = collectAll(build, record, CHUNK_LEVELS, mapped);
  if (load<u32>(build, BUILD_STATE) != BUILD_OK) return NONE;
  const count = (bottom - top) / ENTRY_BYTES;
  if (count == 1) return load<u32>(top, 4);
  let deeper: u32 = 0;
  for (let at = top; at < bottom; at += ENTRY_BYTES) if (load<u32>(at, 4) >> KIND_SHIFT) deeper++;
  // What the directory leads to is always a block.
  const isBlock = count > <u32>LIST_MAX || (load<u32>(build, BUILD_ROOT4) == NONE && load<u32>(build, BUILD_DEPTH) == DIRECTORY_LEVELS);
  const start = isBlock ? writeBlock(build, top, bottom, count, deeper) : writeList(build, top, bottom, count, deeper != 0);
  const kind: u32 = isBlock ? KIND_BLOCK : KIND_LIST;
  return start == NONE ? NONE : (kind << KIND_SHIFT) | ((start - load<u32>(build, BUILD_TABLE)) >> 1);
}

function writeList(build: u32, top: u32, bottom: u32, count: u32, hasEntries: bool): u32 {
  const width: u32 = hasEntries ? 4 : load<u32>(build, BUILD_WIDTH);
  const start = take(build, count + count * width, top);
  if (start == NONE) return NONE;
  let low = start;
  let value = start + count;
  for (let at = bottom - ENTRY_BYTES; at >= top; at -= ENTRY_BYTES) {
    store<u8>(low, load<u32>(at));
    storeValue(value, width, load<u32>(at, 4));
    low++;
    value += width;
  }
  store<u8>(start, (count - 1) | (hasEntries ? LIST_ENTRIES : 0));
  return start;
}

function writeBlock(build: u32, top: u32, bottom: u32, count: u32, deeper: u32): u32 {
  const width = load<u32>(build, BUILD_WIDTH);
  const gap = (load<u32>(build, BUILD_TABLE) - load<u32>(build, BUILD_OUT)) & ((1 << LINE_SHIFT) - 1);
  const taken = take(build, gap + BLOCK_VALUES + count * width + (deeper ? BITS_BYTES + deeper * 4 : 0), top);
  if (taken == NONE) return NONE;
  const start = taken + gap;
  let value = start + BLOCK_VALUES;
  const bits = value + count * width;
  let next = bits + BITS_BYTES;
  for (let at = bottom - ENTRY_BYTES; at >= top; at -= ENTRY_BYTES) {
    const low = load<u32>(at);
    const entry = load<u32>(at, 4);
    if (low) setBit(start, low);
    if (entry >> KIND_SHIFT) {
      storeValue(value, width, NONE);
      setBit(bits, low);
      store<u32>(next, entry);
      next += 4;
    } else {
      storeValue(value, width, entry);
    }
    value += width;
  }
  countBits(start);
  if (deeper) countBits(bits);
  return start;
}

// @ts-ignore: decorator
@inline
function setBit(bits: u32, low: u32): void {
  const at = bits + (low >> 3);
  store<u8>(at, <u32>load<u8>(at) | (1 << (low & 7)));
}

/** Fills in how many ones are in front of each 64 bits. */
function countBits(bits: u32): void {
  let before: u32 = 0;
  for (let word: u32 = 0; word < 4; word++) {
    store<u8>(bits + word, before, BITS_BEFORE);
    before += <u32>popcnt(load<u64>(bits + (word << 3)));
  }
}

/** Starts a walk over all addresses of a family. */
// @ts-ignore: decorator
@inline
function begin(build: u32, root4: u32): void {
  store<u32>(build, root4, BUILD_ROOT4);
  store<u32>(build, NONE, BUILD_LAST_RECORD);
  store<u32>(build, NONE, BUILD_LAST);
  store<u32>(build, 0, BUILD_RANGES);
}

/** Writes the directory: what the first 16 bits lead to from `record`. */
function writeDirectory(build: u32, record: u32): void {
  const bottom = load<u32>(build, BUILD_TOP);
  const top = collectAll(build, record, DIRECTORY_LEVELS, false);
  if (load<u32>(build, BUILD_STATE) != BUILD_OK) return;
  let shift: u32 = 1;
  for (let at = top; at < bottom; at += ENTRY_BYTES) if (placeOf(load<u32>(at, 4)) >= <u32>NARROW_LIMIT) shift = 2;
  const start = take(build, DIRECTORY_ENTRIES << shift, top);
  if (start == NONE) return;
  let next: u32 = DIRECTORY_ENTRIES;
  for (let at = top; at < bottom; at += ENTRY_BYTES) {
    const low = load<u32>(at);
    const entry = load<u32>(at, 4);
    const leads = entry >> KIND_SHIFT ? NARROW_LIMIT << (shift == 2 ? 16 : 0) : 0;
    for (let i = low; i < next; i++) storeValue(start + (i << shift), 1 << shift, leads | placeOf(entry));
    next = low;
  }
  const table = load<u32>(build, BUILD_TABLE);
  store<u32>(table, start - table, TABLE_DIRECTORY);
  store<u32>(table, shift, TABLE_DIRECTORY_SHIFT);
}

/** The region number of an entry, or the line of the block that it leads to. */
// @ts-ignore: decorator
@inline
function placeOf(entry: u32): u32 {
  return entry >> KIND_SHIFT ? (entry & ENTRY_MASK) >> (LINE_SHIFT - 1) : entry;
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
  store<u32>(build, table, BUILD_OUT);
  store<u32>(build, table + (load<u32>(build, BUILD_CAPACITY) & ~7), BUILD_TOP);
  if (take(build, TABLE_CHUNKS, load<u32>(build, BUILD_TOP)) == NONE) return BUILD_FULL;

  let root4: u32 = 0;
  if (isIpv6) {
    for (let i = 0; i < 96 && root4 < nodes; i++) {
      root4 = left(load<u32>(build, BUILD_TREE), root4, load<u32>(build, BUILD_RECORD_BITS));
    }
  }
  begin(build, NONE);
  writeDirectory(build, root4);
  const ranges4 = load<u32>(build, BUILD_RANGES);
  begin(build, isIpv6 ? root4 : nodes);
  const root6 = load<u32>(build, BUILD_STATE) == BUILD_OK ? chunk(build, isIpv6 ? 0 : nodes, true) : NONE;
  if (load<u32>(build, BUILD_STATE) != BUILD_OK) return load<u32>(build, BUILD_STATE);

  const aliases = load<u32>(build, BUILD_ALIASES);
  store<u32>(table, load<u32>(build, BUILD_OUT) + TABLE_PAD - table, TABLE_BYTES);
  store<u32>(table, load<u32>(build, BUILD_WIDTH), TABLE_WIDTH);
  store<u32>(table, load<u32>(build, BUILD_UNKNOWN), TABLE_UNKNOWN);
  store<u32>(table, ranges4, TABLE_RANGES4);
  store<u32>(table, load<u32>(build, BUILD_RANGES), TABLE_RANGES6);
  store<u32>(table, aliases ? aliases - 1 : 0, TABLE_ALIASES);
  store<u32>(table, root6, TABLE_ROOT6);
  return BUILD_OK;
}
