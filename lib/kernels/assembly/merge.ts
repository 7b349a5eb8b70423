// Merges sorted runs: adds up rows that are equal in key and lays the totals out as columns, or as rows of a new run.
//
//   sources: rows in run format      loser tree       output columns
//   [row][row][row] ... ────────┐                     offsets  i32 |0|11|22| ...
//   [row][row] ... ─────────────┼──► first row ──►    users        |user_000001user_0000 ...
//   [row][row][row][row] ... ───┘    of all           totals   i64, counts i64, tops u32
//
// The group that is being added up lives in the state and in the output, not in a source, so that sources can be
// refilled at any row. State: ../merge-layout.ts. Every function works until the host has something to do (STATUS_*).
import { RUN_COUNT, RUN_REGION, RUN_SUM_HI, RUN_SUM_LO, RUN_USER, RUN_USER_LEN } from "../layout";
import {
  COLUMN_SLACK, COLUMNS_COUNTS, COLUMNS_NEXT, COLUMNS_OFFSETS, COLUMNS_REGION, COLUMNS_ROWS, COLUMNS_TOTALS, COLUMNS_USERS,
  MERGE_BEST, MERGE_BEST_REGION, MERGE_BYTES, MERGE_BY_USER, MERGE_COUNT, MERGE_COUNTS, MERGE_MAX_BYTES, MERGE_MAX_ROWS,
  MERGE_MAX_TOTAL, MERGE_MIN_TOTAL, MERGE_OFFSETS, MERGE_OPEN, MERGE_OUT, MERGE_OUT_END, MERGE_PART, MERGE_REGION, MERGE_ROWS,
  MERGE_SUM, MERGE_TOPS, MERGE_TOTALS, MERGE_USERS, STATUS_BATCH, STATUS_END, STATUS_OVERFLOW, STATUS_REFILL,
} from "../merge-layout";
import { firstRow, nextRow } from "./merge-tree";
import { copyRow, copyUser, sameBytes } from "./sort-bytes";

/**
 * Merges into columns. A batch ends before a row of another region (unless by user), at maxRows rows, or before its users
 * would take more than maxBytes; it has at least one row.
 */
export function mergeColumns(state: u32): u32 {
  const byUser = load<u32>(state, MERGE_BY_USER);
  while (true) {
    const row = firstRow(state);
    if (row && load<u32>(state, MERGE_OPEN) && continuesGroup(state, row, byUser)) {
      addToGroup(state, row, byUser);
    } else {
      if (load<u32>(state, MERGE_OPEN) && !closeGroup(state, byUser)) return STATUS_OVERFLOW;
      if (!row) return load<u32>(state, MERGE_ROWS) ? STATUS_BATCH : STATUS_END;
      if (load<u32>(state, MERGE_ROWS) && !fitsBatch(state, row, byUser)) return STATUS_BATCH;
      openGroup(state, row);
    }
    if (!nextRow(state, row)) return STATUS_REFILL;
  }
}

/** Merges into rows of a run between out and outEnd. STATUS_BATCH: the next row does not fit. */
export function mergeRows(state: u32): u32 {
  while (true) {
    const row = firstRow(state);
    if (!row) return STATUS_END;
    const open = load<u32>(state, MERGE_OPEN);
    const len = load<u32>(row, RUN_USER_LEN);
    if (open && load<u64>(row) == load<u64>(open) && sameBytes(row + RUN_USER, open + RUN_USER, len)) {
      addSum(open + RUN_SUM_LO, row);
      store<u64>(open, load<u64>(open, RUN_COUNT) + load<u64>(row, RUN_COUNT), RUN_COUNT);
    } else {
      const out = load<u32>(state, MERGE_OUT);
      const bytes: u32 = RUN_USER + len;
      if (load<u32>(state, MERGE_OUT_END) - out < bytes) return STATUS_BATCH;
      copyRow(out, row, bytes);
      store<u32>(state, out, MERGE_OPEN);
      store<u32>(state, out + bytes, MERGE_OUT);
      store<u32>(state, load<u32>(state, MERGE_ROWS) + 1, MERGE_ROWS);
    }
    if (!nextRow(state, row)) return STATUS_REFILL;
  }
}

/** See MergeKernel in ../twins/merge.ts. */
export function rowsOfColumns(columns: u32, out: u32, end: u32): u32 {
  const region = load<u32>(columns, COLUMNS_REGION);
  const rows = load<u32>(columns, COLUMNS_ROWS);
  const offsets = load<u32>(columns, COLUMNS_OFFSETS), users = load<u32>(columns, COLUMNS_USERS);
  const totals = load<u32>(columns, COLUMNS_TOTALS), counts = load<u32>(columns, COLUMNS_COUNTS);
  let row = load<u32>(columns, COLUMNS_NEXT);
  for (; row < rows; row++) {
    const from = load<u32>(offsets + (row << 2));
    const len = load<u32>(offsets + (row << 2), 4) - from;
    if (end - out < <u32>RUN_USER + len + COLUMN_SLACK) break;
    const total = load<i64>(totals + (row << 3));
    store<u32>(out, region, RUN_REGION);
    store<u32>(out, len, RUN_USER_LEN);
    store<i64>(out, total, RUN_SUM_LO);
    store<i64>(out, total >> 63, RUN_SUM_HI);
    store<u64>(out, load<u64>(counts + (row << 3)), RUN_COUNT);
    copyUser(out + RUN_USER, users + from, len);
    out += RUN_USER + len;
  }
  store<u32>(columns, row, COLUMNS_NEXT);
  return out;
}

