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
export { email, read_smtp_url } from "./email.ts";
export { AlertKeeper, type AlertsStanding } from "./keeper.ts";
export { advance, type AlertState, begin_at, type Change, type Phase, PHASES, type WindowValue } from "./machine.ts";
export { type AlertMessage, message_of, rule_words } from "./message.ts";
export { keep_delivering, type Receiver } from "./outbox.ts";
export { read_windows, type RuledDomain } from "./read_windows.ts";
export { replay_rule, type Replayed, unseen_keys } from "./replay.ts";
export { place_of, read_rule, type ReadRule, type Rule, RULE_LIMITS, type RuleFault } from "./rule.ts";
export { MOST_FILE_BYTES, read_alerts_of, read_rules_file, type RulesFile, unknown_receivers } from "./rules_file.ts";
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
export { signature_of, webhook } from "./webhook.ts";
