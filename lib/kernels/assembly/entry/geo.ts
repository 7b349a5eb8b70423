export { buildTable, markRecords, rankRecords } from "../geo-build";
export { lookupBatch } from "../geo-lookup";
