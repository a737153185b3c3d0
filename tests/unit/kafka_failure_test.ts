import assert from "node:assert/strict";
import { failure_of } from "../../src/ingest/kafka/kafka_failure.ts";

const named = (name: string, message: string, more: Record<string, unknown> = {}) =>
  Object.assign(new Error(message), { name, ...more });

Deno.test("a refusal is final however deep it lies", () => {
  const refused = named("KafkaJSSASLAuthenticationError", "wrong password");
  const wrapped = named("KafkaJSNonRetriableError", "wrong password", { cause: refused });
  assert.deepEqual(failure_of(wrapped), { final: true, reason: "KafkaJSSASLAuthenticationError: wrong password" });
  const gathered = named("KafkaJSAggregateError", "several", {
    errors: [named("KafkaJSProtocolError", "too many replicas", { type: "INVALID_REPLICATION_FACTOR" })],
  });
  assert.equal(failure_of(gathered).final, true);
});

Deno.test("trouble on the way passes, and tells its first cause", () => {
  const closed = named("KafkaJSConnectionError", "Connection error: connect ECONNREFUSED");
  const given_up = named("KafkaJSNumberOfRetriesExceeded", "gave up", { cause: closed });
  assert.deepEqual(failure_of(given_up), {
    final: false,
    reason: "KafkaJSConnectionError: Connection error: connect ECONNREFUSED",
  });
  assert.deepEqual(failure_of("odd"), { final: false, reason: "Error: odd" });
});

Deno.test("causes that point at each other end", () => {
  const first = named("A", "a");
  first.cause = named("B", "b", { cause: first });
  assert.equal(failure_of(first).final, false);
});
