// Pages of PAGE_BYTES from the pool that the host refills. Layout: ../layout.ts, "page pool".
import { PAGE_BYTES, POOL_AT, POOL_END, POOL_FREE, POOL_NEXT, POOL_USED } from "../layout";

/** A page, its content undefined, or 0 when the host has to refill the pool. */
// @ts-ignore: decorator
@inline
export function takePage(): u32 {
  let page = load<u32>(POOL_AT, POOL_FREE);
  if (page) {
    store<u32>(POOL_AT, load<u32>(page), POOL_FREE);
  } else {
    page = load<u32>(POOL_AT, POOL_NEXT);
    if (page == load<u32>(POOL_AT, POOL_END)) return 0;
    store<u32>(POOL_AT, page + PAGE_BYTES, POOL_NEXT);
  }
  store<u32>(POOL_AT, load<u32>(POOL_AT, POOL_USED) + 1, POOL_USED);
  return page;
}

/** Returns a page to the pool. */
export function givePage(page: u32): void {
  store<u32>(page, load<u32>(POOL_AT, POOL_FREE));
  store<u32>(POOL_AT, page, POOL_FREE);
  store<u32>(POOL_AT, load<u32>(POOL_AT, POOL_USED) - 1, POOL_USED);
}
