// Bytes of users and rows: compare, copy, order. At least 8 bytes stand before a user wherever it is (the head and the id of a stored row,
// the head of a run row), so the last bytes of a short user are loaded as the top of the 8 bytes that end there. Nothing
// here loads past a user's end.

/** True when `len` bytes are equal. */
// @ts-ignore: decorator
@inline
export function sameBytes(a: u32, b: u32, len: u32): bool {
  let at: u32 = 0;
  for (; at + 8 <= len; at += 8) {
    if (load<u64>(a + at) != load<u64>(b + at)) return false;
  }
  const rest = len & 7;
  return !rest || !((load<u64>(a + len - 8) ^ load<u64>(b + len - 8)) >> (64 - (rest << 3)));
}

/** Copies a user's bytes; up to 7 bytes behind the copy are overwritten too. */
// @ts-ignore: decorator
@inline
export function copyUser(to: u32, from: u32, len: u32): void {
  let at: u32 = 0;
  for (; at + 8 <= len; at += 8) store<u64>(to + at, load<u64>(from + at));
  const rest = len & 7;
  if (rest) store<u64>(to + at, load<u64>(from + len - 8) >> (64 - (rest << 3)));
}

/** Copies at least 16 bytes, and nothing behind them. */
// @ts-ignore: decorator
@inline
export function copyRow(to: u32, from: u32, bytes: u32): void {
  const last = bytes - 16;
  for (let at: u32 = 0; at < last; at += 16) v128.store(to + at, v128.load(from + at));
  v128.store(to + last, v128.load(from + last));
}

/** How many of the first `len` bytes of both are equal, before the first that differs. */
export function commonBytes(a: u32, b: u32, len: u32): u32 {
  let at: u32 = 0;
  for (; at + 8 <= len; at += 8) {
    const differ = load<u64>(a + at) ^ load<u64>(b + at);
    if (differ) return at + (<u32>ctz(differ) >> 3);
  }
  const rest = len & 7;
  const differ = rest ? (load<u64>(a + len - 8) ^ load<u64>(b + len - 8)) >> (64 - (rest << 3)) : 0;
  return differ ? at + (<u32>ctz(differ) >> 3) : len;
}

/** Below 0, 0 or above 0: order of unsigned bytes, the shorter of two that begin alike first. */
export function compareUsers(a: u32, aLen: u32, b: u32, bLen: u32): i32 {
  const len = min(aLen, bLen);
  for (let at: u32 = 0; at + 8 <= len; at += 8) {
    const x = load<u64>(a + at);
    const y = load<u64>(b + at);
    if (x != y) return bigEndian(x) < bigEndian(y) ? -1 : 1;
  }
  const rest = len & 7;
  if (rest) {
    const x = load<u64>(a + len - 8) >> (64 - (rest << 3));
    const y = load<u64>(b + len - 8) >> (64 - (rest << 3));
    if (x != y) return bigEndian(x) < bigEndian(y) ? -1 : 1;
  }
  return <i32>aLen - <i32>bLen;
}

/** The 8 bytes as a number whose order is the order of the bytes. */
// @ts-ignore: decorator
@inline
export function bigEndian(word: u64): u64 {
  const bytes = i64x2.splat(word);
  return i64x2.extract_lane(i8x16.shuffle(bytes, bytes, 7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0), 0);
}
