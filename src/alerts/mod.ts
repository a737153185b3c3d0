/**
 * Alerts: rules over figures of windows of event time, what becomes of them, and who is told.
 *
 * What holds: a rule sees the log's event time and figures alone, so a replay or a catch-up tells nobody: it begins to fire only in windows that
 * ended within its `lag` of now. Late events correct what windows said, until they are closed.
 */
export { advance, type AlertState, begin_at, type Change, type Phase, PHASES, type WindowValue } from "./machine.ts";
export { read_rule, type ReadRule, type Rule, type RuleFault } from "./rule.ts";
export { read_windows, type RuledDomain } from "./read_windows.ts";
export { replay_rule, type Replayed, unseen_keys } from "./replay.ts";
export { MOST_FILE_BYTES, read_alerts_of, read_rules_file, type RulesFile } from "./rules_file.ts";
