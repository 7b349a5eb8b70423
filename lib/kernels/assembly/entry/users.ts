export { addUsers, freeUsers, sealPage, isIntact, clearSlots, countHashes } from "../users";
