import type { StreamNames } from "../board.ts";
import type { Planted } from "../declared.ts";
import { hash32, mix32 } from "./random.ts";

const two_32 = 0x1_0000_0000;

/** Counters that event ids take of a stream's number: one a step. */
export const STEPS_PER_STREAM = 8;

/**
 * Sixteen hex digits for a counter (up to 2^53), under a key. A four-round Feistel network, so a bijection: under one key
 * no two counters ever share an id, and neighbouring counters look unrelated.
 */
export function event_id(key: number, counter: number): string {
  let left = Math.floor(counter / two_32) >>> 0;
  let right = counter >>> 0;
  for (let round = 1; round <= 4; round++) {
    const next = (left ^ mix32(right + Math.imul(key ^ round, 0x9e3779b1))) >>> 0;
    left = right;
    right = next;
  }
  return hex8(left) + hex8(right);
}

function hex8(word: number): string {
  return (word + two_32).toString(16).slice(1);
}

/** Cents as a decimal amount: 1860 is "18.60". */
export function amount_text(cents: number): string {
  const part = cents % 100;
  return `${Math.floor(cents / 100)}.${part < 10 ? "0" : ""}${part}`;
}

/** A time in microseconds as RFC 3339 text with milliseconds, UTC. */
export function time_text(at_us: number): string {
  return new Date(at_us / 1_000).toISOString();
}

/** A JSON object before it is written. Fields that are undefined are left out. */
export type JsonObject = Record<string, unknown>;

/** What is said of one event, whatever it is about. */
interface EventTold {
  readonly stream_id: string;
  readonly id: string;
  readonly type: string | undefined;
  readonly at_us: number;
  /** The CloudEvents source; null: bare JSON, as an older producer sends it. */
  readonly source: string | null;
  readonly data: JsonObject;
}

/** An event as producers send it: a structured CloudEvent, or bare JSON with the same names flattened. */
export function write_event(
  { stream_id, id, type, at_us, source, data }: EventTold,
  stream_column: string,
): JsonObject {
  const time = time_text(at_us);
  if (source === null) return { event_id: id, type, [stream_column]: stream_id, occurred_at: time, ...data };
  return {
    specversion: "1.0",
    id,
    source,
    type,
    subject: stream_id,
    time,
    datacontenttype: "application/json",
    data,
  };
}

/** What has to be known of a domain to break its messages. */
export interface Breakable extends StreamNames {
  /** Data that is at fault in an event of every type, whichever of its fields that type has. */
  readonly faults: readonly JsonObject[];
}

/** A way to break a good message. Each gives text that no consumer may admit. */
type Breakage = (message: JsonObject, word: number, domain: Breakable) => string;

const breakages: readonly Breakage[] = [
  // Cut off on the way: whatever is left of an object without its last brace is not JSON.
  (message, word) => {
    const text = JSON.stringify(message);
    return text.slice(0, 1 + (word % (text.length - 1)));
  },
  () => "<html><body>502 Bad Gateway</body></html>",
  () => "null",
  (message) => JSON.stringify([message]),
  (message, _, domain) => JSON.stringify({ ...message, [stream_field(message, domain)]: undefined }),
  (message, _, domain) => JSON.stringify({ ...message, [stream_field(message, domain)]: " " }),
  (message, _, { noun }) => JSON.stringify({ ...message, type: `${noun}.teleported` }),
  (message) => JSON.stringify({ ...message, [time_field(message)]: String(message[time_field(message)]).slice(0, -1) }),
  (message) => JSON.stringify({ ...message, [time_field(message)]: Date.parse(String(message[time_field(message)])) }),
  (message) => JSON.stringify({ ...message, [time_field(message)]: "2026-02-30T25:61:00Z" }),
];

/** A good message made bad; `word` (32 bits) chooses how. */
export function malform(message: JsonObject, word: number, domain: Breakable): string {
  const way = word % (breakages.length + domain.faults.length);
  const breakage = breakages[way];
  if (breakage !== undefined) return breakage(message, word >>> 8, domain);
  return with_data(message, domain.faults[way - breakages.length]!);
}

function is_cloud_event(message: JsonObject): boolean {
  return "specversion" in message;
}

function stream_field(message: JsonObject, { stream_column }: Breakable): string {
  return is_cloud_event(message) ? "subject" : stream_column;
}

function time_field(message: JsonObject): string {
  return is_cloud_event(message) ? "time" : "occurred_at";
}

function with_data(message: JsonObject, faults: JsonObject): string {
  return JSON.stringify(
    is_cloud_event(message)
      ? { ...message, data: Object.assign({}, message["data"], faults) }
      : { ...message, ...faults },
  );
}

/**
 * What goes wrong on some hours, read off the seed and the hour alone, so that any moment can be asked at any time and always answers the
 * same: a test, or whoever looks for anomalies, knows of each where it is.
 */

const hour_us = 3_600_000_000;
const minute_us = 60_000_000;

/** A stretch of whole minutes inside an hour. */
export interface Trouble {
  readonly from_us: number;
  readonly until_us: number;
  /** 32 random bits of its own, for what else there is to know of it. */
  readonly word: number;
}

/** How often a kind of trouble comes to one place, and how long it lasts. */
export interface TroubleKind {
  /** A number of its own. */
  readonly kind: number;
  /** One hour in so many has it. */
  readonly one_in: number;
  readonly least_min: number;
  readonly most_min: number;
}

/** The trouble of a kind that a place has in the hour of a moment, or null. */
export function trouble_in(
  seed: number,
  { kind, one_in, least_min, most_min }: TroubleKind,
  place: number,
  at_us: number,
): Trouble | null {
  const hour = Math.floor(at_us / hour_us);
  const word = hash32(seed, kind, place, hour);
  if (word % one_in !== 0) return null;
  const length_min = least_min + ((word >>> 12) % (most_min - least_min + 1));
  const from_us = hour * hour_us + ((word >>> 20) % (60 - length_min)) * minute_us;
  return { from_us, until_us: from_us + length_min * minute_us, word };
}

/** The trouble of a kind that a place has at a moment, or null. */
export function trouble_at(seed: number, kind: TroubleKind, place: number, at_us: number): Trouble | null {
  const trouble = trouble_in(seed, kind, place, at_us);
  return trouble !== null && at_us >= trouble.from_us && at_us < trouble.until_us ? trouble : null;
}

/** Trouble as it is told, with the keys that it is of; null where there is none. */
export const told = <T extends Pick<Trouble, "from_us" | "until_us">>(
  kind: string,
  trouble: T | null,
  keys_of: (trouble: T) => Planted["keys"],
): Planted | null =>
  trouble === null ? null : { kind, from_us: trouble.from_us, until_us: trouble.until_us, keys: keys_of(trouble) };

/** All that is planted wholly between two moments, in order; `in_hour` says what the hour of a moment has. */
export function planted_between(
  from_us: number,
  until_us: number,
  in_hour: (at_us: number) => readonly (Planted | null)[],
): Planted[] {
  const first = Math.floor(from_us / hour_us), last = Math.ceil(until_us / hour_us);
  const hours = Array.from({ length: Math.max(0, last - first) }, (_, i) => (first + i) * hour_us);
  return hours.flatMap(in_hour).filter((each) => each !== null)
    .filter((each) => each.from_us >= from_us && each.until_us <= until_us)
    .sort((a, b) => a.from_us - b.from_us);
}
