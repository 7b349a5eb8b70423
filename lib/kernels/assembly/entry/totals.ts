export { addTotals } from "../totals";
