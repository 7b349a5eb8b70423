/** An independent reader of a page of ids, by the drawing in kernels/id-page-layout.ts, with literal numbers; and a maker of ids. */
import assert from 'node:assert/strict';
import xxhash from 'xxhash-wasm';
import { random } from '../random.ts';

export type Id = readonly [lo: bigint, hi: bigint];

const { h64Raw } = await xxhash();

/** What the checksum of these bytes has to be. */
export function checksumOf(page: Uint8Array, slice: number): bigint {
  return h64Raw(page.slice(8), BigInt(slice) | (0x69647331n << 32n));
}

/** The ids of a page in their order; checks all of its bytes. */
export function readIdPage(bytes: Uint8Array): { slice: number; ids: Id[] } {
  const page = Buffer.from(bytes);
  const count = page.readUint32LE(8);
  const slice = page.readUint16LE(12);
  const bucketBits = page[14]!;
  assert.equal(page[15], 1);
  assert.equal(bucketBits, count <= 2048 ? 6 : 14);
  assert.equal(page.readBigUint64LE(0), checksumOf(page, slice));
  const counts: number[] = [];
  let bit = 16 * 8;
  for (let bucket = 0; bucket < 2 ** bucketBits; bucket++) {
    let ids = 0;
    for (; (page[bit >> 3]! >> (bit & 7)) & 1; bit++) ids++;
    bit++;
    counts.push(ids);
  }
  for (; bit % 8 > 0; bit++) assert.equal((page[bit >> 3]! >> (bit & 7)) & 1, 0, 'zeros up to the whole byte');
  const rest = 54 - bucketBits;
  let at = bit / 8;
  const ids = counts.flatMap((n, bucket) => Array.from({ length: n }, (): Id => {
    const prefix = (BigInt(slice) << BigInt(bucketBits)) | BigInt(bucket);
    const lo = (prefix << BigInt(rest)) | BigInt(page.readUIntLE(at + 8, rest / 8));
    const hi = page.readBigUint64LE(at);
    at += 8 + rest / 8;
    return [lo, hi];
  }));
  assert.equal(ids.length, count);
  assert.equal(at, page.length, 'nothing behind the ids');
  return { slice, ids };
}

/** As many different ids of a slice, of each kind that is worth a try. */
export function idFamilies(slice: number, count: number): Record<string, Id[]> {
  const top = BigInt(slice) << 54n;
  const next = random(count);
  const word = (bits: number): bigint => BigInt.asUintN(bits, (BigInt(Math.floor(next() * 2 ** 32)) << 32n) | BigInt(Math.floor(next() * 2 ** 32)));
  const ids = (id: (i: bigint) => Id): Id[] => Array.from({ length: count }, (_, i) => id(BigInt(i)));
  return {
    'random': ids(() => [top | word(54), word(64)]),
    'all but the last in one bucket': ids((i) => [top | (i === BigInt(count - 1) ? 2n ** 54n - 1n : (0x2bcdn << 40n) | i), word(64)]),
    'equal lo': ids((i) => [top | 0x3fff_ffff_ffff_ffn, i]),
    'equal hi, from the top of lo': ids((i) => [top | (2n ** 54n - 1n - (i << 30n)), 2n ** 64n - 1n]),
    'counting': ids((i) => [top | i, 0n]),
    'single bits': ids((i) => (i < 54n ? [top | (1n << i), 0n] : i < 118n ? [top, 1n << (i - 54n)] : [top | i, i << 40n])),
  };
}
