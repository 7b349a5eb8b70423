export { scan, finish, countLines } from "../parse-scan";
export { fields, skip } from "../parse-fields";
export { values } from "../parse-values";
