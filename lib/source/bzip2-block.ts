/**
 * One block of bzip2 to bytes. The format has no specification but its program; the names here are those of the method:
 *
 *   bits ── Huffman codes ──► symbols ── runs, move to front ──► bytes, sorted by what follows each
 *                             (Burrows and Wheeler's transform, undone) ──► bytes ── runs of 4 or more ──► what was compressed
 *
 * Memory: 4 bytes for each of a block (900,000 at most), used again for the next one.
 */
import { MALFORMED, type BitReader } from './bit-reader.ts';

const MAX_TABLES = 6;
/** Symbols after which another table may be chosen. */
const GROUP = 50;
/** All that a block can need; encoders were seen to write some more, which mean nothing. */
const MAX_SELECTORS = 18_002;
export const MAX_CODE_BITS = 20;
/** Codes of up to so many bits are looked up at once: an entry has the symbol from bit 5 on, and the length of its code. */
const FAST_BITS = 10;
const FAST_SIZE = 1 << FAST_BITS;
const MAX_SYMBOLS = 258;
const RUN_A = 0;
const RUN_B = 1;

export class Bzip2Block {
  /** The sorted bytes, and above each, from bit 8 on, where the one is that follows it. */
  readonly #chain: Uint32Array;
  readonly #maxBytes: number;
  readonly #selectors = new Uint8Array(MAX_SELECTORS);
  readonly #fast = new Uint16Array(MAX_TABLES * FAST_SIZE);
  readonly #codes = Array.from({ length: MAX_TABLES }, () => ({
    /** By length: the first code that is longer, from bit 0 of MAX_CODE_BITS; and what to take off a code for its place in `symbols`. */
    limit: new Int32Array(MAX_CODE_BITS + 2), base: new Int32Array(MAX_CODE_BITS + 2), symbols: new Uint16Array(MAX_SYMBOLS),
  }));
  readonly #lengths = new Uint8Array(MAX_SYMBOLS);
  readonly #front = new Uint8Array(256);
  readonly #counts = new Uint32Array(256);
  /** Bytes of the chain that are still to be followed, and where it goes on. */
  #left = 0;
  #at = 0;
  /** The byte that came last, how often in a row, and how many more of it are to come. */
  #last = -1;
  #row = 0;
  #repeats = 0;
  /** Of what was given, bit 31 first; as bzip2 has it, without the last inversion. */
  #crc = -1;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#chain = new Uint32Array(maxBytes);
  }

  get crc(): number {
    return ~this.#crc >>> 0;
  }

  /** Reads a block behind its magic number and checksum. Throws MALFORMED. */
  read(bits: BitReader): void {
    if (bits.read(1) === 1) throw MALFORMED; // randomised, which bzip2 has not written since 1997
    const origin = bits.read(24);
    const used = this.#readUsedBytes(bits);
    const tables = bits.read(3);
    const selectors = bits.read(15);
    if (tables < 2 || tables > MAX_TABLES || selectors === 0) throw MALFORMED;
    this.#readSelectors(bits, tables, selectors);
    for (let table = 0; table < tables; table++) this.#readTable(bits, table, used + 2);
    const length = this.#readSymbols(bits, used + 1, Math.min(selectors, MAX_SELECTORS));
    if (origin >= length) throw MALFORMED;
    this.#follow(length, origin);
  }

  /** The bytes that occur, in order, in `#front`; gives how many. */
  #readUsedBytes(bits: BitReader): number {
    const ranges = bits.read(16);
    let used = 0;
    for (let range = 0; range < 16; range++) {
      if ((ranges & 0x8000 >> range) === 0) continue;
      const bytes = bits.read(16);
      for (let byte = 0; byte < 16; byte++) if ((bytes & 0x8000 >> byte) !== 0) this.#front[used++] = 16 * range + byte;
    }
    if (used === 0) throw MALFORMED;
    return used;
  }

  #readSelectors(bits: BitReader, tables: number, count: number): void {
    const front = Uint8Array.from({ length: tables }, (_, table) => table);
    for (let i = 0; i < count; i++) {
      let place = 0;
      while (bits.read(1) === 1) if (++place >= tables) throw MALFORMED;
      const table = front[place]!;
      front.copyWithin(1, 0, place);
      front[0] = table;
      if (i < MAX_SELECTORS) this.#selectors[i] = table;
    }
  }

  /** Lengths of codes, each by its difference from the one before; then the codes, which are canonical. */
  #readTable(bits: BitReader, table: number, symbols: number): void {
    const lengths = this.#lengths;
    let length = bits.read(5);
    for (let symbol = 0; symbol < symbols; symbol++) {
      for (;;) {
        if (length < 1 || length > MAX_CODE_BITS) throw MALFORMED;
        if (bits.read(1) === 0) break;
        length += bits.read(1) === 0 ? 1 : -1;
      }
      lengths[symbol] = length;
    }
    const { limit, base, symbols: sorted } = this.#codes[table]!;
    const fast = this.#fast.subarray(table * FAST_SIZE, (table + 1) * FAST_SIZE).fill(0);
    let code = 0;
    let place = 0;
    for (let bitsOf = 1; bitsOf <= MAX_CODE_BITS; bitsOf++) {
      base[bitsOf] = code - place;
      for (let symbol = 0; symbol < symbols; symbol++) {
        if (lengths[symbol] !== bitsOf) continue;
        if (bitsOf <= FAST_BITS) fast.fill(symbol << 5 | bitsOf, code << FAST_BITS - bitsOf, code + 1 << FAST_BITS - bitsOf);
        sorted[place++] = symbol;
        code++;
      }
      limit[bitsOf] = code << MAX_CODE_BITS - bitsOf;
      code <<= 1;
      if (limit[bitsOf]! > 1 << MAX_CODE_BITS) throw MALFORMED; // more codes than there are
    }
  }

  /** All symbols up to the one that ends the block, `end`; gives the number of sorted bytes in the chain. */
  #readSymbols(bits: BitReader, end: number, selectors: number): number {
    const [chain, front, fast, counts, maxBytes] = [this.#chain, this.#front, this.#fast, this.#counts.fill(0), this.#maxBytes];
    let length = 0;
    let run = 0;
    let weight = 1;
    for (let group = 0; group < selectors; group++) {
      const table = this.#selectors[group]!;
      const { limit, base, symbols } = this.#codes[table]!;
      const fastAt = table * FAST_SIZE;
      for (let i = 0; i < GROUP; i++) {
        const next = bits.peek20();
        let entry = fast[fastAt + (next >>> MAX_CODE_BITS - FAST_BITS)]!;
        if (entry === 0) {
          let codeBits = FAST_BITS + 1;
          while (codeBits <= MAX_CODE_BITS && next >= limit[codeBits]!) codeBits++;
          if (codeBits > MAX_CODE_BITS) throw MALFORMED;
          entry = symbols[(next >>> MAX_CODE_BITS - codeBits) - base[codeBits]!]! << 5 | codeBits;
        }
        bits.skip(entry & 31);
        const symbol = entry >>> 5;
        if (symbol <= RUN_B) { // the length of a run, by digits of 1 and 2, the lowest first
          run += symbol === RUN_A ? weight : 2 * weight;
          weight *= 2;
          if (run > maxBytes) throw MALFORMED;
          continue;
        }
        if (run > 0) {
          const byte = front[0]!;
          if (length + run > maxBytes) throw MALFORMED;
          chain.fill(byte, length, length + run);
          counts[byte]! += run;
          length += run;
          run = 0;
          weight = 1;
        }
        if (symbol === end) {
          bits.assertNotPastEnd();
          return length;
        }
        if (length === maxBytes) throw MALFORMED;
        const place = symbol - 1;
        const byte = front[place]!;
        if (place < 16) for (let at = place; at > 0; at--) front[at] = front[at - 1]!;
        else front.copyWithin(1, 0, place);
        front[0] = byte;
        chain[length++] = byte;
        counts[byte]!++;
      }
      bits.assertNotPastEnd();
    }
    throw MALFORMED;
  }

  /** Undoes the transform: the bytes in order are those sorted, each once, so the n-th of a byte here is its n-th there. */
  #follow(length: number, origin: number): void {
    const [chain, counts] = [this.#chain, this.#counts];
    for (let byte = 0, before = 0; byte < 256; byte++) {
      const count = counts[byte]!;
      counts[byte] = before;
      before += count;
    }
    for (let i = 0; i < length; i++) chain[counts[chain[i]! & 0xff]!++]! |= i << 8;
    this.#left = length;
    this.#at = chain[origin]! >>> 8;
    this.#last = -1;
    this.#row = 0;
    this.#repeats = 0;
    this.#crc = -1;
  }

  /** Gives more of what was compressed; fewer bytes than there is room for at the end of the block. */
  give(target: Uint8Array): number {
    const chain = this.#chain;
    const room = target.length;
    let [at, left, last, row, repeats, given] = [this.#at, this.#left, this.#last, this.#row, this.#repeats, 0];
    while (given < room) {
      if (repeats > 0) {
        const count = Math.min(repeats, room - given);
        target.fill(last, given, given += count);
        repeats -= count;
        continue;
      }
      if (left === 0) break;
      const entry = chain[at]!;
      at = entry >>> 8;
      left--;
      const byte = entry & 0xff;
      if (row === 4) { // how many more
        repeats = byte;
        row = 0;
        continue;
      }
      row = byte === last ? row + 1 : 1;
      last = byte;
      target[given++] = byte;
    }
    this.#at = at;
    this.#left = left;
    this.#last = last;
    this.#row = row;
    this.#repeats = repeats;
    this.#crc = crcOf(target, given, this.#crc);
    return given;
  }
}

/** CRC-32 of the polynomial 0x04c11db7, bit 31 first, by tables of what a byte does 1 to 4 bytes later. */
function crcOf(bytes: Uint8Array, length: number, crc: number): number {
  const [t0, t1, t2, t3] = CRC_TABLES as [Int32Array, Int32Array, Int32Array, Int32Array];
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    crc ^= bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
    crc = t3[crc >>> 24]! ^ t2[crc >>> 16 & 0xff]! ^ t1[crc >>> 8 & 0xff]! ^ t0[crc & 0xff]!;
  }
  for (; at < length; at++) crc = crc << 8 ^ t0[crc >>> 24 ^ bytes[at]!]!;
  return crc;
}

const CRC_TABLES: readonly Int32Array[] = crcTables();

function crcTables(): Int32Array[] {
  const tables = Array.from({ length: 4 }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc << 1 ^ (crc < 0 ? 0x04c11db7 : 0);
    tables[0]![byte] = crc;
  }
  for (let later = 1; later < 4; later++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = tables[later - 1]![byte]!;
      tables[later]![byte] = before << 8 ^ tables[0]![before >>> 24]!;
    }
  }
  return tables;
}
