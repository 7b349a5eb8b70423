export { buildTable, markRecords } from "../geo-build";
export { lookupBatch } from "../geo-lookup";
