import { z } from "@hono/zod-openapi";
import { DIRECT_TOPIC, type DirectAnswer, mapped_topic, type Message } from "../ingest/mod.ts";
import type { Clock } from "../runtime/mod.ts";
import { bearer_of, is_token } from "./auth.ts";
import { Bodies } from "./bodies.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import { respond } from "./headers.ts";
import { POSTED_TYPES, read_posted } from "./posted_messages.ts";
import { bad_request, problem } from "./problem.ts";

const EVENTS_PATH = "/api/v1/events";
/** Bodies of events are held until they are in the log: more may be under way than wait in its line, which refuses those past 64. */
const BODIES = { most_bytes: 1_048_576, most_ms: 10_000, bodies: 128, bodies_of_address: 96, bytes: 64 << 20 };
/** Most messages of a request: they are one transaction. */
const MOST_MESSAGES = 1_000;

/** Where posted events go. */
export interface EventIntake {
  readonly submit: (topic: string, messages: readonly Message[]) => Promise<DirectAnswer>;
  /** The names of the mappings whose topics it knows. */
  readonly mappings: readonly string[];
}

interface IntakeSource {
  /** The domain's name. */
  readonly name: string;
  /** Null: this program takes nothing in. */
  readonly intake: EventIntake | null;
  readonly token: string | null;
  readonly clock: Clock;
  readonly bodies: Bodies;
}

/** The bodies of events, whatever their domain. */
export const event_bodies = (most_ms: number = BODIES.most_ms): Bodies => new Bodies({ ...BODIES, most_ms });

const RESULT = z.object({
  status: z.enum(["admitted", "duplicate", "quarantined", "tombstone", "skipped"]),
  offset: z.number().describe("Where the message stands in its topic; with it quarantine names it"),
  positions: z.array(z.number()).describe("Of its events in the log; of a duplicate, of the earlier event"),
  reason: z.string().optional(),
  path: z.string().nullable().optional(),
  detail: z.string().optional(),
}).openapi("EventResult");

const EVENT = z.record(z.string(), z.unknown());
const SCHEMAS: Readonly<Record<(typeof POSTED_TYPES)[number], z.ZodType>> = {
  "application/json": z.union([EVENT, z.array(EVENT)]),
  "application/x-ndjson": z.string(),
  "application/cloudevents+json": EVENT,
  "application/cloudevents-batch+json": z.array(EVENT),
};

const refusals = (name: string): Readonly<Record<(DirectAnswer & { ok: false })["reason"], string>> => ({
  line_is_full: "as many requests wait as this server allows; nothing of this one was taken",
  overtaken: `others change the same ${name} faster; send it again, what is in the log already is recognised`,
  closing: "the server is closing; send it again, what is in the log already is recognised",
});

/** Adds `POST /api/v1/events`: events go the way that Kafka's go, and the answer says what became of each. */
export function add_event_intake_route(app: App, source: IntakeSource): void {
  const { intake, clock, bodies } = source;
  const mappings = intake?.mappings ?? [];
  const names = mappings.join(", ");
  add_endpoint(app, {
    path: EVENTS_PATH,
    summary:
      "Take in events, one or several, as CloudEvents, bare JSON or records of a mapping; one result each, in order",
    query: {
      mapping: z.string().refine((name) => intake === null || mappings.includes(name), `expected one of ${names}`)
        .describe(
          `A built-in one: ${names}`,
        )
        .optional(),
    },
    params: {},
    body: Object.fromEntries(POSTED_TYPES.map((type) => [type, { schema: SCHEMAS[type] }])),
    answer: {
      type: "application/json",
      schema: z.object({ topic: z.string(), results: z.array(RESULT) }).openapi("EventResults"),
    },
    others: {
      401: "No `Authorization: Bearer` with the token; a session does not do",
      403: "The server has no token, or only reads",
      408: `The body took longer than ${BODIES.most_ms / 1000} s`,
      413: `More than ${BODIES.most_bytes} bytes or ${MOST_MESSAGES} messages`,
      415: "Another content type, or a content encoding",
      503: "The database is away, or too many requests wait; send it again, nothing is counted twice",
    },
    respond: ({ mapping }, request, { address }) =>
      intake === null
        ? READS_ONLY()
        : refuse_stranger(request, source.token) ?? bodies.take(request, address, async (body) => {
          const posted = read_posted(request.headers, body, clock.now_ms(), mapping !== undefined);
          if (!posted.ok) {
            const { status, detail } = posted;
            return status === 400
              ? bad_request(detail, [])
              : problem({ status, title: "Unsupported media type", detail });
          }
          const { messages } = posted;
          if (messages.length > MOST_MESSAGES) {
            const detail =
              `expected at most ${MOST_MESSAGES} messages, got ${messages.length}; nothing of them was taken`;
            return problem({ status: 413, title: "Content too large", detail });
          }
          const topic = mapping === undefined ? DIRECT_TOPIC : mapped_topic(mapping);
          const answer: DirectAnswer = messages.length === 0
            ? { ok: true, results: [] }
            : await intake.submit(topic, messages);
          return answer.ok ? told(topic, answer) : problem({
            status: 503,
            title: "Not taken",
            detail: refusals(source.name)[answer.reason],
            headers: { "retry-after": "1" },
          });
        }),
  });
}

const READS_ONLY = (): Response =>
  problem({
    status: 403,
    title: "Reads only",
    detail: "this server only reads (tacho serve --read-only): send events to the one that writes the log",
  });

/** Browsers send a session along with what another site makes them post, so it counts for nothing here; neither does loopback. */
function refuse_stranger(request: Request, token: string | null): Response | null {
  if (token === null) {
    const detail =
      "set TACHO_TOKEN and send it as `Authorization: Bearer …`: without a token anyone's page could post here";
    return problem({ status: 403, title: "Forbidden", detail });
  }
  const bearer = bearer_of(request);
  if (bearer !== null && is_token(bearer, token)) return null;
  const detail = "send the token as `Authorization: Bearer …`; a session may read, not post";
  return problem({ status: 401, title: "Unauthorized", detail, headers: { "www-authenticate": "Bearer" } });
}

function told(topic: string, { results }: DirectAnswer & { ok: true }): Response {
  const told = results.map(({ fault, ...rest }) => {
    if (fault === null) return rest;
    const { reason, path, detail } = fault;
    return { ...rest, reason, path, detail };
  });
  const body = JSON.stringify({ topic, results: told });
  return respond(body, { "content-type": "application/json", "cache-control": "no-store" });
}
