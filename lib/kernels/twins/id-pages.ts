/** Pages of ids: what `dedup.wasm` has besides DedupKernel, and its twin. Layouts: id-page-layout.ts, dedup-layout.ts. */
import { GROUP_ROWS, TABLE_LIMIT, TABLE_USED } from '../dedup-layout.ts';
import {
  BUCKET_BITS_FEW, BUCKET_BITS_MANY, ID_BYTES, ID_PAGE_BUCKET_BITS, ID_PAGE_CHECKSUM, ID_PAGE_COUNT, ID_PAGE_FEW, ID_PAGE_FORMAT,
  ID_PAGE_FORMAT_AT, ID_PAGE_HEADER, ID_PAGE_MOST, ID_PAGE_SALT, ID_PAGE_SLICE, ID_SLICE_BITS, ID_SLICES, LOADING_BIT,
  LOADING_BYTES, LOADING_DONE, LOADING_HI_FROM, LOADING_HI_TO, LOADING_LO_FROM, LOADING_LO_TO, LOADING_PAGE,
} from '../id-page-layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import { idTables } from './id-table.ts';
import { readId } from './row.ts';
import { xxh64 } from './xxh64.ts';

export interface IdPageKernel {
  /** Copies the ids of `count` rows, whose addresses stand at `rows`, u32 each, to `to`, 16 bytes each. */
  takeIds(rows: number, count: number, to: number): void;
  /** Puts `count` ids at `ids` in order of their slices, where they are. Writes for each slice the address behind its last id to `ends`: scratch. */
  splitIds(ids: number, count: number, ends: number): void;
  /**
   * Writes a page of `count` (1 to ID_PAGE_MOST) different ids of one slice to `page`, and nothing behind its end. Gives its
   * length, idPageBytes(count). Scratch: ID_SCRATCH_BYTES.
   */
  packIds(ids: number, count: number, page: number, scratch: number): number;
  /** 1 if `bytes` bytes at `page`, whatever they are, are a page of the slice that can be loaded; else 0. Reads no others. */
  isIdPage(page: number, bytes: number, slice: number): number;
  /**
   * Goes on through a page that isIdPage has seen (`loading`: id-page-layout.ts) and adds those of its ids to the table that
   * are wanted. 1 at its end; 0 when the table is full: call again with a larger one.
   */
  loadIds(table: number, loading: number): number;
  /** Writes all ids of a page that isIdPage has seen to `to`, 16 bytes each, in the page's order, and nothing behind them. Gives their number. */
  unpackIds(page: number, to: number): number;
}

/** Length of a page of `count` ids. */
export function idPageBytes(count: number): number {
  const bucketBits = bucketBitsFor(count);
  return ID_PAGE_HEADER + unaryBytes(count, bucketBits) + count * idBytes(bucketBits);
}

function bucketBitsFor(count: number): number {
  return count <= ID_PAGE_FEW ? BUCKET_BITS_FEW : BUCKET_BITS_MANY;
}

function unaryBytes(count: number, bucketBits: number): number {
  return Math.ceil((count + 2 ** bucketBits) / 8);
}

/** Bytes of what is left of an id. */
function idBytes(bucketBits: number): number {
  return (128 - ID_SLICE_BITS - bucketBits) / 8;
}

