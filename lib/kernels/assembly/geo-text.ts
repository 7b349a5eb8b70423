// Address texts, by the rules of maxmind (a regular expression in mmdb-lib, after Node's own): dotted IPv4 of four
// numbers without leading zeros; every form of IPv6, with `::`, an embedded IPv4 tail and a zone (`%eth0`).
//
// Texts are loaded in vectors and words that END where the text or the group ends. What is before them is always
// readable (no text stands below FIRST_FREE_AT), what is behind them need not be.

export const NOT_AN_ADDRESS: i64 = -1;
/** Times a byte: that byte four times. */
const IN_ALL_BYTES: u64 = 0x01010101;

// @ts-ignore: decorator
@inline
export function equals(at: u32, byte: u8): u64 {
  return <u64>i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(byte)));
}

/** A bit for each hexadecimal digit in the 16 bytes at `at`. */
// @ts-ignore: decorator
@inline
export function hexDigits(at: u32): u64 {
  const text = v128.load(at);
  const digit = i8x16.lt_u(i8x16.sub(text, i8x16.splat(0x30)), i8x16.splat(10));
  const letter = i8x16.lt_u(i8x16.sub(v128.or(text, i8x16.splat(0x20)), i8x16.splat(0x61)), i8x16.splat(6));
  return <u64>i8x16.bitmask(v128.or(digit, letter));
}

/** The value of 1 to 4 hexadecimal digits that end before `end`. */
// @ts-ignore: decorator
@inline
export function hexGroup(end: u32, length: u32): u64 {
  const text = load<u32>(end - 4);
  let x = (text & 0x0f0f0f0f) + ((text >> 6) & 0x01010101) * 9;
  x = bswap(x & (0xffffffff << (32 - (length << 3))));
  x = (x | (x >> 4)) & 0x00ff00ff;
  return <u64>((x | (x >> 8)) & 0xffff);
}

/**
 * The address as 32 bits, or NOT_AN_ADDRESS. All four numbers at once, each in a lane of four bytes that ends with its last
 * digit; what is not of the number is 0. 16.9.255.0:
 *
 *   ends     2 2 2 2     4 4 4 4     8 8 8 8     10 10 10 10   in the text; the lanes' bytes come from end - 4 ... end - 1
 *   digits   . . 1 6     . . . 9     . 2 5 5      .  .  .  0
 *
 * (Lemire, Mula: Parsing IPv4 addresses quickly, 2023; there by a table of shuffles, here the shuffle is computed.)
 */
// @ts-ignore: decorator
@inline
export function parseIpv4(at: u32, length: u32): i64 {
  if (length - 7 > 8) return NOT_AN_ADDRESS;
  const text = v128.load(at + length - 16);
  const before = 16 - length; // bytes that are not of the text
  let dots = <u32>i8x16.bitmask(i8x16.eq(text, i8x16.splat(0x2e))) >> before << before;
  if (popcnt(dots) != 3) return NOT_AN_ADDRESS;
  const first = <u64>ctz(dots);
  const second = <u64>ctz(dots & (dots - 1));
  const third = <u64>(31 - clz(dots));
  const ends = i64x2.replace_lane(
    i64x2.splat((first | (second << 32)) * IN_ALL_BYTES), 1, (third | (16 << 32)) * IN_ALL_BYTES,
  );
  // The byte before each number's first: the end of the number before.
  const starts = i8x16.shuffle(
    i8x16.splat(<i8>before - 1), ends, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
  );
  const places = i8x16.add(ends, i32x4.splat(0xfffefdfc)); // -4, -3, -2, -1
  const inside = i8x16.gt_s(places, starts);
  const digits = v128.and(v128.xor(i8x16.swizzle(text, places), i8x16.splat(0x30)), inside);

  // Pairs 0 and 1, 2 and 3 of a lane's bytes, by 0, 100, 10 and 1.
  const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(digits), i64x2.splat(0x0001_000a_0064_0000));
  const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(digits), i64x2.splat(0x0001_000a_0064_0000));
  const numbers = i32x4.add(
    i8x16.shuffle(low, high, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
    i8x16.shuffle(low, high, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31),
  );
  const notDigits = i8x16.gt_u(digits, i8x16.splat(9));
  // The last byte of a lane must be inside, the first must not.
  const notLengths = v128.xor(v128.and(inside, i32x4.splat(0xff0000ff)), i32x4.splat(0xff000000));
  // A first digit (a place just behind a start) that is 0, unless it is the last one, too.
  const leadingZeros = v128.and(
    i8x16.eq(i8x16.sub(places, starts), i32x4.splat(0x00010101)), i8x16.eq(digits, i8x16.splat(0)),
  );
  const tooLarge = i32x4.gt_s(numbers, i32x4.splat(255));
  if (v128.any_true(v128.or(v128.or(notDigits, notLengths), v128.or(leadingZeros, tooLarge)))) return NOT_AN_ADDRESS;
  return <i64><u32>i32x4.extract_lane(i8x16.swizzle(numbers, i32x4.splat(0x0004080c)), 0);
}

/** Where a valid zone starts (at its `%`), counted from `at`; 0 = there is none. */
export function zoneStart(at: u32, length: u32): u32 {
  let start: u32 = 0;
  while (start < length && load<u8>(at + start) != 0x25) start++;
  if (start + 1 >= length) return 0;
  for (let i = start + 1; i < length; i++) {
    const byte = load<u8>(at + i);
    const letter = (byte | 0x20) - 0x61;
    if (letter < 26 || (byte >= 0x2d && byte <= 0x3a && byte != 0x2f)) continue; // - . 0-9 :
    return 0;
  }
  return start;
}

// @ts-ignore: decorator
@inline
export function isBlank(at: u32): bool {
  const byte = load<u8>(at);
  return byte == 0x20 || byte == 0x09;
}
