// First-seen rows of a partition. Layouts: ../layout.ts "Partitions", ../dedup-layout.ts.
//
//   segments ── walk: a group of row addresses ──► touch their slots ──► probe, insert ──► winners (u32 row addresses)
//                                                                   └──► probe only ─────► rows of ids that are not there
//
// A group's slots are touched before the first is compared, so that cache misses overlap instead of waiting behind
// mispredicted branches. There is always room for what a group can add: nothing has to be undone, and a call can stop
// between any two groups. Segments may start anywhere.
import { ROW_ID_HI, ROW_ID_LO, SEGMENT_HEADER } from "../layout";
import {
  GROUP_ROWS, LOAD_NUMERATOR, LOAD_SHIFT, SLOT_BYTES, STOP_AREA_FULL, STOP_END, STOP_TABLE_FULL,
  TABLE_BITS, TABLE_FACTOR0, TABLE_FACTOR1, TABLE_HAS_ZERO, TABLE_LIMIT, TABLE_SLOTS, TABLE_USED,
  WALK_AT, WALK_END, WALK_GROUP, WALK_LAST, WALK_NEXT, WALK_ROWS, WALK_STOP,
} from "../dedup-layout";
import { headOf, rowBytes } from "./row";

// @ts-ignore: decorator
@inline
export function slotOffset(lo: u64, hi: u64, factor0: u64, factor1: u64, shift: u64): u32 {
  const h = lo * factor0 + hi * factor1;
  return <u32>(((h ^ (h >> 32)) * factor0) >> shift) * SLOT_BYTES;
}

function setBits(table: u32, bits: u32): void {
  store<u32>(table, bits, TABLE_BITS);
  store<u32>(table, ((1 << bits) * LOAD_NUMERATOR) >>> LOAD_SHIFT, TABLE_LIMIT);
}

/** See DedupKernel in ../twins/dedup.ts. */
export function clearTable(table: u32, slots: u32, bits: u32): void {
  memory.fill(slots, 0, SLOT_BYTES << bits);
  store<u32>(table, slots, TABLE_SLOTS);
  setBits(table, bits);
  store<u32>(table, 0, TABLE_USED);
  store<u32>(table, 0, TABLE_HAS_ZERO);
}

/**
 * See DedupKernel in ../twins/dedup.ts. An id's slot is the top bits of its product, so it moves from i to about 2i:
 * from the last slot to the first, each id is taken out and put where it belongs now. Where that is below the slot it
 * came from, among those not yet moved, it will be moved again; so all above is in order at any time, but for ids that
 * probing took past slot 0 to the end of the table: those are put in again at the end, when nothing moves any more.
 */
export function growTable(table: u32): void {
  const slots = load<u32>(table, TABLE_SLOTS);
  const bits = load<u32>(table, TABLE_BITS) + 1;
  const half = (<u32>SLOT_BYTES << bits) >> 1;
  setBits(table, bits);
  memory.fill(slots + half, 0, half);
  for (let slot = slots + half; slot > slots; ) {
    slot -= SLOT_BYTES;
    if (load<u64>(slot) | load<u64>(slot, 8)) putAgain(table, slot);
  }
  for (let slot = slots + 2 * half - SLOT_BYTES; load<u64>(slot) | load<u64>(slot, 8); slot -= SLOT_BYTES) putAgain(table, slot);
}

/** Takes the id out of its slot and puts it into the first free one from its home on. */
function putAgain(table: u32, slot: u32): void {
  const lo = load<u64>(slot), hi = load<u64>(slot, 8);
  store<u64>(slot, 0);
  store<u64>(slot, 0, 8);
  const slots = load<u32>(table, TABLE_SLOTS);
  const bits = load<u32>(table, TABLE_BITS);
  let offset = slotOffset(lo, hi, load<u64>(table, TABLE_FACTOR0), load<u64>(table, TABLE_FACTOR1), 64 - bits);
  while (load<u64>(slots + offset) | load<u64>(slots + offset, 8)) offset = (offset - SLOT_BYTES) & ((SLOT_BYTES << bits) - 1);
  store<u64>(slots + offset, lo);
  store<u64>(slots + offset, hi, 8);
}

