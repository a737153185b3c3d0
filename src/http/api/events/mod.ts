/** Events as they are: posted by producers, and read by whoever follows the log. */
export { add_event_intake_route, event_bodies, type EventIntake } from "./intake_route.ts";
export { add_events_route, type EventsSource } from "./log_route.ts";
export { EVENT, event_json, EVENT_LIMITS } from "./readers.ts";
