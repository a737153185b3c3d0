/**
 * The parts of a program that serves, one for each of its domains: what feeds it, what works on its log, and how it is.
 */
export { type JobProgress, read_progress, waiting_messages } from "./flink_watch.ts";
export { with_others } from "./health_watch.ts";
export { ended, mapped_topics, no_feeding, open_part, type Part, type Reading, type ServeOptions } from "./part.ts";
export { zones_of } from "./zones.ts";
export { reporting_of, reports_check_verb } from "./reporting.ts";
