import assert from "node:assert/strict";
import { decode_batches, type SourceMessage } from "../../src/ingest/mod.ts";
import { trips_domain } from "../../src/domains/trips/mod.ts";

/** The header `tacho-fault`: what its sender found wrong with a message is why it is quarantined, whatever its value. */

const bytes = (text: string) => new TextEncoder().encode(text);
const EVENT = { event_id: "1", type: "trip.requested", trip_id: "T", occurred_at: "2026-03-01T09:31:02Z" };

function outcome_of(fault: Uint8Array | null) {
  const message: SourceMessage = {
    topic: "trips",
    partition: 0,
    offset: 0,
    key: null,
    value: bytes(JSON.stringify(EVENT)),
    headers: fault === null ? {} : { "tacho-fault": fault },
    timestamp_ms: Date.UTC(2026, 3),
  };
  const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: 1, messages: [message] };
  const limits = { future_limit_ms: 0, max_message_bytes: 1_000, read_ms: Date.UTC(2026, 3) };
  return decode_batches(trips_domain({ currency: "USD" }), limits, [batch])[0]!.outcome;
}

Deno.test("a stated fault is taken over with reason, path and detail, even where the value is a sound event", () => {
  const fault = { reason: "invalid_record", path: "fare", detail: 'expected an amount, got "x"' };
  assert.ok("event" in outcome_of(null));
  assert.deepEqual(outcome_of(bytes(JSON.stringify(fault))), { fault });
  assert.deepEqual(outcome_of(bytes(JSON.stringify({ ...fault, path: null, more: 1 }))), {
    fault: { ...fault, path: null },
  });
});

Deno.test("a header that is no fault is taken for words, and nothing that the log cannot hold gets through", () => {
  const words = (detail: string) => ({ fault: { reason: "faulty_at_source", path: null, detail } });
  assert.deepEqual(outcome_of(bytes("no amount\0")), words("no amount"));
  assert.deepEqual(
    outcome_of(bytes('{"reason":"Not a code","path":null,"detail":""}')),
    words('{"reason":"Not a code","path":null,"detail":""}'),
  );
  assert.deepEqual(outcome_of(bytes(JSON.stringify({ reason: "r", path: "a\0", detail: "\ud800\0b" }))), {
    fault: { reason: "r", path: "a", detail: "\ufffdb" },
  });
});
