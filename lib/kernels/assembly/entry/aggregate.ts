export { aggregateBatch, freeGroups, growTable, resetTable } from "../aggregate";
export { fillRun, sealTable } from "../sort";
export { listRows, sampleKeys, sampleRows, scatterWinners, setPrefix } from "../ranges";
export { giveChain, givePage } from "../pages";
