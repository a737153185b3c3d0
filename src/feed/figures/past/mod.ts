/** The past: what boards said as of a position of the log, from the cells of then and the states of then; and which state holds a greatest value, now and then. */
export { read_past_board } from "./board.ts";
export { board_of_then } from "./cells.ts";
export { read_greatest } from "./greatest.ts";
export * from "./items.ts";
