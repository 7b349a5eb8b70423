/**
 * Hash, scatter, pages to a file and back, segments in input order: the contract of `partition.wasm` and its twin. Layouts: layout.ts,
 * partition-layout.ts.
 */
import {
  BATCH_BYTES, BATCH_ID_HI, BATCH_ID_LEN, BATCH_ID_LO, BATCH_ID_PTR, BATCH_REGION, BATCH_STATUS, BATCH_USER_LEN,
  BATCH_USER_PTR, BATCH_VALUE, PAGE_BYTES, PAGE_HEADER, PAGE_NEXT, PAGE_USED, ROW_ID_LO, SEGMENT_HEADER,
} from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import {
  BUFFER_LAST, CURSOR_BYTES, CURSOR_HEADER, CURSOR_SEGMENT, CURSOR_WRITE, LIST_BYTES, LIST_PAGES, MERGE_HEAP,
  MERGE_SOURCES, SOURCE_AT, SOURCE_BYTES, SOURCE_END, SOURCE_KEY, SOURCE_MORE, SOURCE_NUMBER, SOURCE_PAGE, STORE_CURSORS, STORE_FIRST, STORE_FREE, STORE_LIST, STORE_LISTED, STORE_LISTED_BYTES, STORE_MAX_PAGES, STORE_PAGES,
  STORE_PARTITIONS, STORE_ROWS, STORE_SHIFT, STORE_WORD,
} from '../partition-layout.ts';
import { readId, rowBytes, rowBytesFor, storeRow } from './row.ts';
import { xxh64 } from './xxh64.ts';

export const ID_SEED_LO = 0n;
export const ID_SEED_HI = 0x9e3779b97f4a7c15n;

export interface PartitionKernel {
  /** Fills BATCH_ID_LO and BATCH_ID_HI of the good rows (BATCH_STATUS 0) among the first `rows` of a batch. */
  hashBatch(batch: number, rows: number): void;
  /** XXH64 of `length` bytes at `ptr`, as a u64 to `out`. */
  hashSpan(ptr: number, length: number, seedLo: number, seedHi: number, out: number): void;
  /**
   * Appends the good rows `from` ... `rows` - 1 of a hashed batch to the store at `store`, by the top bits of idLo. Gives
   * `rows` when done, or the row to go on with when there is no page for it: the store has as many as it may, or the
   * pool is empty.
   */
  scatterBatch(store: number, batch: number, from: number, rows: number, block: number, input: number): number;
  /**
   * Appends stored rows, as they are: `list` holds the u32 addresses of `count` rows, of which `from` ... are left to do.
   * Gives `count` when done, or where to go on when there is no page for a row.
   */
  scatterRows(store: number, list: number, count: number, from: number): number;
  /** Completes every chain, after the last row; only then are pages fit to be read. Once. */
  sealStore(store: number): void;
  /**
   * Puts pages of a sealed chain on the store's list, with their checksums, until the list is full or the chain ends.
   * Gives the page to go on with, 0 at the end.
   */
  packChain(store: number, first: number, partition: number, generation: number): number;
  /** Moves the pages of the list to the store's free ones. */
  recyclePages(store: number): void;
  /**
   * Checks the packed pages in `bytes` bytes at `at` and appends them to the buffer's chain. Gives the bytes of whole
   * pages: what follows is the start of one that was cut off. Gives ~bytes, below 0, when the page behind so many
   * bytes is not what was written.
   */
  checkPages(buffer: number, at: number, bytes: number, partition: number, generation: number): number;
  /**
   * Goes on with a merge (see MERGE_SOURCES): writes addresses of segments, u32 each, to `list`, in order of input and block,
   * equal ones of a chain as they stand there. Gives how many: `max` (at least 1), or fewer when no source is left, or the
   * first of the heap has come to its chain's end and has more.
   */
  listSegments(merge: number, list: number, max: number): number;
  /** Returns a chain of pages to the pool; 0 is an empty chain. */
  giveChain(first: number): void;
}

