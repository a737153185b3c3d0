import { z } from "@hono/zod-openapi";
import { JsonFault, parse_record_json } from "../../../domains/mod.ts";
import { DIRECT_TOPIC, type DirectAnswer, mapped_topic, type Message, no_utf8 } from "../../../ingest/mod.ts";
import type { Clock } from "../../../runtime/mod.ts";
import { bad_request, problem, respond } from "../../answers.ts";
import { bearer_of, is_token } from "../../auth.ts";
import { Bodies } from "../../bodies.ts";
import { add_endpoint, type App } from "../../endpoint.ts";

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
  offset: z.number().describe("Where the message stands in its topic"),
  positions: z.array(z.number()).describe("Of its events in the log; of a duplicate, of the earlier event"),
  reason: z.string().optional(),
  path: z.string().nullable().optional(),
  detail: z.string().optional(),
  quarantine_id: z.number().optional().describe(
    "Its row in quarantine: the same for all that was posted with this content",
  ),
  attempts: z.number().optional().describe(
    "How often this content was posted or retried: more than 1, it was there already",
  ),
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
  const told = results.map(({ fault, quarantine, ...rest }) => {
    if (fault === null) return rest;
    const { reason, path, detail } = fault;
    const row = quarantine === null ? {} : { quarantine_id: quarantine.id, attempts: quarantine.attempts };
    return { ...rest, reason, path, detail, ...row };
  });
  const body = JSON.stringify({ topic, results: told });
  return respond(body, { "content-type": "application/json", "cache-control": "no-store" });
}

/**
 * The messages of a request's body, each with the bytes that came in: what is wrong with one of them is for decoding to find. Only a body
 * that cannot be taken apart is refused whole. Pure.
 */

/** The content types of events; a record that goes through a mapping has one of the first two. */
const JSON_TYPE = "application/json";
const NDJSON_TYPE = "application/x-ndjson";
const EVENT_TYPE = "application/cloudevents+json";
const BATCH_TYPE = "application/cloudevents-batch+json";

/** The content types that are taken, the usual one first. */
const POSTED_TYPES = [JSON_TYPE, NDJSON_TYPE, EVENT_TYPE, BATCH_TYPE] as const;
/** The content types that are taken with a mapping. */
const MAPPED_TYPES = [JSON_TYPE, NDJSON_TYPE] as const;

/** What a body comes to, or why it is refused: the status and a sentence. */
type PostedMessages =
  | { readonly ok: true; readonly messages: readonly Message[] }
  | { readonly ok: false; readonly status: 400 | 415; readonly detail: string };

const LINE_BREAK = 10;
const utf8 = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/**
 * Takes a body apart: an array or lines into messages, a CloudEvent in binary mode into headers and value.
 * @param taken_ms when the request came in, milliseconds since the Unix epoch: event times are held against it
 * @param mapped whether the messages are records that a mapping takes
 */
function read_posted(
  headers: Headers,
  body: Uint8Array,
  taken_ms: number,
  mapped: boolean,
): PostedMessages {
  const types: readonly string[] = mapped ? MAPPED_TYPES : POSTED_TYPES;
  const given = headers.get("content-type") ?? "";
  const type = /^\s*([^\s;]+)\s*(?:;\s*charset="?utf-8"?\s*)?$/i.exec(given)?.[1]?.toLowerCase() ?? "";
  if (!types.includes(type)) {
    return refused(415, `expected content-type ${types.join(", ")}, in UTF-8; got ${JSON.stringify(given)}`);
  }
  const message = (value: Uint8Array | null): Message => (
    { key: null, value, headers: {}, timestamp_ms: taken_ms }
  );
  // A whole CloudEvent in the body goes before attributes that stand in headers as well.
  const is_whole = type === EVENT_TYPE || type === BATCH_TYPE;
  if (headers.has("ce-specversion") && !is_whole) {
    if (type !== JSON_TYPE || mapped) {
      const where = mapped ? "no mapping" : `content-type ${JSON_TYPE}`;
      return refused(400, `expected ${where} with a CloudEvent in headers (ce-specversion)`);
    }
    const value = body.length === 0 ? null : body;
    const text = value === null ? null : json_text(value, false);
    if (text?.ok === false) return text;
    return { ok: true, messages: [{ ...message(value), headers: event_headers(headers, given) }] };
  }
  if (type === NDJSON_TYPE) return { ok: true, messages: lines_of(body).map(message) };
  const read = json_text(body, mapped);
  if (!read.ok) return read;
  const { text } = read;
  const is_array = text.trimStart().startsWith("[");
  if ((type === BATCH_TYPE && !is_array) || (type === EVENT_TYPE && is_array)) {
    return refused(400, `expected ${is_array ? "one JSON object" : "a JSON array"} with content-type ${type}`);
  }
  const values = is_array ? members_of(text).map((member) => encoder.encode(member)) : [body];
  return { ok: true, messages: values.map(message) };
}

