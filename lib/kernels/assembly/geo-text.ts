// Address texts, by the rules of maxmind (a regular expression in mmdb-lib, after Node's own): dotted IPv4 of four
// numbers without leading zeros; every form of IPv6, with `::`, an embedded IPv4 tail and a zone (`%eth0`).
//
// Texts are loaded in vectors and words that END where the text or the number ends. What is before them is always
// readable (no text stands below FIRST_FREE_AT), what is behind them need not be.

export const NOT_AN_ADDRESS: i64 = -1;

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
 * One of four numbers, the `length` bytes before `end`. A length outside of 1-3, a byte that is no digit, a leading
 * zero and a value over 255 give a number above 255.
 */
// @ts-ignore: decorator
@inline
function octet(end: u32, length: u32): u32 {
  const digits = (load<u32>(end - 4) ^ 0x30303030) & (0xffffffff << (32 - (length << 3)));
  const value = ((digits >> 8) & 0xff) * 100 + ((digits >> 16) & 0xff) * 10 + (digits >> 24);
  const least = (0x640a00 >> ((length - 1) << 3)) & 0xff;
  const bad = (((digits + 0x76767676) | digits) & 0x80808080) | ((value - least) & 0x80000000);
  return value | select<u32>(0x100, 0, bad != 0 || length - 1 > 2);
}

/** The address as 32 bits, or NOT_AN_ADDRESS. */
// @ts-ignore: decorator
@inline
export function parseIpv4(at: u32, length: u32): i64 {
  if (length - 7 > 8) return NOT_AN_ADDRESS;
  const end = at + length;
  let dots = <u32>equals(end - 16, 0x2e) >> (16 - length);
  if (popcnt(dots) != 3) return NOT_AN_ADDRESS;
  const first = ctz(dots);
  dots &= dots - 1;
  const second = ctz(dots);
  dots &= dots - 1;
  const third = ctz(dots);
  const a = octet(at + first, first);
  const b = octet(at + second, second - first - 1);
  const c = octet(at + third, third - second - 1);
  const d = octet(end, length - third - 1);
  return (a | b | c | d) > 255 ? NOT_AN_ADDRESS : <i64>((a << 24) | (b << 16) | (c << 8) | d);
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
