/** Alerts: the rules of the configuration, and what they would have done. */
export { alerts_check_verb } from "./check.ts";
