import { z } from "@hono/zod-openapi";
import type { Health } from "../../feed/mod.ts";
import { closed_before, format_time } from "../../kpi/mod.ts";
import { respond } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";

/** How far event time has come, in the log and in each partition that events were admitted from, microseconds. */
export interface Watermarks {
  /** Null: the log has no event. */
  readonly watermark_us: number | null;
  readonly partitions: readonly { readonly topic: string; readonly partition: number; readonly watermark_us: number }[];
}

/** What is known of a domain at work, without asking the database anew. */
export interface HealthSource {
  readonly standing: () => { readonly health: Health } & Watermarks;
}

const LATE =
  "Late is an event whose message came after the log's watermark had closed its minute, whatever partition " +
  "it is of: the newest time of all its message's events lies before `late_before`";

/** Adds `/api/v1/health` to the app. */
export function add_health_route(app: App, source: HealthSource): void {
  add_endpoint(app, {
    path: "/api/v1/health",
    summary: "What the page says of ingest and database, and how far event time has come in each partition",
    query: {},
    params: {},
    answer: {
      type: "application/json",
      schema: z.looseObject({
        watermark: z.string().nullable().describe("The newest event time of the log"),
        late_before: z.string().nullable().describe(LATE),
        partitions: z.array(z.object({
          topic: z.string(),
          partition: z.number(),
          watermark: z.string().describe("The newest event time that was admitted from it"),
          behind_s: z.number().describe("How far that lies behind the log's"),
          late: z.boolean().describe("What it brings next counts as late, unless it is newer than `late_before`"),
        })).describe("At most 1,000, those furthest back first"),
      }).openapi("Health"),
    },
    respond: () => {
      const { health, watermark_us, partitions } = source.standing();
      const late_before_us = watermark_us === null ? null : closed_before(watermark_us);
      const text = (us: number | null) => us === null ? null : format_time(us);
      const body = {
        ...health,
        watermark: text(watermark_us),
        late_before: text(late_before_us),
        partitions: partitions.map(({ topic, partition, watermark_us: own_us }) => ({
          topic,
          partition,
          watermark: format_time(own_us),
          behind_s: Math.max(0, (watermark_us ?? own_us) - own_us) / 1e6,
          late: late_before_us !== null && own_us < late_before_us,
        })),
      };
      return respond(JSON.stringify(body), { "content-type": "application/json", "cache-control": "no-store" });
    },
  });
}
