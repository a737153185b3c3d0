import { z } from "@hono/zod-openapi";
import type { DomainBoard } from "../../domains/mod.ts";
import { type FeedHub, type Health, type Refusal, states_fault, window_at } from "../../feed/mod.ts";
import { closed_before, type Days, format_time } from "../../kpi/mod.ts";
import { bad_request, headers_of, problem, respond } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import { currency_parameter, filter_parameters, ORDER_PARAMETERS, read_view, SPAN_PARAMETERS } from "../parameters.ts";

/** Buffering or storing anywhere on the way would stop the stream. */
const HEADERS = headers_of({
  "content-type": "text/event-stream",
  "cache-control": "no-store, no-transform",
  "x-accel-buffering": "no",
});

const REFUSALS: Readonly<Record<Refusal, { readonly detail: string; readonly retry_s: number }>> = {
  closing: { detail: "the server is closing", retry_s: 2 },
  too_many_subscribers: { detail: "as many feeds are open as this server allows", retry_s: 30 },
  too_many_of_this_address: { detail: "as many feeds are open from this address as this server allows", retry_s: 30 },
  too_many_views: {
    detail:
      "as many distinct views are watched as this server allows; take one by event time without a filter or a fixed end",
    retry_s: 30,
  },
};

/** What the live stream is made from. */
interface FeedSource {
  readonly hub: FeedHub;
  readonly board: DomainBoard;
  readonly days: Days;
}

/** Adds `/api/v1/feed`: the live stream. */
export function add_feed_route(app: App, { hub, board, days }: FeedSource): void {
  add_endpoint(app, {
    path: "/api/v1/feed",
    summary: `The board as server-sent events: hello, kpi, ${board.lines.event}, hb, reset, bye`,
    query: {
      ...SPAN_PARAMETERS,
      ...ORDER_PARAMETERS,
      last_event_id: z.string().optional().openapi({ description: "As the header Last-Event-ID: where to go on" }),
      ...currency_parameter(board),
      ...filter_parameters(board),
    },
    params: {},
    answer: { type: "text/event-stream", schema: z.string() },
    others: { 503: "Too many feeds, or the server is closing; see Retry-After" },
    respond: (values, request, { address }) => {
      const reading = read_view(values, request, board);
      if (!reading.ok) return bad_request("the view is wrong", reading.faults);
      const fault = states_fault(reading.view, window_at(reading.view, 0, days), board);
      if (fault !== null) return bad_request("the range is too long for its filter", [fault]);
      // A HEAD request must not leave a subscriber behind.
      if (request.method === "HEAD") return respond(null, HEADERS);
      const seen = request.headers.get("last-event-id") ?? values.last_event_id ?? null;
      const subscription = hub.subscribe(reading.view, seen, address);
      if (subscription.ok) return respond(subscription.stream, HEADERS);
      const { detail, retry_s } = REFUSALS[subscription.reason];
      return problem({ status: 503, title: "Feed not available", detail, headers: { "retry-after": String(retry_s) } });
    },
  });
}

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
