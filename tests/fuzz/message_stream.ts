import fc from "fast-check";
import type { SourceMessage } from "../../src/ingest/mod.ts";
import { admissible_message, BROKER_MS, changed_message, type Identity } from "../support/message_fuzz.ts";
import { bloat, bomb, type Damage, damage } from "./damage.ts";
import { legal_fields } from "./legal_fields.ts";

/** A message to be sent; a header may be there more than once. */
export interface FuzzedMessage {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array | readonly Uint8Array[]>>;
  readonly timestamp_ms: number;
}

/** Messages that are drawn at once. */
const DRAWN = 1_000;
/** Trips that begin among them. */
const TRIPS = 250;
/** A trip that gets more events than a trip may have is begun anew after so many messages. */
const CROWDED_FOR = 20_000;
/** Messages kept to be sent again or spliced with others. */
const KEPT = 2_000;

const STRANGE_IDS = [
  "__proto__",
  "constructor",
  "toString",
  "null",
  "0",
  "東京",
  "😀",
  "\\N",
  " x ",
  "a\tb",
  "x".repeat(200),
];
const OFFSETS = ["Z", "z", "+00:00", "-00:00", "+02:00", "-11:30", "+14:00"];
const EDGES_OF_TIME = [
  "1900-01-01T00:00:00Z",
  "1969-12-31T23:59:59.999999Z",
  "1970-01-01T00:00:00Z",
  "2024-02-29T23:59:59Z",
  "2025-11-02T05:30:00Z",
  "2025-11-02T06:30:00Z",
  "2026-03-01T12:00:00.123456789Z",
  "2254-12-31T23:59:59Z",
];
const encoder = new TextEncoder();

/** RFC 3339 text of an instant, in one of its forms. */
function time_text(ms: number, zone: string, micros: number): string {
  const [, sign, hours, minutes] = /^([+-])(\d\d):(\d\d)$/.exec(zone) ?? [];
  const ahead_ms = sign === undefined ? 0 : (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === "-" ? -1 : 1);
  const local = new Date(ms + ahead_ms).toISOString().slice(0, 19);
  return `${local}${micros === 0 ? "" : `.${String(micros).padStart(6, "0")}`}${zone}`;
}

/** Which events the messages from a number on tell of: mostly those of the trips under way. */
function identities(first: number): fc.Arbitrary<Identity> {
  const newest = Math.floor(first / DRAWN) * TRIPS;
  const now_ms = BROKER_MS + first;
  const trip_id = fc.oneof(
    { weight: 60, arbitrary: fc.nat(2 * TRIPS - 1).map((trip) => `trip-${Math.max(newest + trip - TRIPS, 0)}`) },
    { weight: 6, arbitrary: fc.nat(newest).map((trip) => `trip-${trip}`) },
    { weight: 14, arbitrary: fc.constant(`crowded-${Math.floor(first / CROWDED_FOR)}`) },
    { weight: 1, arbitrary: fc.constantFrom(...STRANGE_IDS) },
  );
  const event_id = fc.oneof(
    { weight: 12, arbitrary: fc.nat(0xffff_ffff).map((id) => id.toString(36)) },
    { weight: 2, arbitrary: fc.nat(3).map((id) => `reused-${id}`) },
    { weight: 1, arbitrary: fc.constantFrom(...STRANGE_IDS) },
  );
  const time = fc.oneof(
    {
      weight: 20,
      arbitrary: fc.tuple(fc.nat(3_600_000), fc.constantFrom(...OFFSETS), fc.constantFrom(0, 0, 1, 250_000, 999_999))
        .map(
          ([before, zone, micros]) => time_text(now_ms - before, zone, micros),
        ),
    },
    { weight: 1, arbitrary: fc.nat(400).map((days) => time_text(now_ms - days * 86_400_000, "Z", 0)) },
    { weight: 1, arbitrary: fc.constantFrom(...EDGES_OF_TIME) },
  );
  return fc.record({ trip_id, event_id, time });
}

