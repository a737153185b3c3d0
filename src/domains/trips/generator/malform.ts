import type { JsonObject } from "./message.ts";

/** A way to break a good message. Each gives text that no consumer may admit. */
type Breakage = (message: JsonObject, word: number) => string;

const breakages: readonly Breakage[] = [
  // Cut off on the way: whatever is left of an object without its last brace is not JSON.
  (message, word) => {
    const text = JSON.stringify(message);
    return text.slice(0, 1 + (word % (text.length - 1)));
  },
  () => "<html><body>502 Bad Gateway</body></html>",
  () => "null",
  (message) => JSON.stringify([message]),
  (message) => JSON.stringify({ ...message, [trip_id_field(message)]: undefined }),
  (message) => JSON.stringify({ ...message, [trip_id_field(message)]: " " }),
  (message) => JSON.stringify({ ...message, type: "trip.teleported" }),
  (message) => JSON.stringify({ ...message, [time_field(message)]: String(message[time_field(message)]).slice(0, -1) }),
  (message) => JSON.stringify({ ...message, [time_field(message)]: Date.parse(String(message[time_field(message)])) }),
  (message) => JSON.stringify({ ...message, [time_field(message)]: "2026-02-30T25:61:00Z" }),
  // Each names a fault for every type of event, whichever field that type has.
  (message) => with_data(message, { city: ["somewhere"], reason: ["because"], fare: null }),
  (message) => with_data(message, { city: true, reason: { code: 7 }, fare: "-4.20" }),
  (message) => with_data(message, { city: {}, reason: 1.5, fare: "12,50" }),
];

/** A good message made bad; `word` (32 bits) chooses how. */
export function malform(message: JsonObject, word: number): string {
  const breakage = breakages[word % breakages.length];
  return breakage === undefined ? "" : breakage(message, word >>> 8);
}

function is_cloud_event(message: JsonObject): boolean {
  return "specversion" in message;
}

function trip_id_field(message: JsonObject): string {
  return is_cloud_event(message) ? "subject" : "trip_id";
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
