/**
 * Records of files and topics on their way to events: which mapping reads them, by which tables, what a check of a sample says, and replays of
 * files to a topic or into the log.
 */
export { mapping_check_verb } from "./mapping_check.ts";
export {
  builtin_mappings,
  mapping_list_verb,
  mapping_show_verb,
  schema_verb,
  topic_mappings,
  type TopicsMapped,
} from "./mappings.ts";
export { read_beside, replay, replay_verb, type ReplayOptions, zone_of_files } from "./replay.ts";
export { page_address, replay_words, type ReplaySummary, throw_if_refused } from "./replay_summary.ts";
