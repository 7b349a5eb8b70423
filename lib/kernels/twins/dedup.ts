/** Dedup over segments of partitions: the contract of `dedup.wasm` and its twin. Layouts: layout.ts, dedup-layout.ts. */
import {
  GROUP_ROWS, LOAD_NUMERATOR, LOAD_SHIFT, SLOT_BYTES, STOP_AREA_FULL, STOP_END, STOP_TABLE_FULL, TABLE_BITS,
  TABLE_HAS_ZERO, TABLE_LIMIT, TABLE_SLOTS, TABLE_USED, WALK_AT, WALK_BYTES, WALK_END, WALK_LAST, WALK_NEXT, WALK_ROWS,
  WALK_STOP,
} from '../dedup-layout.ts';
import { SEGMENT_HEADER } from '../layout.ts';
import type { LinearMemory } from '../linear-memory.ts';
import { idTables } from './id-table.ts';
import { readId, rowBytes } from './row.ts';

export interface DedupKernel {
  /** Makes the table at `table` an empty one of 2^bits slots at `slots`. Its factors stay as they are. */
  clearTable(table: number, slots: number, bits: number): void;
  /** Doubles the table where it is: as many slots again, right behind it, are its own from now on. */
  growTable(table: number): void;
  /**
   * Walks on through a list of segments (`walk`: dedup-layout.ts), admits each row's id to the table and writes the
   * addresses of rows whose id was new to `winners`, u32 each, in order: at most `max` (at least 1). Gives how many.
   * WALK_ROWS tells how many rows it went over, WALK_STOP why it stopped: after STOP_AREA_FULL call again with room, after
   * STOP_TABLE_FULL with a larger table. Segments start anywhere.
   */
  dedupChunk(table: number, walk: number, winners: number, max: number): number;
  /** The same walk, for a table that takes nothing more: gives the rows of ids that are not in it. */
  probeChunk(table: number, walk: number, others: number, max: number): number;
}

export function createDedupTwin(memory: LinearMemory): DedupKernel {
  const { tableAt, find, slotAt, idIn, setId, has } = idTables(memory);

  function setBits(table: DataView, bits: number): void {
    table.setUint32(TABLE_BITS, bits, true);
    table.setUint32(TABLE_LIMIT, Math.floor((2 ** bits * LOAD_NUMERATOR) / 2 ** LOAD_SHIFT), true);
  }

  /** Puts the slot's id where it belongs now; false when the slot is empty. */
  function putAgain(table: DataView, slot: DataView): boolean {
    const [lo, hi] = idIn(slot);
    if (lo === 0n && hi === 0n) return false;
    setId(slot, 0n, 0n);
    setId(find(table, lo, hi).slot, lo, hi);
    return true;
  }

  return {
    clearTable(at, slots, bits) {
      const table = tableAt(at);
      memory.bytes(slots, SLOT_BYTES * 2 ** bits).fill(0);
      table.setUint32(TABLE_SLOTS, slots, true);
      setBits(table, bits);
      table.setUint32(TABLE_USED, 0, true);
      table.setUint32(TABLE_HAS_ZERO, 0, true);
    },

    growTable(at) {
      const table = tableAt(at);
      const half = 2 ** table.getUint32(TABLE_BITS, true);
      setBits(table, table.getUint32(TABLE_BITS, true) + 1);
      memory.bytes(slotAt(table, half).byteOffset, SLOT_BYTES * half).fill(0);
      for (let index = half - 1; index >= 0; index--) putAgain(table, slotAt(table, index));
      for (let index = 2 * half - 1; putAgain(table, slotAt(table, index)); ) index--;
    },

    dedupChunk: (table, walk, winners, max) => walkChunk(table, walk, winners, max, true),
    probeChunk: (table, walk, others, max) => walkChunk(table, walk, others, max, false),
  };

  function walkChunk(tableAddress: number, walkAddress: number, area: number, max: number, inserts: boolean): number {
    const table = tableAt(tableAddress);
    const walk = memory.view(walkAddress, WALK_BYTES);
    const limit = table.getUint32(TABLE_LIMIT, true);
    let next = walk.getUint32(WALK_NEXT, true);
    const last = walk.getUint32(WALK_LAST, true);
    let at = walk.getUint32(WALK_AT, true);
    let end = walk.getUint32(WALK_END, true);
    let count = 0;
    let rows = 0;
    let stop = STOP_END;

    /** The address of the next row; 0 at the end of the list. */
    const nextRow = (): number => {
      if (at === end) {
        if (next === last) return 0;
        const segment = memory.view(next, 4).getUint32(0, true);
        next += 4;
        at = segment + SEGMENT_HEADER;
        end = at + memory.view(segment, SEGMENT_HEADER).getUint16(0, true);
      }
      const row = at;
      at += rowBytes(memory, row);
      return row;
    };

    while (at !== end || next !== last) {
      const room = max - count;
      if (count > 0 && room < GROUP_ROWS) {
        stop = STOP_AREA_FULL;
        break;
      }
      if (inserts && table.getUint32(TABLE_USED, true) >= limit) {
        stop = STOP_TABLE_FULL;
        break;
      }
      for (let n = Math.min(room, GROUP_ROWS); n > 0; n--) {
        const row = nextRow();
        if (row === 0) break;
        rows++;
        if (has(table, ...readId(memory, row), inserts)) continue;
        memory.view(area + 4 * count, 4).setUint32(0, row, true);
        count++;
      }
    }
    walk.setUint32(WALK_NEXT, next, true);
    walk.setUint32(WALK_AT, at, true);
    walk.setUint32(WALK_END, end, true);
    walk.setUint32(WALK_ROWS, rows, true);
    walk.setUint32(WALK_STOP, stop, true);
    return count;
  }
}
