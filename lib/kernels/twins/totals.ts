/** Contract and plain twin of the kernel that looks at the totals of a result. Layout: ../totals-layout.ts. */
import type { LinearMemory } from '../linear-memory.ts';
import { TOTALS_BOUNDS, TOTALS_BYTES, TOTALS_MOST, TOTALS_NEGATIVE, TOTALS_POSITIVE, TOTALS_SUM } from '../totals-layout.ts';

export interface TotalsKernel {
  /** Adds `rows` totals, an i64 each: to the sum, to the rows of their classes; and finds the largest of them, of none -2^63. */
  addTotals(state: number, totals: number, rows: number): void;
}

export function createTotalsTwin(memory: LinearMemory): TotalsKernel {
  return {
    addTotals(at, totals, rows) {
      const state = memory.view(at, TOTALS_BYTES);
      let sum = state.getBigUint64(TOTALS_SUM, true) | (state.getBigInt64(TOTALS_SUM + 8, true) << 64n);
      let most = -(2n ** 63n);
      for (let row = 0; row < rows; row++) {
        const total = memory.view(totals + row * 8, 8).getBigInt64(0, true);
        sum += total;
        if (total > most) most = total;
        const size = total < 0n ? -total : total;
        const zeros = size === 0n ? 64 : 64 - size.toString(2).length;
        const isAbove = size >= state.getBigUint64(TOTALS_BOUNDS + zeros * 8, true);
        const count = (total < 0n ? TOTALS_NEGATIVE : TOTALS_POSITIVE) + (zeros * 2 + Number(isAbove)) * 4;
        state.setUint32(count, state.getUint32(count, true) + 1, true);
      }
      state.setBigUint64(TOTALS_SUM, BigInt.asUintN(64, sum), true);
      state.setBigInt64(TOTALS_SUM + 8, sum >> 64n, true);
      state.setBigInt64(TOTALS_MOST, most, true);
    },
  };
}
