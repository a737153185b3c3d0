import type { OracleOptions, SourceMessage } from "./source_message.ts";

/** Dollars, UTC, the default limits. */
export const EXAMPLE_OPTIONS: OracleOptions = {
  currency: "USD",
  time_zone: "UTC",
  future_limit_ms: 3_600_000,
  read_ms: Date.UTC(2026, 2, 1, 12),
  max_message_bytes: 1_048_576,
};

/** The time of every example message's record, and when it is read: 2026-03-01T12:00:00Z. */
export const EXAMPLE_BROKER_TIME_MS = Date.UTC(2026, 2, 1, 12);

/** A message of topic "trips", partition 0. A value that is neither text, bytes nor null is sent as JSON. */
export function example_message(
  offset: number,
  value: unknown,
  headers: Record<string, string | Uint8Array> = {},
): SourceMessage {
  const encode = (text: string) => new TextEncoder().encode(text);
  const bytes = value === null || value instanceof Uint8Array
    ? value
    : encode(typeof value === "string" ? value : JSON.stringify(value));
  const encoded = Object.entries(headers).map(([name, text]): [string, Uint8Array] => [
    name,
    typeof text === "string" ? encode(text) : text,
  ]);
  return {
    topic: "trips",
    partition: 0,
    offset: BigInt(offset),
    key: null,
    value: bytes,
    headers: Object.fromEntries(encoded),
    timestamp_ms: EXAMPLE_BROKER_TIME_MS,
  };
}

/** Messages with ascending offsets from 0, one for each value. */
export function example_messages(...values: unknown[]): SourceMessage[] {
  return values.map((value, offset) => example_message(offset, value));
}

/** A bare event of trip "T". `clock` is a time of 2026-03-01 in UTC, `type` comes without its "trip." */
export function example_event(
  event_id: string,
  type: string,
  clock: string,
  data: Record<string, unknown> = {},
): Record<string, unknown> {
  return { event_id, type: `trip.${type}`, trip_id: "T", occurred_at: `2026-03-01T${clock}Z`, ...data };
}
