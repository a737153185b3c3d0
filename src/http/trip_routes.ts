import { z } from "@hono/zod-openapi";
import { read_after } from "../event_log/mod.ts";
import { type DomainBoard, filter_sql, Parameters } from "../feed/mod.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import { EVENT, event_json } from "./event_json.ts";
import { filter_parameters, requested_filter } from "./filter_parameters.ts";
import { cursor, format_cursor, limit, position } from "./parameters.ts";
import { answer_from_log } from "./reading.ts";
import { STATUS, TRIP, trip_json, TRIP_SELECT } from "./trip_json.ts";
import { add_trip_route, type TripSource } from "./trip_route.ts";

/** How much of the log one page of trips looks through: a filter that fits little gives short pages, never slow ones. */
const SCAN = 5_000;

interface LogSource extends TripSource {
  readonly board: DomainBoard;
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
  const { board } = source;
  add_endpoint(app, {
    path: "/api/v1/trips",
    summary: "Trips, the one with the newest event first; a page may be short, the last one has no next_cursor",
    // Filters are named as everywhere; `requested_filter` reads them.
    query: {
      limit: limit(500, 50),
      cursor: cursor.optional(),
      ...filter_parameters(board),
      status: z.array(STATUS).optional(),
      not_status: z.array(STATUS).optional(),
    },
    params: {},
    answer: {
      type: "application/json",
      schema: z.object({ trips: z.array(TRIP), next_cursor: z.string().nullable() }).openapi("TripPage"),
    },
    respond: ({ limit: most, cursor: before }, request) => {
      const filter = requested_filter(request, board);
      if (filter instanceof Response) return filter;
      return answer_from_log(request, source, async (transaction, head) => {
        const end = before === undefined ? head.position : Math.min(before - 1, head.position);
        const start = Math.max(end - SCAN, 0);
        const parameters = new Parameters([start, end, most]);
        const rows = await transaction.query(
          `select ${TRIP_SELECT} from events join trips states on states.trip_id = events.stream_id
           where events.position > $1 and events.position <= $2
             and states.positions[cardinality(states.positions)] = events.position
             and ${filter_sql(board, filter, parameters)}
           order by events.position desc limit $3`,
          parameters.values,
        );
        const trips = rows.map(trip_json);
        const last = trips.length === most ? Number(trips.at(-1)?.position) : start + 1;
        return JSON.stringify({ trips, next_cursor: last > 1 ? format_cursor(last) : null });
      });
    },
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
