import { z } from "@hono/zod-openapi";
import { type FeedHub, RANGE_NAMES, type Refusal } from "../feed/mod.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import { instant } from "./parameters.ts";
import { problem } from "./problem.ts";

/** Buffering or storing anywhere on the way would stop the stream. */
const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store, no-transform",
  "x-accel-buffering": "no",
};

const REFUSALS: Readonly<Record<Refusal, { readonly detail: string; readonly retry_s: number }>> = {
  closing: { detail: "the server is closing", retry_s: 2 },
  too_many_subscribers: { detail: "as many feeds are open as this server allows", retry_s: 30 },
  too_many_of_this_address: { detail: "as many feeds are open from this address as this server allows", retry_s: 30 },
  too_many_views: {
    detail: "as many distinct views are watched as this server allows; take one without a fixed end",
    retry_s: 30,
  },
};

/** Adds `/api/v1/feed`: the live stream. */
export function add_feed_route(app: App, hub: FeedHub): void {
  add_endpoint(app, {
    path: "/api/v1/feed",
    summary: "The board as server-sent events: hello, kpi, trip, hb, reset, bye",
    query: { range: z.enum(RANGE_NAMES).default("1h"), to: instant.optional(), last_event_id: z.string().optional() },
    params: {},
    answer: { type: "text/event-stream", schema: z.string() },
    others: { 503: "Too many feeds, or the server is closing; see Retry-After" },
    respond: ({ range, to, last_event_id }, request, { address }) => {
      // A HEAD request must not leave a subscriber behind.
      if (request.method === "HEAD") return new Response(null, { headers: HEADERS });
      const to_s = to === undefined ? null : to / 1e6;
      const seen = request.headers.get("last-event-id") ?? last_event_id ?? null;
      const subscription = hub.subscribe({ range, to_s, filter: [], compare: "weekday" }, seen, address);
      if (subscription.ok) return new Response(subscription.stream, { headers: HEADERS });
      const { detail, retry_s } = REFUSALS[subscription.reason];
      return problem({ status: 503, title: "Feed not available", detail, headers: { "retry-after": String(retry_s) } });
    },
  });
}
