import { z } from "@hono/zod-openapi";
import type { DomainBoard } from "../../domains/mod.ts";
import { type FeedHub, type Refusal, states_fault, window_at } from "../../feed/mod.ts";
import type { Days } from "../../kpi/mod.ts";
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
