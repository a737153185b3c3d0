import { z } from "@hono/zod-openapi";
import type { DomainBoard } from "../../domains/mod.ts";
import { type FeedHub, type Health, type Refusal, states_fault, window_at } from "../../feed/mod.ts";
import { closed_before, type Days, format_time, time_or_null } from "../../kpi/mod.ts";
import { bad_request, headers_of, problem, respond } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import { LEAST_SCORE, type Unusual, WEEKS } from "../../unusual/mod.ts";
import {
  currency_parameter,
  currency_schema,
  filter_parameters,
  ORDER_PARAMETERS,
  read_view,
  said_currency,
  SPAN_PARAMETERS,
} from "../parameters.ts";

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
      const body = {
        ...health,
        watermark: time_or_null(watermark_us),
        late_before: time_or_null(late_before_us),
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

/** What the unusual of a domain is told from. */
export interface UnusualSource {
  readonly board: DomainBoard;
  /** What was seen last: nothing is read for an answer. */
  readonly unusual: () => Unusual;
}

const OF_KEY = {
  dimension: z.string().nullable().describe("Null: all together"),
  key: z.string().nullable(),
  seen: z.number(),
  expected: z.number().describe("The median of what it is held against"),
};

const unusual_schema = (board: DomainBoard) =>
  z.object({
    closed: z.string().nullable().describe(
      "Up to when events are looked at that are closed; null: nothing was looked at",
    ),
    against: z.enum(["weeks", "day", "nothing"]).describe(
      "What it is held against: the same time of weeks before; the day before, where the log has too few weeks; nothing, and then nothing is unusual",
    ),
    weeks: z.number().describe(`Weeks before that the log has, of at most ${WEEKS.most}`),
    least_weeks: z.number(),
    least_score: z.number(),
    keys: z.number().describe("Keys that are looked at"),
    left_out: z.number().describe("Keys that are not, for their dimension has more than are looked at"),
    ...currency_schema(board),
    items: z.array(z.object({
      figure: z.string(),
      label: z.string(),
      ...OF_KEY,
      score: z.number().describe("How many times as far as is usual it lies above what is usual; below 0: under it"),
      from: z.string().describe("Since when; an hour before `to`: or longer"),
      to: z.string(),
      share: z.number().nullable().describe("How much of the difference of all together is its own, 0 to 1"),
      explained_by: z.array(z.object({ ...OF_KEY, share: z.number() })).describe(
        "Keys of other dimensions that have more of the difference than they have of the whole",
      ),
    })),
  }).openapi("Unusual");

/** Adds `/api/v1/unusual`: which keys have more or less of something than is usual at this time of the week. */
export function add_unusual_route(app: App, { board, unusual }: UnusualSource): void {
  const of = ({ dimension, key }: { readonly dimension: string; readonly key: string }) =>
    dimension === board.whole.dimension ? { dimension: null, key: null } : { dimension, key };
  const label = (name: string) =>
    board.words.cards.find((card) => (card.figure ?? card.name) === name)?.label ?? name.replaceAll("_", " ");
  add_endpoint(app, {
    path: "/api/v1/unusual",
    summary: "What is more or less than usual at this time of the week, since when, and which keys explain it",
    query: {},
    params: {},
    answer: { type: "application/json", schema: unusual_schema(board) },
    respond: () => {
      const { closed_us, against, weeks, keys, left_out, items } = unusual();
      const body: z.output<ReturnType<typeof unusual_schema>> = {
        closed: closed_us === null ? null : format_time(closed_us),
        ...{ against, weeks, least_weeks: WEEKS.least, least_score: LEAST_SCORE, keys, left_out },
        ...said_currency(board),
        items: items.map(({ figure, from_us, to_us, seen, expected, score, share, explained_by, ...item }) => ({
          ...{ figure, label: label(figure), ...of(item), seen, expected, score },
          ...{ from: format_time(from_us), to: format_time(to_us), share },
          explained_by: explained_by.map((each) => ({ ...each, ...of(each) })),
        })),
      };
      return respond(JSON.stringify(body), { "content-type": "application/json", "cache-control": "no-store" });
    },
  });
}
