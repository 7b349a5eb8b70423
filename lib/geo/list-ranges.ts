/**
 * The ranges of a range table (drawn in kernels/assembly/geo-lookup.ts), in order of address and without gaps, each to the
 * start of the next: for who wants a database as columns. All in typed arrays: 20 bytes a range, whose number is known.
 *
 * An IPv6 address has two halves of 64 bits, as signed integers whose order is that of the addresses: the top bit of each
 * is turned over. (Most SQL has no unsigned ones.)
 */
import {
  BITS_BYTES, BLOCK_VALUES, DIRECTORY_ENTRIES, ENTRY_MASK, KIND_ALIAS, KIND_BLOCK, KIND_LIST, KIND_SHIFT, LINE_SHIFT, LIST_ENTRIES,
  LIST_STARTS, TABLE_DIRECTORY, TABLE_DIRECTORY_SHIFT, TABLE_RANGES4, TABLE_RANGES6, TABLE_ROOT6, TABLE_WIDTH,
} from '../kernels/geo-layout.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import type { RangeTable } from './range-table.ts';

export interface Ranges4 {
  readonly count: number;
  readonly first: Uint32Array;
  /** Region numbers. */
  readonly region: Uint32Array;
}

export interface Ranges6 {
  readonly count: number;
  readonly high: BigInt64Array;
  readonly low: BigInt64Array;
  /** Region numbers; or, with IS_ALIAS, bits in front of the IPv4 address (`bits` ... `bits` + 31) that an address stands for. */
  readonly region: Uint32Array;
}

export const IS_ALIAS = 0x80000000;
export const HALF_BIAS = 1n << 63n;

export function listRanges4(table: RangeTable, memory: LinearMemory): Ranges4 {
  const reader = new ChunkReader(table, memory);
  const most = reader.u32(TABLE_RANGES4) + 1;
  const first = new Uint32Array(most);
  const region = new Uint32Array(most);
  let count = 0;
  const visit = (entry: number, start: number, depth: number): void => {
    if (reader.isChunk(entry)) reader.each(entry, (low, next) => visit(next, start + low * 2 ** (24 - depth), depth + 8));
    else if (count === 0 || region[count - 1] !== entry) {
      first[count] = start;
      region[count++] = entry;
    }
  };
  for (let top = 0; top < DIRECTORY_ENTRIES; top++) visit(reader.directoryEntry(top), top * 65536, 16);
  return { count, first, region };
}

export function listRanges6(table: RangeTable, memory: LinearMemory): Ranges6 {
  const reader = new ChunkReader(table, memory);
  const most = reader.u32(TABLE_RANGES6) + 1;
  const high = new BigInt64Array(most);
  const low = new BigInt64Array(most);
  const region = new Uint32Array(most);
  let count = 0;
  const address = new DataView(new ArrayBuffer(16));
  const visit = (entry: number, depth: number): void => {
    if (reader.isChunk(entry)) {
      const byte = depth / 8;
      reader.each(entry, (value, next) => {
        address.setUint8(byte, value);
        visit(next, depth + 8);
      });
      address.setUint8(byte, 0);
      return;
    }
    const said = entry >>> KIND_SHIFT === KIND_ALIAS ? (IS_ALIAS | (entry & ENTRY_MASK)) >>> 0 : entry;
    if (count > 0 && region[count - 1] === said) return;
    high[count] = address.getBigUint64(0) ^ HALF_BIAS;
    low[count] = address.getBigUint64(8) ^ HALF_BIAS;
    region[count++] = said;
  };
  visit(reader.u32(TABLE_ROOT6), 0);
  return { count, high, low, region };
}

/** What stands in a table, by entries. */
class ChunkReader {
  readonly #data: DataView;
  readonly #width: number;

  constructor({ ptr, bytes }: RangeTable, memory: LinearMemory) {
    this.#data = memory.view(ptr, bytes);
    this.#width = this.u32(TABLE_WIDTH);
  }

  u32(at: number): number {
    return this.#data.getUint32(at, true);
  }

  isChunk(entry: number): boolean {
    return entry >>> KIND_SHIFT === KIND_LIST || entry >>> KIND_SHIFT === KIND_BLOCK;
  }

  /** Of the IPv4 addresses with these first 16 bits: a region number or a block. */
  directoryEntry(top: number): number {
    const bytes = 1 << this.u32(TABLE_DIRECTORY_SHIFT);
    const value = this.#uint(this.u32(TABLE_DIRECTORY) + top * bytes, bytes);
    const leads = 2 ** (8 * bytes - 1);
    return value < leads ? value : ((KIND_BLOCK << KIND_SHIFT) | (((value - leads) << LINE_SHIFT) >>> 1)) >>> 0;
  }

  /** Tells of each stretch of a chunk at which value of its 8 bits it starts, and what is there. */
  each(entry: number, tell: (low: number, entry: number) => void): void {
    const chunk = (entry & ENTRY_MASK) * 2;
    if (entry >>> KIND_SHIFT === KIND_LIST) this.#eachOfList(chunk, tell);
    else this.#eachOfBlock(chunk, tell);
  }

  #eachOfList(chunk: number, tell: (low: number, entry: number) => void): void {
    const head = this.#data.getUint8(chunk);
    const starts = head & LIST_STARTS;
    const bytes = head & LIST_ENTRIES ? 4 : this.#width;
    for (let i = 0; i <= starts; i++) {
      tell(i === 0 ? 0 : this.#data.getUint8(chunk + i), this.#uint(chunk + 1 + starts + i * bytes, bytes));
    }
  }

  #eachOfBlock(chunk: number, tell: (low: number, entry: number) => void): void {
    const width = this.#width;
    const escape = 2 ** (8 * width) - 1;
    const starts = [0];
    for (let low = 1; low < 256; low++) if ((this.#data.getUint8(chunk + (low >> 3)) >> (low & 7)) & 1) starts.push(low);
    let deeper = chunk + BLOCK_VALUES + starts.length * width + BITS_BYTES;
    for (const [i, low] of starts.entries()) {
      const value = this.#uint(chunk + BLOCK_VALUES + i * width, width);
      if (value === escape) {
        tell(low, this.u32(deeper));
        deeper += 4;
      } else tell(low, value);
    }
  }

  #uint(at: number, bytes: number): number {
    return bytes === 1 ? this.#data.getUint8(at) : bytes === 2 ? this.#data.getUint16(at, true) : this.#data.getUint32(at, true);
  }
}
