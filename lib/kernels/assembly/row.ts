// A stored row: the only place that knows its fields. Layout: ../layout.ts "A row". Only the id's words are read elsewhere.
// What a reader wants of a row comes from its head, which is loaded once and passed on:
//
//   const head = headOf(row);
//   const key = keyOf(row, head), user = userOf(row, head), value = valueOf(row, head);
import {
  HEAD_REGION_MASK, HEAD_REGION_SHIFT, HEAD_VALUE_SHIFT, ROW_FIXED, ROW_HEAD, VALUE_BIAS, VALUE_ESCAPE,
} from "../layout";

const LENGTH_MASK: u32 = 0xffff;
const KEY_MASK: u64 = (1 << HEAD_VALUE_SHIFT) - 1;

// @ts-ignore: decorator
@inline
export function headOf(row: u32): u64 {
  return load<u64>(row, ROW_HEAD);
}

/** Bytes of the whole row. */
// @ts-ignore: decorator
@inline
export function rowBytes(row: u32, head: u64): u32 {
  return fixedBytes(head) + userLengthOf(row, head);
}

// @ts-ignore: decorator
@inline
export function userLengthOf(row: u32, head: u64): u32 {
  return <u32>head & LENGTH_MASK;
}

// @ts-ignore: decorator
@inline
export function regionOf(row: u32, head: u64): u32 {
  return <u32>(head >> HEAD_REGION_SHIFT) & HEAD_REGION_MASK;
}

/** Region << 16 | user length: the same for all rows of one region and users of that length. */
// @ts-ignore: decorator
@inline
export function keyOf(row: u32, head: u64): u64 {
  return head & KEY_MASK;
}

/** Address of the user's bytes. The 8 bytes before it are the row's. */
// @ts-ignore: decorator
@inline
export function userOf(row: u32, head: u64): u32 {
  return row + fixedBytes(head);
}

// @ts-ignore: decorator
@inline
export function valueOf(row: u32, head: u64): i64 {
  const small = <u32>(head >> HEAD_VALUE_SHIFT);
  return small == VALUE_ESCAPE ? load<i64>(row, ROW_FIXED) : <i64>small - VALUE_BIAS;
}

/** Bytes of a row before its user, for fields that are to be stored. */
// @ts-ignore: decorator
@inline
export function fixedBytesFor(length: u32, region: u32, value: i64): u32 {
  return isSmall(value) ? ROW_FIXED : ROW_FIXED + 8;
}

/** Writes what stands between the id and the user. */
// @ts-ignore: decorator
@inline
export function storeHead(row: u32, length: u32, region: u32, value: i64): void {
  const key = <u64>length | (<u64>region << HEAD_REGION_SHIFT);
  if (isSmall(value)) {
    store<u64>(row, key | (<u64>(value + VALUE_BIAS) << HEAD_VALUE_SHIFT), ROW_HEAD);
  } else {
    store<u64>(row, key | (<u64>VALUE_ESCAPE << HEAD_VALUE_SHIFT), ROW_HEAD);
    store<i64>(row, value, ROW_FIXED);
  }
}

// @ts-ignore: decorator
@inline
function isSmall(value: i64): bool {
  return <u64>(value + VALUE_BIAS) < <u64>VALUE_ESCAPE;
}

// @ts-ignore: decorator
@inline
function fixedBytes(head: u64): u32 {
  return ROW_FIXED + (<u32>(head >> HEAD_VALUE_SHIFT == <u64>VALUE_ESCAPE) << 3);
}
