/**
 * HTTP: the page, the API, the feed, the probes.
 *
 * What holds: every answer carries the security headers; every error is an RFC 9457 problem; whatever reads the log reads
 * one snapshot and carries its position as entity tag. With a token, `/api` and `/metrics` answer to its holders only.
 *
 * Events may be posted by holders of the token alone, never by a session or for want of a token.
 *
 * Every request is held against its rules (`refuse_request`) first, every body read by `bodies.ts`, every reader of the database let in by the gate.
 * Deno's server has no timeouts of its own, for heads and for connections that linger: anything exposed belongs behind a reverse proxy
 * (docs/nginx.conf).
 */
export { board_answers, type Handler, make_app, type ServedDomain, type SharedDeps } from "./app.ts";
export { read_query } from "./parameters.ts";
export { EVENT_LIMITS, type EventIntake, type FoundEvents, type SoughtStream, type Watermarks } from "./api/mod.ts";
export { make_metrics, type MetricsReading } from "./metrics.ts";
export type { ReadinessCheck } from "./operation_routes.ts";
export { serve_http, type Served } from "./serve.ts";
export { make_static_files } from "./static_files.ts";
export { ASSETS } from "./assets.ts";
