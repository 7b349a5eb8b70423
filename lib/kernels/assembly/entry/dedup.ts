export { clearTable, growTable, dedupChunk, probeChunk } from "../dedup";
export { takeIds, splitIds, packIds, isIdPage, loadIds, unpackIds } from "../id-pages";
