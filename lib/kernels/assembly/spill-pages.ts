// Partition pages on their way to a file and back. A page is written as its first PAGE_USED bytes:
//
//   in memory   [next][used][segments ...      ]....unused....
//   in a file   [sum ][used][segments ...      ]                     sum: checksum of all that follows it
//   in a buffer [next][used][segments ...      ][next][used][segments ...][next] ...
//
// Layouts: ../layout.ts "Partitions", ../partition-layout.ts.
import { PAGE_BYTES, PAGE_HEADER, PAGE_NEXT, PAGE_USED } from "../layout";
import {
  BUFFER_LAST, LIST_BYTES, LIST_PAGES, STORE_FREE, STORE_LIST, STORE_LISTED, STORE_LISTED_BYTES, STORE_PAGES,
} from "../partition-layout";
import { xxh64 } from "./hash";

// @ts-ignore: decorator
@inline
function checksum(page: u32, used: u32, partition: u32, generation: u32): u32 {
  return <u32>xxh64(page + 4, used - 4, <u64>partition | (<u64>generation << 32));
}

/**
 * Puts pages of a sealed chain on the store's list, with their checksums, until the list is full or the chain ends.
 * Gives the page to go on with, 0 at the end.
 */
export function packChain(storeAt: u32, first: u32, partition: u32, generation: u32): u32 {
  let listed = load<u32>(storeAt, STORE_LISTED);
  let bytes = load<u32>(storeAt, STORE_LISTED_BYTES);
  let page = first;
  while (page && listed < <u32>LIST_PAGES && bytes < <u32>LIST_BYTES) {
    const next = load<u32>(page, PAGE_NEXT);
    const used = load<u32>(page, PAGE_USED);
    store<u32>(page, checksum(page, used, partition, generation), PAGE_NEXT);
    const entry = storeAt + (listed++ << 3);
    store<u32>(entry, page, STORE_LIST);
    store<u32>(entry, used, STORE_LIST + 4);
    bytes += used;
    page = next;
  }
  store<u32>(storeAt, listed, STORE_LISTED);
  store<u32>(storeAt, bytes, STORE_LISTED_BYTES);
  return page;
}

/** Moves the pages of the list to the store's free ones. */
export function recyclePages(storeAt: u32): void {
  const listed = load<u32>(storeAt, STORE_LISTED);
  let free = load<u32>(storeAt, STORE_FREE);
  for (let i: u32 = 0; i < listed; i++) {
    const page = load<u32>(storeAt + (i << 3), STORE_LIST);
    store<u32>(page, free);
    free = page;
  }
  store<u32>(storeAt, free, STORE_FREE);
  store<u32>(storeAt, load<u32>(storeAt, STORE_PAGES) - listed, STORE_PAGES);
  store<u32>(storeAt, 0, STORE_LISTED);
  store<u32>(storeAt, 0, STORE_LISTED_BYTES);
}

/**
 * Checks the packed pages in `bytes` bytes at `at` and appends them to the buffer's chain. Gives the bytes of whole
 * pages: what follows is the start of one that was cut off. Gives ~bytes, below 0, when the page behind so many
 * bytes is not what was written.
 */
export function checkPages(buffer: u32, at: u32, bytes: u32, partition: u32, generation: u32): i32 {
  let last = load<u32>(buffer, BUFFER_LAST);
  let done: u32 = 0;
  let damaged = false;
  while (bytes - done >= <u32>PAGE_HEADER) {
    const page = at + done;
    const used = load<u32>(page, PAGE_USED);
    damaged = used <= <u32>PAGE_HEADER || used > <u32>PAGE_BYTES;
    if (damaged || used > bytes - done) break;
    damaged = load<u32>(page, PAGE_NEXT) != checksum(page, used, partition, generation);
    if (damaged) break;
    store<u32>(last, page, PAGE_NEXT);
    last = page;
    done += used;
  }
  store<u32>(last, 0, PAGE_NEXT);
  store<u32>(buffer, last, BUFFER_LAST);
  return damaged ? ~done : done;
}
