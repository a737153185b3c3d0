/**
 * The arithmetic of KPIs, pure: event time, windows, contributions and the changes they make in cells.
 *
 * Decisions: event time is microseconds in a `number` (exact until 2255, half the price of a bigint); sums are `number`
 * with an exact bigint spill; minutes and hours are aligned to UTC, days to the business time zone.
 */
export * from "./cell_changes.ts";
export * from "./contribution.ts";
export * from "./event_time.ts";
export * from "./windows.ts";
