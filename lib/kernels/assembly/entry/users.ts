export { addUsers, moveUsers } from "../users";
