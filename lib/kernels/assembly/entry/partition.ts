export { takePage, givePage, giveChain } from "../pages";
export { hashBatch, hashSpan } from "../hash";
export { scatterBatch, scatterRows, sealStore } from "../scatter";
export { packChain, recyclePages, checkPages } from "../spill-pages";
export { listSegments } from "../segment-list";
