/**
 * What the kernel keeps of the totals of a result (assembly/totals.ts and its twin).
 *
 *   +0 sum: i128 in two halves, the low one first, since it was last cleared   +16 most: i64, the largest total of the last call
 *   +24 bounds: 65 u64, by leading zeros: a total's size that is this or more is above the bound between two buckets
 *   +544 above 0 and 0: 130 u32, rows by class   +1064 below 0: 130 u32
 *
 * The class of a size: its leading zeros times 2, and 1 more if it is above the bound.
 */
export const TOTALS_SUM = 0;
export const TOTALS_MOST = 16;
export const TOTALS_BOUNDS = 24;
export const TOTALS_POSITIVE = 544;
export const TOTALS_NEGATIVE = 1064;
export const TOTALS_CLASSES = 130;
export const TOTALS_BYTES = 1584;
