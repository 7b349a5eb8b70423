/** Hash and scatter: the contract of `partition.wasm` and its twin. Layouts: layout.ts, partition-layout.ts. */
import {
  BATCH_ID_HI, BATCH_ID_LEN, BATCH_ID_LO, BATCH_ID_PTR, BATCH_REGION, BATCH_STATUS, BATCH_USER_LEN, BATCH_USER_PTR,
  BATCH_BYTES, BATCH_VALUE, HEAD_REGION_SHIFT, HEAD_VALUE_SHIFT, PAGE_BYTES, PAGE_HEADER, PAGE_NEXT, PAGE_USED, PARTITIONS,
  PARTITION_BITS, ROW_FIXED, ROW_HEAD, ROW_ID_HI, ROW_ID_LO, SEGMENT_HEADER, VALUE_BIAS, VALUE_ESCAPE,
} from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import {
  CURSOR_BYTES, CURSOR_HEADER, CURSOR_SEGMENT, CURSOR_WRITE, STORE_BYTES, STORE_FIRST, STORE_ROWS,
} from '../partition-layout.ts';
import { xxh64 } from './xxh64.ts';

export const ID_SEED_LO = 0n;
export const ID_SEED_HI = 0x9e3779b97f4a7c15n;

export interface PartitionKernel {
  /** Fills BATCH_ID_LO and BATCH_ID_HI of the good rows (BATCH_STATUS 0) among the first `rows` of a batch. */
  hashBatch(batch: number, rows: number): void;
  /** XXH64 of `length` bytes at `ptr`, as a u64 to `out`. */
  hashSpan(ptr: number, length: number, seedLo: number, seedHi: number, out: number): void;
  /**
   * Appends the good rows `from` ... `rows` - 1 of a hashed batch to the store at `store` (STORE_BYTES, zeroed before
   * first use). Gives `rows` when done, or the row to go on with when the pool is empty: refill it and call again.
   */
  scatterBatch(store: number, batch: number, from: number, rows: number, block: number, input: number): number;
  /** Completes every chain, after the last batch; only then are pages fit to be read. Once. */
  sealStore(store: number): void;
  /** Returns a chain of pages to the pool; 0 is an empty chain. */
  giveChain(first: number): void;
}

