/** Alerts: the rules of the configuration, what they would have done, and what looks at them while a domain is served. */
export { alerts_check_verb } from "./check.ts";
export { type Alerting, alerting_of, domain_alerts, type DomainAlerts } from "./keep.ts";
