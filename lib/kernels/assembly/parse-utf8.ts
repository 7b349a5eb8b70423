// Well-formed UTF-8, by table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing past U+10FFFF.

const HIGH_BITS: u64 = 0x8080808080808080;

/** Whether the bytes are ASCII. Vectors: the last one ends where the text ends; what is before it is always readable. */
// @ts-ignore: decorator
@inline
export function isAscii(at: u32, length: u32): bool {
  for (; length > 16; length -= 16, at += 16) if (i8x16.bitmask(v128.load(at))) return false;
  return <u32>i8x16.bitmask(v128.load(at + length - 16)) >> (16 - length) == 0;
}

/** Whether `length` bytes at `at` are well-formed UTF-8. ASCII, the common case, goes by eight bytes. */
export function isUtf8(at: u32, length: u32): bool {
  const end = at + length;
  while (true) {
    while (at + 8 <= end && (load<u64>(at) & HIGH_BITS) == 0) at += 8;
    if (at >= end) return true;
    const lead = load<u8>(at++);
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    let more: u32 = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (end - at < more) return false;
    // Only the byte after the lead has a narrower range, and only after these four.
    const second = load<u8>(at);
    if (lead == 0xe0 && second < 0xa0) return false;
    if (lead == 0xed && second > 0x9f) return false;
    if (lead == 0xf0 && second < 0x90) return false;
    if (lead == 0xf4 && second > 0x8f) return false;
    for (; more > 0; more--) if ((load<u8>(at++) & 0xc0) != 0x80) return false;
  }
}
