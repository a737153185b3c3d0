import { z } from "@hono/zod-openapi";
import { blames_no_data, type Database } from "../../../database/mod.ts";
import type { Head } from "../../../event_log/mod.ts";
import type { Logger } from "../../../runtime/mod.ts";
import { bad_request, headers_of, problem, respond } from "../../answers.ts";
import { add_endpoint, type App } from "../../endpoint.ts";
import { answer_tagged, Busy, etag_of } from "../../reading.ts";
import { limit, position } from "../../parameters.ts";
import { EVENT, type EventLimits, type EventPage, type EventPlace, EventReaders, type LogChanges } from "./readers.ts";

/** What the log is told from. */
export interface EventsSource {
  readonly database: Database;
  readonly build: string;
  readonly logger: Logger;
  /** What its events may be. */
  readonly event_types: readonly string[];
  readonly changes: LogChanges;
  readonly event_limits?: EventLimits;
}

/** The longest that an answer is waited for. */
const LONGEST_WAIT_S = 30;
const FORMATS = ["ndjson", "sse"] as const;
type Format = typeof FORMATS[number];

/** Buffering or storing anywhere on the way would stop a stream. */
const HEADERS = {
  ndjson: stream_headers("application/x-ndjson"),
  sse: stream_headers("text/event-stream"),
};

/**
 * Adds `/api/v1/events`: the log in order of position, as a page, as a page that waits until there is something (`wait`), or as a stream that
 * goes on (`follow`). Whoever goes on after the position that it has come to sees each event once, in order, whatever ended or was restarted.
 */
export function add_events_route(app: App, source: EventsSource): void {
  const { event_types, changes } = source;
  const readers = new EventReaders(source.database, changes, source.event_limits);
  add_endpoint(app, {
    path: "/api/v1/events",
    summary: "The event log in order of position: a page, with `wait` once there is something, with `follow` a stream",
    query: {
      after: position.default(0),
      limit: limit(1_000, 100),
      type: z.array(z.enum(event_types as [string, ...string[]])).optional().openapi({
        description: "Events of these types alone; may be repeated",
      }),
      wait: z.coerce.number().min(0).max(LONGEST_WAIT_S).default(0).openapi({
        description: "So many seconds at most it is waited for an event, where there is none yet",
      }),
      follow: z.enum(FORMATS).optional().openapi({
        description: "A stream without end: JSON by lines, or server-sent events",
      }),
      log_id: z.string().optional().openapi({ description: "Of the log that `after` is of; another one is refused" }),
      last_event_id: z.string().optional().openapi({
        description: "As the header Last-Event-ID, of `follow=sse`: where to go on, in place of `after`",
      }),
    },
    params: {},
    answer: {
      type: "application/json",
      schema: z.object({
        log_id: z.string(),
        position: z.number().openapi({ description: "Where the log ends" }),
        next_after: z.number().openapi({ description: "Where to go on: none of those asked for lies before it" }),
        events: z.array(EVENT),
      }).openapi("EventPage"),
    },
    others: { 503: "It took too long, or too many follow the log; see Retry-After" },
    respond: async ({ after: given, limit, type: types = null, wait, follow, log_id, last_event_id }, request) => {
      const resumed = follow === "sse" ? request.headers.get("last-event-id") ?? last_event_id ?? null : null;
      const place = resumed === null ? { log_id: log_id ?? null, after: given } : read_event_id(resumed);
      if (place === null) {
        return wrong("last_event_id", `expected an id of this stream, got ${JSON.stringify(resumed)}`);
      }
      const { after } = place, { page_bytes: bytes, piece_bytes } = readers.limits;
      if (follow === undefined && wait === 0) {
        const page = await readers.read({ after, types, limit, bytes });
        return other_log(place.log_id, page.head) ?? page_of(page, request, source.build);
      }
      // A HEAD request must not leave a reader behind.
      if (request.method === "HEAD") return respond(null, follow === undefined ? {} : HEADERS[follow]);
      const leave = readers.enter();
      if (leave === null) return too_many();
      try {
        const head = await readers.head();
        const refused = other_log(place.log_id, head) ?? past_the_end(after, head);
        if (refused !== null) return refused;
        if (follow !== undefined) {
          const stream = event_stream(
            readers,
            { after, types, limit, bytes: piece_bytes },
            follow,
            source.logger,
            leave,
          );
          return respond(stream, HEADERS[follow]);
        }
        const over = AbortSignal.any([changes.ending, request.signal]);
        const page = await readers.follow({ after, types, limit, bytes }, wait * 1000, over);
        return page_of(page, request, source.build);
      } finally {
        if (follow === undefined) leave();
      }
    },
  });
}

