export { packRows, unpackBlocks } from "../run-blocks";
