// The hash of a group's key (region, user): NH (Black, Halevi, Krawczyk, Krovetz, Rogaway, "UMAC", 1999) over words of
// 8 bytes, then Dietzfelbinger's multiply-shift. It is keyed with as many random bytes as the longest user has, and
// universal: two keys that were chosen without knowing the secret collide in the top d bits with a probability of about
// 2 / 2^d, whatever they are. (XXH64 with a secret seed does not give this: flipping bit 36 of one mixed 8-byte lane
// and bit 63 of the next collides under every seed.) It is also cheaper: one multiplication for 8 bytes.
import { SECRET_FINAL, SECRET_HEAD, SECRET_WORDS } from "../aggregate-layout";

/**
 * Hash of a row's key and of its user's rest (row.ts), which has `len` bytes. The 8 bytes before it must be readable: a
 * short one is loaded by its end.
 */
// @ts-ignore: decorator
@inline
export function hashGroup(secret: u32, key: u64, rest: u32, len: u32): u32 {
  let sum = key * load<u64>(secret, SECRET_HEAD);
  let words = secret + SECRET_WORDS;
  const last = words + (len - 1 & 0xfff8);
  let at = rest;
  if (len > 8) {
    do {
      sum += product(load<u64>(at), words);
      at += 8;
      words += 8;
    } while (words < last);
    sum += product(load<u64>(rest + len - 8), words);
  } else if (len) {
    sum += product(load<u64>(rest + len - 8) >> (64 - (len << 3)), words);
  }
  return <u32>((sum ^ (sum >> 32)) * (load<u64>(secret, SECRET_FINAL) | 1) >> 32);
}

// @ts-ignore: decorator
@inline
function product(word: u64, key: u32): u64 {
  return <u64>(<u32>word + load<u32>(key)) * <u64>(<u32>(word >> 32) + load<u32>(key, 4));
}
