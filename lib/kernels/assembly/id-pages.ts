// Pages of the ids that a run counted, for the state, and their way back into the table. Layout: ../id-page-layout.ts.
//
//   rows of winners ── takeIds ──► ids ── splitIds ──► ids by slice ── packIds ──► page
//   page ── isIdPage ──► loadIds: a group of ids ──► touch their slots ──► insert
//                   └──► unpackIds ──► ids ── packIds ──► a page of several
//
// Nothing here compares ids or sorts them. A page comes from a disk: isIdPage checks all that loadIds and unpackIds rely
// on, behind a checksum that is right, too.
import {
  GROUP_ROWS, SLOT_BYTES, TABLE_BITS, TABLE_FACTOR0, TABLE_FACTOR1, TABLE_HAS_ZERO, TABLE_LIMIT, TABLE_SLOTS, TABLE_USED,
} from "../dedup-layout";
import {
  BUCKET_BITS_FEW, BUCKET_BITS_MANY, ID_BYTES, ID_PAGE_BUCKET_BITS, ID_PAGE_CHECKSUM, ID_PAGE_COUNT, ID_PAGE_FEW, ID_PAGE_FORMAT,
  ID_PAGE_FORMAT_AT, ID_PAGE_HEADER, ID_PAGE_MOST, ID_PAGE_SALT, ID_PAGE_SLICE, ID_SLICE_BITS, ID_SLICES, LOADING_BIT,
  LOADING_DONE, LOADING_GROUP, LOADING_GROUP_ENTRY, LOADING_HI_FROM, LOADING_HI_TO, LOADING_LO_FROM,
  LOADING_LO_TO, LOADING_PAGE, LOADING_TOUCHED,
} from "../id-page-layout";
import { ROW_ID_LO } from "../layout";
import { slotOffset } from "./dedup";
import { xxh64 } from "./hash";

// @ts-ignore: decorator
@inline
function sliceOf(id: u32): u32 {
  return <u32>(load<u64>(id) >> (64 - ID_SLICE_BITS));
}

/** Bits of lo that stand in the slice and the bucket; the rest of the id is whole bytes, so they are, too. */
// @ts-ignore: decorator
@inline
function knownBits(bucketBits: u32): u64 {
  return ID_SLICE_BITS + bucketBits;
}

/** Bytes of the buckets' counts. */
// @ts-ignore: decorator
@inline
function unaryBytes(count: u32, bucketBits: u32): u32 {
  return (count + (1 << bucketBits) + 7) >>> 3;
}

// @ts-ignore: decorator
@inline
function checksum(page: u32, bytes: u32, slice: u32): u64 {
  return xxh64(page + ID_PAGE_COUNT, bytes - ID_PAGE_COUNT, <u64>slice | (<u64>ID_PAGE_SALT << 32));
}

/** See IdPageKernel in ../twins/id-pages.ts. */
export function takeIds(rows: u32, count: u32, to: u32): void {
  const end = rows + (count << 2);
  for (; rows < end; rows += 4, to += ID_BYTES) v128.store(to, v128.load(load<u32>(rows), ROW_ID_LO));
}

/**
 * See IdPageKernel in ../twins/id-pages.ts. In place (McIlroy, Bostic, McIlroy 1993, "Engineering radix sort", American
 * flag sort): an id that stands in another slice's part changes places with the next one there that was not yet looked at.
 */