type Refused = PostedMessages & { readonly ok: false };
const refused = (status: 400 | 415, detail: string): Refused => ({ ok: false, status, detail });
/** @param got what is there instead, and where */
const not_json = (got: string): Refused =>
  refused(400, `expected the body to be JSON in UTF-8, got ${got}; nothing of it was taken`);

/** The text of a body that is JSON, in records for a mapping with NaN or without. */
function json_text(body: Uint8Array, mapped: boolean): { readonly ok: true; readonly text: string } | Refused {
  let text: string;
  try {
    text = utf8.decode(body);
  } catch (error) {
    if (error instanceof TypeError) {
      return not_json(`bytes that are no UTF-8, beginning with ${body.slice(0, 8).toHex()}: ${no_utf8(body)}`);
    }
    throw error;
  }
  try {
    if (mapped && /\b(?:NaN|Infinity)\b/.test(text)) parse_record_json(text);
    else JSON.parse(text);
  } catch (error) {
    // Of what is JSON and yet too much for the log decoding says which message it is.
    const is_json = error instanceof JsonFault && error.reason !== "malformed_json";
    if (!is_json && (error instanceof SyntaxError || error instanceof JsonFault)) {
      return not_json(`${body.length} bytes: ${error.message.replace(/^expected JSON, got /, "")}`);
    }
    if (!is_json) throw error;
  }
  return { ok: true, text };
}

/** The lines of a body that are not blank. */
function lines_of(body: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0; from < body.length;) {
    const end = body.indexOf(LINE_BREAK, from);
    const line = body.subarray(from, end < 0 ? body.length : end);
    if (line.some((byte) => byte > 32)) lines.push(line);
    from += line.length + 1;
  }
  return lines;
}

/** The texts of an array's members, as they stand in JSON that was found well-formed: written anew, numbers would lose digits. */
function members_of(array: string): string[] {
  const members: string[] = [];
  let depth = 0, from = 0;
  const end = (at: number) => {
    const member = array.slice(from, at).trim();
    if (member !== "") members.push(member);
    from = at + 1;
  };
  // A string counts as one mark: what is in it means nothing.
  for (const { 0: mark, index } of array.matchAll(/"(?:[^"\\]+|\\.)*"|[[\]{},]/g)) {
    if (mark === "[" || mark === "{") {
      if (++depth === 1) from = index + 1;
    } else if (mark === "]" || mark === "}") {
      if (--depth === 0) end(index);
    } else if (mark === "," && depth === 1) end(index);
  }
  return members;
}

/** The headers of a CloudEvent in binary mode as the Kafka binding names them; in HTTP values may be in quotes, and what a header cannot hold is percent-encoded. */
function event_headers(headers: Headers, content_type: string): Record<string, Uint8Array> {
  const attributes: Record<string, Uint8Array> = { "content-type": encoder.encode(content_type) };
  for (const [name, value] of headers) {
    if (!name.startsWith("ce-")) continue;
    const [, quoted] = /^"((?:[^"\\]|\\.)*)"$/s.exec(value) ?? [];
    const plain = quoted === undefined ? value : quoted.replaceAll(/\\(.)/gs, "$1");
    const text = plain.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    attributes[`ce_${name.slice(3)}`] = Uint8Array.from(text, (unit) => unit.charCodeAt(0));
  }
  return attributes;
}
