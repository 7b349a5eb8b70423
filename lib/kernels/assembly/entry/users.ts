export { addUsers, countUsers } from "../users";
