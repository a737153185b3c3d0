import assert from "node:assert/strict";
import { deeds_of, stretch_of } from "../../static/command.js";
import { DECLARED } from "../support/page_frames.ts";

const NOW_MS = Date.UTC(2026, 2, 9, 12);

Deno.test("words name a day or an hour of it on the clocks of the business, and what is no day names none", () => {
  const told = (words: string, zone = "America/New_York") => {
    const found = stretch_of(words, zone, NOW_MS);
    return found && [found.from_ms, found.to_ms].map((ms) => new Date(Number(ms)).toISOString().slice(0, 16));
  };
  assert.deepEqual(told("2026-03-01"), ["2026-03-01T05:00", "2026-03-02T05:00"]);
  assert.deepEqual(told("2026-03-01 09:00"), ["2026-03-01T14:00", "2026-03-01T15:00"]);
  assert.deepEqual(told("1 Mar"), ["2026-03-01T05:00", "2026-03-02T05:00"]);
  assert.deepEqual(told("24 december 2025"), ["2025-12-24T05:00", "2025-12-25T05:00"]);
  // The clocks go forward: that day has 23 hours.
  assert.deepEqual(told("2026-03-08"), ["2026-03-08T05:00", "2026-03-09T04:00"]);
  for (
    const words of [
      "2026-02-30",
      "30 Feb",
      "32 Mar",
      "2026-13-01",
      "1 Foo",
      "2026-03-01 25:00",
      "10",
      "",
      "Z12",
      "2026-03-01T",
    ]
  ) {
    assert.equal(told(words), null, words);
  }
});

Deno.test("commands are found by any of their words, for every dimension and card that is declared", () => {
  const said: unknown[] = [];
  const find = (words: string) =>
    deeds_of(words, {
      go: (by: unknown) => said.push(by),
      strike: (key: unknown) => said.push(key),
      declared: DECLARED,
    });
  const run = (words: string) => {
    find(words)[0]!.run();
    return said.at(-1);
  };
  assert.deepEqual(run("vs last week"), { compare: "weekday" });
  assert.deepEqual(run("EXPORT csv"), "e");
  assert.deepEqual(run("all by city"), { list: { of: "keys", name: "city" } });
  assert.deepEqual(run("revenue made of"), { list: { of: "items", name: "revenue" } });
  assert.deepEqual(run("yesterday"), {
    from_ms: null,
    to_ms: null,
    last: undefined,
    paused: false,
    range: "yesterday",
  });
  assert.deepEqual(find("no such command"), []);
  assert.equal(find("all by").length, DECLARED.dimensions.length);
});
