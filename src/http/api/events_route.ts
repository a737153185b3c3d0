import { z } from "@hono/zod-openapi";
import type { Database } from "../../database/mod.ts";
import { read_after, type RecordedEvent } from "../../event_log/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import { limit, position } from "../parameters.ts";
import { answer_from_log } from "../reading.ts";

/** A recorded event as the API gives it. */
export const EVENT = z.object({
  position: z.number(),
  stream_id: z.string(),
  revision: z.number(),
  event_id: z.string(),
  type: z.string(),
  schema_version: z.number(),
  occurred_at: z.string(),
  recorded_at: z.string(),
  data: z.record(z.string(), z.unknown()),
  metadata: z.record(z.string(), z.unknown()),
}).openapi("RecordedEvent");

/** Writes an event as JSON. Data and metadata go through as the log has them: parsing would round long numbers. */
export function event_json(event: RecordedEvent): string {
  const { position, stream_id, revision, event_id, type, schema_version } = event;
  const occurred_at = format_time(event.occurred_at_us), recorded_at = format_time(event.recorded_at_us);
  const plain = { position, stream_id, revision, event_id, type, schema_version, occurred_at, recorded_at };
  return `${JSON.stringify(plain).slice(0, -1)},"data":${event.data},"metadata":${event.metadata}}`;
}

/** Adds `/api/v1/events` to the app. */
export function add_events_route(
  app: App,
  source: { readonly database: Database; readonly build: string },
): void {
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