export function createIdPageTwin(memory: LinearMemory): IdPageKernel {
  const { tableAt, has } = idTables(memory);
  const idAt = (ids: number, i: number): Uint8Array => memory.bytes(ids + i * ID_BYTES, ID_BYTES);
  const sliceOf = (id: Uint8Array): number => Buffer.from(id).readUint16LE(6) >> (16 - ID_SLICE_BITS);
  const checksum = (page: Uint8Array, slice: number): bigint =>
    xxh64(page.subarray(ID_PAGE_COUNT), BigInt(slice) | (BigInt(ID_PAGE_SALT) << 32n));
  const openPage = (at: number) => {
    const header = memory.view(at, ID_PAGE_HEADER);
    const count = header.getUint32(ID_PAGE_COUNT, true);
    const slice = BigInt(header.getUint16(ID_PAGE_SLICE, true));
    const bucketBits = header.getUint8(ID_PAGE_BUCKET_BITS);
    const restBits = 64 - ID_SLICE_BITS - bucketBits;
    const width = idBytes(bucketBits);
    const unary = memory.bytes(at + ID_PAGE_HEADER, unaryBytes(count, bucketBits));
    const rests = memory.view(at + ID_PAGE_HEADER + unary.length, count * width);
    return {
      count,
      unary,
      /** The i-th id, which is in this bucket. */
      idOf(i: number, bucket: number): [lo: bigint, hi: bigint] {
        const prefix = (slice << BigInt(bucketBits)) | BigInt(bucket);
        const rest = rests.getBigUint64(i * width + width - 8, true) >> BigInt(64 - restBits);
        return [(prefix << BigInt(restBits)) | rest, rests.getBigUint64(i * width, true)];
      },
    };
  };

  return {
    takeIds(rows, count, to) {
      memory.u32(rows, count).forEach((row, i) => idAt(to, i).set(memory.bytes(row, ID_BYTES)));
    },

    splitIds(ids, count, endsAt) {
      const counts = new Uint32Array(ID_SLICES);
      for (let i = 0; i < count; i++) counts[sliceOf(idAt(ids, i))]!++;
      let sum = 0;
      const ends = counts.map((n) => (sum += n));
      const nexts = ends.map((end, slice) => end - counts[slice]!);
      for (let slice = 0; slice < ID_SLICES; slice++) {
        for (let i = nexts[slice]!; i < ends[slice]!; ) {
          const other = sliceOf(idAt(ids, i));
          if (other === slice) i++;
          else swap(idAt(ids, i), idAt(ids, nexts[other]!++));
        }
      }
      memory.u32(endsAt, ID_SLICES).set(ends.map((end) => ids + end * ID_BYTES));
    },

    packIds(ids, count, at) {
      const bucketBits = bucketBitsFor(count);
      const rest = BigInt(64 - ID_SLICE_BITS - bucketBits);
      const width = idBytes(bucketBits);
      const buckets: [lo: bigint, hi: bigint][][] = Array.from({ length: 2 ** bucketBits }, () => []);
      for (let i = 0; i < count; i++) {
        const [lo, hi] = readId(memory, ids + i * ID_BYTES);
        buckets[Number(BigInt.asUintN(bucketBits, lo >> rest))]!.push([lo, hi]);
      }
      const page = memory.bytes(at, idPageBytes(count)).fill(0);
      const view = memory.view(at, page.length);
      const slice = sliceOf(idAt(ids, 0));
      view.setUint32(ID_PAGE_COUNT, count, true);
      view.setUint16(ID_PAGE_SLICE, slice, true);
      view.setUint8(ID_PAGE_BUCKET_BITS, bucketBits);
      view.setUint8(ID_PAGE_FORMAT_AT, ID_PAGE_FORMAT);
      let bit = 8 * ID_PAGE_HEADER;
      let to = ID_PAGE_HEADER + unaryBytes(count, bucketBits);
      for (const bucket of buckets) {
        for (const [lo, hi] of bucket) {
          page[bit >> 3]! |= 1 << (bit & 7);
          bit++;
          view.setBigUint64(to, hi, true);
          for (let byte = 8; byte < width; byte++) page[to + byte] = Number((lo >> BigInt(8 * (byte - 8))) & 0xffn);
          to += width;
        }
        bit++;
      }
      view.setBigUint64(ID_PAGE_CHECKSUM, checksum(page, slice), true);
      return page.length;
    },

    isIdPage(at, bytes, slice) {
      if (bytes < ID_PAGE_HEADER) return 0;
      const page = memory.bytes(at, bytes);
      const view = memory.view(at, bytes);
      const count = view.getUint32(ID_PAGE_COUNT, true);
      const bucketBits = view.getUint8(ID_PAGE_BUCKET_BITS);
      if (view.getUint8(ID_PAGE_FORMAT_AT) !== ID_PAGE_FORMAT || view.getUint16(ID_PAGE_SLICE, true) !== slice) return 0;
      if (count < 1 || count > ID_PAGE_MOST || (bucketBits !== BUCKET_BITS_FEW && bucketBits !== BUCKET_BITS_MANY)) return 0;
      const first = ID_PAGE_HEADER + unaryBytes(count, bucketBits);
      if (first + count * idBytes(bucketBits) !== bytes) return 0;
      if (view.getBigUint64(ID_PAGE_CHECKSUM, true) !== checksum(page, slice)) return 0;
      let ones = 0;
      let last = 0;
      for (let bit = 8 * ID_PAGE_HEADER; bit < 8 * first; bit++) {
        if (!isSet(page, bit)) continue;
        ones++;
        last = bit - 8 * ID_PAGE_HEADER;
      }
      return ones === count && last < count + 2 ** bucketBits - 1 ? 1 : 0;
    },

    loadIds(tableAddress, loadingAddress) {
      const table = tableAt(tableAddress);
      const loading = memory.view(loadingAddress, LOADING_BYTES);
      const { count, unary, idOf } = openPage(loading.getUint32(LOADING_PAGE, true));
      const isWanted = (value: bigint, from: number, to: number): boolean =>
        value >= loading.getBigUint64(from, true) && value <= loading.getBigUint64(to, true);
      let bit = loading.getUint32(LOADING_BIT, true);
      let done = loading.getUint32(LOADING_DONE, true);

      while (done < count && table.getUint32(TABLE_USED, true) < table.getUint32(TABLE_LIMIT, true)) {
        for (let n = 0; n < GROUP_ROWS && done < count; bit++) {
          if (!isSet(unary, bit)) continue;
          const [lo, hi] = idOf(done, bit - done); // as many zeros are before it
          done++;
          if (!isWanted(lo, LOADING_LO_FROM, LOADING_LO_TO) || !isWanted(hi, LOADING_HI_FROM, LOADING_HI_TO)) continue;
          has(table, lo, hi, true);
          if (lo !== 0n || hi !== 0n) n++;
        }
      }
      loading.setUint32(LOADING_BIT, bit, true);
      loading.setUint32(LOADING_DONE, done, true);
      return done === count ? 1 : 0;
    },

    unpackIds(at, to) {
      const { count, unary, idOf } = openPage(at);
      const ids = memory.view(to, count * ID_BYTES);
      for (let bit = 0, done = 0; done < count; bit++) {
        if (!isSet(unary, bit)) continue;
        const [lo, hi] = idOf(done, bit - done); // as many zeros are before it
        ids.setBigUint64(done * ID_BYTES, lo, true);
        ids.setBigUint64(done * ID_BYTES + 8, hi, true);
        done++;
      }
      return count;
    },
  };
}

function isSet(bytes: Uint8Array, bit: number): boolean {
  return ((bytes[bit >> 3]! >> (bit & 7)) & 1) === 1;
}

function swap(a: Uint8Array, b: Uint8Array): void {
  const moved = a.slice();
  a.set(b);
  b.set(moved);
}