const header_name = fc.constantFrom(
  ...[
    "traceparent",
    "",
    "__proto__",
    "constructor",
    "ce_",
    "ce___proto__",
    "CE_ID",
    "ce_tenant",
    "Ünï",
    "a b",
    "a\u0000b",
  ],
  ...["content-type", "ce_id", "ce_specversion", "x".repeat(300)],
);
const header_value = fc.oneof(
  fc.constantFrom("", "application/json", "1.0", "x").map((text) => encoder.encode(text)),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Uint8Array.from(bytes)),
);
const key = fc.oneof(
  { weight: 6, arbitrary: fc.nat(9_999).map((id) => encoder.encode(`trip-${id}`)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(null, new Uint8Array(), encoder.encode("\u0000"), encoder.encode("__proto__")),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Uint8Array.from(bytes)) },
);
/** Milliseconds beside the time of sending, or an instant that no clock shows. */
const timestamp = fc.oneof(
  { weight: 500, arbitrary: fc.nat(2_000).map((late) => (now_ms: number) => now_ms - late) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(-1, 0, 1, 253_402_300_800_000, 8_640_000_000_000_001, 2 ** 53, 9_223_372_036_854_774_784)
      .map(
        (ms) => () => ms,
      ),
  },
);

/** Makes a message; `earlier` is one that was sent before, of which there is none at the beginning. */
type Make = (earlier: SourceMessage | null) => SourceMessage;

/** One message's draw. */
interface Draw {
  readonly make: Make;
  readonly headers: readonly (readonly [string, Uint8Array])[];
  readonly key: Uint8Array | null;
  readonly timestamp: (now_ms: number) => number;
  /** Which of the kept messages is taken as the earlier one, and replaced. */
  readonly kept: number;
}

function draws(first: number, seed: number, limit: number): Draw[] {
  const identity = identities(first);
  const admissible = admissible_message(identity, legal_fields);
  const damaged = (kind: fc.Arbitrary<Damage>) =>
    fc.tuple(admissible, kind).map(([message, damage]): Make => (earlier) => ({
      ...message,
      value: damage(message.value!, earlier?.value ?? new Uint8Array()),
    }));
  const draw = fc.record({
    make: fc.oneof(
      { weight: 1400, arbitrary: admissible.map((message): Make => () => message) },
      { weight: 650, arbitrary: changed_message(identity).map((message): Make => () => message) },
      { weight: 350, arbitrary: admissible.map((message): Make => (earlier) => earlier ?? message) },
      { weight: 750, arbitrary: damaged(damage) },
      { weight: 1, arbitrary: damaged(bloat(limit)) },
      { weight: 1, arbitrary: damaged(bomb(limit)) },
    ),
    headers: fc.oneof({ weight: 12, arbitrary: fc.constant([]) }, {
      weight: 1,
      arbitrary: fc.array(fc.tuple(header_name, header_value), { minLength: 1, maxLength: 4 }),
    }),
    key,
    timestamp,
    kept: fc.nat(KEPT - 1),
  });
  return fc.sample(draw, { numRuns: DRAWN, seed: (seed + Math.imul(first, 0x9e37_79b1)) | 0 });
}

/**
 * The messages of a fuzz run, in the order in which they are sent: about half of them admissible. The same seed gives the same messages.
 * @param count how many
 * @param limit bytes that a message may have; a few have more
 */
export function* message_stream(count: number, seed: number, limit: number): Generator<FuzzedMessage> {
  const kept: SourceMessage[] = [];
  for (let first = 0; first < count; first += DRAWN) {
    for (const [i, draw] of draws(first, seed, limit).slice(0, count - first).entries()) {
      const message = draw.make(kept[draw.kept % Math.max(kept.length, 1)] ?? null);
      kept[kept.length < KEPT ? kept.length : draw.kept] = message;
      const timestamp_ms = draw.timestamp(BROKER_MS + first + i);
      yield { key: draw.key, value: message.value, headers: with_headers(message.headers, draw.headers), timestamp_ms };
    }
  }
}

/** Headers with others beside them, of which some may be there more than once then. */
function with_headers(headers: SourceMessage["headers"], more: Draw["headers"]): FuzzedMessage["headers"] {
  if (more.length === 0) return headers;
  const all = new Map<string, Uint8Array[]>(Object.entries(headers).map(([name, value]) => [name, [value]]));
  for (const [name, value] of more) all.set(name, [...all.get(name) ?? [], value]);
  return Object.fromEntries(all);
}
