// Packs sorted rows into the blocks of a run file, and unpacks them. Layout: ../spill-layout.ts.
//
//   [7|11|sum|count|user_000041][7|11|sum|count|user_000042] ...
//     ──► [checksum|sizes][control|0|11|7|sum|count|user_000041][control|10|1|sum|count|2] ...
//
// Neighbours in a run share most of their user and their region, sums and counts are small: a row of 43 bytes takes about
// 8. Lengths stand before what they measure, so that a row is unpacked by a few wide loads without a loop over bytes.
// Unpacking trusts nothing: every length is checked against the block and against the room before it is used, even behind
// a checksum that is right.
import { MAX_USER_BYTES, RUN_COUNT, RUN_REGION, RUN_SUM_HI, RUN_SUM_LO, RUN_USER, RUN_USER_LEN } from "../layout";
import {
  BLOCK_CHECKSUM, BLOCK_HEADER, BLOCK_MOST, BLOCK_PACKED, BLOCK_RAW, BLOCK_ROWS, BLOCK_SLACK, CURSOR_AT, CURSOR_END, CURSOR_NUMBER,
  CURSOR_SALT, DAMAGED, LENGTH_ESCAPE, PACKED_MOST, PACKED_ROW_LEAST, RUN_BLOCK_BYTES, SUM_WIDE,
} from "../spill-layout";
import { xxh64 } from "./hash";
import { commonBytes } from "./sort-bytes";

/** See SpillKernel in ../twins/spill.ts. */
export function packRows(cursor: u32, from: u32, bytes: u32): u32 {
  const end = from + bytes;
  let row = from;
  let at = load<u32>(cursor, CURSOR_AT);
  while (row < end && load<u32>(cursor, CURSOR_END) - at >= <u32>(BLOCK_MOST + BLOCK_SLACK)) {
    const raw = packBlock(cursor, at, row, end);
    if (!raw) break;
    row += raw;
    at += BLOCK_HEADER + load<u32>(at, BLOCK_PACKED);
  }
  store<u32>(cursor, at, CURSOR_AT);
  return row - from;
}

/** Packs the rows from `first` on that fit a block; gives their bytes. */
function packBlock(cursor: u32, block: u32, first: u32, end: u32): u32 {
  const last = min(end, first + RUN_BLOCK_BYTES);
  let row = first;
  let to = block + BLOCK_HEADER;
  let rows: u32 = 0;
  let region: u32 = 0;
  let before: u32 = first + RUN_USER; // the user before, and its length
  let beforeLen: u32 = 0;
  while (last - row >= <u32>RUN_USER) {
    const len = load<u32>(row, RUN_USER_LEN);
    const user: u32 = row + RUN_USER;
    if (len > <u32>MAX_USER_BYTES || last - user < len) break;
    const prefix = commonBytes(before, user, min(beforeLen, len));
    const rest = len - prefix;

    const head = to;
    to += 3;
    store<u8>(head, min<u32>(prefix, LENGTH_ESCAPE), 1);
    store<u8>(head, min<u32>(rest, LENGTH_ESCAPE), 2);
    if (prefix >= <u32>LENGTH_ESCAPE) {
      store<u16>(to, <u16>prefix);
      to += 2;
    }
    if (rest >= <u32>LENGTH_ESCAPE) {
      store<u16>(to, <u16>rest);
      to += 2;
    }
    let control: u32 = 0;
    if (load<u32>(row, RUN_REGION) != region) {
      region = load<u32>(row, RUN_REGION);
      store<u32>(to, region);
      to += 4;
      control = 0x80;
    }
    const sum = load<i64>(row, RUN_SUM_LO);
    if (load<i64>(row, RUN_SUM_HI) == sum >> 63) {
      const zigzag = <u64>(sum << 1 ^ sum >> 63);
      const size = <u32>(71 - clz(zigzag)) >> 3;
      store<u64>(to, zigzag);
      to += size;
      control |= size;
    } else {
      v128.store(to, v128.load(row, RUN_SUM_LO));
      to += 16;
      control |= SUM_WIDE;
    }
    const count = load<u64>(row, RUN_COUNT);
    const countSize = <u32>(71 - clz(count | 1)) >> 3;
    store<u64>(to, count);
    to += countSize;
    store<u8>(head, control | (countSize - 1 << 4));
    if (end - user - len >= 16) copyWide(to, user + prefix, rest);
    else memory.copy(to, user + prefix, rest);
    to += rest;

    before = user;
    beforeLen = len;
    row = user + len;
    rows++;
  }
  if (!rows) return 0;
  store<u32>(block, to - block - BLOCK_HEADER, BLOCK_PACKED);
  store<u32>(block, rows, BLOCK_ROWS);
  store<u32>(block, row - first, BLOCK_RAW);
  store<u64>(block, checksum(cursor, block), BLOCK_CHECKSUM);
  store<u32>(cursor, load<u32>(cursor, CURSOR_NUMBER) + 1, CURSOR_NUMBER);
  return row - first;
}

