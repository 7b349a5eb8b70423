/** What the twins of dedup and of pages of ids know of a table of ids. Layout: dedup-layout.ts. */
import {
  SLOT_BYTES, TABLE_BITS, TABLE_BYTES, TABLE_FACTOR0, TABLE_FACTOR1, TABLE_HAS_ZERO, TABLE_SLOTS, TABLE_USED,
} from '../dedup-layout.ts';
import type { LinearMemory } from '../linear-memory.ts';

export interface IdTables {
  /** Header of the table at an address; what all else takes. */
  tableAt(table: number): DataView;
  /** The slot that holds the id, or the empty one where it belongs; and whether it holds it. */
  find(table: DataView, lo: bigint, hi: bigint): { slot: DataView; found: boolean };
  slotAt(table: DataView, index: number): DataView;
  idIn(slot: DataView): [lo: bigint, hi: bigint];
  setId(slot: DataView, lo: bigint, hi: bigint): void;
  /** Whether the id is in the table; if not, and `insert`, it is from now on. */
  has(table: DataView, lo: bigint, hi: bigint, insert: boolean): boolean;
}

export function idTables(memory: LinearMemory): IdTables {
  return { tableAt: (table) => memory.view(table, TABLE_BYTES), find, slotAt, idIn, setId, has };

  function find(table: DataView, lo: bigint, hi: bigint): { slot: DataView; found: boolean } {
    const bits = table.getUint32(TABLE_BITS, true);
    const factor0 = table.getBigUint64(TABLE_FACTOR0, true);
    const h = BigInt.asUintN(64, lo * factor0 + hi * table.getBigUint64(TABLE_FACTOR1, true));
    let index = Number(BigInt.asUintN(64, (h ^ (h >> 32n)) * factor0) >> BigInt(64 - bits));
    for (; ; index = (index || 2 ** bits) - 1) {
      const slot = slotAt(table, index);
      const [slotLo, slotHi] = idIn(slot);
      if (slotLo === lo && slotHi === hi) return { slot, found: true };
      if (slotLo === 0n && slotHi === 0n) return { slot, found: false };
    }
  }

  function slotAt(table: DataView, index: number): DataView {
    return memory.view(table.getUint32(TABLE_SLOTS, true) + index * SLOT_BYTES, SLOT_BYTES);
  }

  function idIn(slot: DataView): [lo: bigint, hi: bigint] {
    return [slot.getBigUint64(0, true), slot.getBigUint64(8, true)];
  }

  function setId(slot: DataView, lo: bigint, hi: bigint): void {
    slot.setBigUint64(0, lo, true);
    slot.setBigUint64(8, hi, true);
  }

  function has(table: DataView, lo: bigint, hi: bigint, insert: boolean): boolean {
    if (lo === 0n && hi === 0n) {
      const known = table.getUint32(TABLE_HAS_ZERO, true) === 1;
      if (insert) table.setUint32(TABLE_HAS_ZERO, 1, true);
      return known;
    }
    const { slot, found } = find(table, lo, hi);
    if (!found && insert) {
      setId(slot, lo, hi);
      table.setUint32(TABLE_USED, table.getUint32(TABLE_USED, true) + 1, true);
    }
    return found;
  }
}
