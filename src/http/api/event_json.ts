import { z } from "@hono/zod-openapi";
import type { RecordedEvent } from "../../event_log/mod.ts";
import { format_time } from "../../kpi/mod.ts";

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
