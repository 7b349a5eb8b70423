// XXH64 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md, "XXH64 algorithm"), and the 128-bit id of a
// row: two XXH64 of its id bytes with two seeds, computed in one pass. What depends on the input only (the product with
// a prime) is shared by both. No byte outside of the span is read.
import {
  BATCH_ID_HI, BATCH_ID_LEN, BATCH_ID_LO, BATCH_ID_PTR, BATCH_STATUS,
} from "../layout";

const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;
const P5: u64 = 0x27d4eb2f165667c5;
/** Seeds of the id's halves. */
const LO: u64 = 0;
const HI: u64 = 0x9e3779b97f4a7c15;

/** One accumulator's step; `x` is the input times P2. */
// @ts-ignore: decorator
@inline
function round(acc: u64, x: u64): u64 {
  return rotl<u64>(acc + x, 31) * P1;
}

// @ts-ignore: decorator
@inline
function merge(hash: u64, acc: u64): u64 {
  return (hash ^ round(0, acc * P2)) * P1 + P4;
}

// @ts-ignore: decorator
@inline
function converge(a: u64, b: u64, c: u64, d: u64): u64 {
  let hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
  hash = merge(hash, a);
  hash = merge(hash, b);
  hash = merge(hash, c);
  return merge(hash, d);
}

/** Steps of the tail: 8, 4 and 1 bytes; `x` is what the step adds. */
// @ts-ignore: decorator
@inline
function tail8(hash: u64, x: u64): u64 {
  return rotl<u64>(hash ^ x, 27) * P1 + P4;
}

// @ts-ignore: decorator
@inline
function tail4(hash: u64, x: u64): u64 {
  return rotl<u64>(hash ^ x, 23) * P2 + P3;
}

// @ts-ignore: decorator
@inline
function tail1(hash: u64, x: u64): u64 {
  return rotl<u64>(hash ^ x, 11) * P1;
}

// @ts-ignore: decorator
@inline
function avalanche(hash: u64): u64 {
  hash = (hash ^ (hash >> 33)) * P2;
  hash = (hash ^ (hash >> 29)) * P3;
  return hash ^ (hash >> 32);
}

/** XXH64 of `len` bytes at `ptr`. */
export function xxh64(ptr: usize, len: usize, seed: u64): u64 {
  const end = ptr + len;
  let hash = seed + P5;
  if (len >= 32) {
    let a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
    do {
      a = round(a, load<u64>(ptr) * P2);
      b = round(b, load<u64>(ptr, 8) * P2);
      c = round(c, load<u64>(ptr, 16) * P2);
      d = round(d, load<u64>(ptr, 24) * P2);
      ptr += 32;
    } while (ptr + 32 <= end);
    hash = converge(a, b, c, d);
  }
  hash += len;
  for (; ptr + 8 <= end; ptr += 8) hash = tail8(hash, round(0, load<u64>(ptr) * P2));
  if (ptr + 4 <= end) {
    hash = tail4(hash, load<u32>(ptr) * P1);
    ptr += 4;
  }
  for (; ptr < end; ptr++) hash = tail1(hash, load<u8>(ptr) * P5);
  return avalanche(hash);
}

/** Fills BATCH_ID_LO and BATCH_ID_HI of the good rows (BATCH_STATUS 0) among the first `rows` of a batch. */
export function hashBatch(batch: u32, rows: u32): void {
  for (let i: u32 = 0; i < rows; i++) {
    const row4 = batch + (i << 2);
    if (load<u32>(row4, BATCH_STATUS)) continue;
    let ptr: usize = load<u32>(row4, BATCH_ID_PTR);
    const len: usize = load<u32>(row4, BATCH_ID_LEN);
    const end = ptr + len;
    let lo = LO + P5, hi = HI + P5;
    if (len >= 32) {
      let a = LO + P1 + P2, b = LO + P2, c = LO, d = LO - P1;
      let e = HI + P1 + P2, f = HI + P2, g = HI, h = HI - P1;
      do {
        let x = load<u64>(ptr) * P2;
        a = round(a, x);
        e = round(e, x);
        x = load<u64>(ptr, 8) * P2;
        b = round(b, x);
        f = round(f, x);
        x = load<u64>(ptr, 16) * P2;
        c = round(c, x);
        g = round(g, x);
        x = load<u64>(ptr, 24) * P2;
        d = round(d, x);
        h = round(h, x);
        ptr += 32;
      } while (ptr + 32 <= end);
      lo = converge(a, b, c, d);
      hi = converge(e, f, g, h);
    }
    lo += len;
    hi += len;
    for (; ptr + 8 <= end; ptr += 8) {
      const x = round(0, load<u64>(ptr) * P2);
      lo = tail8(lo, x);
      hi = tail8(hi, x);
    }
    if (ptr + 4 <= end) {
      const x = load<u32>(ptr) * P1;
      lo = tail4(lo, x);
      hi = tail4(hi, x);
      ptr += 4;
    }
    for (; ptr < end; ptr++) {
      const x = load<u8>(ptr) * P5;
      lo = tail1(lo, x);
      hi = tail1(hi, x);
    }
    const row8 = batch + (i << 3);
    store<u64>(row8, avalanche(lo), BATCH_ID_LO);
    store<u64>(row8, avalanche(hi), BATCH_ID_HI);
  }
}

/** xxh64 for the host: writes the hash, a u64, to `out`. */
export function hashSpan(ptr: u32, len: u32, seedLo: u32, seedHi: u32, out: u32): void {
  store<u64>(out, xxh64(ptr, len, <u64>seedLo | (<u64>seedHi << 32)));
}