/** See DedupKernel in ../twins/dedup.ts. */
export function dedupChunk(table: u32, walk: u32, winners: u32, max: u32): u32 {
  return walkChunk(table, walk, winners, max, true);
}

/** See DedupKernel in ../twins/dedup.ts. */
export function probeChunk(table: u32, walk: u32, others: u32, max: u32): u32 {
  return walkChunk(table, walk, others, max, false);
}

/** Both of the above: `inserts` is a constant, and what it rules out is not compiled. */
// @ts-ignore: decorator
@inline
function walkChunk(table: u32, walk: u32, area: u32, max: u32, inserts: bool): u32 {
  const slots = load<u32>(table, TABLE_SLOTS);
  const bits = load<u32>(table, TABLE_BITS);
  const shift: u64 = 64 - bits;
  const mask: u32 = (SLOT_BYTES << bits) - 1;
  const limit = load<u32>(table, TABLE_LIMIT);
  const factor0 = load<u64>(table, TABLE_FACTOR0), factor1 = load<u64>(table, TABLE_FACTOR1);
  let used = load<u32>(table, TABLE_USED);
  let next = load<u32>(walk, WALK_NEXT), at = load<u32>(walk, WALK_AT), end = load<u32>(walk, WALK_END);
  const last = load<u32>(walk, WALK_LAST);
  const group = walk + WALK_GROUP;
  let rows: u32 = 0, count: u32 = 0, stop: u32 = STOP_END;

  while (at != end || next != last) {
    const room = max - count;
    if (count && room < <u32>GROUP_ROWS) {
      stop = STOP_AREA_FULL;
      break;
    }
    if (inserts && used >= limit) {
      stop = STOP_TABLE_FULL;
      break;
    }
    const wanted = min(room, <u32>GROUP_ROWS);
    let n: u32 = 0, touched: u32 = 0;
    while (n < wanted) {
      if (at == end) {
        if (next == last) break;
        at = load<u32>(next) + SEGMENT_HEADER;
        end = at + load<u16>(at - SEGMENT_HEADER);
        next += 4;
      }
      do {
        const entry = group + (n << 3);
        const offset = slotOffset(load<u64>(at, ROW_ID_LO), load<u64>(at, ROW_ID_HI), factor0, factor1, shift);
        store<u32>(entry, at);
        store<u32>(entry, offset, 4);
        touched |= load<u8>(slots + offset);
        at += rowBytes(at, headOf(at));
        n++;
      } while (at != end && n < wanted);
    }
    rows += n;
    store<u32>(walk, touched, WALK_STOP); // a use, so that no compiler drops the touch; overwritten below
    for (let i: u32 = 0; i < n; i++) {
      const row = load<u32>(group + (i << 3));
      let offset = load<u32>(group + (i << 3), 4);
      const lo = load<u64>(row, ROW_ID_LO), hi = load<u64>(row, ROW_ID_HI);
      if (!(lo | hi)) {
        if (load<u32>(table, TABLE_HAS_ZERO)) continue;
        if (inserts) store<u32>(table, 1, TABLE_HAS_ZERO);
        store<u32>(area + (count++ << 2), row);
        continue;
      }
      while (true) {
        const slotLo = load<u64>(slots + offset), slotHi = load<u64>(slots + offset, 8);
        if (!((slotLo ^ lo) | (slotHi ^ hi))) break;
        if (!(slotLo | slotHi)) {
          if (inserts) {
            store<u64>(slots + offset, lo);
            store<u64>(slots + offset, hi, 8);
            used++;
          }
          store<u32>(area + (count++ << 2), row);
          break;
        }
        offset = (offset - SLOT_BYTES) & mask;
      }
    }
  }
  store<u32>(walk, next, WALK_NEXT);
  store<u32>(walk, at, WALK_AT);
  store<u32>(walk, end, WALK_END);
  store<u32>(walk, rows, WALK_ROWS);
  store<u32>(walk, stop, WALK_STOP);
  store<u32>(table, used, TABLE_USED);
  return count;
}
