export { takePage, givePage } from "../pages";
export { hashBatch } from "../hash";
