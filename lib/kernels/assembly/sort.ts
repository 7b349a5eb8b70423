// Puts the groups of a table in order, a bucket (a region; or all, by user) at a time, and emits them.
//
//   slots (12 bytes a group or more)
//   [addresses of groups, bucket by bucket: u32][their sort keys: u64]
//
// So sealing a table needs no memory: its slots, done with, hold all that the sort needs.
import {
  SECRET_HEAD, TABLE_GROUPS, TABLE_NEXT, TABLE_PAGE, TABLE_SECRET, TABLE_SLOTS, TABLE_STACK, TABLE_TOUCHED, TABLE_UNKNOWN,
} from "../aggregate-layout";
import { PAGE_HEADER, PAGE_NEXT, PAGE_USED, RUN_COUNT, RUN_REGION, RUN_USER, RUN_USER_LEN } from "../layout";
import { commonBytes, copyRow } from "./sort-bytes";
import { keyOf, sortGroups } from "./sort-keys";

/** Groups that fillRun loads ahead of copying them. */
const AHEAD: u32 = 32;

/**
 * Ends the adding: buckets the groups' addresses by region, or puts all into one bucket when `byUser`, and sorts each.
 * `buckets` has room for maxRegion + 1 u32, or one. Sums the rows of `unknownRegion` into TABLE_UNKNOWN.
 */
export function sealTable(table: u32, buckets: u32, byUser: u32, maxRegion: u32, unknownRegion: u32): void {
  const addresses = load<u32>(table, TABLE_SLOTS);
  const count = byUser ? 1 : maxRegion + 1;
  memory.fill(buckets, 0, count << 2);
  const newest = load<u32>(table, TABLE_PAGE);
  const sample: u32 = newest + PAGE_HEADER;
  let prefix: u32 = newest ? load<u32>(sample, RUN_USER_LEN) : 0;
  let unknown: u64 = 0;
  for (let page = newest; page; page = load<u32>(page, PAGE_NEXT)) {
    const end: u32 = page + load<u32>(page, PAGE_USED);
    for (let group: u32 = page + PAGE_HEADER; group < end; group += RUN_USER + load<u32>(group, RUN_USER_LEN)) {
      const region = load<u32>(group, RUN_REGION);
      const bucket: u32 = buckets + (byUser ? 0 : region << 2);
      store<u32>(bucket, load<u32>(bucket) + 1);
      unknown += region == unknownRegion ? load<u64>(group, RUN_COUNT) : 0;
      prefix = commonBytes(sample + RUN_USER, group + RUN_USER, min(prefix, load<u32>(group, RUN_USER_LEN)));
    }
  }
  const keys = addresses + ((load<u32>(table, TABLE_GROUPS) + 1 & ~1) << 2);
  let start: u32 = 0;
  for (let bucket = buckets; bucket < buckets + (count << 2); bucket += 4) {
    const groups = load<u32>(bucket);
    store<u32>(bucket, start);
    start += groups;
  }
  for (let page = newest; page; page = load<u32>(page, PAGE_NEXT)) {
    const end: u32 = page + load<u32>(page, PAGE_USED);
    for (let group: u32 = page + PAGE_HEADER; group < end; group += RUN_USER + load<u32>(group, RUN_USER_LEN)) {
      const bucket: u32 = buckets + (byUser ? 0 : load<u32>(group, RUN_REGION) << 2);
      const index = load<u32>(bucket);
      store<u32>(addresses + (index << 2), group);
      store<u64>(keys + (index << 3), keyOf(group, prefix));
      store<u32>(bucket, index + 1);
    }
  }
  const secret = load<u64>(table, TABLE_SECRET + SECRET_HEAD);
  let first: u32 = 0;
  for (let bucket = buckets; bucket < buckets + (count << 2); bucket += 4) {
    const end = load<u32>(bucket);
    sortGroups(addresses + (first << 2), keys + (first << 3), end - first, prefix, table + TABLE_STACK, secret);
    first = end;
  }
  store<u32>(table, 0, TABLE_NEXT);
  store<u64>(table, unknown, TABLE_UNKNOWN);
}

/** Copies the next groups of a sealed table, in order and as many as fit, to `to`; gives their bytes, 0 at the end. */
export function fillRun(table: u32, to: u32, capacity: u32): u32 {
  const addresses = load<u32>(table, TABLE_SLOTS);
  const groups = load<u32>(table, TABLE_GROUPS);
  let next = load<u32>(table, TABLE_NEXT);
  let touched: u64 = 0;
  let room = capacity;
  let full = false;
  while (next < groups && !full) {
    const end = min(next + AHEAD, groups);
    for (let i = next; i < end; i++) {
      const group = load<u32>(addresses + (i << 2));
      touched += load<u64>(group) + load<u64>(group, 40);
    }
    for (; next < end; next++) {
      const group = load<u32>(addresses + (next << 2));
      const bytes: u32 = RUN_USER + load<u32>(group, RUN_USER_LEN);
      full = bytes > room;
      if (full) break;
      copyRow(to, group, bytes);
      to += bytes;
      room -= bytes;
    }
  }
  store<u32>(table, next, TABLE_NEXT);
  store<u64>(table, touched, TABLE_TOUCHED);
  return capacity - room;
}
