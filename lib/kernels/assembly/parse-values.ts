// VALUE_PTR/LEN -> VALUE x 10^scale, exact. Grammar: blanks [+-] digits [. digits] blanks, at least one digit. Then its
// bounds: least <= value <= most, which is one comparison of what it is more than the least, unsigned.
import {
  BATCH_STATUS, BATCH_VALUE, BATCH_VALUE_LEN, BATCH_VALUE_PTR, REJECT_BAD_VALUE, REJECT_NONE, REJECT_VALUE_MAX, REJECT_VALUE_MIN,
  REJECT_VALUE_PRECISION, REJECT_VALUE_RANGE,
} from "../layout";

/** The largest u64 that can take one more decimal digit, whichever it is. */
const ROOM_FOR_DIGIT: u64 = 1844674407370955160; // (2^64 - 10) / 10
const MIN_MAGNITUDE: u64 = 1 << 63;
/** Up to this scale the product of 8 digits fits. */
const FAST_SCALE: u32 = 10;

export function values(batch: u32, rows: u32, scale: u32, least: i64, most: i64): u32 {
  const span = <u64>(most - least);
  let power: u64 = 1;
  for (let i = min(scale, FAST_SCALE); i > 0; i--) power *= 10;
  let rejected: u32 = 0;
  for (let row: u32 = 0; row < rows; row++) {
    const at = batch + (row << 2);
    if (load<u32>(at, BATCH_STATUS) == REJECT_NONE) {
      const ptr = load<u32>(at, BATCH_VALUE_PTR);
      const length = load<u32>(at, BATCH_VALUE_LEN);
      const result = batch + BATCH_VALUE + (row << 3);
      if (length - 1 < 8 && scale <= FAST_SCALE) {
        const digits = lastDigits(ptr + length, length);
        if (allDigits(digits)) {
          const value = number(digits) * power;
          store<u64>(result, value);
          if (value - <u64>least <= span) continue;
          outside(at, result, least);
          rejected++;
          continue;
        }
      }
      const status = parse(ptr, ptr + length, scale, result);
      if (status != REJECT_NONE) store<u32>(at, status, BATCH_STATUS);
      else if (load<u64>(result) - <u64>least <= span) continue;
      else outside(at, result, least);
    }
    rejected++;
  }
  return rejected;
}

function outside(at: u32, result: u32, least: i64): void {
  store<u32>(at, load<i64>(result) < least ? REJECT_VALUE_MIN : REJECT_VALUE_MAX, BATCH_STATUS);
  store<i64>(result, 0);
}

// Whole numbers of 1 to 8 digits, without a branch that depends on their length: the eight bytes that end where the
// number ends, those before it replaced by '0', are added up in pairs, fours and eights (the first digit is the lowest
// byte). Method: Lemire, Quickly parsing eight digits, 2018.

// @ts-ignore: decorator
@inline
function lastDigits(end: u32, length: u32): u64 {
  const before = (<u64>1 << (64 - (length << 3))) - 1;
  return (load<u64>(end - 8) & ~before) | (0x3030303030303030 & before);
}

// @ts-ignore: decorator
@inline
function allDigits(bytes: u64): bool {
  return ((bytes & 0xf0f0f0f0f0f0f0f0) | (((bytes + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4)) == 0x3333333333333333;
}

// @ts-ignore: decorator
@inline
function number(bytes: u64): u64 {
  bytes -= 0x3030303030303030;
  bytes = bytes * 10 + (bytes >> 8);
  return ((bytes & 0xff000000ff) * 0xf424000000064 + ((bytes >> 16) & 0xff000000ff) * 0x271000000001) >> 32;
}

function parse(ptr: u32, end: u32, scale: u32, result: u32): u32 {
  store<i64>(result, 0);
  while (ptr < end && blank(load<u8>(ptr))) ptr++;
  while (ptr < end && blank(load<u8>(end - 1))) end--;
  let negative = false;
  if (ptr < end) {
    const sign = load<u8>(ptr);
    negative = sign == 0x2d;
    if (negative || sign == 0x2b) ptr++;
  }
  let magnitude: u64 = 0;
  let tooLarge = false;
  let tooPrecise = false;
  let digits: u32 = 0;
  for (; ptr < end; ptr++) {
    const digit = <u32>load<u8>(ptr) - 0x30;
    if (digit > 9) break;
    tooLarge = tooLarge || magnitude > ROOM_FOR_DIGIT;
    magnitude = magnitude * 10 + digit;
    digits++;
  }
  if (ptr < end && load<u8>(ptr) == 0x2e) {
    ptr++;
    for (; ptr < end; ptr++) {
      const digit = <u32>load<u8>(ptr) - 0x30;
      if (digit > 9) break;
      digits++;
      if (scale > 0) {
        scale--;
        tooLarge = tooLarge || magnitude > ROOM_FOR_DIGIT;
        magnitude = magnitude * 10 + digit;
      } else if (digit != 0) {
        tooPrecise = true;
      }
    }
  }
  if (ptr < end || digits == 0) return REJECT_BAD_VALUE;
  if (tooPrecise) return REJECT_VALUE_PRECISION;
  for (; scale > 0; scale--) {
    tooLarge = tooLarge || magnitude > ROOM_FOR_DIGIT;
    magnitude *= 10;
  }
  if (tooLarge || magnitude > MIN_MAGNITUDE - u64(!negative)) return REJECT_VALUE_RANGE;
  store<i64>(result, negative ? 0 - <i64>magnitude : <i64>magnitude);
  return REJECT_NONE;
}

// @ts-ignore: decorator
@inline
function blank(byte: u8): bool {
  return byte == 0x20 || byte == 0x09;
}
