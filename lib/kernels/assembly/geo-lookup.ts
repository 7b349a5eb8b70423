// Region numbers for the addresses of a batch. The range table, built once by geo-build.ts and only read after that:
//
//   +0 header    bytes, width of a region number, number of the unknown region, counts, entry of all IPv6 addresses
//   +64          chunks
//                directory of IPv4, 65536 of u16 or u32: address bits 31-16 -> region number, or top bit and line of a block
//                chunks
//
//   entry (u32)  00 region number                      the answer
//                01 prefix length p                    the answer is that of the IPv4 address in bits p .. p + 31
//                10 offset / 2 of a list               go on with the next 8 bits
//                11 offset / 2 of a block              the same
//
//   list         +0 n - 1, +16 if its values are entries   +1 start 1 .. n - 1: u8 each, ascending (start 0 is always 0)
//                then n region numbers of 1, 2 or 4 bytes, or n entries. Up to 16 values.
//
//   block        +0 starts: bits 1 - 255   +36 n region numbers; where they are all ones: an entry instead
//                then, if there are entries, starts of those: bits 0 - 255, and the entries
//
//   bits         +0 256 bits   +32 ones in front of each 64: u8
//
// An IPv4 address takes two bytes of the directory (128 KiB: it stays in L2), and one of five goes on to a block, of which
// it needs one or two cache lines (a block begins a line: line 1 is the table's second 64 bytes) and nothing that a branch
// could be wrong about; nine of ten of those are done then. IPv6 takes a chunk for each 8 bits of its network's prefix.
import {
  BATCH_IP_LEN, BATCH_IP_PTR, BATCH_REGION, BATCH_STATUS, REJECT_NONE,
} from "../layout";
import {
  BITS_BEFORE, BITS_BYTES, BLOCK_VALUES, ENTRY_MASK, KIND_ALIAS, KIND_LIST, KIND_REGION, KIND_SHIFT, LINE_SHIFT, LIST_ENTRIES,
  LIST_STARTS, TABLE_DIRECTORY, TABLE_DIRECTORY_SHIFT, TABLE_ROOT6, TABLE_UNKNOWN, TABLE_WIDTH,
} from "../geo-layout";
import { equals, hexDigits, hexGroup, isBlank, NOT_AN_ADDRESS, parseIpv4, zoneStart } from "./geo-text";

/** Rows of a group: one for each bit of a u64. */
const GROUP: u32 = 64;

/** How many of the bits 0 ... `low` are set. */
// @ts-ignore: decorator
@inline
function ones(bits: u32, low: u32): u32 {
  const word = low >> 6;
  return <u32>popcnt(load<u64>(bits + (word << 3)) << <u64>(63 - (low & 63))) + <u32>load<u8>(bits + word, BITS_BEFORE);
}

// @ts-ignore: decorator
@inline
function valueAt(values: u32, width: u32, index: u32): u32 {
  if (width == 1) return <u32>load<u8>(values + index);
  if (width == 2) return <u32>load<u16>(values + (index << 1));
  return load<u32>(values + (index << 2));
}

/** What stands for an entry among region numbers of `width` bytes. */
// @ts-ignore: decorator
@inline
function escapeOf(width: u32): u32 {
  return 0xffffffff >> (32 - (width << 3));
}

/** The entry that stands at `low` in a block, where its region numbers have an escape. */
function entryOf(block: u32, width: u32, low: u32): u32 {
  const bits = block + BLOCK_VALUES + (1 + ones(block, 255)) * width;
  return load<u32>(bits + BITS_BYTES + ((ones(bits, low) - 1) << 2));
}

/** Follows `entry`, a chunk, by the 8 bits `low`: the next entry. */
function follow(table: u32, width: u32, entry: u32, low: u32): u32 {
  const chunk = table + ((entry & ENTRY_MASK) << 1);
  if (entry >> KIND_SHIFT != KIND_LIST) {
    const value = valueAt(chunk + BLOCK_VALUES, width, ones(chunk, low));
    return value == escapeOf(width) ? entryOf(chunk, width, low) : value;
  }
  const head = <u32>load<u8>(chunk);
  const starts = head & LIST_STARTS;
  // Lanes past the end hold something else; the mask leaves them out.
  const below = <u32>i8x16.bitmask(i8x16.le_u(v128.load(chunk + 1), i8x16.splat(<i8>low)));
  const index = <u32>popcnt(below & ((1 << starts) - 1));
  return valueAt(chunk + 1 + starts, head & LIST_ENTRIES ? 4 : width, index);
}

