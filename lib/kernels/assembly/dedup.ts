// First-seen rows of a partition. Layouts: ../layout.ts "Partitions", ../dedup-layout.ts.
//
//   pages ── walk: a group of row addresses ──► touch their slots ──► probe, insert ──► winners (u32 row addresses)
//
// A group's slots are touched before the first is compared, so that cache misses overlap instead of waiting behind
// mispredicted branches. A group is never larger than the room left in the table and among the winners: nothing has to
// be undone, and a call can stop between any two groups.
import {
  HEAD_VALUE_SHIFT, PAGE_HEADER, PAGE_NEXT, PAGE_USED, ROW_FIXED, ROW_HEAD, ROW_ID_HI, ROW_ID_LO, SEGMENT_HEADER,
  VALUE_ESCAPE,
} from "../layout";
import {
  GROUP_ROWS, LOAD_NUMERATOR, LOAD_SHIFT, SLOT_BYTES, STOP_END, STOP_TABLE_FULL, STOP_WINNERS_FULL,
  TABLE_BITS, TABLE_FACTOR0, TABLE_FACTOR1, TABLE_HAS_ZERO, TABLE_LIMIT, TABLE_SLOTS, TABLE_USED,
  WALK_AT, WALK_END, WALK_GROUP, WALK_LEFT, WALK_PAGE, WALK_ROWS, WALK_STOP,
} from "../dedup-layout";

// @ts-ignore: decorator
@inline
function slotOffset(lo: u64, hi: u64, factor0: u64, factor1: u64, shift: u64): u32 {
  const h = lo * factor0 + hi * factor1;
  return <u32>(((h ^ (h >> 32)) * factor0) >> shift) * SLOT_BYTES;
}

/** Bytes of a row, from its head. */
// @ts-ignore: decorator
@inline
function rowBytes(head: u64): u32 {
  return ROW_FIXED + <u32>(head & 0xffff) + (<u32>(head >> HEAD_VALUE_SHIFT == <u64>VALUE_ESCAPE) << 3);
}

/** Makes the table an empty one of 2^bits slots at `slots`. Factors stay. */
export function clearTable(table: u32, slots: u32, bits: u32): void {
  memory.fill(slots, 0, SLOT_BYTES << bits);
  store<u32>(table, slots, TABLE_SLOTS);
  store<u32>(table, bits, TABLE_BITS);
  store<u32>(table, 0, TABLE_USED);
  store<u32>(table, ((1 << bits) * LOAD_NUMERATOR) >>> LOAD_SHIFT, TABLE_LIMIT);
  store<u32>(table, 0, TABLE_HAS_ZERO);
}

/** Moves the table's ids to 2^bits slots at `slots`, an area that does not overlap the present one. */
export function growTable(table: u32, slots: u32, bits: u32): void {
  const from = load<u32>(table, TABLE_SLOTS);
  const end = from + (SLOT_BYTES << load<u32>(table, TABLE_BITS));
  const used = load<u32>(table, TABLE_USED);
  const hasZero = load<u32>(table, TABLE_HAS_ZERO);
  clearTable(table, slots, bits);
  store<u32>(table, used, TABLE_USED);
  store<u32>(table, hasZero, TABLE_HAS_ZERO);
  const factor0 = load<u64>(table, TABLE_FACTOR0), factor1 = load<u64>(table, TABLE_FACTOR1);
  const mask: u32 = (SLOT_BYTES << bits) - 1;
  for (let slot = from; slot < end; slot += SLOT_BYTES) {
    const lo = load<u64>(slot), hi = load<u64>(slot, 8);
    if (!(lo | hi)) continue;
    let offset = slotOffset(lo, hi, factor0, factor1, 64 - bits);
    while (load<u64>(slots + offset) | load<u64>(slots + offset, 8)) offset = (offset + SLOT_BYTES) & mask;
    store<u64>(slots + offset, lo);
    store<u64>(slots + offset, hi, 8);
  }
}

