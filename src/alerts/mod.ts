/**
 * Alerts: rules over figures of windows of event time, what becomes of them, and who is told.
 *
 * What holds: a rule sees the log's event time and figures alone, so a replay or a catch-up tells nobody: it begins to fire only in windows that
 * ended within its `lag` of now. Late events correct what windows said, until they are closed. Of several programs one writes each step of a rule,
 * by compare-and-set; a change and what is to be delivered of it are one transaction. Every receiver is told of every change once or more, by one
 * id, of one rule in order; on failure it is tried again for three days.
 *
 * Decision: rules are looked at from the read models every two seconds, not in the transaction that appends: ingest knows nothing of alerts and
 * waits for none of them. Price: they lag by that, and a rule over states costs what such a board does.
 */
export { faults_of, name, read_rule, type Rule, RULE_LIMITS, type RuleFault, silent_until } from "./rule.ts";
export {
  MOST_FILE_BYTES,
  read_alerts_of,
  read_json,
  read_rules_file,
  type RulesFile,
  unknown_receivers,
  WEBHOOK,
} from "./rules_file.ts";
export { type Change, PHASES } from "./machine.ts";
export { read_windows } from "./read_windows.ts";
export { AlertKeeper, type AlertsStanding, replay_rule, type Replayed, unseen_keys } from "./keeper.ts";
export { type Claimed, deliver, type Failed } from "./deliver.ts";
export {
  type AlertMessage,
  email,
  keep_delivering,
  poster,
  read_smtp_url,
  type Receiver,
  rule_words,
  told_comparison,
  webhook,
} from "./outbox.ts";
export {
  put_rule,
  read_changes,
  read_deliveries,
  read_rules,
  read_states,
  remove_rule,
  type RuleOutcome,
  silence_rule,
  write_file_rules,
} from "./store.ts";
