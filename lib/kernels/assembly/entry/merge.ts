export { mergeColumns, mergeRows, rowsOfColumns } from "../merge";
export { startMerge } from "../merge-tree";
