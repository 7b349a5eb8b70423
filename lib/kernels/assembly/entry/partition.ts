export { takePage, givePage, giveChain } from "../pages";
export { hashBatch, hashSpan } from "../hash";
export { scatterBatch, sealStore } from "../scatter";
