import assert from "node:assert/strict";
import { BrokersTooOld, DamagedAnswer } from "../../src/ingest/kafka/records/fetch_answer.ts";
import { failure_of } from "../../src/ingest/kafka/kafka_trouble.ts";

const named = (name: string, message: string, more: Record<string, unknown> = {}) =>
  Object.assign(new Error(message), { name, ...more });

Deno.test("a refusal is final however deep it lies", () => {
  const refused = named("KafkaJSSASLAuthenticationError", "wrong password");
  const wrapped = named("KafkaJSNonRetriableError", "wrong password", { cause: refused });
  assert.deepEqual(failure_of(wrapped), {
    final: true,
    unreadable: false,
    reason: "KafkaJSSASLAuthenticationError: wrong password",
  });
  const gathered = named("KafkaJSAggregateError", "several", {
    errors: [named("KafkaJSProtocolError", "too many replicas", { type: "INVALID_REPLICATION_FACTOR" })],
  });
  assert.equal(failure_of(gathered).final, true);
  const session = named("KafkaJSProtocolError", "not within the broker's range", { type: "INVALID_SESSION_TIMEOUT" });
  assert.equal(failure_of(session).final, true);
});

Deno.test("trouble on the way passes, and tells its first cause", () => {
  const closed = named("KafkaJSConnectionError", "Connection error: connect ECONNREFUSED");
  const given_up = named("KafkaJSNumberOfRetriesExceeded", "gave up", { cause: closed });
  assert.deepEqual(failure_of(given_up), {
    final: false,
    unreadable: false,
    reason: "KafkaJSConnectionError: Connection error: connect ECONNREFUSED",
  });
  assert.deepEqual(failure_of("odd"), { final: false, unreadable: false, reason: "Error: odd" });
});

Deno.test("causes that point at each other end", () => {
  const first = named("A", "a");
  first.cause = named("B", "b", { cause: first });
  assert.equal(failure_of(first).final, false);
});

Deno.test("brokers that are too old are final, damage may pass and says where", () => {
  const old = named("KafkaJSNonRetriableError", "gave up", { cause: new BrokersTooOld("they know no record batches") });
  assert.deepEqual(failure_of(old), {
    final: true,
    unreadable: false,
    reason: "BrokersTooOld: they know no record batches",
  });
  const damage = new DamagedAnswer("trips/0 offset 3: no checksum", { cause: new RangeError("out of bounds") });
  assert.deepEqual(failure_of(named("KafkaJSNumberOfRetriesExceeded", "gave up", { cause: damage })), {
    final: false,
    unreadable: true,
    reason: "DamagedAnswer: trips/0 offset 3: no checksum",
  });
});

Deno.test("a login where none is asked for is final at first, later it may be kafkajs renewing it", () => {
  const state = named("KafkaJSProtocolError", "not valid given the current SASL state", { type: "ILLEGAL_SASL_STATE" });
  assert.equal(failure_of(state, true).final, true);
  assert.equal(failure_of(state).final, false);
});
