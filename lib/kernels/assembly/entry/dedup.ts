export { clearTable, growTable, dedupChunk } from "../dedup";