/** The entry of a directory for the first 16 bits of an address. */
// @ts-ignore: decorator
@inline
function directoryEntry(directory: u32, shift: u32, mask: u32, address: u32): u32 {
  return load<u32>(directory + (address >> 16 << shift)) & mask;
}

/** All bits of an entry in a directory of 1 << `shift` bytes an entry. The top one tells that it leads on. */
// @ts-ignore: decorator
@inline
function directoryMask(shift: u32): u32 {
  return 0xffffffff >> (32 - (8 << shift));
}

function lookupIpv4(table: u32, width: u32, address: u32): u32 {
  const shift = load<u32>(table, TABLE_DIRECTORY_SHIFT);
  const mask = directoryMask(shift);
  let entry = directoryEntry(table + load<u32>(table, TABLE_DIRECTORY), shift, mask, address);
  const line = mask >> 1;
  if (entry <= line) return entry;
  const block = table + ((entry & line) << LINE_SHIFT);
  const low = (address >> 8) & 0xff;
  const value = valueAt(block + BLOCK_VALUES, width, ones(block, low));
  if (value != escapeOf(width)) return value;
  entry = entryOf(block, width, low);
  return follow(table, width, entry, address & 0xff);
}

/** What the 128 bits `high`, `low` lead to. */
function walkIpv6(table: u32, width: u32, high: u64, low: u64): u32 {
  let entry = load<u32>(table, TABLE_ROOT6);
  for (let depth: u64 = 0; entry >> KIND_SHIFT != KIND_REGION; depth += 8) {
    if (entry >> KIND_SHIFT == KIND_ALIAS) {
      const skip = <u64>(entry & ENTRY_MASK);
      const address = skip <= 32 ? high >> (32 - skip) : skip < 64 ? (high << (skip - 32)) | (low >> (96 - skip)) : low >> (96 - skip);
      return lookupIpv4(table, width, <u32>address);
    }
    const word = depth < 64 ? high : low;
    entry = follow(table, width, entry, <u32>(word >> (56 - (depth & 63))) & 0xff);
  }
  return entry;
}

/** The region of an IPv6 text without a zone, or NOT_AN_ADDRESS. */
function lookupIpv6(table: u32, width: u32, at: u32, length: u32): i64 {
  if (length - 2 > 43) return NOT_AN_ADDRESS;
  const end = at + length;
  const before: u64 = 48 - length;
  const colons = (equals(end - 48, 0x3a) | (equals(end - 32, 0x3a) << 16) | (equals(end - 16, 0x3a) << 32)) >> before;
  const dots = (equals(end - 48, 0x2e) | (equals(end - 32, 0x2e) << 16) | (equals(end - 16, 0x2e) << 32)) >> before;
  const hex = (hexDigits(end - 48) | (hexDigits(end - 32) << 16) | (hexDigits(end - 16) << 32)) >> before;
  if ((colons | dots | hex) != ((<u64>1) << length) - 1) return NOT_AN_ADDRESS;

  // A colon at an edge belongs to the `::`, of which there is one at most; it stands for one group or more.
  const double = colons & (colons >> 1);
  const leads = <u32>(colons & 1);
  const trails = <u32>(colons >> <u64>(length - 1));
  if (popcnt(double) > 1 || leads > <u32>(double & 1) || trails > <u32>((double >> <u64>(length - 2)) & 1)) return NOT_AN_ADDRESS;
  const tail = 64 - <u32>clz(colons);
  if (dots & (((<u64>1) << tail) - 1)) return NOT_AN_ADDRESS;
  const gap = 7 - <i32>popcnt(colons) - <i32>(dots != 0) + <i32>(double ? 1 + leads + trails : 0);
  if (double ? gap < 1 : gap != 0) return NOT_AN_ADDRESS;

  let high: u64 = 0;
  let low: u64 = 0;
  let index: u32 = 0;
  let from: u32 = 0;
  for (let ends = colons | ((<u64>1) << length); ends; ends &= ends - 1) {
    const to = <u32>ctz(ends);
    const size = to - from;
    if (size == 0) {
      if ((double >> <u64>(to - 1)) & 1) index += gap;
    } else if (dots && from == tail) {
      const address = parseIpv4(at + from, size);
      if (address == NOT_AN_ADDRESS) return NOT_AN_ADDRESS;
      low |= <u64>address;
    } else {
      if (size > 4) return NOT_AN_ADDRESS;
      const group = hexGroup(at + to, size) << (<u64>(7 - index) << 4);
      if (index < 4) high |= group;
      else low |= group;
      index++;
    }
    from = to + 1;
  }
  return <i64>walkIpv6(table, width, high, low);
}

