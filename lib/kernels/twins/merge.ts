/**
 * The merge kernel's contract, and its twin. State: ../merge-layout.ts; rows: ../layout.ts. The twin looks at the first
 * row of every source instead of keeping a tree, so within one merge the two cannot take turns.
 */
import {
  COLUMN_SLACK, COLUMNS_COUNTS, COLUMNS_NEXT, COLUMNS_OFFSETS, COLUMNS_REGION, COLUMNS_ROWS, COLUMNS_TOTALS, COLUMNS_USERS,
  MERGE_BEST, MERGE_BEST_REGION, MERGE_BYTES, MERGE_BY_USER, MERGE_COUNT, MERGE_COUNTS, MERGE_MAX_BYTES, MERGE_MAX_ROWS,
  MERGE_MAX_TOTAL, MERGE_MIN_TOTAL, MERGE_OFFSETS, MERGE_OPEN, MERGE_OUT, MERGE_OUT_END, MERGE_PART, MERGE_REGION, MERGE_ROWS,
  MERGE_RUN, MERGE_RUNS, MERGE_SOURCES, MERGE_SUM, MERGE_TOPS, MERGE_TOTALS, MERGE_USERS, SOURCE_BYTES, SOURCE_END, SOURCE_NEXT,
  STATUS_BATCH, STATUS_END, STATUS_OVERFLOW, STATUS_REFILL,
} from '../merge-layout.ts';
import { RUN_COUNT, RUN_REGION, RUN_SUM_LO, RUN_USER, RUN_USER_LEN } from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';

export interface MergeKernel {
  /** Call when all sources have their first rows, or have ended, and before anything else. */
  startMerge(state: number): void;
  /**
   * Merges into columns until the host has something to do; gives STATUS_*. A batch ends before a row of another region
   * (unless by user), at maxRows rows, or before its users would take more than maxBytes; it has at least one row.
   */
  mergeColumns(state: number): number;
  /** Merges into run rows between out and outEnd; gives STATUS_*. STATUS_BATCH: the next row does not fit. */
  mergeRows(state: number): number;
  /**
   * Lays columns of one region out as rows of a run between `out` and `end`, from the row `next` on, which it moves: as many as
   * there is room for. Gives the end of the last; the bytes up to `end` may be overwritten.
   */
  rowsOfColumns(columns: number, out: number, end: number): number;
}