/** See SpillKernel in ../twins/spill.ts. */
export function unpackBlocks(cursor: u32, to: u32, capacity: u32): u32 {
  let at = load<u32>(cursor, CURSOR_AT);
  let room = capacity;
  while (load<u32>(cursor, CURSOR_END) - at >= <u32>BLOCK_HEADER) {
    const packed = load<u32>(at, BLOCK_PACKED);
    const raw = load<u32>(at, BLOCK_RAW);
    let good = packed <= <u32>PACKED_MOST && raw <= <u32>RUN_BLOCK_BYTES && raw > 0;
    if (good) {
      if (raw > room || load<u32>(cursor, CURSOR_END) - at < packed + BLOCK_HEADER) break;
      good = load<u64>(at, BLOCK_CHECKSUM) == checksum(cursor, at) && unpackBlock(at, to);
    }
    if (!good) {
      if (room == capacity) return DAMAGED;
      break; // first what was good: the next call meets the damage again
    }
    to += raw;
    room -= raw;
    at += packed + BLOCK_HEADER;
    store<u32>(cursor, at, CURSOR_AT);
    store<u32>(cursor, load<u32>(cursor, CURSOR_NUMBER) + 1, CURSOR_NUMBER);
  }
  return capacity - room;
}

// @ts-ignore: decorator
@inline
function checksum(cursor: u32, block: u32): u64 {
  return xxh64(block + BLOCK_PACKED, BLOCK_HEADER - BLOCK_PACKED + load<u32>(block, BLOCK_PACKED), load<u64>(cursor, CURSOR_NUMBER));
}

/** Unpacks a block whose sizes were checked. False when its rows are not what its header says. */
function unpackBlock(block: u32, to: u32): bool {
  let at: u32 = block + BLOCK_HEADER;
  const end = at + load<u32>(block, BLOCK_PACKED);
  const room = to + load<u32>(block, BLOCK_RAW);
  let rows = load<u32>(block, BLOCK_ROWS);
  let region: u32 = 0;
  let before: u32 = to;
  let beforeLen: u32 = 0;
  for (; rows; rows--) {
    if (end - at < <u32>PACKED_ROW_LEAST) return false;
    const control = load<u8>(at);
    let prefix = <u32>load<u8>(at, 1);
    let rest = <u32>load<u8>(at, 2);
    const sumSize: u32 = control & 15;
    const countSize: u32 = (control >> 4 & 7) + 1;
    at += 3;
    // What follows is checked as a whole below; until then at most 8 bytes behind the block are loaded.
    if (prefix == LENGTH_ESCAPE) {
      prefix = load<u16>(at);
      at += 2;
    }
    if (rest == LENGTH_ESCAPE) {
      rest = load<u16>(at);
      at += 2;
    }
    if (control & 0x80) {
      region = load<u32>(at);
      at += 4;
    }
    if (sumSize > <u32>SUM_WIDE || prefix > beforeLen || at > end) return false;
    const len = prefix + rest;
    const sumBytes: u32 = sumSize == SUM_WIDE ? 16 : sumSize;
    if (len > <u32>MAX_USER_BYTES || end - at < sumBytes + countSize + rest || room - to < <u32>RUN_USER + len) return false;

    store<u32>(to, region, RUN_REGION);
    store<u32>(to, len, RUN_USER_LEN);
    if (sumSize == SUM_WIDE) {
      v128.store(to, v128.load(at), RUN_SUM_LO);
    } else {
      const zigzag = lowBytes(at, sumSize);
      const sum = <i64>(zigzag >> 1) ^ -(<i64>zigzag & 1);
      store<i64>(to, sum, RUN_SUM_LO);
      store<i64>(to, sum >> 63, RUN_SUM_HI);
    }
    at += sumBytes;
    store<u64>(to, lowBytes(at, countSize), RUN_COUNT);
    at += countSize;
    const user: u32 = to + RUN_USER;
    to = user + len;
    if (room - to >= 16) {
      copyWide(user, before, prefix);
      copyWide(user + prefix, at, rest);
    } else {
      memory.copy(user, before, prefix);
      memory.copy(user + prefix, at, rest);
    }
    at += rest;
    before = user;
    beforeLen = len;
  }
  return at == end && to == room;
}

/** Copies bytes 16 at a time: reads and writes up to 15 bytes past their ends. */
// @ts-ignore: decorator
@inline
function copyWide(to: u32, from: u32, length: u32): void {
  for (let i: u32 = 0; i < length; i += 16) v128.store(to + i, v128.load(from + i));
}

/** The first `size` (0 to 8) bytes as a number; loads 8. */
// @ts-ignore: decorator
@inline
function lowBytes(at: u32, size: u32): u64 {
  return load<u64>(at) & (size ? u64.MAX_VALUE >> (64 - (size << 3)) : 0);
}
