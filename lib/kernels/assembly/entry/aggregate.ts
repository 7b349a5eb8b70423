export { aggregateBatch, freeGroups, growTable, resetTable } from "../aggregate";
export { fillRun, sealTable } from "../sort";
