// The search tree of an MMDB file -> a range table (drawn in geo-lookup.ts), in two passes.
//
// 1. markRecords reads the tree front to back and marks each data record that it mentions: one bit for each byte of the
//    data section. rankRecords counts, so that a record's number is the number of marks before it. The host decodes
//    every marked record once and writes its region number into a list.
// 2. buildTable walks the tree in order of address. Sixteen levels of it become one chunk: entries (first low 16 bits,
//    what they lead to) are collected on a stack, neighbours that lead to the same are one entry, a chunk with one entry
//    is no chunk, and a subtree deeper than sixteen levels is a chunk of its own, written before its parent.
//
//    [header][directories][chunk][chunk] OUT -->          free          <-- TOP [entries of the chunks in progress]
//
// MMDB format: https://maxmind.github.io/MaxMind-DB/. Record value < nodes: a node; = nodes: nothing; above: data.
import {
  BAD_REGION, BUILD_ALIASES, BUILD_BAD_RECORD, BUILD_CAPACITY, BUILD_DATA_BYTES, BUILD_FAMILY, BUILD_FULL,
  BUILD_IP_VERSION, BUILD_LAST, BUILD_MARKS, BUILD_NODES, BUILD_OK, BUILD_OUT, BUILD_RANGES, BUILD_RANKS,
  BUILD_RECORD_BITS, BUILD_REGIONS, BUILD_ROOT4, BUILD_STATE, BUILD_STEPS, BUILD_TABLE, BUILD_TOO_DEEP,
  BUILD_TOO_MANY_STEPS, BUILD_TOP, BUILD_TREE, BUILD_UNKNOWN, BUILD_WIDTH, DIRECTORY_ENTRIES, KIND_ALIAS, KIND_LEAF,
  KIND_NODE, KIND_SHIFT, TABLE_ALIASES, TABLE_BYTES, TABLE_CHUNKS, TABLE_DIRECTORY4, TABLE_DIRECTORY6, TABLE_PAD,
  TABLE_RANGES4, TABLE_RANGES6, TABLE_UNKNOWN, TABLE_WIDTH,
} from "../geo-layout";

/** Bytes between the search tree and the data section; data records are counted from the tree's end. */
const SEPARATOR = 16;
/** No entry looks like this. */
const NONE: u32 = 0xffffffff;
const ENTRY_BYTES = 8;

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

// @ts-ignore: decorator
@inline
function mark(record: u32, first: u32, dataBytes: u32, marks: u32): void {
  const at = record - first;
  if (record < first || at >= dataBytes) return;
  const word = marks + ((at >> 6) << 3);
  store<u64>(word, load<u64>(word) | ((<u64>1) << (at & 63)));
}

/** Marks the data records that nodes [from, to) lead to. Records outside of the data section are left to buildTable. */
export function markRecords(build: u32, from: u32, to: u32): void {
  const tree = load<u32>(build, BUILD_TREE);
  const bits = load<u32>(build, BUILD_RECORD_BITS);
  const first = load<u32>(build, BUILD_NODES) + SEPARATOR;
  const dataBytes = load<u32>(build, BUILD_DATA_BYTES);
  const marks = load<u32>(build, BUILD_MARKS);
  for (let node = from; node < to; node++) {
    mark(left(tree, node, bits), first, dataBytes, marks);
    mark(right(tree, node, bits), first, dataBytes, marks);
  }
}

/** Counts the marks before each word; gives their number. */
export function rankRecords(build: u32): u32 {
  const words = (load<u32>(build, BUILD_DATA_BYTES) + 63) >> 6;
  const marks = load<u32>(build, BUILD_MARKS);
  const ranks = load<u32>(build, BUILD_RANKS);
  let count: u32 = 0;
  for (let word: u32 = 0; word < words; word++) {
    store<u32>(ranks + (word << 2), count);
    count += <u32>popcnt(load<u64>(marks + (word << 3)));
  }
  return count;
}

/** The region number that a data record stands for, or BAD_REGION. */
function regionOf(build: u32, record: u32): u32 {
  const at = record - load<u32>(build, BUILD_NODES) - SEPARATOR;
  if (at >= load<u32>(build, BUILD_DATA_BYTES)) return BAD_REGION;
  const word = at >> 6;
  const bits = load<u64>(load<u32>(build, BUILD_MARKS) + (word << 3));
  const bit = (<u64>1) << (at & 63);
  if (!(bits & bit)) return BAD_REGION;
  const rank = load<u32>(load<u32>(build, BUILD_RANKS) + (word << 2)) + <u32>popcnt(bits & (bit - 1));
  return load<u32>(load<u32>(build, BUILD_REGIONS) + (rank << 2));
}

/** Puts an entry on the stack, unless the one before it in the same chunk leads to the same. `mark` = the chunk's bottom. */
function push(build: u32, bottom: u32, low: u32, entry: u32): void {
  let top = load<u32>(build, BUILD_TOP);
  if (top != bottom && load<u32>(top, 4) == entry) return;
  top -= ENTRY_BYTES;
  if (top < load<u32>(build, BUILD_OUT) + ENTRY_BYTES) {
    store<u32>(build, BUILD_FULL, BUILD_STATE);
    return;
  }
  store<u32>(top, low);
  store<u32>(top, entry, 4);
  store<u32>(build, top, BUILD_TOP);
}

/** A leaf of the tree: counts ranges across chunks, in order of address. */
function pushLeaf(build: u32, bottom: u32, low: u32, entry: u32): void {
  if (entry != load<u32>(build, BUILD_LAST)) {
    store<u32>(build, entry, BUILD_LAST);
    store<u32>(build, load<u32>(build, BUILD_RANGES) + 1, BUILD_RANGES);
  }
  push(build, bottom, low, entry);
}

