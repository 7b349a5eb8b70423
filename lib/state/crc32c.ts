/** CRC-32C (Castagnoli), as LevelDB has it beside its records and blocks; eight bytes at a time by eight tables ("slicing-by-8"). */

const POLYNOMIAL = 0x82f63b78;
const [T0, T1, T2, T3, T4, T5, T6, T7] = makeTables() as [Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array];

/** Of the bytes from `at` to before `end`; 32 bits, unsigned. */
export function crc32c(bytes: Uint8Array, at: number, end: number): number {
  let crc = -1;
  for (; at + 8 <= end; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = T7[crc & 255]! ^ T6[(crc >>> 8) & 255]! ^ T5[(crc >>> 16) & 255]! ^ T4[crc >>> 24]! ^
      T3[bytes[at + 4]!]! ^ T2[bytes[at + 5]!]! ^ T1[bytes[at + 6]!]! ^ T0[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = T0[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** What LevelDB stores for a CRC (util/crc32c.h, Mask): one of bytes that hold CRCs would be a weak one. */
export function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function makeTables(): Uint32Array[] {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  const first = tables[0]!;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[byte] = crc;
  }
  for (let n = 1; n < tables.length; n++) {
    const before = tables[n - 1]!;
    tables[n]!.forEach((_, byte, table) => (table[byte] = first[before[byte]! & 255]! ^ (before[byte]! >>> 8)));
  }
  return tables;
}