export function createMergeTwin(memory: LinearMemory): MergeKernel {
  const get = (at: number): number => memory.view(at, 4).getUint32(0, true);
  const set = (at: number, value: number): void => memory.view(at, 4).setUint32(0, value, true);
  const getI64 = (at: number): bigint => memory.view(at, 8).getBigInt64(0, true);
  const setI64 = (at: number, value: bigint): void => memory.view(at, 8).setBigInt64(0, value, true);
  const getSum = (at: number): bigint => (getI64(at + 8) << 64n) | BigInt.asUintN(64, getI64(at));
  const setSum = (at: number, value: bigint): void => {
    setI64(at, BigInt.asIntN(64, value));
    setI64(at + 8, value >> 64n);
  };
  const userOf = (row: number): Uint8Array => memory.bytes(row + RUN_USER, get(row + RUN_USER_LEN));

  function compare(state: number, a: number, b: number): number {
    const regions = get(a + RUN_REGION) - get(b + RUN_REGION);
    const users = Buffer.compare(userOf(a), userOf(b));
    return get(state + MERGE_BY_USER) ? users || regions : regions || users;
  }

  /** The source with the first row, and that row; row 0 when all have ended. */
  function first(state: number): { source: number; row: number; run: number } {
    let best = { source: 0, row: 0, run: 0 };
    for (let run = 0; run < get(state + MERGE_RUNS); run++) {
      const source = state + MERGE_SOURCES + run * SOURCE_BYTES;
      const row = get(source + SOURCE_NEXT);
      if (row !== 0 && (best.row === 0 || compare(state, row, best.row) < 0)) best = { source, row, run };
    }
    return best;
  }

  /** False when the source needs a refill. */
  function advance(state: number, { source, row, run }: { source: number; row: number; run: number }): boolean {
    const next = row + RUN_USER + get(row + RUN_USER_LEN);
    set(source + SOURCE_NEXT, next);
    set(state + MERGE_RUN, run);
    return next !== get(source + SOURCE_END);
  }

  function openUser(state: number): Uint8Array {
    const start = get(get(state + MERGE_OFFSETS) + get(state + MERGE_ROWS) * 4);
    return memory.bytes(get(state + MERGE_USERS) + start, get(state + MERGE_BYTES) - start);
  }

  function continues(state: number, row: number): boolean {
    const sameRegion = get(state + MERGE_BY_USER) || get(row + RUN_REGION) === get(state + MERGE_REGION);
    return get(state + MERGE_OPEN) === 1 && Boolean(sameRegion) && Buffer.compare(userOf(row), openUser(state)) === 0;
  }

  function fits(state: number, row: number): boolean {
    const sameRegion = get(state + MERGE_BY_USER) || get(row + RUN_REGION) === get(state + MERGE_REGION);
    const room = get(state + MERGE_MAX_BYTES) - get(state + MERGE_BYTES);
    return Boolean(sameRegion) && get(state + MERGE_ROWS) < get(state + MERGE_MAX_ROWS) && get(row + RUN_USER_LEN) <= room;
  }

  function open(state: number, row: number): void {
    const offset = get(state + MERGE_BYTES);
    const user = userOf(row);
    const offsets = get(state + MERGE_OFFSETS) + get(state + MERGE_ROWS) * 4;
    memory.bytes(get(state + MERGE_USERS) + offset, user.length).set(user);
    set(offsets, offset);
    set(offsets + 4, offset + user.length);
    set(state + MERGE_BYTES, offset + user.length);
    set(state + MERGE_REGION, get(row + RUN_REGION));
    setSum(state + MERGE_SUM, getSum(row + RUN_SUM_LO));
    setSum(state + MERGE_PART, getSum(row + RUN_SUM_LO));
    setI64(state + MERGE_COUNT, getI64(row + RUN_COUNT));
    setSum(state + MERGE_BEST, -(2n ** 127n));
    set(state + MERGE_BEST_REGION, get(row + RUN_REGION));
    set(state + MERGE_OPEN, 1);
  }

  function closeRegion(state: number): void {
    if (getSum(state + MERGE_PART) <= getSum(state + MERGE_BEST)) return;
    setSum(state + MERGE_BEST, getSum(state + MERGE_PART));
    set(state + MERGE_BEST_REGION, get(state + MERGE_REGION));
  }

  function add(state: number, row: number): void {
    setSum(state + MERGE_SUM, getSum(state + MERGE_SUM) + getSum(row + RUN_SUM_LO));
    setI64(state + MERGE_COUNT, getI64(state + MERGE_COUNT) + getI64(row + RUN_COUNT));
    if (get(row + RUN_REGION) === get(state + MERGE_REGION)) {
      setSum(state + MERGE_PART, getSum(state + MERGE_PART) + getSum(row + RUN_SUM_LO));
    } else {
      closeRegion(state);
      set(state + MERGE_REGION, get(row + RUN_REGION));
      setSum(state + MERGE_PART, getSum(row + RUN_SUM_LO));
    }
  }

  function close(state: number): boolean {
    const total = getSum(state + MERGE_SUM);
    if (total < getI64(state + MERGE_MIN_TOTAL) || total > getI64(state + MERGE_MAX_TOTAL)) return false;
    const rows = get(state + MERGE_ROWS);
    setI64(get(state + MERGE_TOTALS) + rows * 8, total);
    setI64(get(state + MERGE_COUNTS) + rows * 8, getI64(state + MERGE_COUNT));
    if (get(state + MERGE_BY_USER)) {
      closeRegion(state);
      set(get(state + MERGE_TOPS) + rows * 4, get(state + MERGE_BEST_REGION));
    }
    set(state + MERGE_ROWS, rows + 1);
    set(state + MERGE_OPEN, 0);
    return true;
  }

  return {
    startMerge() {},

    mergeColumns(state) {
      for (;;) {
        const next = first(state);
        if (next.row !== 0 && continues(state, next.row)) {
          add(state, next.row);
        } else {
          if (get(state + MERGE_OPEN) && !close(state)) return STATUS_OVERFLOW;
          if (next.row === 0) return get(state + MERGE_ROWS) ? STATUS_BATCH : STATUS_END;
          if (get(state + MERGE_ROWS) && !fits(state, next.row)) return STATUS_BATCH;
          open(state, next.row);
        }
        if (!advance(state, next)) return STATUS_REFILL;
      }
    },

    mergeRows(state) {
      for (;;) {
        const next = first(state);
        if (next.row === 0) return STATUS_END;
        const last = get(state + MERGE_OPEN);
        if (last !== 0 && compare(state, last, next.row) === 0) {
          setSum(last + RUN_SUM_LO, getSum(last + RUN_SUM_LO) + getSum(next.row + RUN_SUM_LO));
          setI64(last + RUN_COUNT, getI64(last + RUN_COUNT) + getI64(next.row + RUN_COUNT));
        } else {
          const out = get(state + MERGE_OUT);
          const bytes = RUN_USER + get(next.row + RUN_USER_LEN);
          if (get(state + MERGE_OUT_END) - out < bytes) return STATUS_BATCH;
          memory.bytes(out, bytes).set(memory.bytes(next.row, bytes));
          set(state + MERGE_OPEN, out);
          set(state + MERGE_OUT, out + bytes);
          set(state + MERGE_ROWS, get(state + MERGE_ROWS) + 1);
        }
        if (!advance(state, next)) return STATUS_REFILL;
      }
    },

    rowsOfColumns(columns, out, end) {
      let row = get(columns + COLUMNS_NEXT);
      for (; row < get(columns + COLUMNS_ROWS); row++) {
        const [from, to] = [0, 4].map((at) => get(get(columns + COLUMNS_OFFSETS) + 4 * row + at)) as [number, number];
        if (end - out < RUN_USER + to - from + COLUMN_SLACK) break;
        set(out + RUN_REGION, get(columns + COLUMNS_REGION));
        set(out + RUN_USER_LEN, to - from);
        setSum(out + RUN_SUM_LO, getI64(get(columns + COLUMNS_TOTALS) + 8 * row));
        setI64(out + RUN_COUNT, getI64(get(columns + COLUMNS_COUNTS) + 8 * row));
        memory.bytes(out + RUN_USER, to - from).set(memory.bytes(get(columns + COLUMNS_USERS) + from, to - from));
        out += RUN_USER + to - from;
      }
      set(columns + COLUMNS_NEXT, row);
      return out;
    },
  };
}
