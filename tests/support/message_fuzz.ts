import fc from "fast-check";
import type { SourceMessage } from "../../src/ingest/mod.ts";
import { BORDER_VALUES, HEADER_TEXTS } from "./border_values.ts";

/**
 * Messages for fuzz tests: a valid message in one of the three envelopes, of which a few fields are removed, added or given values from
 * a collection of what is on the border of legal. JSON is put together as text, so that numbers keep their digits.
 */

export const BROKER_MS = Date.UTC(2026, 2, 1, 12);

/** Which event a message tells of. */
export interface Identity {
  readonly trip_id: string;
  readonly event_id: string;
  /** RFC 3339. */
  readonly time: string;
}

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
  "trip.voided": { reason: '"refunded"' },
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

/** A member of a JSON object that is set to raw JSON text, or removed. */
export interface Change {
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
  topic: "trips",
  partition: 0,
  offset: 0,
  key: null,
  value: text === null ? null : encoder.encode(text),
  headers,
  timestamp_ms: BROKER_MS,
});
const quoted = (text: string) => JSON.stringify(text);

interface HeaderChange {
  readonly name: string;
  readonly value: Uint8Array<ArrayBuffer> | null;
}

/** How messages come about. */
interface Manner {
  readonly identity: fc.Arbitrary<Identity>;
  readonly in_data: fc.Arbitrary<readonly Change[]>;
  readonly in_envelope: (names: readonly string[]) => fc.Arbitrary<readonly Change[]>;
  readonly in_headers: fc.Arbitrary<readonly HeaderChange[]>;
  /** How often in ten a binary message has no value. */
  readonly without_value: number;
}

const bare = ({ identity, in_data, in_envelope }: Manner) =>
  fc.tuple(type, identity, in_data, in_envelope(BARE_NAMES)).map(
    ([type, { trip_id, event_id, time }, data, changed]) => {
      const envelope = {
        event_id: quoted(event_id),
        type: quoted(type),
        trip_id: quoted(trip_id),
        occurred_at: quoted(time),
      };
      return message(json({ ...envelope, ...DATA[type] }, [...data, ...changed]));
    },
  );

const structured = ({ identity, in_data, in_envelope }: Manner) =>
  fc.tuple(type, identity, in_data, in_envelope(CLOUD_NAMES)).map(
    ([type, { trip_id, event_id, time }, data, changed]) => {
      const envelope = {
        specversion: '"1.0"',
        id: quoted(event_id),
        source: '"/fleet/chicago"',
        type: quoted(type),
        subject: quoted(trip_id),
        time: quoted(time),
      };
      return message(json({ ...envelope, data: json(DATA[type]!, data) }, changed));
    },
  );

const header_change = fc.record({
  name: fc.constantFrom(
    ...CLOUD_NAMES.map((name) => `ce_${name}`),
    ...["CE_id", "ce-subject", "Ce_Type", "CE-SPECVERSION", "ce_Time", "Content-Type"],
    ...["content-type", "other"],
  ),
  value: fc.option(
    fc.oneof(
      fc.constantFrom(...HEADER_TEXTS).map((text) => encoder.encode(text)),
      fc.constant(new Uint8Array([0xff, 0xfe])),
    ),
    { freq: 6, nil: null },
  ),
});
const binary = ({ identity, in_data, in_headers, without_value }: Manner) =>
  fc.tuple(type, identity, in_data, in_headers, fc.nat(9)).map(
    ([type, { trip_id, event_id, time }, data, changed, chance]) => {
      const texts = {
        ce_specversion: "1.0",
        ce_id: event_id,
        ce_source: "/fleet/chicago",
        ce_type: type,
        ce_subject: trip_id,
        ce_time: time,
      };
      const headers = new Map(Object.entries(texts).map(([name, text]) => [name, encoder.encode(text)]));
      for (const { name, value } of changed) {
        if (value === null) headers.delete(name);
        else headers.set(name, value);
      }
      return message(chance < without_value ? null : json(DATA[type]!, data), Object.fromEntries(headers));
    },
  );

const messages_in = (manner: Manner): fc.Arbitrary<SourceMessage> =>
  fc.oneof({ weight: 3, arbitrary: bare(manner) }, { weight: 3, arbitrary: structured(manner) }, {
    weight: 2,
    arbitrary: binary(manner),
  });

/** Messages of which a few fields were changed, on and beyond the border of what is legal. */
export const changed_message = (identity: fc.Arbitrary<Identity>): fc.Arbitrary<SourceMessage> =>
  messages_in({
    identity,
    in_data: changes(FIELD_NAMES),
    in_envelope: changes,
    in_headers: fc.array(header_change, { maxLength: 2 }),
    without_value: 1,
  });

/**
 * Messages that can be admitted, in all three envelopes.
 * @param in_data legal fields, set over or beside those the type has
 */
export const admissible_message = (
  identity: fc.Arbitrary<Identity>,
  in_data: fc.Arbitrary<readonly Change[]>,
): fc.Arbitrary<SourceMessage> =>
  messages_in({
    identity,
    in_data,
    in_envelope: () => fc.constant([]),
    in_headers: fc.constant([]),
    without_value: 0,
  });

/** A message whose bytes were hurt: cut off, or one byte replaced. */
const hurt = (whole: fc.Arbitrary<SourceMessage>) =>
  fc.tuple(whole, fc.nat(2000), fc.option(fc.nat(255))).map(([message, at, byte]) => {
    if (message.value === null || message.value.length === 0) return message;
    const place = at % message.value.length;
    const value = byte === null ? message.value.slice(0, place) : message.value.with(place, byte);
    return { ...message, value };
  });

const whole = changed_message(fc.constant({ trip_id: "T-1", event_id: "e", time: "2026-03-01T10:00:00Z" }));

/** A message whose text was made text once more, as JSON has it. */
const within_json = (message: SourceMessage): SourceMessage =>
  message.value === null
    ? message
    : { ...message, value: encoder.encode(JSON.stringify(new TextDecoder().decode(message.value))) };

const KEYS = [null, "K", "", " ", "\ufeffK", "\0", "x".repeat(201)];
const key = fc.oneof(
  fc.constantFrom(...KEYS).map((text) => text === null ? null : encoder.encode(text)),
  fc.constant(Uint8Array.of(0xff)),
);

/** Any message of the fuzz test of decoding. */
export const fuzzed_message: fc.Arbitrary<SourceMessage> = fc.tuple(
  fc.oneof(
    { weight: 17, arbitrary: whole },
    { weight: 2, arbitrary: hurt(whole) },
    { weight: 1, arbitrary: whole.map(within_json) },
  ),
  key,
).map(([message, key]) => ({ ...message, key }));
