/**
 * The feed: the read models as a live stream of server-sent events.
 *
 * What holds: values are absolute, so a frame may come twice; a subscriber that was away, or slow, ends with the columns
 * of a fresh one; nobody is queued for; equal views share one reading and the same bytes.
 *
 * Decisions: the hub is our own and not a framework's (4,000 subscribers of 1 KB at 4 Hz: 16 % of a core against 59 %, and
 * write errors are not hidden). What changed since a position is told by the cells' `last_position`, so no history is kept.
 */
export type { Board, Breakdown, BreakdownRow, Cards, ComparedCards, Line, Reading, Series, Watched } from "./board.ts";
export * from "./breakdown.ts";
export * from "./comparison.ts";
export type { BoardFigure, DomainBoard, QuantileFigure } from "./domain_board.ts";
export * from "./figure.ts";
export * from "./filter.ts";
export { board_data, type FeedSettings, format_event_id, parse_event_id } from "./frame.ts";
export { type Greatest, read_greatest } from "./greatest.ts";
export type { DatabaseHealth, Health } from "./health.ts";
export * from "./hub.ts";
export * from "./measures.ts";
export * from "./quantiles.ts";
export { read_boards, type SnapshotSource } from "./snapshot.ts";
export * from "./source.ts";
export { past_states, type PastStates } from "./past_states.ts";
export * from "./states_board.ts";
export { filter_sql, Parameters, present_states, type StatesRelation } from "./states_relation.ts";
export { tile } from "./tiles.ts";
export * from "./view.ts";
export * from "./whole_board.ts";
