import assert from "node:assert/strict";
import { without_addresses } from "../../src/http/operation_routes.ts";

Deno.test("what drivers say of addresses is left out of a reason, and nothing else of it", () => {
  const since = "does not answer since 2026-11-28T13:20:00.000Z: ";
  for (
    const [said, told] of [
      ["connect ECONNREFUSED 10.0.0.5:5432", "connect ECONNREFUSED an address"],
      ["connect ECONNREFUSED ::1:5432", "connect ECONNREFUSED an address"],
      ["connect EHOSTUNREACH fe80::1:5432 - Local (fe80::2:0)", "connect EHOSTUNREACH an address - Local (an address)"],
      ["getaddrinfo ENOTFOUND db.internal", "getaddrinfo ENOTFOUND an address"],
      ["connect ENOENT /var/run/postgresql/.s.PGSQL.5432", "connect ENOENT an address"],
      ["Connection error: broker kafka-1.example:9092, [::1]:9092", "Connection error: broker an address, an address"],
      ["timeout at 192.168.1.20", "timeout at an address"],
      ["terminating connection due to administrator command", "terminating connection due to administrator command"],
      [
        "the gap of trips/0 is 12:30 h old; run tacho accept-gap",
        "the gap of trips/0 is 12:30 h old; run tacho accept-gap",
      ],
      ["ECONNRESET; set TACHO_KAFKA_TLS", "ECONNRESET; set TACHO_KAFKA_TLS"],
    ] as const
  ) {
    assert.equal(without_addresses(since + said), since + told);
  }
});