/** A page as the answer. */
function page_of({ events, through, head }: EventPage, request: Request, build: string): Promise<Response> {
  const { log_id, position } = head;
  const page = JSON.stringify({ log_id, position, next_after: through });
  const body = () => Promise.resolve(`${page.slice(0, -1)},"events":[${events.map(({ json }) => json).join(",")}]}`);
  return answer_tagged(request, etag_of(head, build), body);
}

/**
 * A stream of events from a place on, which ends with the program. The next piece is read when the last one was taken: a reader that is slow
 * costs its place and one piece, and one that takes nothing for long is let go.
 * @param leave called once when the reader is gone or the stream has ended
 */
function event_stream(
  readers: EventReaders,
  place: EventPlace,
  format: Format,
  logger: Logger,
  leave: () => void,
): ReadableStream<Uint8Array> {
  const { beat_ms, stalled_ms } = readers.limits, { ending } = readers.changes;
  const gone = new AbortController(), over = AbortSignal.any([ending, gone.signal]);
  const encoder = new TextEncoder();
  let { after } = place, begun = false, log_id = "", stalled: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    clearTimeout(stalled);
    gone.abort();
    leave();
  };
  const next_piece = async (): Promise<string> => {
    if (!begun) {
      begun = true;
      log_id = (await readers.head()).log_id;
      return told_place(format, log_id, after);
    }
    const { events, through } = await readers.follow({ ...place, after }, beat_ms, over);
    after = through;
    const told = events.map(({ position, json }) => told_event(format, log_id, position, json)).join("");
    return events.at(-1)?.position === through ? told : told + told_place(format, log_id, through);
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      clearTimeout(stalled);
      try {
        const piece = await next_piece();
        if (gone.signal.aborted) return;
        controller.enqueue(encoder.encode(piece));
        if (ending.aborted) {
          controller.enqueue(encoder.encode(told_end(format, log_id, after, "the server is closing")));
          end();
          return controller.close();
        }
      } catch (error) {
        if (gone.signal.aborted) return;
        end();
        // That the database is away is said once, by who watches it.
        if (!ending.aborted && !(error instanceof Busy) && !blames_no_data(error)) {
          logger.log("error", "a stream of events failed", { after, error });
        }
        controller.enqueue(encoder.encode(told_end(format, log_id, after, "the log could not be read")));
        return controller.close();
      }
      stalled = setTimeout(() => {
        const error = new Error(`send events after ${after}: what was sent is not taken`);
        // Deno's server writes a broken stream's error to stderr: one line, not a stack of where it was noticed.
        error.stack = error.message;
        end();
        controller.error(error);
      }, stalled_ms);
    },
    cancel: end,
  }, { highWaterMark: 0 });
}

/** What a reader goes on after: an id of the stream that it had. */
function read_event_id(id: string): { readonly log_id: string; readonly after: number } | null {
  const [, log_id, after] = /^([\w.-]{1,100})-(\d{1,15})$/.exec(id) ?? [];
  return log_id === undefined ? null : { log_id, after: Number(after) };
}

const told_event = (format: Format, log_id: string, position: number, json: string): string =>
  format === "ndjson" ? `${json}\n` : `id: ${log_id}-${position}\ndata: ${json}\n\n`;

/** How far a stream has come, where that is not told by an event. */
function told_place(format: Format, log_id: string, through: number): string {
  const json = JSON.stringify({ log_id, through });
  return format === "ndjson" ? `${json}\n` : `id: ${log_id}-${through}\nevent: through\ndata: ${json}\n\n`;
}

function told_end(format: Format, log_id: string, through: number, reason: string): string {
  const json = JSON.stringify({ log_id, through, bye: reason });
  return format === "ndjson" ? `${json}\n` : `event: bye\ndata: ${json}\n\n`;
}

const wrong = (path: string, detail: string): Response => bad_request("read the log", [{ path, detail }]);

const other_log = (wanted: string | null, { log_id }: Pick<Head, "log_id">): Response | null =>
  wanted === null || wanted === log_id
    ? null
    : wrong("log_id", `expected the id of this log, ${log_id}, got ${JSON.stringify(wanted)}: begin anew`);

const past_the_end = (after: number, { position }: Pick<Head, "position">): Response | null =>
  after <= position ? null : wrong("after", `expected a position of this log, which ends at ${position}, got ${after}`);

function too_many(): Response {
  const detail = "as many follow the log as this server allows, or it is closing";
  return problem({ status: 503, title: "Too many readers", detail, headers: { "retry-after": "5" } });
}

function stream_headers(type: string): Headers {
  return headers_of({ "content-type": type, "cache-control": "no-store, no-transform", "x-accel-buffering": "no" });
}
