/**
 * The API of a domain: its board and figures, its streams and their events, its feed, and what is posted to it.
 *
 * Everything follows from what the domain declares: names, words, schemas and which routes there are. Paths are those of a domain at the
 * root; the app that routes are added to puts its base before them.
 */
export { add_alerts_routes, type AlertsSource } from "./alerts_route.ts";
export { add_board_routes } from "./board_route.ts";
export { add_breakdown_route, add_keys_route } from "./breakdown_route.ts";
export { add_entity_routes, add_search_route, type EntitySource } from "./entity_routes.ts";
export {
  add_event_intake_route,
  add_events_route,
  event_bodies,
  EVENT_LIMITS,
  type EventIntake,
  type EventsSource,
} from "./events/mod.ts";
export {
  add_feed_route,
  add_health_route,
  add_unusual_route,
  type HealthSource,
  type UnusualSource,
  type Watermarks,
} from "./live_routes.ts";
export { add_items_route } from "./items_route.ts";
export { add_kpi_routes } from "./kpi_routes.ts";
export { add_map_route } from "./map_route.ts";
export { add_saved_routes, type SavedSource } from "./saved_routes.ts";
export { add_segments_route } from "./segments_route.ts";
export { add_stream_route, type FoundEvents, type SoughtStream, type StreamSource, title } from "./stream_route.ts";
export { add_stream_list_route } from "./stream_list_route.ts";
export type { BoardSource } from "./then_answers.ts";
export { add_unusual_items_route } from "./unusual_items_route.ts";