export function createPartitionTwin(memory: LinearMemory): PartitionKernel {
  const pageOf = (write: number): number => Math.floor((write - 1) / PAGE_BYTES) * PAGE_BYTES;

  function closeSegment(store: DataView, partition: number): void {
    const cursor = partition * CURSOR_BYTES;
    const header = store.getBigUint64(cursor + CURSOR_HEADER, true);
    memory.view(store.getUint32(cursor + CURSOR_SEGMENT, true), SEGMENT_HEADER).setBigUint64(0, header, true);
    const rows = STORE_ROWS + partition * 4;
    store.setUint32(rows, store.getUint32(rows, true) + Number(header & 0xffffn), true);
  }

  function closePage(write: number, next: number): void {
    const page = memory.view(pageOf(write), PAGE_HEADER);
    page.setUint32(PAGE_NEXT, next, true);
    page.setUint32(PAGE_USED, write - pageOf(write), true);
  }

  /** The address for a row that needs a new segment, or 0 when the pool is empty. */
  function openSegment(store: DataView, partition: number, tag: bigint, size: number): number {
    const cursor = partition * CURSOR_BYTES;
    const write = store.getUint32(cursor + CURSOR_WRITE, true);
    let segment = write;
    if (write === 0 || write + SEGMENT_HEADER + size > pageOf(write) + PAGE_BYTES) {
      if (size > PAGE_BYTES - PAGE_HEADER - SEGMENT_HEADER) throw new RangeError(`A row of ${size} bytes fits no page.`);
      const page = memory.takePageIfAny();
      if (page === 0) return 0;
      if (write === 0) store.setUint32(STORE_FIRST + partition * 4, page, true);
      else closePage(write, page);
      memory.view(page, PAGE_HEADER).setUint32(PAGE_NEXT, 0, true);
      segment = page + PAGE_HEADER;
    }
    if (write !== 0) closeSegment(store, partition);
    store.setUint32(cursor + CURSOR_SEGMENT, segment, true);
    store.setBigUint64(cursor + CURSOR_HEADER, tag << 16n, true);
    return segment + SEGMENT_HEADER;
  }

  return {
    hashBatch(at, rows) {
      const batch = memory.view(at, BATCH_BYTES);
      for (let i = 0; i < rows; i++) {
        if (batch.getUint32(BATCH_STATUS + 4 * i, true) !== 0) continue;
        const ptr = batch.getUint32(BATCH_ID_PTR + 4 * i, true);
        const id = memory.bytes(ptr, batch.getUint32(BATCH_ID_LEN + 4 * i, true));
        batch.setBigUint64(BATCH_ID_LO + 8 * i, xxh64(id, ID_SEED_LO), true);
        batch.setBigUint64(BATCH_ID_HI + 8 * i, xxh64(id, ID_SEED_HI), true);
      }
    },

    hashSpan(ptr, length, seedLo, seedHi, out) {
      const seed = (BigInt(seedHi >>> 0) << 32n) | BigInt(seedLo >>> 0);
      memory.view(out, 8).setBigUint64(0, xxh64(memory.bytes(ptr, length), seed), true);
    },

    scatterBatch(storeAt, batchAt, from, rows, block, input) {
      const store = memory.view(storeAt, STORE_BYTES);
      const batch = memory.view(batchAt, BATCH_BYTES);
      const tag = BigInt(block) | (BigInt(input) << 24n);
      for (let i = from; i < rows; i++) {
        if (batch.getUint32(BATCH_STATUS + 4 * i, true) !== 0) continue;
        const lo = batch.getBigUint64(BATCH_ID_LO + 8 * i, true);
        const value = batch.getBigInt64(BATCH_VALUE + 8 * i, true);
        const inlined = value >= -VALUE_BIAS && value < VALUE_BIAS - 1;
        const length = batch.getUint32(BATCH_USER_LEN + 4 * i, true);
        const fixed = inlined ? ROW_FIXED : ROW_FIXED + 8;

        const partition = Number(lo >> BigInt(64 - PARTITION_BITS));
        const cursor = partition * CURSOR_BYTES;
        let at = store.getUint32(cursor + CURSOR_WRITE, true);
        const sameSegment = at !== 0 && store.getBigUint64(cursor + CURSOR_HEADER, true) >> 16n === tag;
        if (!sameSegment || at + fixed + length > pageOf(at) + PAGE_BYTES) {
          at = openSegment(store, partition, tag, fixed + length);
          if (at === 0) return i;
        }
        store.setUint32(cursor + CURSOR_WRITE, at + fixed + length, true);
        store.setBigUint64(cursor + CURSOR_HEADER, store.getBigUint64(cursor + CURSOR_HEADER, true) + 1n, true);

        const row = memory.view(at, fixed + length);
        const stored = inlined ? BigInt.asUintN(28, value + BigInt(VALUE_BIAS)) : BigInt(VALUE_ESCAPE);
        const region = BigInt(batch.getUint32(BATCH_REGION + 4 * i, true));
        row.setBigUint64(ROW_ID_LO, lo, true);
        row.setBigUint64(ROW_ID_HI, batch.getBigUint64(BATCH_ID_HI + 8 * i, true), true);
        row.setBigUint64(
          ROW_HEAD,
          BigInt(length) | (region << BigInt(HEAD_REGION_SHIFT)) | (stored << BigInt(HEAD_VALUE_SHIFT)),
          true,
        );
        if (!inlined) row.setBigInt64(ROW_FIXED, value, true);
        memory.bytes(at + fixed, length).set(memory.bytes(batch.getUint32(BATCH_USER_PTR + 4 * i, true), length));
      }
      return rows;
    },

    sealStore(storeAt) {
      const store = memory.view(storeAt, STORE_BYTES);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const write = store.getUint32(partition * CURSOR_BYTES + CURSOR_WRITE, true);
        if (write === 0) continue;
        closeSegment(store, partition);
        closePage(write, 0);
      }
    },

    giveChain(first) {
      for (let page = first; page !== 0; ) {
        const next = memory.view(page, 4).getUint32(PAGE_NEXT, true);
        memory.givePage(page);
        page = next;
      }
    },
  };
}
