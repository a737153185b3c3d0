/** The past: what boards said as of a position of the log, from the cells of then and the states of then. */
export { read_past_board } from "./board.ts";
export { board_of_then } from "./cells.ts";