/**
 * Collects the entries below `record`, which stands `depth` levels down and is reached by `low` since the last multiple
 * of sixteen; `stop` is the next one. `mapped`: the way so far is one to ::ffff:0:0/96, or inside it. What the database
 * leaves empty there is given to the IPv4 tree.
 */
function collect(build: u32, bottom: u32, record: u32, depth: u32, stop: u32, low: u32, mapped: bool): void {
  if (load<u32>(build, BUILD_STATE) != BUILD_OK) return;
  const nodes = load<u32>(build, BUILD_NODES);
  const rest = stop - depth;
  const empty = record == nodes;
  if (record >= nodes && !(empty && mapped && depth < 96)) {
    let entry: u32;
    if (!empty) {
      entry = regionOf(build, record);
      if (entry == BAD_REGION) {
        store<u32>(build, BUILD_BAD_RECORD, BUILD_STATE);
        return;
      }
    } else {
      entry = mapped ? (<u32>KIND_ALIAS << KIND_SHIFT) | 96 : load<u32>(build, BUILD_UNKNOWN);
    }
    pushLeaf(build, bottom, low << rest, entry);
    return;
  }
  const family = load<u32>(build, BUILD_FAMILY);
  if (!empty && family == 6 && depth <= 96 && record == load<u32>(build, BUILD_ROOT4)) {
    store<u32>(build, load<u32>(build, BUILD_ALIASES) + 1, BUILD_ALIASES);
    pushLeaf(build, bottom, low << rest, (<u32>KIND_ALIAS << KIND_SHIFT) | depth);
    return;
  }
  if (rest == 0) {
    if (depth == <u32>(family == 6 ? 128 : 32)) {
      store<u32>(build, BUILD_TOO_DEEP, BUILD_STATE);
      return;
    }
    push(build, bottom, low, chunk(build, record, depth, mapped));
    return;
  }
  const toLeft = mapped && (depth < 80 || depth >= 96);
  const toRight = mapped && depth >= 80;
  if (empty) {
    collect(build, bottom, record, depth + 1, stop, low << 1, toLeft);
    collect(build, bottom, record, depth + 1, stop, (low << 1) | 1, toRight);
    return;
  }
  const steps = load<u32>(build, BUILD_STEPS);
  if (steps == 0) {
    store<u32>(build, BUILD_TOO_MANY_STEPS, BUILD_STATE);
    return;
  }
  store<u32>(build, steps - 1, BUILD_STEPS);
  const tree = load<u32>(build, BUILD_TREE);
  const bits = load<u32>(build, BUILD_RECORD_BITS);
  collect(build, bottom, left(tree, record, bits), depth + 1, stop, low << 1, toLeft);
  collect(build, bottom, right(tree, record, bits), depth + 1, stop, (low << 1) | 1, toRight);
}

/** Writes the chunk of the subtree at `record`; gives the entry that leads to it, or its only entry. */
function chunk(build: u32, record: u32, depth: u32, mapped: bool): u32 {
  const bottom = load<u32>(build, BUILD_TOP);
  collect(build, bottom, record, depth, depth + 16, 0, mapped);
  if (load<u32>(build, BUILD_STATE) != BUILD_OK) return NONE;
  const top = load<u32>(build, BUILD_TOP);
  store<u32>(build, bottom, BUILD_TOP);
  const count = (bottom - top) / ENTRY_BYTES;
  if (count == 1) return load<u32>(top, 4);

  let kind: u32 = KIND_LEAF;
  for (let at = top; at < bottom; at += ENTRY_BYTES) if (load<u32>(at, 4) >> KIND_SHIFT) kind = KIND_NODE;
  const width: u32 = kind == KIND_LEAF ? load<u32>(build, BUILD_WIDTH) : 4;
  const start = load<u32>(build, BUILD_OUT);
  const end = (start + count * 2 + count * width + 1) & ~1;
  if (end + TABLE_PAD > top) {
    store<u32>(build, BUILD_FULL, BUILD_STATE);
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

/** Fills the directory at `directory` with what the first 16 bits lead to from `record`; gives the number of ranges. */
function directory(build: u32, directory: u32, record: u32, family: u32): u32 {
  store<u32>(build, family, BUILD_FAMILY);
  store<u32>(build, NONE, BUILD_LAST);
  store<u32>(build, 0, BUILD_RANGES);
  const bottom = load<u32>(build, BUILD_TOP);
  collect(build, bottom, record, 0, 16, 0, family == 6);
  if (load<u32>(build, BUILD_STATE) != BUILD_OK) return 0;
  const top = load<u32>(build, BUILD_TOP);
  store<u32>(build, bottom, BUILD_TOP);
  let next: u32 = DIRECTORY_ENTRIES;
  for (let at = top; at < bottom; at += ENTRY_BYTES) {
    const low = load<u32>(at);
    const entry = load<u32>(at, 4);
    for (let i = low; i < next; i++) store<u32>(directory + (i << 2), entry);
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
  store<u32>(build, table + TABLE_CHUNKS, BUILD_OUT);
  store<u32>(build, table + (load<u32>(build, BUILD_CAPACITY) & ~7), BUILD_TOP);

  let root4: u32 = 0;
  if (isIpv6) {
    for (let i = 0; i < 96 && root4 < nodes; i++) {
      root4 = left(load<u32>(build, BUILD_TREE), root4, load<u32>(build, BUILD_RECORD_BITS));
    }
  }
  store<u32>(build, root4, BUILD_ROOT4);
  const ranges4 = directory(build, table + TABLE_DIRECTORY4, root4, 4);
  const ranges6 = directory(build, table + TABLE_DIRECTORY6, isIpv6 ? 0 : nodes, 6);
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
