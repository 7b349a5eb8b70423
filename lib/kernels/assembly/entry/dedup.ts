export { clearTable, growTable, dedupChunk, probeChunk } from "../dedup";
