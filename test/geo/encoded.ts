/** Parts of a data section, byte by byte, for databases that no writer would write. */
import { writeMmdb } from './mmdb-writer.ts';

export const EMPTY_MAP = Buffer.from([0xe0]);
const MARK = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');

/** The head of a value: 2 = text, 4 = bytes, 7 = map, 11 = array. */
export function head(type: number, size: number): Buffer {
  const low = size < 29 ? size : size < 285 ? 29 : size < 65821 ? 30 : 31;
  const extra = low < 29 ? Buffer.alloc(0) : Buffer.alloc(low - 28);
  if (extra.length > 0) extra.writeUIntBE(size - [29, 285, 65821][low - 29]!, 0, extra.length);
  return Buffer.concat([Buffer.from(type < 8 ? [(type << 5) | low] : [low, type - 7]), extra]);
}

export function text(value: string): Buffer {
  return Buffer.concat([head(2, Buffer.byteLength(value)), Buffer.from(value)]);
}

/** Always five bytes. */
export function pointer(to: number): Buffer {
  const bytes = Buffer.from([0x38, 0, 0, 0, 0]);
  bytes.writeUInt32BE(to, 1);
  return bytes;
}

/** `levels` arrays, each of two pointers to the next, then `last`: 2^levels ways to it. */
export function twins(levels: number, last: Buffer): Buffer {
  return Buffer.concat([...Array.from({ length: levels }, (_, i) => Buffer.concat([head(11, 2), pointer((i + 1) * 12), pointer((i + 1) * 12)])), last]);
}

/** A database of IPv4 with this data section, whose records, at these offsets, are spread over all addresses. */
export function withData(data: Buffer, records: readonly number[] = [0]): Buffer {
  const nodes = Math.max(1, 2 ** Math.ceil(Math.log2(records.length)) - 1);
  const tree = Buffer.alloc(nodes * 8);
  for (let side = 0; side < 2 * nodes; side++) {
    const child = side + 1;
    tree.writeUInt32BE(child < nodes ? child : nodes + 16 + records[(child - nodes) % records.length]!, side * 4);
  }
  const any = writeMmdb({ recordSize: 32, ipVersion: 4, networks: [], metadata: { node_count: nodes } });
  return Buffer.concat([tree, Buffer.alloc(16), data, any.subarray(any.lastIndexOf(MARK))]);
}

/** A good database with other metadata, encoded. */
export function withMetadata(metadata: Buffer): Buffer {
  const any = writeMmdb({ recordSize: 24, ipVersion: 4, networks: [['0.0.0.0/1', { country_code: 'DE' }]] });
  return Buffer.concat([any.subarray(0, any.lastIndexOf(MARK) + MARK.length), metadata]);
}
