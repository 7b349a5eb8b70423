// Region numbers for the addresses of a batch. The range table, built once by geo-build.ts and only read after that:
//
//   +0 header    bytes, width of a region number, number of the unknown region, counts
//   +64          directory of IPv4: 65536 entries      address bits 31-16 -> entry
//   +262208      directory of IPv6: 65536 entries      address bits 127-112 -> entry
//   +524352      chunks
//
//   entry (u32)  00 region number                      the answer
//                01 prefix length p                    the answer is that of the IPv4 address in bits p .. p + 31
//                10 offset / 2 of a node chunk         go on with the next 16 bits
//                11 offset / 2 of a leaf chunk         go on with the next 16 bits, and find a region
//
//   chunk        +0 n - 1: u16   +2 start 1 .. n - 1: u16 each, ascending (start 0 is always 0)
//                then n region numbers of 1, 2 or 4 bytes (leaf), or n entries of 4 bytes (node), unaligned
//
// So an IPv4 address takes one directory entry and at most one leaf chunk, an IPv6 address as many chunks as its
// network's prefix is long, and all 128 bits count where the database tells networks that small apart.
import {
  BATCH_IP_LEN, BATCH_IP_PTR, BATCH_REGION, BATCH_STATUS, REJECT_NONE,
} from "../layout";
import {
  ENTRY_MASK, KIND_ALIAS, KIND_LEAF, KIND_REGION, KIND_SHIFT, TABLE_DIRECTORY4, TABLE_DIRECTORY6, TABLE_UNKNOWN, TABLE_WIDTH,
} from "../geo-layout";
import { equals, hexDigits, hexGroup, isBlank, NOT_AN_ADDRESS, parseIpv4, zoneStart } from "./geo-text";

/** Below this many starts a chunk is searched by comparing all of them at once: two vectors. */
const VECTOR_STARTS: u32 = 16;

/** Rows of a group: one for each bit of a u64. */
const GROUP: u32 = 64;

/** Follows `entry`, a chunk, by the 16 bits `low`: the next entry. */
// @ts-ignore: decorator
@inline
function follow(table: u32, width: u32, entry: u32, low: u32): u32 {
  const chunk = table + ((entry & ENTRY_MASK) << 1);
  const starts = <u32>load<u16>(chunk);
  let from = chunk + 2;
  let left = starts;
  while (left > VECTOR_STARTS) {
    const half = left >> 1;
    from = <u32>load<u16>(from + (half << 1) - 2) <= low ? from + (half << 1) : from;
    left -= half;
  }
  // Lanes past the end hold something else; the mask leaves them out.
  const x = i16x8.splat(<i16>low);
  const below = i16x8.bitmask(i16x8.le_u(v128.load(from), x)) | (i16x8.bitmask(i16x8.le_u(v128.load(from, 16), x)) << 8);
  const index = ((from - chunk - 2) >> 1) + <u32>popcnt(below & ((1 << left) - 1));
  const values = chunk + 2 + (starts << 1);
  if (entry >> KIND_SHIFT != KIND_LEAF) return load<u32>(values + (index << 2));
  if (width == 1) return <u32>load<u8>(values + index);
  if (width == 2) return <u32>load<u16>(values + (index << 1));
  return load<u32>(values + (index << 2));
}

// @ts-ignore: decorator
@inline
function lookupIpv4(table: u32, width: u32, address: u32): u32 {
  const entry = load<u32>(table + ((address >> 16) << 2), TABLE_DIRECTORY4);
  return entry >> KIND_SHIFT == KIND_REGION ? entry : follow(table, width, entry, address & 0xffff);
}

/** What the 128 bits `high`, `low` lead to. */
function walkIpv6(table: u32, width: u32, high: u64, low: u64): u32 {
  let entry = load<u32>(table + (<u32>(high >> 48) << 2), TABLE_DIRECTORY6);
  for (let group: u32 = 1; entry >> KIND_SHIFT != KIND_REGION; group++) {
    if (entry >> KIND_SHIFT == KIND_ALIAS) {
      const skip = <u64>(entry & ENTRY_MASK);
      const address = skip <= 32 ? high >> (32 - skip) : skip < 64 ? (high << (skip - 32)) | (low >> (96 - skip)) : low >> (96 - skip);
      return lookupIpv4(table, width, <u32>address);
    }
    const word = group < 4 ? high : low;
    entry = follow(table, width, entry, <u32>(word >> <u64>(48 - ((group & 3) << 4))) & 0xffff);
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
 * Writes BATCH_REGION of each row whose status is good, a group at a time. Addresses come at random, so what a directory
 * entry leads to is mostly not in a near cache, and a branch on it would be mispredicted, and late: first every row gets
 * what its entry says or, if that leads on, its address; the few whose entry leads on come after that, and what is no IPv4
 * address. So the loads of many rows are under way at once.
 */
export function lookupBatch(table: u32, batch: u32, rows: u32): void {
  const width = load<u32>(table, TABLE_WIDTH);
  for (let from: u32 = 0; from < rows; from += GROUP) {
    const to = min(from + GROUP, rows);
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
      const entry = load<u32>(table + (<u32>(address >> 16) << 2), TABLE_DIRECTORY4);
      const leads = entry >> KIND_SHIFT != KIND_REGION;
      store<u32>(at, select<u32>(<u32>address, entry, leads), BATCH_REGION);
      deeper |= select<u64>(bit, 0, leads);
    }
    for (; deeper; deeper &= deeper - 1) {
      const at = batch + ((from + <u32>ctz(deeper)) << 2);
      store<u32>(at, lookupIpv4(table, width, load<u32>(at, BATCH_REGION)), BATCH_REGION);
    }
    for (; others; others &= others - 1) {
      const at = batch + ((from + <u32>ctz(others)) << 2);
      store<u32>(at, lookupOther(table, width, load<u32>(at, BATCH_IP_PTR), load<u32>(at, BATCH_IP_LEN)), BATCH_REGION);
    }
  }
}
