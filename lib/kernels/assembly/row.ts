// A stored row: the only place that knows its fields. Layout: ../layout.ts "A row". Only the id's words are read elsewhere.
// What a reader wants of a row comes from its head, which is loaded once and passed on:
//
//   const head = headOf(row);
//   const key = keyOf(row, head), rest = restOf(row, head), value = valueOf(row, head);
//
// Key and rest tell users apart, whatever the rows' forms: they are of the user behind the run's prefix, or of all of a user
// who does not begin with it. Whether a row is wide is asked by each: the same answer for nearly all rows, which costs next
// to nothing.
import {
  HEAD_LENGTH_MASK, HEAD_REGION_MASK, HEAD_REGION_SHIFT, HEAD_VALUE_BITS, HEAD_VALUE_SHIFT, HEAD_WIDE, ROW_FIXED, ROW_HEAD,
  ROW_KEY_PLAIN, ROW_KEY_REGION_SHIFT, ROW_KEY_REST, ROW_WIDE_FIXED, USER_PREFIX_AT, WIDE_ESCAPE, WIDE_LENGTH_MASK,
  WIDE_LENGTH_SHIFT, WIDE_REGION_MASK, WIDE_REGION_SHIFT, WIDE_VALUE_SHIFT,
} from "../layout";
import { beginsWithPrefix } from "./user-prefix";

// @ts-ignore: decorator
@inline
export function headOf(row: u32): u32 {
  return load<u32>(row, ROW_HEAD);
}

/** Bytes of the whole row. */
// @ts-ignore: decorator
@inline
export function rowBytes(row: u32, head: u32): u32 {
  if (isWide(head)) return wideBytes(row) + wideLength(row);
  return ROW_FIXED + (head & HEAD_LENGTH_MASK);
}

// @ts-ignore: decorator
@inline
export function regionOf(row: u32, head: u32): u32 {
  return isWide(head) ? wideRegion(row) : (head >> HEAD_REGION_SHIFT) & HEAD_REGION_MASK;
}

/** The same for all rows of one region whose users have rests of one length, of the same kind. */
// @ts-ignore: decorator
@inline
export function keyOf(row: u32, head: u32): u64 {
  if (isWide(head)) return wideKey(row);
  return <u64>((head >> HEAD_REGION_SHIFT) & HEAD_REGION_MASK) << ROW_KEY_REGION_SHIFT | <u64>(head & HEAD_LENGTH_MASK);
}

// @ts-ignore: decorator
@inline
export function restLength(key: u64): u32 {
  return <u32>key & ROW_KEY_REST;
}

/** Bytes of the user before the rest: none, or all of the prefix. */
// @ts-ignore: decorator
@inline
export function prefixLength(key: u64): u32 {
  return <u32>key & ROW_KEY_PLAIN ? 0 : load<u32>(USER_PREFIX_AT);
}

/** Address of the rest. The 8 bytes before it are the row's, 4 of them its id's. */
// @ts-ignore: decorator
@inline
export function restOf(row: u32, head: u32): u32 {
  return row + (isWide(head) ? wideBytes(row) + prefixLength(wideKey(row)) : ROW_FIXED);
}

// @ts-ignore: decorator
@inline
export function valueOf(row: u32, head: u32): i64 {
  return isWide(head) ? wideValue(row) : <i64>(head >> HEAD_VALUE_SHIFT);
}

/** Whether a row of these fields is a compact one, if its user begins with the prefix; `rest` is his length less the prefix's. */
// @ts-ignore: decorator
@inline
export function fitsCompact(rest: u32, region: u32, value: i64): bool {
  return !(<u64>(rest >= <u32>HEAD_WIDE) | <u64>(region & ~HEAD_REGION_MASK) | (<u64>value >> HEAD_VALUE_BITS));
}

/** Bytes before the user of a wide row that is to be stored. */
export function wideBytesFor(value: i64): u32 {
  return isEscaped(value) ? ROW_WIDE_FIXED + 8 : ROW_WIDE_FIXED;
}

/** Writes what stands between the id and the user, of whom `length` bytes are stored. */
// @ts-ignore: decorator
@inline
export function storeFields(row: u32, compact: bool, length: u32, region: u32, value: i64): void {
  if (compact) {
    store<u32>(row, length | (region << HEAD_REGION_SHIFT) | (<u32>value << HEAD_VALUE_SHIFT), ROW_HEAD);
    return;
  }
  const small = isEscaped(value) ? <u64>WIDE_ESCAPE : <u64>value;
  store<u64>(
    row,
    <u64>HEAD_WIDE | (<u64>length << WIDE_LENGTH_SHIFT) | (<u64>region << WIDE_REGION_SHIFT) | (small << WIDE_VALUE_SHIFT),
    ROW_HEAD,
  );
  if (isEscaped(value)) store<i64>(row, value, ROW_WIDE_FIXED);
}

/** Then all of the user is stored: `wideLength` bytes behind `wideBytes`. */
// @ts-ignore: decorator
@inline
export function isWide(head: u32): bool {
  return (head & HEAD_LENGTH_MASK) == HEAD_WIDE;
}

// @ts-ignore: decorator
@inline
function isEscaped(value: i64): bool {
  return <u64>value >= <u64>WIDE_ESCAPE;
}

// Of rows that are known to be wide. Not inlined, so that the usual path stays short.

export function wideLength(row: u32): u32 {
  return <u32>(load<u64>(row, ROW_HEAD) >> WIDE_LENGTH_SHIFT) & WIDE_LENGTH_MASK;
}

/** The key that a compact row of this user has, or would have. */
function wideKey(row: u32): u64 {
  const length = wideLength(row);
  const begins = beginsWithPrefix(row + wideBytes(row), length);
  const rest = begins ? length - load<u32>(USER_PREFIX_AT) : length | ROW_KEY_PLAIN;
  return <u64>wideRegion(row) << ROW_KEY_REGION_SHIFT | <u64>rest;
}

function wideRegion(row: u32): u32 {
  return <u32>(load<u64>(row, ROW_HEAD) >> WIDE_REGION_SHIFT) & WIDE_REGION_MASK;
}

function wideValue(row: u32): i64 {
  const small = load<u64>(row, ROW_HEAD) >> WIDE_VALUE_SHIFT;
  return small == <u64>WIDE_ESCAPE ? load<i64>(row, ROW_WIDE_FIXED) : <i64>small;
}

/** Bytes before the user. */
export function wideBytes(row: u32): u32 {
  return load<u64>(row, ROW_HEAD) >> WIDE_VALUE_SHIFT == <u64>WIDE_ESCAPE ? ROW_WIDE_FIXED + 8 : ROW_WIDE_FIXED;
}
