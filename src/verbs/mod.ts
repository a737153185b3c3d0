/**
 * The verbs of the command line: each composes the parts below it into one run of the program, and holds no logic of its own.
 */
export { alerts_check_verb } from "./alerting.ts";
export { accept_gap_verb, watermark_verb } from "./decisions.ts";
export { dev_verb, own_shares, produce_verb } from "./generate.ts";
export { DOMAINS } from "./domains.ts";
export { daily_export_verb, publish_verb, table_export_verb } from "./exports.ts";
export {
  flink_compare_verb,
  flink_drop_verb,
  flink_savepoint_verb,
  flink_sql_verb,
  flink_status_verb,
  flink_submit_verb,
  flink_switch_verb,
} from "./flink/mod.ts";
export { forget_verb, forgettable_dimensions } from "./forget.ts";
export {
  archive_attach_verb,
  archive_list_verb,
  archive_make_verb,
  backup_verb,
  restore_verb,
  verify_archive_verb,
} from "./keeping/mod.ts";
export { open_verb } from "./open_files.ts";
export { migrate_verb, rebuild_sketches_verb, rebuild_verb } from "./migrate.ts";
export { reports_check_verb } from "./parts/mod.ts";
export { checkpoint_verb, receipt_verb } from "./proof/mod.ts";
export {
  quarantine_discard_verb,
  quarantine_list_verb,
  quarantine_retry_verb,
  quarantine_show_verb,
} from "./quarantine.ts";
export { mapping_check_verb, mapping_list_verb, mapping_show_verb, replay_verb, schema_verb } from "./records/mod.ts";
export { serve_verb } from "./serve.ts";
export { verify_verb } from "./verify.ts";
export { type Condition, run_verb, type Shell, VERSION } from "./shell.ts";