/** The region of a text that is not simply an IPv4 address. */
function lookupOther(table: u32, width: u32, at: u32, length: u32): u32 {
  const given = length;
  while (length && isBlank(at + length - 1)) length--;
  while (length && isBlank(at)) at++, length--;
  if (length != given) {
    const address = parseIpv4(at, length);
    if (address != NOT_AN_ADDRESS) return lookupIpv4(table, width, <u32>address);
  }
  let region = lookupIpv6(table, width, at, length);
  if (region == NOT_AN_ADDRESS) {
    const zone = zoneStart(at, length);
    if (zone) region = lookupIpv6(table, width, at, zone);
  }
  return region == NOT_AN_ADDRESS ? load<u32>(table, TABLE_UNKNOWN) : <u32>region;
}

/**
 * Writes BATCH_REGION of each row whose status is good, a group at a time. Addresses come at random, so neither their
 * directory entries nor what these lead to are in a near cache, and a branch on an entry would be mispredicted, and late:
 * first every row gets its address, then what its entry says if that does not lead on; the few whose entry leads on come
 * after that, and what is no IPv4 address. In such short loops the loads of many rows are under way at once.
 */
export function lookupBatch(table: u32, batch: u32, rows: u32): void {
  const width = load<u32>(table, TABLE_WIDTH);
  const escape = escapeOf(width);
  const directory = table + load<u32>(table, TABLE_DIRECTORY);
  const shift = load<u32>(table, TABLE_DIRECTORY_SHIFT);
  const mask = directoryMask(shift);
  const line = mask >> 1;
  for (let from: u32 = 0; from < rows; from += GROUP) {
    const to = min(from + GROUP, rows);
    let simple: u64 = 0;
    let deeper: u64 = 0;
    let others: u64 = 0;
    let bit: u64 = 1;
    for (let row = from; row < to; row++, bit <<= 1) {
      const at = batch + (row << 2);
      if (load<u32>(at, BATCH_STATUS) != REJECT_NONE) continue;
      const address = parseIpv4(load<u32>(at, BATCH_IP_PTR), load<u32>(at, BATCH_IP_LEN));
      if (address == NOT_AN_ADDRESS) {
        others |= bit;
        continue;
      }
      store<u32>(at, <u32>address, BATCH_REGION);
      simple |= bit;
    }
    for (; simple; simple &= simple - 1) {
      const at = batch + ((from + <u32>ctz(simple)) << 2);
      const address = load<u32>(at, BATCH_REGION);
      const entry = directoryEntry(directory, shift, mask, address);
      const leads = entry > line;
      store<u32>(at, select<u32>(address, entry, leads), BATCH_REGION);
      deeper |= select<u64>(simple & (0 - simple), 0, leads);
    }
    for (; deeper; deeper &= deeper - 1) {
      const at = batch + ((from + <u32>ctz(deeper)) << 2);
      const address = load<u32>(at, BATCH_REGION);
      const block = table + ((directoryEntry(directory, shift, mask, address) & line) << LINE_SHIFT);
      const value = valueAt(block + BLOCK_VALUES, width, ones(block, (address >> 8) & 0xff));
      store<u32>(at, value == escape ? lookupIpv4(table, width, address) : value, BATCH_REGION);
    }
    for (; others; others &= others - 1) {
      const at = batch + ((from + <u32>ctz(others)) << 2);
      store<u32>(at, lookupOther(table, width, load<u32>(at, BATCH_IP_PTR), load<u32>(at, BATCH_IP_LEN)), BATCH_REGION);
    }
  }
}
