// Pages of PAGE_BYTES from the thread's pool, which the host refills. Layout: ../layout.ts, "page pool".
import { PAGE_BYTES, POOL_END, POOL_FREE, POOL_NEXT, POOL_USED } from "../layout";

// @ts-ignore: decorator
@external("env", "pool")
declare const POOL: u32;

/** A page, its content undefined, or 0 when the host has to refill the pool. */
// @ts-ignore: decorator
@inline
export function takePage(): u32 {
  let page = load<u32>(POOL, POOL_FREE);
  if (page) {
    store<u32>(POOL, load<u32>(page), POOL_FREE);
  } else {
    page = load<u32>(POOL, POOL_NEXT);
    if (page == load<u32>(POOL, POOL_END)) return 0;
    store<u32>(POOL, page + PAGE_BYTES, POOL_NEXT);
  }
  store<u32>(POOL, load<u32>(POOL, POOL_USED) + 1, POOL_USED);
  return page;
}

/** Returns a page to the pool. */
export function givePage(page: u32): void {
  store<u32>(page, load<u32>(POOL, POOL_FREE));
  store<u32>(POOL, page, POOL_FREE);
  store<u32>(POOL, load<u32>(POOL, POOL_USED) - 1, POOL_USED);
}

/** Returns a chain of pages, linked through their first words and ended by 0, to the pool; a chain may be empty (0). */
export function giveChain(first: u32): void {
  if (!first) return;
  let last = first;
  let pages: u32 = 1;
  for (let next = load<u32>(last); next; next = load<u32>(last)) {
    last = next;
    pages++;
  }
  store<u32>(last, load<u32>(POOL, POOL_FREE));
  store<u32>(POOL, first, POOL_FREE);
  store<u32>(POOL, load<u32>(POOL, POOL_USED) - pages, POOL_USED);
}
