export { scan, finish, move, countLines } from "../parse-scan";
export { fields, skip } from "../parse-fields";
export { values } from "../parse-values";
