export { takePage, givePage } from "../pages";
