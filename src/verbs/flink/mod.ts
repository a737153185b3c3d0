/** What the command line does with the Flink job that writes a database. */
export {
  flink_compare_verb,
  flink_drop_verb,
  flink_savepoint_verb,
  flink_status_verb,
  flink_switch_verb,
} from "./models.ts";
export { flink_sql_verb, flink_submit_verb, hash_of } from "./submit.ts";