/**
 * Walks on through a chain of pages, admits each row's id to the table and writes the addresses of rows whose id was
 * new to `winners`, in order: at most `max`. Gives how many; WALK_STOP tells why it stopped, WALK_ROWS how many rows
 * it went over. After STOP_WINNERS_FULL call again with room, after STOP_TABLE_FULL with a larger table.
 */
export function dedupChunk(table: u32, walk: u32, winners: u32, max: u32): u32 {
  const slots = load<u32>(table, TABLE_SLOTS);
  const bits = load<u32>(table, TABLE_BITS);
  const shift: u64 = 64 - bits;
  const mask: u32 = (SLOT_BYTES << bits) - 1;
  const limit = load<u32>(table, TABLE_LIMIT);
  const factor0 = load<u64>(table, TABLE_FACTOR0), factor1 = load<u64>(table, TABLE_FACTOR1);
  let used = load<u32>(table, TABLE_USED);
  let page = load<u32>(walk, WALK_PAGE), at = load<u32>(walk, WALK_AT);
  let end = load<u32>(walk, WALK_END), left = load<u32>(walk, WALK_LEFT);
  const group = walk + WALK_GROUP;
  let rows: u32 = 0, count: u32 = 0, stop: u32 = STOP_END;

  if (page && !at) {
    at = page + PAGE_HEADER;
    end = page + load<u32>(page, PAGE_USED);
  }
  while (page) {
    const room = min(max - count, limit - used);
    if (!room) {
      stop = count == max ? STOP_WINNERS_FULL : STOP_TABLE_FULL;
      break;
    }
    const wanted = min(room, <u32>GROUP_ROWS);
    let n: u32 = 0, touched: u32 = 0;
    while (n < wanted) {
      if (left) {
        for (let m = min(left, wanted - n); m; m--) {
          const entry = group + (n << 3);
          const offset = slotOffset(load<u64>(at, ROW_ID_LO), load<u64>(at, ROW_ID_HI), factor0, factor1, shift);
          store<u32>(entry, at);
          store<u32>(entry, offset, 4);
          touched |= load<u8>(slots + offset);
          at += rowBytes(load<u64>(at, ROW_HEAD));
          n++;
          left--;
        }
      } else if (at < end) {
        left = load<u16>(at);
        at += SEGMENT_HEADER;
      } else {
        page = load<u32>(page, PAGE_NEXT);
        if (!page) break;
        at = page + PAGE_HEADER;
        end = page + load<u32>(page, PAGE_USED);
      }
    }
    rows += n;
    store<u32>(walk, touched, WALK_STOP); // a use, so that no compiler drops the touch; overwritten below
    for (let i: u32 = 0; i < n; i++) {
      const row = load<u32>(group + (i << 3));
      let offset = load<u32>(group + (i << 3), 4);
      const lo = load<u64>(row, ROW_ID_LO), hi = load<u64>(row, ROW_ID_HI);
      if (!(lo | hi)) {
        if (load<u32>(table, TABLE_HAS_ZERO)) continue;
        store<u32>(table, 1, TABLE_HAS_ZERO);
        store<u32>(winners + (count++ << 2), row);
        continue;
      }
      while (true) {
        const slotLo = load<u64>(slots + offset), slotHi = load<u64>(slots + offset, 8);
        if (!((slotLo ^ lo) | (slotHi ^ hi))) break;
        if (!(slotLo | slotHi)) {
          store<u64>(slots + offset, lo);
          store<u64>(slots + offset, hi, 8);
          used++;
          store<u32>(winners + (count++ << 2), row);
          break;
        }
        offset = (offset + SLOT_BYTES) & mask;
      }
    }
  }
  store<u32>(walk, page, WALK_PAGE);
  store<u32>(walk, at, WALK_AT);
  store<u32>(walk, end, WALK_END);
  store<u32>(walk, left, WALK_LEFT);
  store<u32>(walk, rows, WALK_ROWS);
  store<u32>(walk, stop, WALK_STOP);
  store<u32>(table, used, TABLE_USED);
  return count;
}
