export { mergeColumns, mergeRows } from "../merge";
export { startMerge } from "../merge-tree";