// @ts-ignore: decorator
@inline
function continuesGroup(state: u32, row: u32, byUser: u32): bool {
  if (!byUser && load<u32>(row, RUN_REGION) != load<u32>(state, MERGE_REGION)) return false;
  const offset = load<u32>(load<u32>(state, MERGE_OFFSETS) + (load<u32>(state, MERGE_ROWS) << 2));
  const len = load<u32>(row, RUN_USER_LEN);
  return len == load<u32>(state, MERGE_BYTES) - offset && sameBytes(row + RUN_USER, load<u32>(state, MERGE_USERS) + offset, len);
}

// @ts-ignore: decorator
@inline
function fitsBatch(state: u32, row: u32, byUser: u32): bool {
  return (byUser || load<u32>(row, RUN_REGION) == load<u32>(state, MERGE_REGION))
    && load<u32>(state, MERGE_ROWS) < load<u32>(state, MERGE_MAX_ROWS)
    && <u64>load<u32>(state, MERGE_BYTES) + load<u32>(row, RUN_USER_LEN) <= load<u32>(state, MERGE_MAX_BYTES);
}

// @ts-ignore: decorator
@inline
function openGroup(state: u32, row: u32): void {
  const offset = load<u32>(state, MERGE_BYTES);
  const len = load<u32>(row, RUN_USER_LEN);
  const offsets = load<u32>(state, MERGE_OFFSETS) + (load<u32>(state, MERGE_ROWS) << 2);
  copyUser(load<u32>(state, MERGE_USERS) + offset, row + RUN_USER, len);
  store<u32>(offsets, offset);
  store<u32>(offsets, offset + len, 4);
  store<u32>(state, offset + len, MERGE_BYTES);
  store<u32>(state, load<u32>(row, RUN_REGION), MERGE_REGION);
  const sum = v128.load(row, RUN_SUM_LO);
  v128.store(state, sum, MERGE_SUM);
  v128.store(state, sum, MERGE_PART);
  store<u64>(state, load<u64>(row, RUN_COUNT), MERGE_COUNT);
  // No region is best yet: the least number there is, so that the first region is better or equal and comes first.
  store<u64>(state, 0, MERGE_BEST);
  store<i64>(state, i64.MIN_VALUE, MERGE_BEST + 8);
  store<u32>(state, load<u32>(row, RUN_REGION), MERGE_BEST_REGION);
  store<u32>(state, 1, MERGE_OPEN);
}

// @ts-ignore: decorator
@inline
function addToGroup(state: u32, row: u32, byUser: u32): void {
  addSum(state + MERGE_SUM, row);
  store<u64>(state, load<u64>(state, MERGE_COUNT) + load<u64>(row, RUN_COUNT), MERGE_COUNT);
  if (!byUser) return;
  const region = load<u32>(row, RUN_REGION);
  if (region == load<u32>(state, MERGE_REGION)) {
    addSum(state + MERGE_PART, row);
  } else {
    closeRegion(state);
    store<u32>(state, region, MERGE_REGION);
    v128.store(state, v128.load(row, RUN_SUM_LO), MERGE_PART);
  }
}

/** Ends the rows of one region of a user: is its sum the largest so far? */
function closeRegion(state: u32): void {
  const hi = load<i64>(state, MERGE_PART + 8);
  const best = load<i64>(state, MERGE_BEST + 8);
  if (hi > best || (hi == best && load<u64>(state, MERGE_PART) > load<u64>(state, MERGE_BEST))) {
    v128.store(state, v128.load(state, MERGE_PART), MERGE_BEST);
    store<u32>(state, load<u32>(state, MERGE_REGION), MERGE_BEST_REGION);
  }
}

/** Writes the open group's columns. False, and the group stays open, when its total is out of bounds. */
// @ts-ignore: decorator
@inline
function closeGroup(state: u32, byUser: u32): bool {
  const total = load<i64>(state, MERGE_SUM);
  if (load<i64>(state, MERGE_SUM + 8) != total >> 63) return false;
  if (total < load<i64>(state, MERGE_MIN_TOTAL) || total > load<i64>(state, MERGE_MAX_TOTAL)) return false;
  const rows = load<u32>(state, MERGE_ROWS);
  store<i64>(load<u32>(state, MERGE_TOTALS) + (rows << 3), total);
  store<u64>(load<u32>(state, MERGE_COUNTS) + (rows << 3), load<u64>(state, MERGE_COUNT));
  if (byUser) {
    closeRegion(state);
    store<u32>(load<u32>(state, MERGE_TOPS) + (rows << 2), load<u32>(state, MERGE_BEST_REGION));
  }
  store<u32>(state, rows + 1, MERGE_ROWS);
  store<u32>(state, 0, MERGE_OPEN);
  return true;
}

/** Adds a row's sum to the one at `at`. */
// @ts-ignore: decorator
@inline
function addSum(at: u32, row: u32): void {
  const lo = load<u64>(at) + load<u64>(row, RUN_SUM_LO);
  store<i64>(at, load<i64>(at, 8) + load<i64>(row, RUN_SUM_HI) + i64(lo < load<u64>(row, RUN_SUM_LO)), 8);
  store<u64>(at, lo);
}
