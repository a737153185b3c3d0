import { z } from "@hono/zod-openapi";
import type { Database } from "../database/mod.ts";
import { read_after, read_at } from "../event_log/mod.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import { EVENT, event_json } from "./event_json.ts";
import { cursor, format_cursor, limit, position } from "./parameters.ts";
import { not_found } from "./problem.ts";
import { answer_from_log } from "./reading.ts";
import { TRIP, trip_json, TRIP_SELECT } from "./trip_json.ts";

/** How much of the log one page of trips looks through: a filter that fits little gives short pages, never slow ones. */
const SCAN = 5_000;

interface LogSource {
  readonly database: Database;
  readonly build: string;
}

/** Adds `/api/v1/trips…` and `/api/v1/events` to the app. */
export function add_trip_routes(app: App, source: LogSource): void {
  add_trip_list_route(app, source);
  add_trip_route(app, source);
  add_events_route(app, source);
}

/**
 * Trips by their newest event, newest first. The log's primary key is the order: a trip stands where its last event
 * stands, so no further index is kept. A trip that changes while somebody pages moves to the front.
 */
function add_trip_list_route(app: App, source: LogSource): void {
  add_endpoint(app, {
    path: "/api/v1/trips",
    summary: "Trips, the one with the newest event first; a page may be short, the last one has no next_cursor",
    query: {
      limit: limit(500, 50),
      cursor: cursor.optional(),
      status: z.enum(["requested", "in_progress", "completed", "canceled"]).optional(),
      city: z.string().min(1).optional(),
    },
    params: {},
    answer: {
      type: "application/json",
      schema: z.object({ trips: z.array(TRIP), next_cursor: z.string().nullable() }).openapi("TripPage"),
    },
    respond: ({ limit: most, cursor: before, status, city }, request) =>
      answer_from_log(request, source, async (transaction, head) => {
        const end = before === undefined ? head.position : Math.min(before - 1, head.position);
        const start = Math.max(end - SCAN, 0);
        const rows = await transaction.query({
          name: "api_trips",
          text: `select ${TRIP_SELECT} from events join trips on trips.trip_id = events.stream_id
                 where events.position > $1 and events.position <= $2
                   and trips.positions[cardinality(trips.positions)] = events.position
                   and ($3::text is null or trips.status = $3) and ($4::text is null or trips.city = $4)
                 order by events.position desc limit $5`,
        }, [start, end, status ?? null, city ?? null, most]);
        const trips = rows.map(trip_json);
        const last = trips.length === most ? Number(trips.at(-1)?.position) : start + 1;
        return JSON.stringify({ trips, next_cursor: last > 1 ? format_cursor(last) : null });
      }),
  });
}

function add_trip_route(app: App, source: LogSource): void {
  add_endpoint(app, {
    path: "/api/v1/trips/{id}",
    summary: "One trip and its events, in the order in which they arrived",
    query: {},
    params: { id: z.string().min(1).max(200) },
    answer: { type: "application/json", schema: TRIP.extend({ events: z.array(EVENT) }).openapi("TripWithEvents") },
    others: { 404: "No event of that trip has arrived" },
    respond: ({ id }, request) =>
      answer_from_log(request, source, async (transaction) => {
        const [row] = await transaction.query<{ all_positions: readonly (string | number)[] }>(
          `select ${TRIP_SELECT}, trips.positions as all_positions from trips where trip_id = $1`,
          [id],
        );
        if (row === undefined) return not_found(`no trip ${JSON.stringify(id)}`);
        const events = await read_at(transaction, row.all_positions.map(Number));
        return `${JSON.stringify(trip_json(row)).slice(0, -1)},"events":[${events.map(event_json).join(",")}]}`;
      }),
  });
}

function add_events_route(app: App, source: LogSource): void {
  add_endpoint(app, {
    path: "/api/v1/events",
    summary: "The event log in order of position",
    query: { after: position.default(0), limit: limit(1_000, 100) },
    params: {},
    answer: {
      type: "application/json",
      schema: z.object({ log_id: z.string(), position: z.number(), next_after: z.number(), events: z.array(EVENT) })
        .openapi("EventPage"),
    },
    respond: ({ after, limit: most }, request) =>
      answer_from_log(request, source, async (transaction, head) => {
        const events = await read_after(transaction, after, most);
        const next_after = events.at(-1)?.position ?? after;
        const page = JSON.stringify({ log_id: head.log_id, position: head.position, next_after });
        return `${page.slice(0, -1)},"events":[${events.map(event_json).join(",")}]}`;
      }),
  });
}
