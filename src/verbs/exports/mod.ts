/** Exports as verbs, and as a part of `serve`. */
export { daily_export_verb } from "./daily.ts";
export { configured_place, export_of, keep_exported, place_of } from "./follow.ts";
export { make_publisher, publish_verb, published_topics } from "./publish.ts";
export { type LogPoint, table_export_verb } from "./table.ts";