export function createPartitionTwin(memory: LinearMemory): PartitionKernel {
  const pageOf = (write: number): number => Math.floor((write - 1) / PAGE_BYTES) * PAGE_BYTES;

  const storeView = (at: number): DataView => {
    const size = memory.view(at, 4).getUint32(STORE_PARTITIONS, true) * CURSOR_BYTES;
    return memory.view(at, STORE_CURSORS + size);
  };
  const cursorOf = (partition: number): number => STORE_CURSORS + partition * CURSOR_BYTES;

  function partitionOf(store: DataView, hash: bigint): number {
    const mask = store.getUint32(STORE_PARTITIONS, true) - 1;
    return Number((hash >> BigInt(store.getUint32(STORE_SHIFT, true))) & BigInt(mask));
  }

  function checksum(page: number, used: number, partition: number, generation: number): number {
    const seed = BigInt(partition) | (BigInt(generation) << 32n);
    return Number(BigInt.asUintN(32, xxh64(memory.bytes(page + 4, used - 4), seed)));
  }

  /** 0 when the store may have no more pages, or the pool is empty. */
  function takeStorePage(store: DataView): number {
    const pages = store.getUint32(STORE_PAGES, true);
    let page = store.getUint32(STORE_FREE, true);
    if (page !== 0) store.setUint32(STORE_FREE, memory.view(page, 4).getUint32(0, true), true);
    else if (pages < store.getUint32(STORE_MAX_PAGES, true)) page = memory.takePageIfAny();
    if (page !== 0) store.setUint32(STORE_PAGES, pages + 1, true);
    return page;
  }

  function closeSegment(store: DataView, partition: number): void {
    const cursor = cursorOf(partition);
    const header = store.getBigUint64(cursor + CURSOR_HEADER, true);
    memory.view(store.getUint32(cursor + CURSOR_SEGMENT, true), SEGMENT_HEADER).setBigUint64(0, header, true);
  }

  /** Counts a row of `size` bytes in the partition's open segment, which has room for it up to `end`. */
  function addRow(store: DataView, partition: number, size: number, end: number): void {
    const cursor = cursorOf(partition);
    store.setUint32(cursor + CURSOR_WRITE, end, true);
    store.setBigUint64(cursor + CURSOR_HEADER, store.getBigUint64(cursor + CURSOR_HEADER, true) + BigInt(size), true);
    store.setUint32(STORE_ROWS, store.getUint32(STORE_ROWS, true) + 1, true);
  }

  function closePage(write: number, next: number): void {
    const page = memory.view(pageOf(write), PAGE_HEADER);
    page.setUint32(PAGE_NEXT, next, true);
    page.setUint32(PAGE_USED, write - pageOf(write), true);
  }

  /** The address for a row that needs a new segment, or 0 when there is no page for it. */
  function openSegment(store: DataView, partition: number, tag: bigint, size: number): number {
    const cursor = cursorOf(partition);
    const write = store.getUint32(cursor + CURSOR_WRITE, true);
    let segment = write;
    if (write === 0 || write + SEGMENT_HEADER + size > pageOf(write) + PAGE_BYTES) {
      if (size > PAGE_BYTES - PAGE_HEADER - SEGMENT_HEADER) throw new RangeError(`A row of ${size} bytes fits no page.`);
      const page = takeStorePage(store);
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
      const store = storeView(storeAt);
      const batch = memory.view(batchAt, BATCH_BYTES);
      const tag = BigInt(block) | (BigInt(input) << 24n);
      for (let i = from; i < rows; i++) {
        if (batch.getUint32(BATCH_STATUS + 4 * i, true) !== 0) continue;
        const lo = batch.getBigUint64(BATCH_ID_LO + 8 * i, true);
        const fields = {
          region: batch.getUint32(BATCH_REGION + 4 * i, true),
          value: batch.getBigInt64(BATCH_VALUE + 8 * i, true),
          user: memory.bytes(batch.getUint32(BATCH_USER_PTR + 4 * i, true), batch.getUint32(BATCH_USER_LEN + 4 * i, true)),
        };
        const size = rowBytesFor(memory, fields);

        const partition = partitionOf(store, lo);
        const cursor = cursorOf(partition);
        let at = store.getUint32(cursor + CURSOR_WRITE, true);
        const sameSegment = at !== 0 && store.getBigUint64(cursor + CURSOR_HEADER, true) >> 16n === tag;
        if (!sameSegment || at + size > pageOf(at) + PAGE_BYTES) {
          at = openSegment(store, partition, tag, size);
          if (at === 0) return i;
        }
        addRow(store, partition, size, at + size);
        storeRow(memory, at, lo, batch.getBigUint64(BATCH_ID_HI + 8 * i, true), fields);
      }
      return rows;
    },

    scatterRows(storeAt, list, count, from) {
      const store = storeView(storeAt);
      for (let i = from; i < count; i++) {
        const row = memory.view(list + 4 * i, 4).getUint32(0, true);
        const size = rowBytes(memory, row);
        const [lo, hi] = readId(memory, row);

        const partition = partitionOf(store, store.getUint32(STORE_WORD, true) === ROW_ID_LO ? lo : hi);
        const cursor = cursorOf(partition);
        let at = store.getUint32(cursor + CURSOR_WRITE, true);
        if (at === 0 || at + size > pageOf(at) + PAGE_BYTES) {
          at = openSegment(store, partition, 0n, size);
          if (at === 0) return i;
        }
        addRow(store, partition, size, at + size);
        memory.bytes(at, size).set(memory.bytes(row, size));
      }
      return count;
    },

    sealStore(storeAt) {
      const store = storeView(storeAt);
      for (let partition = 0; partition < store.getUint32(STORE_PARTITIONS, true); partition++) {
        const write = store.getUint32(cursorOf(partition) + CURSOR_WRITE, true);
        if (write === 0) continue;
        closeSegment(store, partition);
        closePage(write, 0);
      }
    },

    packChain(storeAt, first, partition, generation) {
      const store = storeView(storeAt);
      let listed = store.getUint32(STORE_LISTED, true);
      let bytes = store.getUint32(STORE_LISTED_BYTES, true);
      let page = first;
      while (page !== 0 && listed < LIST_PAGES && bytes < LIST_BYTES) {
        const header = memory.view(page, PAGE_HEADER);
        const used = header.getUint32(PAGE_USED, true);
        store.setUint32(STORE_LIST + 8 * listed, page, true);
        store.setUint32(STORE_LIST + 8 * listed + 4, used, true);
        page = header.getUint32(PAGE_NEXT, true);
        header.setUint32(PAGE_NEXT, checksum(header.byteOffset, used, partition, generation), true);
        listed++;
        bytes += used;
      }
      store.setUint32(STORE_LISTED, listed, true);
      store.setUint32(STORE_LISTED_BYTES, bytes, true);
      return page;
    },

    recyclePages(storeAt) {
      const store = storeView(storeAt);
      const listed = store.getUint32(STORE_LISTED, true);
      for (let i = 0; i < listed; i++) {
        const page = store.getUint32(STORE_LIST + 8 * i, true);
        memory.view(page, 4).setUint32(0, store.getUint32(STORE_FREE, true), true);
        store.setUint32(STORE_FREE, page, true);
      }
      store.setUint32(STORE_PAGES, store.getUint32(STORE_PAGES, true) - listed, true);
      store.setUint32(STORE_LISTED, 0, true);
      store.setUint32(STORE_LISTED_BYTES, 0, true);
    },

    checkPages(buffer, at, bytes, partition, generation) {
      const head = memory.view(buffer, 8);
      let done = 0;
      let damaged = false;
      while (bytes - done >= PAGE_HEADER) {
        const page = memory.view(at + done, PAGE_HEADER);
        const used = page.getUint32(PAGE_USED, true);
        damaged = used <= PAGE_HEADER || used > PAGE_BYTES;
        if (damaged || used > bytes - done) break;
        damaged = page.getUint32(PAGE_NEXT, true) !== checksum(at + done, used, partition, generation);
        if (damaged) break;
        page.setUint32(PAGE_NEXT, 0, true);
        memory.view(head.getUint32(BUFFER_LAST, true), 4).setUint32(PAGE_NEXT, at + done, true);
        head.setUint32(BUFFER_LAST, at + done, true);
        done += used;
      }
      return damaged ? ~done : done;
    },

    listSegments(merge, list, max) {
      const head = memory.view(merge, MERGE_HEAP);
      let sources = head.getUint32(MERGE_SOURCES, true);
      const records = memory.bytes(merge + MERGE_HEAP, sources * SOURCE_BYTES);
      const record = (i: number): DataView => memory.view(merge + MERGE_HEAP + i * SOURCE_BYTES, SOURCE_BYTES);
      /** The first segment of the page, or the one at `at`. */
      const goTo = (source: DataView, page: number, at = page + PAGE_HEADER): void => {
        source.setUint32(SOURCE_PAGE, page, true);
        if (page === 0) return;
        source.setUint32(SOURCE_AT, at, true);
        source.setUint32(SOURCE_END, page + memory.view(page, PAGE_HEADER).getUint32(PAGE_USED, true), true);
        const tag = memory.view(at, SEGMENT_HEADER).getBigUint64(0, true) >> 16n;
        source.setBigUint64(SOURCE_KEY, (tag << 8n) | BigInt(source.getUint16(SOURCE_NUMBER, true)), true);
      };
      /** Makes the source with the least key the first. */
      const order = (): void => {
        let least = 0;
        for (let i = 1; i < sources; i++) {
          if (record(i).getBigUint64(SOURCE_KEY, true) < record(least).getBigUint64(SOURCE_KEY, true)) least = i;
        }
        const first = records.slice(0, SOURCE_BYTES);
        records.copyWithin(0, least * SOURCE_BYTES, (least + 1) * SOURCE_BYTES);
        records.set(first, least * SOURCE_BYTES);
      };

      for (let i = 0; i < sources; i++) {
        if (record(i).getUint32(SOURCE_AT, true) === 0) goTo(record(i), record(i).getUint32(SOURCE_PAGE, true));
      }
      let count = 0;
      while (sources > 0 && count < max) {
        order();
        const source = record(0);
        const page = source.getUint32(SOURCE_PAGE, true);
        const at = source.getUint32(SOURCE_AT, true);
        memory.view(list + 4 * count++, 4).setUint32(0, at, true);
        const next = at + SEGMENT_HEADER + memory.view(at, SEGMENT_HEADER).getUint16(0, true);
        if (next !== source.getUint32(SOURCE_END, true)) goTo(source, page, next);
        else goTo(source, memory.view(page, PAGE_HEADER).getUint32(PAGE_NEXT, true));
        if (source.getUint32(SOURCE_PAGE, true) !== 0) continue;
        if (source.getUint16(SOURCE_MORE, true) === 1) break;
        records.copyWithin(0, --sources * SOURCE_BYTES, (sources + 1) * SOURCE_BYTES);
      }
      head.setUint32(MERGE_SOURCES, sources, true);
      return count;
    },

    giveChain: (first) => memory.giveChain(first),
  };
}