export function splitIds(ids: u32, count: u32, ends: u32): void {
  const nexts = ends + (ID_SLICES << 2);
  memory.fill(ends, 0, ID_SLICES << 2);
  for (let id = ids, end = ids + count * ID_BYTES; id < end; id += ID_BYTES) {
    const counter = ends + (sliceOf(id) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  let at = ids;
  for (let i: u32 = 0; i < <u32>ID_SLICES << 2; i += 4) {
    store<u32>(nexts + i, at);
    at += load<u32>(ends + i) * ID_BYTES;
    store<u32>(ends + i, at);
  }
  for (let slice: u32 = 0; slice < <u32>ID_SLICES; slice++) {
    const end = load<u32>(ends + (slice << 2));
    for (let id = load<u32>(nexts + (slice << 2)); id < end; ) {
      const other = sliceOf(id);
      if (other == slice) {
        id += ID_BYTES;
        continue;
      }
      const next = nexts + (other << 2);
      const place = load<u32>(next);
      const moved = v128.load(place);
      v128.store(place, v128.load(id));
      v128.store(id, moved);
      store<u32>(next, place + ID_BYTES);
    }
  }
}

/** See IdPageKernel in ../twins/id-pages.ts. */
export function packIds(ids: u32, count: u32, page: u32, scratch: u32): u32 {
  return count <= <u32>ID_PAGE_FEW ? pack(ids, count, page, scratch, BUCKET_BITS_FEW) : pack(ids, count, page, scratch, BUCKET_BITS_MANY);
}

/** `bucketBits` is a constant. */
// @ts-ignore: decorator
@inline
function pack(ids: u32, count: u32, page: u32, scratch: u32, bucketBits: u32): u32 {
  const slice = sliceOf(ids);
  store<u32>(page, count, ID_PAGE_COUNT);
  store<u16>(page, <u16>slice, ID_PAGE_SLICE);
  store<u8>(page, <u8>bucketBits, ID_PAGE_BUCKET_BITS);
  store<u8>(page, ID_PAGE_FORMAT, ID_PAGE_FORMAT_AT);

  const known = knownBits(bucketBits);
  const width: u32 = 16 - (<u32>known >> 3);
  const unary = page + ID_PAGE_HEADER;
  const first = unary + unaryBytes(count, bucketBits);
  const last = ids + count * ID_BYTES;
  memory.fill(scratch, 0, 4 << bucketBits);
  for (let id = ids; id < last; id += ID_BYTES) {
    const counter = scratch + (<u32>((load<u64>(id) << ID_SLICE_BITS) >> (64 - bucketBits)) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  countsToPlaces(unary, first, count, scratch, bucketBits, width);
  for (let id = ids; id < last; id += ID_BYTES) {
    const lo = load<u64>(id), hi = load<u64>(id, 8);
    const counter = scratch + (<u32>((lo << ID_SLICE_BITS) >> (64 - bucketBits)) << 2);
    const to = load<u32>(counter);
    store<u32>(counter, to + width);
    // The second one writes the end of hi again, so that nothing is written behind the id.
    store<u64>(to, hi);
    store<u64>(to + width - 8, (lo << known) | (hi >> (64 - known)));
  }
  const bytes = first + count * width - page;
  store<u64>(page, checksum(page, bytes, slice), ID_PAGE_CHECKSUM);
  return bytes;
}

/** Writes the counts of buckets in unary, and makes of each the address of its first id: ones all over, then the zeros. */
// @ts-ignore: decorator
@inline
function countsToPlaces(unary: u32, first: u32, count: u32, scratch: u32, bucketBits: u32, width: u32): void {
  memory.fill(unary, 0xff, first - unary);
  let bit: u32 = 0;
  let place = first;
  for (let counter = scratch, end = scratch + (4 << bucketBits); counter < end; counter += 4) {
    const ids = load<u32>(counter);
    store<u32>(counter, place);
    place += ids * width;
    bit += ids;
    const byte = unary + (bit >>> 3);
    store<u8>(byte, <u8>(load<u8>(byte) & ~(<u32>1 << (bit & 7))));
    bit++;
  }
  if (bit & 7) store<u8>(first - 1, <u8>(load<u8>(first - 1) & ((<u32>1 << (bit & 7)) - 1)));
}

/** See IdPageKernel in ../twins/id-pages.ts. */
export function isIdPage(page: u32, bytes: u32, slice: u32): u32 {
  if (bytes < <u32>ID_PAGE_HEADER) return 0;
  const count = load<u32>(page, ID_PAGE_COUNT);
  const bucketBits: u32 = load<u8>(page, ID_PAGE_BUCKET_BITS);
  if (load<u8>(page, ID_PAGE_FORMAT_AT) != ID_PAGE_FORMAT || load<u16>(page, ID_PAGE_SLICE) != slice) return 0;
  if (count - 1 >= <u32>ID_PAGE_MOST || (bucketBits != BUCKET_BITS_FEW && bucketBits != BUCKET_BITS_MANY)) return 0;
  const unary = page + ID_PAGE_HEADER;
  const first = unary + unaryBytes(count, bucketBits);
  if (first + count * (16 - (<u32>knownBits(bucketBits) >> 3)) - page != bytes) return 0;
  if (load<u64>(page, ID_PAGE_CHECKSUM) != checksum(page, bytes, slice)) return 0;
  // The last bucket's zero, and those up to the whole byte: so each one bit is in a bucket.
  const end = count + (1 << bucketBits);
  if (load<u8>(first - 1) >> ((end - 1) & 7)) return 0;
  let ones: u64 = 0;
  let at = unary;
  for (; at + 8 <= first; at += 8) ones += popcnt(load<u64>(at));
  for (; at < first; at++) ones += popcnt(<u64>load<u8>(at));
  return u32(ones == count);
}

/** See IdPageKernel in ../twins/id-pages.ts. */
export function loadIds(table: u32, loading: u32): u32 {
  const page = load<u32>(loading, LOADING_PAGE);
  return load<u8>(page, ID_PAGE_BUCKET_BITS) == BUCKET_BITS_FEW ?
    loadPage(table, loading, page, BUCKET_BITS_FEW) : loadPage(table, loading, page, BUCKET_BITS_MANY);
}

/** `bucketBits` is a constant. */
// @ts-ignore: decorator
@inline
function loadPage(table: u32, loading: u32, page: u32, bucketBits: u32): u32 {
  const slots = load<u32>(table, TABLE_SLOTS);
  const bits = load<u32>(table, TABLE_BITS);
  const shift: u64 = 64 - bits;
  const mask: u32 = (SLOT_BYTES << bits) - 1;
  const limit = load<u32>(table, TABLE_LIMIT);
  const factor0 = load<u64>(table, TABLE_FACTOR0), factor1 = load<u64>(table, TABLE_FACTOR1);
  let used = load<u32>(table, TABLE_USED);

  const loFrom = load<u64>(loading, LOADING_LO_FROM), loSpan = load<u64>(loading, LOADING_LO_TO) - loFrom;
  const hiFrom = load<u64>(loading, LOADING_HI_FROM), hiSpan = load<u64>(loading, LOADING_HI_TO) - hiFrom;
  const group = loading + LOADING_GROUP;
  const groupEnd: u32 = group + GROUP_ROWS * LOADING_GROUP_ENTRY;

  const count = load<u32>(page, ID_PAGE_COUNT);
  const slice = <u64>load<u16>(page, ID_PAGE_SLICE) << (64 - ID_SLICE_BITS);
  const known = knownBits(bucketBits);
  const width: u32 = 16 - (<u32>known >> 3);
  const unary = page + ID_PAGE_HEADER;
  let done = load<u32>(loading, LOADING_DONE);
  let at: u32 = unary + unaryBytes(count, bucketBits) + done * width;
  // The bits from `base` on, without those gone over. The last word may have bytes of ids in it: they are behind all ones.
  let bit = load<u32>(loading, LOADING_BIT);
  let base: u32 = bit & ~63;
  let word = load<u64>(unary + (base >>> 3)) & (u64.MAX_VALUE << (bit & 63));

  while (done < count && used < limit) {
    let touched: u32 = 0;
    let entry = group;
    for (; entry < groupEnd && done < count; done++, at += width) {
      while (!word) {
        base += 64;
        word = load<u64>(unary + (base >>> 3));
      }
      bit = base + <u32>ctz(word);
      word &= word - 1;
      const bucket: u64 = bit++ - done; // as many zeros are before it
      const lo = slice | (bucket << (64 - known)) | (load<u64>(at + width - 8) >> known), hi = load<u64>(at);
      if (lo - loFrom > loSpan || hi - hiFrom > hiSpan) continue;
      if (!(lo | hi)) {
        store<u32>(table, 1, TABLE_HAS_ZERO);
        continue;
      }
      const offset = slotOffset(lo, hi, factor0, factor1, shift);
      store<u64>(entry, lo);
      store<u64>(entry, hi, 8);
      store<u32>(entry, offset, 16);
      touched |= load<u8>(slots + offset);
      entry += LOADING_GROUP_ENTRY;
    }
    store<u32>(loading, touched, LOADING_TOUCHED); // a use, so that no compiler drops the touch
    for (let it = group; it < entry; it += LOADING_GROUP_ENTRY) {
      const lo = load<u64>(it), hi = load<u64>(it, 8);
      let offset = load<u32>(it, 16);
      while (true) {
        const slotLo = load<u64>(slots + offset), slotHi = load<u64>(slots + offset, 8);
        if (!((slotLo ^ lo) | (slotHi ^ hi))) break;
        if (!(slotLo | slotHi)) {
          store<u64>(slots + offset, lo);
          store<u64>(slots + offset, hi, 8);
          used++;
          break;
        }
        offset = (offset - SLOT_BYTES) & mask;
      }
    }
  }
  store<u32>(loading, bit, LOADING_BIT);
  store<u32>(loading, done, LOADING_DONE);
  store<u32>(table, used, TABLE_USED);
  return u32(done == count);
}

/** See IdPageKernel in ../twins/id-pages.ts. */
export function unpackIds(page: u32, to: u32): u32 {
  if (load<u8>(page, ID_PAGE_BUCKET_BITS) == BUCKET_BITS_FEW) unpack(page, to, BUCKET_BITS_FEW);
  else unpack(page, to, BUCKET_BITS_MANY);
  return load<u32>(page, ID_PAGE_COUNT);
}

/** `bucketBits` is a constant. */
// @ts-ignore: decorator
@inline
function unpack(page: u32, to: u32, bucketBits: u32): void {
  const count = load<u32>(page, ID_PAGE_COUNT);
  const slice = <u64>load<u16>(page, ID_PAGE_SLICE) << (64 - ID_SLICE_BITS);
  const known = knownBits(bucketBits);
  const width: u32 = 16 - (<u32>known >> 3);
  const unary = page + ID_PAGE_HEADER;
  let at: u32 = unary + unaryBytes(count, bucketBits);
  let base: u32 = 0;
  let word = load<u64>(unary);
  for (let done: u32 = 0; done < count; done++, at += width, to += ID_BYTES) {
    while (!word) {
      base += 64;
      word = load<u64>(unary + (base >>> 3));
    }
    const bucket: u64 = base + <u32>ctz(word) - done; // as many zeros are before it
    word &= word - 1;
    store<u64>(to, slice | (bucket << (64 - known)) | (load<u64>(at + width - 8) >> known));
    store<u64>(to, load<u64>(at), 8);
  }
}
