import assert from "node:assert/strict";
import { feed_query, format_address, parse_address } from "../../static/address.js";

const PLAIN = { range: "1h", to_ms: null, paused: false, theme: null };
const TO_MS = Date.UTC(2024, 4, 25, 23, 59);

Deno.test("an address says what differs from the default, and reads back the same", () => {
  assert.equal(format_address(PLAIN), "");
  assert.equal(format_address({ ...PLAIN, paused: true }), "?paused=1");
  const full = { range: "24h", to_ms: TO_MS, paused: true, theme: "dark" };
  assert.equal(format_address(full), "?range=24h&to=2024-05-25T23:59:00Z&paused=1&theme=dark");
  for (const address of [PLAIN, full, { ...PLAIN, to_ms: TO_MS }, { ...PLAIN, range: "30d" }]) {
    assert.deepEqual(parse_address(format_address(address)), address);
  }
});

Deno.test("what an address says wrongly becomes the default", () => {
  assert.deepEqual(parse_address("?range=2y&to=soon&paused=yes&theme=pink"), PLAIN);
  assert.deepEqual(parse_address("?range=constructor"), PLAIN);
});

Deno.test("the feed is asked for the range and a fixed end only", () => {
  assert.deepEqual(feed_query(parse_address("?paused=1&theme=dark")), { range: "1h" });
  assert.deepEqual(feed_query({ range: "7d", to_ms: TO_MS + 250 }), { range: "7d", to: "2024-05-25T23:59:00.250Z" });
});
