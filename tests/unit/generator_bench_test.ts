import assert from "node:assert/strict";
import { bench_stream } from "../support/bench_stream.ts";
import { validate } from "../support/trip_contract.ts";

const options = { trips: 2_000, seed: 3, start_us: Date.UTC(2026, 2, 2) * 1_000, apart: 500 };

Deno.test("the bench stream starts every trip and completes it so many trips later, in the same bytes each time", () => {
  const decoder = new TextDecoder();
  const messages = [...bench_stream(options)];
  assert.equal(messages.length, 4_000);
  assert.deepEqual([...bench_stream(options)], messages);

  const started = new Map<string, number>();
  const ids = new Set<string>();
  let completed = 0;
  let last_us = 0;
  for (const { key, value, deliver_us } of messages) {
    const event = validate(decoder.decode(value));
    assert.equal(event.trip_id, decoder.decode(key));
    assert.equal(event.at_ms * 1_000, deliver_us);
    assert.ok(deliver_us >= last_us);
    last_us = deliver_us;
    ids.add(event.event_id);
    if (event.type === "trip.started") {
      started.set(event.trip_id, started.size);
    } else {
      assert.equal(event.type, "trip.completed");
      const begun = started.get(event.trip_id);
      assert.equal(begun, completed);
      assert.equal(started.size, Math.min(2_000, completed + 501), "500 other trips started in between");
      completed++;
    }
  }
  assert.equal(completed, 2_000);
  assert.equal(ids.size, 4_000);
});
