// What is told of the totals of a result: their sum, the largest, how they are distributed. One pass, and no branch that depends on the size.
// Layout: ../totals-layout.ts; what the functions promise: TotalsKernel in ../twins/totals.ts.
import { TOTALS_BOUNDS, TOTALS_MOST, TOTALS_NEGATIVE, TOTALS_POSITIVE, TOTALS_SUM } from "../totals-layout";

export function addTotals(state: u32, totals: u32, rows: u32): void {
  let low = load<u64>(state, TOTALS_SUM);
  let high = load<i64>(state, TOTALS_SUM + 8);
  let most = i64.MIN_VALUE;
  for (let at = totals, end = totals + (rows << 3); at < end; at += 8) {
    const total = load<i64>(at);
    const before = low;
    low += <u64>total;
    high += (total >> 63) + i64(low < before);
    most = select(total, most, total > most);
    const sign = total >> 63;
    const size = <u64>((total ^ sign) - sign);
    const zeros = <u32>clz(size);
    const above = u32(size >= load<u64>(state + (zeros << 3), TOTALS_BOUNDS));
    const count = state + (sign ? TOTALS_NEGATIVE : TOTALS_POSITIVE) + (((zeros << 1) | above) << 2);
    store<u32>(count, load<u32>(count) + 1);
  }
  store<u64>(state, low, TOTALS_SUM);
  store<i64>(state, high, TOTALS_SUM + 8);
  store<i64>(state, most, TOTALS_MOST);
}
