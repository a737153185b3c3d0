/** What a test needs of one good message, whichever of the two shapes it came in. */
export interface SeenEvent {
  readonly trip_id: string;
  readonly event_id: string;
  readonly type: string;
  readonly at_ms: number;
  readonly bare: boolean;
  readonly data: Readonly<Record<string, unknown>>;
}

type Rule = (value: unknown) => boolean;

const text: Rule = (value) => typeof value === "string" && value.length <= 200;
const blank_or = (rule: Rule): Rule => (value) =>
  value === undefined || value === null || (typeof value === "string" && value.trim() === "") || rule(value);
const within = (low: number, high: number): Rule => (value) =>
  typeof value === "number" && Number.isFinite(value) && value >= low && value <= high;
const amount: Rule = (value) => typeof value === "string" && /^\d{1,13}\.\d{2}$/.test(value);
const time: Rule = (value) => {
  const match = typeof value === "string" ? /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:[0-5]\d\.\d{3}Z$/.exec(value) : null;
  return match !== null && !Number.isNaN(Date.parse(match[0])) && new Date(match[0]).toISOString() === match[0];
};

const requested: Record<string, Rule> = {
  passenger_id: text,
  city: text,
  vehicle_type: text,
  pickup_zone: text,
  pickup_lat: within(-90, 90),
  pickup_lon: within(-180, 180),
  dropoff_zone: text,
};
const contract: Record<string, Record<string, Rule>> = {
  "trip.requested": requested,
  "trip.started": {
    ...requested,
    driver_id: text,
    vendor_id: text,
    estimated_fare: amount,
    estimated_dropoff_at: time,
  },
  "trip.completed": {
    tip: amount,
    currency: (value) => value === "USD",
    distance_km: within(0, 1e9),
    duration_min: within(0, 1e9),
    payment_method: text,
    dropoff_zone: text,
    dropoff_lat: within(-90, 90),
    dropoff_lon: within(-180, 180),
    passenger_count: (value) => Number.isInteger(value) && within(0, 1e6)(value),
    rate_code: text,
    trip_type: text,
  },
  "trip.canceled": { reason: text, canceled_by: (value) => ["driver", "passenger", "system"].includes(String(value)) },
  "trip.fare_adjusted": { tip: amount, reason: text },
  "trip.voided": { reason: text },
};

function is_object(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The sentence is made only when the rule is broken: tests read hundreds of thousands of messages. */
function keep(kept: boolean, rule: () => string): asserts kept {
  if (!kept) throw new Error(`reading a trip message by the contract: broken rule: ${rule()}`);
}

/** Reads a message by the contract, written out a second time here; throws where it breaks a rule. */
export function validate(value: string): SeenEvent {
  const message: unknown = JSON.parse(value);
  keep(is_object(message), () => "a message is an object");
  const bare = !("specversion" in message);
  const { event_id, type, trip_id, occurred_at, ...rest } = message;
  const envelope = bare
    ? { id: event_id, type, trip_id, at: occurred_at, data: rest }
    : { id: message["id"], type, trip_id: message["subject"], at: message["time"], data: message["data"] };
  if (!bare) {
    keep(message["specversion"] === "1.0", () => "CloudEvents 1.0");
    keep(message["datacontenttype"] === "application/json", () => "the data is JSON");
    keep(/^\/fleet\/[^\s]+$/.test(String(message["source"])), () => `source "${message["source"]}"`);
  }
  const { id, at, data } = envelope;
  keep(text(id) && /^[0-9a-f]{16}$/.test(String(id)), () => `event id "${id}"`);
  keep(text(envelope.trip_id) && String(envelope.trip_id).trim() !== "", () => `trip id "${envelope.trip_id}"`);
  keep(time(at), () => `time "${at}"`);
  const rules = contract[String(type)];
  keep(rules !== undefined, () => `type "${type}"`);
  keep(is_object(data), () => "data is an object");
  for (const [field, given] of Object.entries(data)) {
    const rule = field === "fare" && /completed|fare_adjusted/.test(String(type))
      ? amount
      : blank_or(rules[field] ?? (() => false));
    keep(rule(given), () => `${type} with ${field} = ${JSON.stringify(given)}`);
  }
  if (type === "trip.fare_adjusted") keep("fare" in data, () => `${type} without a fare`);
  return {
    trip_id: String(envelope.trip_id),
    event_id: String(id),
    type: String(type),
    at_ms: Date.parse(String(at)),
    bare,
    data,
  };
}

/** The events of each trip, in order of delivery. Throws when a message breaks the contract or goes under another trip's key. */
export function events_by_trip(
  messages: readonly { readonly key: string; readonly value: string }[],
): Map<string, SeenEvent[]> {
  const trips = new Map<string, SeenEvent[]>();
  for (const { key, value } of messages) {
    const event = validate(value);
    keep(event.trip_id === key, () => `key "${key}" for trip "${event.trip_id}"`);
    const events = trips.get(key);
    if (events === undefined) trips.set(key, [event]);
    else events.push(event);
  }
  return trips;
}
