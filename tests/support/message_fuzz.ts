import fc from "fast-check";
import type { SourceMessage } from "../../src/ingest/mod.ts";
import { BORDER_VALUES, HEADER_TEXTS } from "./border_values.ts";

/**
 * Messages for the fuzz test of decoding: a valid message in one of the three envelopes, of which a few fields are removed, added or
 * given values from a collection of what is on the border of legal. JSON is put together as text, so that numbers keep their digits.
 */

export const BROKER_MS = Date.UTC(2026, 2, 1, 12);

const raw = fc.oneof(...BORDER_VALUES.map((values) => fc.constantFrom(...values)));

type Fields = Readonly<Record<string, string>>;

const STARTED: Fields = {
  city: '"Chicago"',
  driver_id: '"D1"',
  pickup_lat: "41.9",
  estimated_fare: '"10.00"',
  estimated_dropoff_at: '"2026-03-01T09:31:02.250Z"',
};
const DATA: Readonly<Record<string, Fields>> = {
  "trip.requested": { passenger_id: '"P1"', city: '"Chicago"', pickup_lon: "-87.6", dropoff_zone: "161" },
  "trip.started": STARTED,
  "trip.completed": {
    ...STARTED,
    fare: '"18.60"',
    tip: "2.5",
    currency: '"USD"',
    distance_km: "12.4",
    duration_min: "31",
    passenger_count: "2",
  },
  "trip.canceled": { reason: '"late"', canceled_by: '"driver"' },
  "trip.fare_adjusted": { fare: "20", tip: '"1.00"', reason: '"toll"' },
};
const FIELD_NAMES = [
  ...Object.keys(DATA["trip.completed"]!),
  "pickup_lon",
  "dropoff_lat",
  "dropoff_lon",
  "passenger_id",
  "vehicle_type",
  "payment_method",
  "pickup_zone",
  "dropoff_zone",
  "vendor_id",
  "rate_code",
  "trip_type",
  "reason",
  "canceled_by",
  "note",
  "__proto__",
  "constructor",
  "toString",
  "",
];
const BARE_NAMES = [
  "event_id",
  "type",
  "trip_id",
  "occurred_at",
  "schema_version",
  "correlation_id",
  "causation_id",
  "specversion",
];
const CLOUD_NAMES = [
  "specversion",
  "id",
  "source",
  "type",
  "subject",
  "time",
  "datacontenttype",
  "dataschema",
  "data",
  "data_base64",
  "schemaversion",
  "tenant",
  "__proto__",
];

interface Change {
  readonly name: string;
  /** Null removes the field. */
  readonly value: string | null;
}
const change = (names: readonly string[]): fc.Arbitrary<Change> =>
  fc.record({ name: fc.constantFrom(...names), value: fc.option(raw, { freq: 6, nil: null }) });
/** Mostly one change, so that messages near the border of legal stay common. */
const changes = (names: readonly string[]) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 6, arbitrary: fc.array(change(names), { minLength: 1, maxLength: 1 }) },
    { weight: 2, arbitrary: fc.array(change(names), { maxLength: 3 }) },
  );

const json = (fields: Fields, changed: readonly Change[]): string => {
  const members = new Map(Object.entries(fields));
  for (const { name, value } of changed) {
    if (value === null) members.delete(name);
    else members.set(name, value);
  }
  return `{${[...members].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
};

const encoder = new TextEncoder();
const type = fc.constantFrom(...Object.keys(DATA));
const message = (text: string | null, headers: SourceMessage["headers"] = {}): SourceMessage => ({
  offset: 0,
  key: null,
  value: text === null ? null : encoder.encode(text),
  headers,
  timestamp_ms: BROKER_MS,
});
const quoted = (text: string) => JSON.stringify(text);

const bare = fc.tuple(type, changes(FIELD_NAMES), changes(BARE_NAMES)).map(([type, in_data, in_envelope]) => {
  const envelope = { event_id: '"e"', type: quoted(type), trip_id: '"T-1"', occurred_at: '"2026-03-01T10:00:00Z"' };
  return message(json({ ...envelope, ...DATA[type] }, [...in_data, ...in_envelope]));
});

const structured = fc.tuple(type, changes(FIELD_NAMES), changes(CLOUD_NAMES)).map(([type, in_data, in_envelope]) => {
  const envelope = {
    specversion: '"1.0"',
    id: '"e"',
    source: '"/fleet/chicago"',
    type: quoted(type),
    subject: '"T-1"',
    time: '"2026-03-01T10:00:00Z"',
  };
  return message(json({ ...envelope, data: json(DATA[type]!, in_data) }, in_envelope));
});

const header_change = fc.record({
  name: fc.constantFrom(...CLOUD_NAMES.map((name) => `ce_${name}`), "content-type", "other"),
  value: fc.option(
    fc.oneof(
      fc.constantFrom(...HEADER_TEXTS).map((text) => encoder.encode(text)),
      fc.constant(new Uint8Array([0xff, 0xfe])),
    ),
    { freq: 6, nil: null },
  ),
});
const binary = fc.tuple(type, changes(FIELD_NAMES), fc.array(header_change, { maxLength: 2 }), fc.nat(9)).map(
  ([type, in_data, in_headers, without]) => {
    const texts = {
      ce_specversion: "1.0",
      ce_id: "e",
      ce_source: "/fleet/chicago",
      ce_type: type,
      ce_subject: "T-1",
      ce_time: "2026-03-01T10:00:00Z",
    };
    const headers = new Map(Object.entries(texts).map(([name, text]) => [name, encoder.encode(text)]));
    for (const { name, value } of in_headers) {
      if (value === null) headers.delete(name);
      else headers.set(name, value);
    }
    return message(without === 0 ? null : json(DATA[type]!, in_data), Object.fromEntries(headers));
  },
);

/** A message whose bytes were hurt: cut off, or one byte replaced. */
const hurt = (whole: fc.Arbitrary<SourceMessage>) =>
  fc.tuple(whole, fc.nat(2000), fc.option(fc.nat(255))).map(([message, at, byte]) => {
    if (message.value === null || message.value.length === 0) return message;
    const place = at % message.value.length;
    const value = byte === null ? message.value.slice(0, place) : message.value.with(place, byte);
    return { ...message, value };
  });

const whole = fc.oneof({ weight: 3, arbitrary: bare }, { weight: 3, arbitrary: structured }, {
  weight: 2,
  arbitrary: binary,
});

/** Any message of the fuzz test. */
export const fuzzed_message: fc.Arbitrary<SourceMessage> = fc.oneof({ weight: 9, arbitrary: whole }, {
  weight: 1,
  arbitrary: hurt(whole),
});
