import { z } from "@hono/zod-openapi";
import { read_after } from "../event_log/mod.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import { EVENT, event_json } from "./event_json.ts";
import { limit, position } from "./parameters.ts";
import { answer_from_log } from "./reading.ts";
import { add_trip_list_route } from "./trip_list_route.ts";
import { add_trip_route, type TripSource } from "./trip_route.ts";

/** Adds `/api/v1/trips…` and `/api/v1/events` to the app. */
export function add_trip_routes(app: App, source: TripSource): void {
  add_trip_list_route(app, source);
  add_trip_route(app, source);
  add_events_route(app, source);
}

function add_events_route(app: App, source: TripSource): void {
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
