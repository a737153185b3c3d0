/**
 * The API of a domain: its board and figures, its streams and their events, its feed, and what is posted to it.
 *
 * Everything follows from what the domain declares: names, words, schemas and which routes there are. Paths are those of a domain at the
 * root; the app that routes are added to puts its base before them.
 */
export { add_alerts_routes, type AlertsSource } from "./alerts_route.ts";
export { add_board_routes, type BoardSource } from "./board_route.ts";
export { add_breakdown_route } from "./breakdown_route.ts";
export { add_entity_routes, type EntitySource } from "./entity_routes.ts";
export { add_event_intake_route, event_bodies, type EventIntake } from "./event_intake_route.ts";
export { EVENT_LIMITS } from "./event_readers.ts";
export { add_events_route, type EventsSource } from "./events_route.ts";
export { add_feed_route, add_health_route, type HealthSource, type Watermarks } from "./live_routes.ts";
export { add_kpi_routes } from "./kpi_routes.ts";
export { add_map_route } from "./map_route.ts";
export { add_stream_route, type StreamSource, title } from "./stream_route.ts";
export { add_stream_list_route } from "./stream_list_route.ts";
